using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using SeekSharp.Kernels;
using SeekSharp.Tests.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>
/// A file of DeepSeek-V3's shapes, 671B parameters, on a machine that could never hold them. Nearly all of its numbers are zeros that take no disk; but the answer hangs on a few that are
/// not: which experts a token goes to in each layer, and what one expert of a late layer makes of it.
/// </summary>
public sealed class LargerThanMemoryTests
{
    private const int Hidden = 7168, Layers = 61, DenseLayers = 3, Heads = 128, Experts = 256, Width = 2048, Vocabulary = 129280, QRank = 1536, KvRank = 512;
    private const long Limit = 12_000_000_000;

    [Fact]
    public async Task A_model_of_671_billion_parameters_takes_steps_in_12_GB()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "files of holes are made on Linux only");
        Assert.SkipUnless(MachineMemory.Available() > Limit + 2_000_000_000, "there is not enough free memory");
        using var folder = new SeekSharp.Tests.TemporaryFolder();
        SparseGguf model = DeepSeekV3();
        Assert.InRange(model.Parameters, 670e9, 672e9);
        Assert.True(model.TensorBytes > 100e9);
        model.Create(folder["v3.gguf"]);
        Fill(model);
        File.WriteAllText(folder["ids.json"], "[5]");

        using Process process = SeekSharpProgram.Start(null, "run", folder["v3.gguf"], "--tokens", folder["ids.json"], "--max-tokens", "2", "--temperature", "0", "--ctx", "64",
            "--memory", Limit.ToString(CultureInfo.InvariantCulture), "--json");
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        long peak = 0;
        while (!process.WaitForExit(50)) peak = Math.Max(peak, PeakOf(process.Id));
        string said = await error;
        Assert.True(process.ExitCode == 0, said);

        // Token 5 goes to expert 200 of layer 30, which makes it 77; that goes to expert 13 of layer 50, which makes it 1234. Without the experts, or with others, the ids are 78 and 1235.
        Assert.Equal([77, 1234], JsonNode.Parse(await output)!["ids"]!.AsArray().Select(id => (int)id!));
        Assert.Contains("experts are read as they are needed", said, StringComparison.Ordinal);
        Assert.Single(said.Trim().Split('\n'));
        Assert.InRange(peak, 5_000_000_000, Limit);
    }

    private static long PeakOf(int process)
    {
        try
        {
            foreach (string line in File.ReadLines($"/proc/{process}/status"))
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal)) return 1024 * long.Parse(line[6..^3].Trim(), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // it has just ended
        }
        return 0;
    }

    private static SparseGguf DeepSeekV3()
    {
        const NumberFormat Small = NumberFormat.IQ1_S, Dense = NumberFormat.Q2_K; // nearly all of the file, and what every token goes through
        var model = new SparseGguf();
        const string A = "deepseek2.";
        model.Keys.Key("general.architecture", "deepseek2").Key(A + "context_length", 163840).Key(A + "embedding_length", Hidden).Key(A + "block_count", Layers).Key(A + "feed_forward_length", 18432)
            .Key(A + "attention.head_count", Heads).Key(A + "attention.head_count_kv", 1).Key(A + "rope.dimension_count", 64).Float(A + "rope.freq_base", 10000)
            .Float(A + "attention.layer_norm_rms_epsilon", 1e-6f).Key(A + "vocab_size", Vocabulary).Key(A + "leading_dense_block_count", DenseLayers).Key(A + "attention.kv_lora_rank", KvRank)
            .Key(A + "attention.q_lora_rank", QRank).Key(A + "attention.key_length", KvRank + 64).Key(A + "attention.value_length", KvRank).Key(A + "attention.key_length_mla", 192)
            .Key(A + "attention.value_length_mla", 128).Key(A + "expert_count", Experts).Key(A + "expert_used_count", 8).Key(A + "expert_shared_count", 1).Key(A + "expert_feed_forward_length", Width)
            .Float(A + "expert_weights_scale", 2.5f).Raw(A + "expert_weights_norm", 7, w => w.Write(true)).Key(A + "expert_gating_func", 2).Key(A + "expert_group_count", 8).Key(A + "expert_group_used_count", 4);
        model.Tensor("token_embd.weight", NumberFormat.Q8_0, Vocabulary, Hidden).Tensor("output_norm.weight", NumberFormat.F32, Hidden).Tensor("output.weight", NumberFormat.Q8_0, Vocabulary, Hidden);
        for (int i = 0; i < Layers; i++)
        {
            string p = $"blk.{i}.";
            model.Tensor(p + "attn_norm.weight", NumberFormat.F32, Hidden).Tensor(p + "ffn_norm.weight", NumberFormat.F32, Hidden)
                .Tensor(p + "attn_q_a.weight", Dense, QRank, Hidden).Tensor(p + "attn_q_a_norm.weight", NumberFormat.F32, QRank).Tensor(p + "attn_q_b.weight", Dense, Heads * 192, QRank)
                .Tensor(p + "attn_kv_a_mqa.weight", Dense, KvRank + 64, Hidden).Tensor(p + "attn_kv_a_norm.weight", NumberFormat.F32, KvRank)
                .Tensor(p + "attn_k_b.weight", NumberFormat.Q4_0, Heads, KvRank, 128).Tensor(p + "attn_v_b.weight", Dense, Heads, 128, KvRank)
                .Tensor(p + "attn_output.weight", Dense, Hidden, Heads * 128);
            if (i < DenseLayers)
            {
                model.Tensor(p + "ffn_gate.weight", Dense, 18432, Hidden).Tensor(p + "ffn_up.weight", Dense, 18432, Hidden).Tensor(p + "ffn_down.weight", Dense, Hidden, 18432);
                continue;
            }
            model.Tensor(p + "ffn_gate_inp.weight", NumberFormat.F32, Experts, Hidden).Tensor(p + "exp_probs_b.bias", NumberFormat.F32, Experts)
                .Tensor(p + "ffn_gate_exps.weight", Small, Experts, Width, Hidden).Tensor(p + "ffn_up_exps.weight", Small, Experts, Width, Hidden).Tensor(p + "ffn_down_exps.weight", Small, Experts, Hidden, Width)
                .Tensor(p + "ffn_gate_shexp.weight", Dense, Width, Hidden).Tensor(p + "ffn_up_shexp.weight", Dense, Width, Hidden).Tensor(p + "ffn_down_shexp.weight", Dense, Hidden, Width);
        }
        return model;
    }

    private static void Fill(SparseGguf model)
    {
        float[] ones = [.. Enumerable.Repeat(1f, Hidden)];
        model.Write("output_norm.weight", 0, ones);
        // Tokens 5 and 77 are one number each, in columns 0 and 1; the normalized residual holds √7168 ≈ 85 there.
        model.Write("token_embd.weight", [Code(5, 0, 1, 1), Code(77, 1, 1, 1)]);
        // Two logits for each of the two: the first from what the expert adds to columns 100 and 101 (negative numbers), the second, far smaller, from the token alone.
        model.Write("output.weight", [Code(77, 100, 1, -100), Code(78, 0, 0.001f, 1), Code(1234, 101, 1, -100), Code(1235, 1, 0.001f, 1)]);
        var random = new Random(7);
        for (int layer = DenseLayers; layer < Layers; layer++)
        {
            string p = $"blk.{layer}.";
            model.Write(p + "ffn_norm.weight", 0, ones);
            var router = new List<(long, byte[])>();
            for (int column = 0; column < 2; column++)
                foreach (int expert in Choose(random, (layer, column) switch { (30, 0) => 200, (50, 1) => 13, _ => null }))
                    router.Add((4L * ((long)expert * Hidden + column), BitConverter.GetBytes(0.1f)));
            model.Write(p + "ffn_gate_inp.weight", router);
        }
        FillExpert(model, 30, 200, 100);
        FillExpert(model, 50, 13, 101);
    }

    // Eight experts in four groups, two in each: what the router gives a token whose number those eight are sensitive to.
    private static IEnumerable<int> Choose(Random random, int? wanted)
    {
        int[] groups = [.. Enumerable.Range(0, 8).Where(g => g != wanted / 32).OrderBy(_ => random.Next()).Take(wanted is null ? 4 : 3)];
        if (wanted is { } w) groups = [.. groups, w / 32];
        return groups.SelectMany(g => Enumerable.Range(32 * g, 32).Where(e => e != wanted).OrderBy(_ => random.Next()).Take(g == wanted / 32 ? 1 : 2)).Concat(wanted is { } x ? [x] : []);
    }

    // The first number of the expert's width becomes silu(g) · g, g ≈ −2, from the first 256 columns; one column of the output gets a negative multiple of it.
    private static void FillExpert(SparseGguf model, int layer, int expert, int column)
    {
        byte[] scale = BitConverter.GetBytes((Half)0.03f), large = BitConverter.GetBytes((Half)1f);
        long matrix = NumberFormats.ByteCount(NumberFormat.IQ1_S, (long)Width * Hidden);
        model.Write($"blk.{layer}.ffn_gate_exps.weight", [(expert * matrix, scale)]);
        model.Write($"blk.{layer}.ffn_up_exps.weight", [(expert * matrix, scale)]);
        model.Write($"blk.{layer}.ffn_down_exps.weight", [(expert * matrix + column * NumberFormats.ByteCount(NumberFormat.IQ1_S, Width), large)]);
    }

    // One code of a Q8_0 matrix with Hidden columns, and its block's scale.
    private static (long, byte[]) Code(int row, int column, float scale, sbyte code)
    {
        var block = new byte[34];
        BitConverter.GetBytes((Half)scale).CopyTo(block, 0);
        block[2 + column % 32] = (byte)code;
        return (row * NumberFormats.ByteCount(NumberFormat.Q8_0, Hidden) + column / 32 * 34, block);
    }
}
