using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>GGUF metadata → <see cref="ModelConfig"/>: llama.cpp's defaults and rules (goldens/gguf/README.md, probe.json).</summary>
public sealed class GgufConfigTests
{
    private static readonly double F = 1 + 0.1 * Math.Log(40);

    [Fact]
    public void DeepseekV3_split_and_unsplit_say_the_same()
    {
        ModelConfig split = Golden("deepseek_v3"), whole = Golden("deepseek_v3_unsplit");
        foreach (ModelConfig c in (ModelConfig[])[split, whole])
        {
            Assert.Equal(("deepseek_v3", 24, 32, 12, 16, 10), (c.ModelType, c.QLoraRank, c.KvLoraRank, c.QkNopeHeadDim, c.QkRopeHeadDim, c.VHeadDim));
            Assert.Equal((8, 3, 1, 12, 4, 2, 2.5f, true), (c.NRoutedExperts, c.NumExpertsPerTok, c.NSharedExperts, c.MoeIntermediateSize, c.NGroup, c.TopkGroup, c.RoutedScalingFactor, c.NormTopkProb));
            Assert.Equal((ScoringFunc.Sigmoid, TopkMethod.NoAuxTc), (c.ScoringFunc, c.TopkMethod));
            Assert.Equal([false, true, true], c.IsMoeLayer);
        }
        Assert.Null(Golden("deepseek_v2_lite").QLoraRank);
        Assert.Equal(TopkMethod.GroupLimitedGreedy, Golden("deepseek_v2").TopkMethod);
        Assert.Equal(TopkMethod.Greedy, Golden("deepseek_v2_lite").TopkMethod);
        Assert.Equal(1, Golden("deepseek_v3_noyarn").NGroup);
    }

    [Fact]
    public void Grouped_query_architectures()
    {
        ModelConfig qwen3 = Golden("qwen3"), linear = Golden("llama_linear");
        Assert.Equal((4, 2, 16, 48, false), (qwen3.NumAttentionHeads, qwen3.NumKeyValueHeads, qwen3.HeadDim, qwen3.HiddenSize, qwen3.AttentionBias));
        Assert.True(Golden("qwen2").AttentionBias);
        Assert.Equal((RopeKind.Linear, 4f), (linear.Rope.Kind, linear.Rope.Factor));
        Assert.True(Golden("llama_tied").TieWordEmbeddings);
        Assert.False(Golden("llama").TieWordEmbeddings);
    }

    // The four cases of the README, and attn_factor on top of each.
    [Theory]
    [InlineData("yarn", 0.1f, 1.0f)]
    [InlineData("yarn", null, 1.0f)]
    [InlineData(null, 0.1f, 1.0f)]
    [InlineData(null, null, 1.0f)]
    [InlineData("yarn", 0.1f, 1.5f)]
    [InlineData("yarn", null, 1.5f)]
    [InlineData("yarn", 0.0707f, 1.0f)]
    [InlineData("none", null, 1.0f)]
    public void Yarn_of_deepseek2(string? type, float? multiplier, float attention)
    {
        GgufBytes file = Deepseek().Float("deepseek2.rope.scaling.factor", 40).Key("deepseek2.rope.scaling.original_context_length", 64);
        if (type is not null) file.Key("deepseek2.rope.scaling.type", type);
        if (multiplier is float x) file.Float("deepseek2.rope.scaling.yarn_log_multiplier", x);
        if (attention != 1) file.Float("deepseek2.rope.scaling.attn_factor", attention);
        RopeConfig rope = Read(file).Rope;
        double m = 1 + (multiplier ?? 0) * Math.Log(40);
        (double cosSin, double scores) = (type, multiplier) switch
        {
            ("yarn", not null) => (1, m * m),
            ("yarn", null) => (F, F * F),
            (null, not null) => (1, F * F * m * m),
            (null, null) => (1, F * F),
            _ => (1.0, 1.0),
        };
        Assert.Equal(cosSin * attention, rope.CosSinScale, 1e-6);
        Assert.Equal(scores * attention * attention, rope.ScoreScale, 2e-6);
        Assert.Equal(type switch { "yarn" => RopeKind.Yarn, "none" => RopeKind.Default, _ => RopeKind.Linear }, rope.Kind);
        Assert.Equal((32f, 1f), (rope.BetaFast, rope.BetaSlow));
    }

    [Fact]
    public void Yarn_of_llama_is_Hugging_Faces()
    {
        RopeConfig rope = Read(Llama().Key("llama.rope.scaling.type", "yarn").Float("llama.rope.scaling.factor", 8).Float("llama.rope.scaling.yarn_beta_fast", 2)).Rope;
        Assert.Equal(1 + 0.1 * Math.Log(8), rope.CosSinScale, 1e-6);
        Assert.Equal(1f, rope.ScoreScale);
        Assert.Equal(32f, rope.BetaFast); // the file's is ignored
        Assert.Equal(256, rope.OriginalMaxPositionEmbeddings); // missing: the context length
    }

    [Fact]
    public void Missing_keys_have_llama_cpps_defaults()
    {
        ModelConfig c = Read(Llama());
        Assert.Equal((4, 12, 12, 10000f, RopeKind.Default), (c.NumKeyValueHeads, c.HeadDim, c.Rope.Dims, c.Rope.Theta, c.Rope.Kind));
        Assert.Equal((RopeKind.Linear, 4f), (Read(Llama().Float("llama.rope.scale_linear", 4)).Rope.Kind, Read(Llama().Float("llama.rope.scaling.factor", 4)).Rope.Factor));
        Assert.Equal(RopeKind.Default, Read(Llama().Float("llama.rope.scaling.factor", 0)).Rope.Kind);
        ModelConfig old = Read(Deepseek()); // no gating function, norm or scale: V2's first files
        Assert.Equal((ScoringFunc.Softmax, false, 1f, 1), (old.ScoringFunc, old.NormTopkProb, old.RoutedScalingFactor, old.NGroup));
        Assert.Equal([true, true], old.IsMoeLayer); // missing leading_dense_block_count = 0
    }

    [Theory]
    [InlineData("llama.context_length", "llama.context_length is missing")]
    [InlineData("llama.block_count", "llama.block_count is missing")]
    [InlineData("llama.embedding_length", "llama.embedding_length is missing")]
    [InlineData("llama.attention.head_count", "llama.attention.head_count is missing")]
    [InlineData("llama.attention.layer_norm_rms_epsilon", "llama.attention.layer_norm_rms_epsilon is missing")]
    [InlineData("deepseek2.expert_shared_count", "deepseek2.expert_shared_count is missing")]
    [InlineData("deepseek2.attention.kv_lora_rank", "deepseek2.attention.kv_lora_rank is missing")]
    [InlineData("deepseek2.rope.dimension_count", "deepseek2.rope.dimension_count is missing")]
    [InlineData("deepseek2.attention.q_lora_rank", "deepseek2.attention.q_lora_rank is missing")]
    public void Missing_keys_are_named(string key, string message) => Refused(key.StartsWith("llama", StringComparison.Ordinal) ? Llama(key) : Deepseek(key), message);

    [Fact]
    public void Absurd_values_are_named()
    {
        Refused(Llama().Key("llama.attention.head_count_kv", 3), "llama.attention.head_count_kv: expected a divisor of the 4 attention heads, found 3");
        Refused(Llama().Key("llama.attention.key_length", 1u << 31), "llama.attention.key_length: expected a whole number from 1");
        Refused(Llama("llama.block_count").Key("llama.block_count", uint.MaxValue), "llama.block_count: expected a whole number from 1 to 4096, found 4294967295");
        Refused(Llama().Key("llama.expert_count", 8), "llama with experts is not supported");
        Refused(Llama().Key("llama.rope.scaling.type", "longrope"), "llama.rope.scaling.type longrope is not supported (none, linear, yarn are)");
        Refused(Llama().Float("llama.rope.scaling.factor", float.NaN), "llama.rope.scaling.factor");
        Refused(Llama().Float("llama.rope.freq_base", -1), "llama.rope.freq_base");
        Refused(Deepseek().Key("deepseek2.expert_group_count", 4), "deepseek2.expert_group_used_count is missing");
        Refused(Deepseek().Key("deepseek2.expert_gating_func", 7), "deepseek2.expert_gating_func");
        Refused(Deepseek("deepseek2.expert_used_count").Key("deepseek2.expert_used_count", 9), "deepseek2.expert_used_count: expected at most the 8 experts, found 9");
        Refused(new GgufBytes().Key("general.architecture", "gemma2"), "architecture gemma2 is not supported (llama, qwen2, qwen3, qwen3moe, deepseek2 are)");
        Refused(new GgufBytes(), "general.architecture is missing");
    }

    [Fact]
    public void Ends_of_answers_and_sampling()
    {
        string[] tokens = ["a", "<|endoftext|>", "<|im_end|>", "<end_of_turn>", "<|eom_id|>", "b", "<｜end▁of▁sentence｜>"];
        GgufBytes file = Llama().Strings("tokenizer.ggml.tokens", tokens).Key("tokenizer.ggml.eos_token_id", 5).Key("tokenizer.ggml.eot_token_id", 0).Key("tokenizer.ggml.eom_token_id", 99)
            .Float("general.sampling.temp", 0.25f).Key("general.sampling.top_k", 40);
        Use(file, g =>
        {
            GenerationConfig read = GenerationConfigReader.ReadGguf(g.Metadata);
            Assert.Equal([5, 0, 1, 2, 3, 4, 6], read.EosTokenIds); // 99 is beyond the vocabulary
            Assert.Equal((0.25f, 40, null), (read.Temperature, read.TopK, read.TopP));
            Assert.Equal(7, GgufConfig.Read(g).VocabSize);
        });
        Use(Llama().Float("general.sampling.temp", -1), g => Assert.Throws<CheckpointException>(() => GenerationConfigReader.ReadGguf(g.Metadata)));
    }

    private static GgufBytes Llama(string? without = null) => Without(without,
        ("general.architecture", "llama"), ("llama.vocab_size", 288u), ("llama.context_length", 256u), ("llama.embedding_length", 48u), ("llama.block_count", 2u),
        ("llama.feed_forward_length", 80u), ("llama.attention.head_count", 4u), ("llama.attention.layer_norm_rms_epsilon", 1e-5f));

    private static GgufBytes Deepseek(string? without = null) => Without(without,
        ("general.architecture", "deepseek2"), ("deepseek2.vocab_size", 288u), ("deepseek2.context_length", 256u), ("deepseek2.embedding_length", 48u), ("deepseek2.block_count", 2u),
        ("deepseek2.feed_forward_length", 80u), ("deepseek2.attention.head_count", 4u), ("deepseek2.attention.layer_norm_rms_epsilon", 1e-5f), ("deepseek2.attention.key_length", 28u),
        ("deepseek2.attention.value_length", 10u), ("deepseek2.rope.dimension_count", 16u), ("deepseek2.attention.q_lora_rank", 24u), ("deepseek2.attention.kv_lora_rank", 32u),
        ("deepseek2.expert_count", 8u), ("deepseek2.expert_used_count", 3u), ("deepseek2.expert_shared_count", 1u), ("deepseek2.expert_feed_forward_length", 12u));

    private static GgufBytes Without(string? without, params (string Key, object Value)[] keys)
    {
        var file = new GgufBytes();
        foreach ((string key, object value) in keys)
            if (key != without) _ = value switch { string s => file.Key(key, s), float f => file.Float(key, f), _ => file.Key(key, (uint)value) };
        return file;
    }

    private static ModelConfig Golden(string name)
    {
        using GgufCheckpoint g = GgufCheckpoint.Open(Repository.Shared($"goldens/gguf/{name}.gguf"));
        return GgufConfig.Read(g);
    }

    private static ModelConfig Read(GgufBytes file)
    {
        ModelConfig? config = null;
        Use(file, g => config = GgufConfig.Read(g));
        return config!;
    }

    private static void Refused(GgufBytes file, string message) => Use(file, g =>
    {
        string found = Assert.Throws<CheckpointException>(() => GgufConfig.Read(g)).Message;
        Assert.Contains(message, found, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', found);
    });

    private static void Use(GgufBytes file, Action<GgufCheckpoint> action)
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllBytes(temporary["x.gguf"], file.ToArray());
        using GgufCheckpoint g = GgufCheckpoint.Open(temporary["x.gguf"]);
        action(g);
    }
}
