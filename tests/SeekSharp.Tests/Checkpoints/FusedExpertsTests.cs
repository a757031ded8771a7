using System.Text;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Experts as Transformers 5 keeps them, stacked and with gate and up fused, are the same weights as one tensor each.</summary>
public sealed class FusedExpertsTests
{
    [Fact]
    public void Fused_experts_are_the_published_ones()
    {
        string source = Repository.Shared("goldens/models/qwen3_moe");
        using var temporary = new TemporaryFolder();
        File.Copy(Path.Combine(source, "config.json"), temporary["config.json"]);
        using ModelFolder published = ModelFolder.Open(source);
        Fuse(published.Checkpoint!, published.Config!, temporary["model.safetensors"]);

        using ModelFolder fused = ModelFolder.Open(temporary.Path);
        Assert.True(fused.Checkpoint!.Tensors.ContainsKey("model.layers.0.mlp.experts.gate_up_proj"));
        ModelWeights a = published.LoadWeights(), b = fused.LoadWeights();
        for (int layer = 0; layer < a.Layers.Length; layer++)
            for (int e = 0; e < published.Config!.NRoutedExperts; e++)
            {
                SwiGluWeights x = a.Layers[layer].Experts!.Experts[e], y = b.Layers[layer].Experts!.Experts[e];
                foreach ((MatrixSource left, MatrixSource right) in ((MatrixSource, MatrixSource)[])[(x.Gate, y.Gate), (x.Up, y.Up), (x.Down, y.Down)])
                {
                    Assert.Equal((left.Rows, left.Cols), (right.Rows, right.Cols));
                    Assert.True(Bytes(left).SequenceEqual(Bytes(right)), $"{left.Name} and {right.Name}");
                }
            }
    }

    [Fact]
    public void Fused_fp8_rows_take_their_own_scales()
    {
        var reader = new WeightReader(new Empty(), "x");
        var both = new MatrixSource("gate_up", NumberFormat.F8E4M3, 512, 200, 4096, [1, 2, 3, 4, 5, 6, 7, 8]); // 4 × 2 blocks
        (MatrixSource gate, MatrixSource up) = reader.SplitRows(both, 256);
        Assert.Equal([1f, 2f, 3f, 4f], gate.Scales!);
        Assert.Equal([5f, 6f, 7f, 8f], up.Scales!);
        Assert.Equal(4096 + 256 * 200, up.Address);
        Assert.Contains("no whole number of 128×128 blocks", Assert.Throws<CheckpointException>(() => reader.SplitRows(both, 200)).Message, StringComparison.Ordinal);
    }

    private sealed class Empty : Checkpoint;

    private static unsafe ReadOnlySpan<byte> Bytes(MatrixSource m) => new((byte*)m.Address, (int)m.ByteLength);

    private static unsafe void Fuse(Checkpoint from, ModelConfig c, string path)
    {
        var header = new JsonObject();
        using var data = new MemoryStream();
        void Add(string name, long[] shape, params ReadOnlySpan<CheckpointTensor> parts)
        {
            long begin = data.Length;
            foreach (CheckpointTensor t in parts) data.Write(new ReadOnlySpan<byte>((byte*)t.Address, (int)t.ByteLength));
            header[name] = new JsonObject { ["dtype"] = "F32", ["shape"] = new JsonArray([.. shape.Select(d => JsonValue.Create(d))]), ["data_offsets"] = new JsonArray(begin, data.Length) };
        }
        foreach (CheckpointTensor t in from.Tensors.Values)
            if (!t.Name.Contains(".experts.", StringComparison.Ordinal)) Add(t.Name, t.Shape, t);
        int e = c.NRoutedExperts, i = c.MoeIntermediateSize, h = c.HiddenSize;
        for (int layer = 0; layer < c.NumHiddenLayers; layer++)
        {
            string p = $"model.layers.{layer}.mlp.experts.";
            Add(p + "gate_up_proj", [e, 2 * i, h], [.. Enumerable.Range(0, e).SelectMany(x => (CheckpointTensor[])[from.Tensors[$"{p}{x}.gate_proj.weight"], from.Tensors[$"{p}{x}.up_proj.weight"]])]);
            Add(p + "down_proj", [e, h, i], [.. Enumerable.Range(0, e).Select(x => from.Tensors[$"{p}{x}.down_proj.weight"])]);
        }
        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. data.ToArray()]);
    }
}
