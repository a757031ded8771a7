using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>What the safetensors writer writes, read by the tests' own plain reader.</summary>
public sealed class WriterSafetensorsTests
{
    [Fact]
    public void Tensors_and_metadata_come_back()
    {
        using TemporaryFolder folder = new();
        using (SafetensorsWriter writer = new(folder["a.safetensors"],
            [("x", NumberFormat.F32, [2, 3]), ("é\"\n", NumberFormat.U8, [5]), ("none", NumberFormat.F16, [0, 7]), ("one", NumberFormat.F8E4M3, [])],
            new Dictionary<string, string> { ["format"] = "pt" }))
        {
            writer.Write([1f, 2f]);
            writer.Write([3f, 4f, 5f, 6f]);
            writer.Write((ReadOnlySpan<byte>)[1, 2, 3, 4, 5, 0x7E]);
            writer.Complete();
        }
        GoldenFile back = GoldenFile.Open(folder["a.safetensors"]);
        Assert.Equal([1f, 2, 3, 4, 5, 6], back.Floats("x"));
        Assert.Equal([2, 3], back.Shape("x"));
        Assert.Equal([1, 2, 3, 4, 5], back.Ints("é\"\n"));
        Assert.Equal([0, 7], back.Shape("none"));
        Assert.Equal("F8_E4M3", back.Type("one"));
        Assert.Equal([0x7E], back.Bytes("one").ToArray());
        Assert.Equal("pt", back.Metadata["format"]);
        Assert.Equal(0, BitConverter.ToInt64(File.ReadAllBytes(folder["a.safetensors"]), 0) % 8);
    }

    [Fact]
    public void A_file_appears_whole_or_not_at_all()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["a.safetensors"], "old");
        using (SafetensorsWriter writer = new(folder["a.safetensors"], [("x", NumberFormat.F32, [2])]))
        {
            writer.Write([1f]);
            Assert.Throws<InvalidOperationException>(writer.Complete);
        }
        Assert.Equal("old", File.ReadAllText(folder["a.safetensors"]));
        Assert.Single(Directory.GetFiles(folder.Path));
        SafetensorsWriter.Save(folder["a.safetensors"], [("x", [2], [1, 2])]);
        Assert.Equal([1f, 2], GoldenFile.Open(folder["a.safetensors"]).Floats("x"));
    }

    [Fact]
    public void What_cannot_be_written_is_one_line()
    {
        using TemporaryFolder folder = new();
        foreach (Action attempt in (Action[])[
            () => SafetensorsWriter.Save(folder["missing/a.safetensors"], []),
            () => SafetensorsWriter.Save(folder.Path, []),
            () => SafetensorsWriter.Save(folder["b"], [("x", [1], [1]), ("x", [1], [1])]),
            () => new SafetensorsWriter(folder["c"], [("x", NumberFormat.Q4_0, [32])]).Dispose()])
            Assert.DoesNotContain('\n', Assert.Throws<CheckpointException>(attempt).Message);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }
}
