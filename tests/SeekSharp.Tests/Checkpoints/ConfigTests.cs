using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>config.json → <see cref="ModelConfig"/>: both spellings of the rotary keys, defaults as Transformers' classes, and what is refused.</summary>
public sealed class ConfigTests
{
    [Fact]
    public void DeepseekV3_with_yarn()
    {
        ModelConfig c = Golden("deepseek_v3");
        Assert.Equal((32, 32, 16, 8, 16), (c.QLoraRank, c.KvLoraRank, c.QkNopeHeadDim, c.QkRopeHeadDim, c.VHeadDim));
        Assert.Equal((16, 1, 4, 32, 4, 2), (c.NRoutedExperts, c.NSharedExperts, c.NumExpertsPerTok, c.MoeIntermediateSize, c.NGroup, c.TopkGroup));
        Assert.Equal([false, true, true, true], c.IsMoeLayer);
        Assert.Equal((ScoringFunc.Sigmoid, TopkMethod.NoAuxTc, true, 2.5f), (c.ScoringFunc, c.TopkMethod, c.NormTopkProb, c.RoutedScalingFactor));
        Assert.Equal((RopeKind.Yarn, 8, 40f, 16, 32f, 1f, true), (c.Rope.Kind, c.Rope.Dims, c.Rope.Factor, c.Rope.OriginalMaxPositionEmbeddings, c.Rope.BetaFast, c.Rope.BetaSlow, c.Rope.Truncate));
        Assert.Equal(1f, c.Rope.CosSinScale); // mscale = mscale_all_dim
        double m = 1 + 0.1 * Math.Log(40);
        Assert.Equal((float)(m * m), c.Rope.ScoreScale);
        Assert.Equal(1, Golden("deepseek_v3_mtp").NumNextnPredictLayers);
        Assert.Equal("fp8", Golden("deepseek_v3_fp8").QuantizationMethod);
    }

    [Fact]
    public void DeepseekV2_and_Lite()
    {
        ModelConfig v2 = Golden("deepseek_v2"), lite = Golden("deepseek_v2_lite");
        Assert.Equal((ScoringFunc.Softmax, TopkMethod.GroupLimitedGreedy, false, 16f), (v2.ScoringFunc, v2.TopkMethod, v2.NormTopkProb, v2.RoutedScalingFactor));
        Assert.Equal((TopkMethod.Greedy, 1, 1), (lite.TopkMethod, lite.NGroup, lite.TopkGroup));
        Assert.Null(lite.QLoraRank); // null in the file, which is not "missing"
        double m = 1 + 0.1 * 0.707 * Math.Log(40);
        Assert.Equal((float)(m * m), lite.Rope.ScoreScale);
        Assert.Equal(1f, lite.Rope.CosSinScale);
    }

    [Fact]
    public void Llama3_linear_and_yarn()
    {
        RopeConfig llama3 = Golden("llama3").Rope, linear = Golden("llama_linear").Rope, yarn = Golden("llama_yarn").Rope;
        Assert.Equal((RopeKind.Llama3, 500000f, 16, 8f, 1f, 4f, 64), (llama3.Kind, llama3.Theta, llama3.Dims, llama3.Factor, llama3.LowFreqFactor, llama3.HighFreqFactor, llama3.OriginalMaxPositionEmbeddings));
        Assert.Equal((RopeKind.Linear, 4f, 1f, 1f), (linear.Kind, linear.Factor, linear.CosSinScale, linear.ScoreScale));
        Assert.Equal((RopeKind.Yarn, 4f, 32, (float)(1 + 0.1 * Math.Log(4)), 1f), (yarn.Kind, yarn.Factor, yarn.Dims, yarn.CosSinScale, yarn.ScoreScale));
    }

    [Fact]
    public void Rope_parameters_win_over_the_old_theta()
    {
        ModelConfig c = Golden("qwen3");
        Assert.Equal((RopeKind.Default, 1000000f, 24, 24), (c.Rope.Kind, c.Rope.Theta, c.Rope.Dims, c.HeadDim)); // the file has rope_theta 10000 too
        ModelConfig both = Edited("llama_yarn", j =>
        {
            JsonNode scaling = j["rope_scaling"]!.DeepClone();
            scaling["rope_theta"] = 12345;
            j.Remove("rope_scaling");
            j["rope_parameters"] = scaling;
        });
        Assert.Equal((RopeKind.Yarn, 12345f, 4f), (both.Rope.Kind, both.Rope.Theta, both.Rope.Factor));
    }

    [Fact]
    public void Yarn_options()
    {
        RopeConfig given = Edited("llama_yarn", j => j["rope_scaling"]!["attention_factor"] = 1.25).Rope;
        Assert.Equal(1.25f, given.CosSinScale);
        Assert.False(Edited("llama_yarn", j => j["rope_scaling"]!["truncate"] = false).Rope.Truncate);
        Assert.Equal(640, Edited("llama_yarn", j => ((JsonObject)j["rope_scaling"]!).Remove("original_max_position_embeddings")).Rope.OriginalMaxPositionEmbeddings);
        RopeConfig ratio = Edited("llama_yarn", j => ((JsonObject)j["rope_scaling"]!).Remove("factor")).Rope;
        Assert.Equal(40f, ratio.Factor); // 640 / 16
        // Other mscale than mscale_all_dim: cos and sin take the ratio, scores the square of the second.
        RopeConfig deepseek = Edited("deepseek_v3", j => j["rope_scaling"]!["mscale"] = 0.5).Rope;
        double half = 1 + 0.05 * Math.Log(40), whole = 1 + 0.1 * Math.Log(40);
        Assert.Equal(((float)(half / whole), (float)(whole * whole)), (deepseek.CosSinScale, deepseek.ScoreScale));
        // Neither: the plain factor on cos and sin, nothing on the scores.
        RopeConfig none = Edited("deepseek_v3", j =>
        {
            ((JsonObject)j["rope_scaling"]!).Remove("mscale");
            ((JsonObject)j["rope_scaling"]!).Remove("mscale_all_dim");
        }).Rope;
        Assert.Equal(((float)whole, 1f), (none.CosSinScale, none.ScoreScale));
    }

    [Fact]
    public void Missing_keys_have_the_defaults_of_Transformers()
    {
        ModelConfig llama = Parse("""{"model_type":"llama","vocab_size":10,"hidden_size":64,"num_hidden_layers":1,"num_attention_heads":4,"intermediate_size":8}""");
        Assert.Equal((4, 16, 2048, 1e-6f, 10000f, false), (llama.NumKeyValueHeads, llama.HeadDim, llama.MaxPositionEmbeddings, llama.RmsNormEps, llama.Rope.Theta, llama.TieWordEmbeddings));
        ModelConfig qwen3 = Parse("""{"model_type":"qwen3","vocab_size":10,"hidden_size":64,"num_hidden_layers":1,"num_attention_heads":32,"intermediate_size":8}""");
        Assert.Equal((32, 128, 32768), (qwen3.NumKeyValueHeads, qwen3.HeadDim, qwen3.MaxPositionEmbeddings));
        ModelConfig moe = Parse("""{"model_type":"qwen3_moe","vocab_size":10,"hidden_size":64,"num_hidden_layers":4,"num_attention_heads":32,"intermediate_size":8,"decoder_sparse_step":2,"mlp_only_layers":[3]}""");
        Assert.Equal((4, 2, 128, 8, 768, false), (moe.NumKeyValueHeads, moe.HeadDim, moe.NRoutedExperts, moe.NumExpertsPerTok, moe.MoeIntermediateSize, moe.NormTopkProb));
        Assert.Equal([false, true, false, false], moe.IsMoeLayer);
        ModelConfig v3 = Parse("""{"model_type":"deepseek_v3","vocab_size":10,"hidden_size":64,"num_hidden_layers":5,"num_attention_heads":4,"intermediate_size":8}""");
        Assert.Equal((1536, 512, 128, 64, 128), (v3.QLoraRank, v3.KvLoraRank, v3.QkNopeHeadDim, v3.QkRopeHeadDim, v3.VHeadDim));
        Assert.Equal((256, 8, 8, 4, 2.5f, true, ScoringFunc.Sigmoid, TopkMethod.NoAuxTc), (v3.NRoutedExperts, v3.NumExpertsPerTok, v3.NGroup, v3.TopkGroup, v3.RoutedScalingFactor, v3.NormTopkProb, v3.ScoringFunc, v3.TopkMethod));
        Assert.Equal([false, false, false, true, true], v3.IsMoeLayer);
    }

    [Fact]
    public void DeepseekV32_and_V4_parse_for_planning()
    {
        ModelConfig v32 = Golden("deepseek_v32"), v4 = Golden("deepseek_v4");
        Assert.Equal((4, 16, 8), (v32.IndexNHeads, v32.IndexHeadDim, v32.IndexTopk));
        Assert.Equal((32, 8, 16, 2, 16, 4, 1), (v4.HeadDim, v4.QkRopeHeadDim, v4.SlidingWindow, v4.OGroups, v4.OLoraRank, v4.HcMult, v4.NumHashLayers));
        Assert.Equal([0, 4, 128, 4], v4.CompressRatios);
        Assert.Equal(ScoringFunc.SqrtSoftplus, v4.ScoringFunc);
    }

    [Theory]
    [InlineData("vocab_size", "-5", "vocab_size: expected a whole number from 1")]
    [InlineData("vocab_size", "null", "vocab_size is missing")]
    [InlineData("hidden_size", "0", "hidden_size")]
    [InlineData("hidden_size", "1e30", "hidden_size")]
    [InlineData("hidden_size", "1152921504606846976", "hidden_size")]
    [InlineData("hidden_size", "64.5", "hidden_size")]
    [InlineData("hidden_size", "\"64\"", "hidden_size")]
    [InlineData("num_hidden_layers", "2147483647", "num_hidden_layers")]
    [InlineData("num_attention_heads", "[4]", "num_attention_heads")]
    [InlineData("num_attention_heads", "5", "num_attention_heads: expected a divisor of hidden_size")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads: expected a divisor of the 4 attention heads")]
    [InlineData("head_dim", "15", "15 rotated numbers")]
    [InlineData("intermediate_size", "null", "intermediate_size is missing")]
    [InlineData("max_position_embeddings", "-1", "max_position_embeddings")]
    [InlineData("rms_norm_eps", "-1e-6", "rms_norm_eps")]
    [InlineData("rope_theta", "0", "rope_theta")]
    [InlineData("rope_theta", "1e300", "rope_theta")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings: expected true or false, found 1")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act gelu is not supported")]
    [InlineData("model_type", "\"gpt2\"", "model_type gpt2 is not supported (deepseek_v2, deepseek_v3, qwen2, qwen3, qwen3_moe, llama are)")]
    [InlineData("model_type", "null", "model_type is missing")]
    [InlineData("eos_token_id", "-1", "eos_token_id")]
    [InlineData("rope_scaling", "7", "rope_scaling: expected an object")]
    [InlineData("rope_scaling", """{"type":"dynamic","factor":2}""", "rope_type dynamic is not supported (default, linear, yarn, llama3 are)")]
    [InlineData("rope_scaling", """{"type":"linear"}""", "factor is missing")]
    [InlineData("rope_scaling", """{"type":"linear","factor":-4}""", "factor")]
    [InlineData("rope_scaling", """{"type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1,"original_max_position_embeddings":64}""", "high_freq_factor")]
    public void Absurd_llama_values_name_the_key(string key, string value, string message) => Refused("llama3", key, value, message);

    [Theory]
    [InlineData("kv_lora_rank", "0", "kv_lora_rank")]
    [InlineData("qk_rope_head_dim", "7", "7 rotated numbers")]
    [InlineData("n_group", "3", "n_group: expected a divisor of the 16 experts, found 3")]
    [InlineData("n_group", "16", "n_group: expected groups of at least two experts")]
    [InlineData("topk_group", "5", "topk_group: expected at most the 4 groups, found 5")]
    [InlineData("num_experts_per_tok", "17", "num_experts_per_tok: expected at most the 16 experts, found 17")]
    [InlineData("num_experts_per_tok", "9", "num_experts_per_tok: expected at most the 8 experts of 2 groups")]
    [InlineData("n_routed_experts", "1000000", "n_routed_experts")]
    [InlineData("scoring_func", "\"tanh\"", "scoring_func tanh is not supported")]
    [InlineData("topk_method", "\"other\"", "topk_method other is not supported")]
    [InlineData("attention_bias", "true", "attention_bias")]
    [InlineData("routed_scaling_factor", "\"x\"", "routed_scaling_factor")]
    public void Absurd_deepseek_values_name_the_key(string key, string value, string message) => Refused("deepseek_v3", key, value, message);

    [Theory]
    [InlineData("", "empty")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("{", "broken JSON")]
    [InlineData("""{"model_type": "\ud800"}""", "surrogate")]
    [InlineData("""{"vocab_size": 1}""", "model_type is missing")]
    public void Broken_config_files(string text, string message)
    {
        using var temporary = new TemporaryFolder();
        File.WriteAllText(temporary["config.json"], text);
        File.WriteAllText(temporary["tokenizer.json"], "{}");
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        CheckpointException e = Assert.Throws<CheckpointException>(() => folder.Config);
        Assert.Contains("config.json", e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Other_quantizations_are_refused_for_running()
    {
        ModelConfig c = Edited("qwen2", j => j["quantization_config"] = new JsonObject { ["quant_method"] = "awq" });
        Assert.Contains("quant_method awq is not supported (fp8 is)", Assert.Throws<CheckpointException>(() => SupportedModels.RequireRunnable(c, "x")).Message, StringComparison.Ordinal);
        ModelConfig blocks = Edited("deepseek_v3_fp8", j => j["quantization_config"]!["weight_block_size"] = new JsonArray(64, 64));
        Assert.Contains("weight_block_size", Assert.Throws<CheckpointException>(() => SupportedModels.RequireRunnable(blocks, "x")).Message, StringComparison.Ordinal);
    }

    private static void Refused(string golden, string key, string value, string message)
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => Edited(golden, j => j[key] = JsonNode.Parse(value)));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    private static ModelConfig Golden(string name) => HuggingFaceConfig.Read(Path.Combine(Repository.Shared($"goldens/models/{name}"), "config.json"));

    private static ModelConfig Edited(string name, Action<JsonObject> edit)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Shared($"goldens/models/{name}"), "config.json")))!.AsObject();
        edit(json);
        return Parse(json.ToJsonString());
    }

    private static ModelConfig Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return HuggingFaceConfig.Read("config.json", document.RootElement);
    }
}
