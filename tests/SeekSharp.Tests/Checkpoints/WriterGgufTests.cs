using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>What the GGUF writer writes comes back from the reader, which is tested against llama.cpp's files.</summary>
public sealed class WriterGgufTests
{
    [Theory]
    [InlineData("metadata")]
    [InlineData("llama_q4_k")]
    [InlineData("deepseek_v3_q8_0")]
    [InlineData("llama_v2")]
    public void A_file_written_again_is_the_same_byte_for_byte(string name)
    {
        string path = Repository.Shared($"goldens/gguf/{name}.gguf");
        using TemporaryFolder folder = new();
        using (GgufCheckpoint source = GgufCheckpoint.Open(path)) Copy(source, folder["copy.gguf"], 1000);
        byte[] expected = File.ReadAllBytes(path), actual = File.ReadAllBytes(folder["copy.gguf"]);
        expected[4] = 3; // the writer's version; version 2 has the same layout
        Assert.True(expected.AsSpan().SequenceEqual(actual), $"{name}: {expected.Length} and {actual.Length} bytes, the first other one at {expected.AsSpan().CommonPrefixLength(actual)}");
    }

    [Fact]
    public void Empty_tensors_and_odd_alignments_come_back()
    {
        using TemporaryFolder folder = new();
        GgufMetadataBuilder metadata = new();
        metadata.Set("general.alignment", 128u);
        metadata.Set("é", "\0");
        metadata.Set("none", Array.Empty<string>());
        using (GgufWriter writer = new(folder["a.gguf"], metadata, [("empty", NumberFormat.F32, [0, 4]), ("q", NumberFormat.Q8_0, [3, 32]), ("one", NumberFormat.F32, [1]), ("end", NumberFormat.F32, [0])]))
        {
            for (int i = 0; i < 102; i++) writer.Write([(byte)i]);
            writer.Write(MemoryMarshal.AsBytes<float>([7]));
            writer.Complete();
        }
        using GgufCheckpoint back = GgufCheckpoint.Open(folder["a.gguf"]);
        Assert.Equal(128u, back.Alignment);
        Assert.Equal("\0", back.Metadata.GetString("é"));
        Assert.Equal([0L, 4], back.Tensors["empty"].Shape);
        Assert.Equal([3L, 32], back.Tensors["q"].Shape);
        Assert.Equal(101, Marshal.ReadByte(back.Tensors["q"].Address, 101));
        Assert.Equal(BitConverter.SingleToInt32Bits(7), Marshal.ReadInt32(back.Tensors["one"].Address));
    }

    [Fact]
    public void What_cannot_be_written_is_one_line_and_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        foreach ((string, NumberFormat, long[])[] tensors in ((string, NumberFormat, long[])[][])[
            [("x", NumberFormat.Q4_K, [2, 128])], [("x", NumberFormat.F8E4M3, [2])], [("x", NumberFormat.F32, [1, 1, 1, 1, 1])],
            [("x", NumberFormat.F32, [1]), ("x", NumberFormat.F32, [1])], [("x", NumberFormat.F32, [long.MaxValue, 2])]])
            Assert.DoesNotContain('\n', Assert.Throws<CheckpointException>(() => new GgufWriter(folder["a.gguf"], [], tensors)).Message);
        Assert.Throws<ArgumentException>(() => new GgufMetadataBuilder().Set("key", 1m));
        using (GgufWriter writer = new(folder["b.gguf"], [], [("x", NumberFormat.F32, [1])]))
        {
            Assert.Throws<InvalidOperationException>(writer.Complete);
            Assert.Throws<InvalidOperationException>(() => writer.Write(new byte[5]));
        }
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static unsafe void Copy(GgufCheckpoint source, string path, int piece)
    {
        using GgufWriter writer = new(path, GgufMetadataBuilder.CopyOf(source.Metadata), [.. source.Tensors.Values.Select(t => (t.Name, t.Format, t.Shape))]);
        foreach (CheckpointTensor t in source.Tensors.Values)
            for (long at = 0; at < t.ByteLength; at += piece)
                writer.Write(new ReadOnlySpan<byte>((byte*)t.Address + at, (int)Math.Min(piece, t.ByteLength - at)));
        writer.Complete();
    }
}
