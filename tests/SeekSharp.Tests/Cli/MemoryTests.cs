using System.Text.Json.Nodes;
using SeekSharp.Kernels;
using SeekSharp.Tests.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>What the program takes of the machine's memory, as the kernel counts it.</summary>
public sealed class MemoryTests
{
    private const long Allowance = 250_000_000;

    [Fact]
    public void Peak_memory_is_weights_and_cache_and_little_else()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mapped pages are given back on Linux only");
        using var folder = new SeekSharp.Tests.TemporaryFolder();
        // Larger than the allowance by far: source pages that stayed would show. One tensor is larger than a slice.
        SparseGguf model = Llama(layers: 6, hidden: 2048, inner: 8192, vocabulary: 16384);
        model.Create(folder["model.gguf"]);
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("bench", folder["model.gguf"], "--prefill", "40", "--decode", "2", "--threads", "2", "--json");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonNode report = JsonNode.Parse(outcome.Output)!;
        long peak = (long)report["peak_memory_bytes"]!, weights = (long)report["weight_bytes"]!, cache = (long)report["kv_bytes"]!;
        Assert.InRange(weights, 0.9 * model.TensorBytes - Embedding, 1.07 * model.TensorBytes);
        Assert.True(weights > 1.5 * Allowance);
        Assert.InRange(cache, 1, 1 << 20);
        Assert.InRange(peak, weights + cache, weights + cache + Allowance);
        Assert.InRange((double)report["load_seconds"]!, 0.05, 60);
    }

    private static long Embedding => NumberFormats.ByteCount(NumberFormat.Q8_0, 16384 * 2048);

    private static SparseGguf Llama(int layers, int hidden, int inner, int vocabulary)
    {
        var model = new SparseGguf();
        model.Keys.Key("general.architecture", "llama").Key("llama.context_length", 256).Key("llama.embedding_length", (uint)hidden).Key("llama.block_count", (uint)layers)
            .Key("llama.feed_forward_length", (uint)inner).Key("llama.attention.head_count", (uint)(hidden / 64)).Key("llama.attention.head_count_kv", 4)
            .Key("llama.rope.dimension_count", 64).Float("llama.rope.freq_base", 10000).Float("llama.attention.layer_norm_rms_epsilon", 1e-5f).Key("llama.vocab_size", (uint)vocabulary);
        model.Tensor("token_embd.weight", NumberFormat.Q8_0, vocabulary, hidden).Tensor("output_norm.weight", NumberFormat.F32, hidden).Tensor("output.weight", NumberFormat.Q8_0, vocabulary, hidden);
        for (int i = 0; i < layers; i++)
        {
            string p = $"blk.{i}.";
            model.Tensor(p + "attn_norm.weight", NumberFormat.F32, hidden).Tensor(p + "ffn_norm.weight", NumberFormat.F32, hidden)
                .Tensor(p + "attn_q.weight", NumberFormat.Q8_0, hidden, hidden).Tensor(p + "attn_k.weight", NumberFormat.Q8_0, 256, hidden)
                .Tensor(p + "attn_v.weight", NumberFormat.Q8_0, 256, hidden).Tensor(p + "attn_output.weight", NumberFormat.Q8_0, hidden, hidden)
                .Tensor(p + "ffn_gate.weight", NumberFormat.Q8_0, inner, hidden).Tensor(p + "ffn_up.weight", NumberFormat.Q8_0, inner, hidden)
                .Tensor(p + "ffn_down.weight", NumberFormat.Q8_0, hidden, inner);
        }
        return model;
    }
}
