using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Reads <c>config.json</c>. The sizes that make a model what it is must be there; the rest has the defaults of
/// Transformers' config classes.
/// </summary>
internal static class HuggingFaceConfig
{
    /// <summary>Largest <c>config.json</c> that is read.</summary>
    private const long Largest = 4 << 20;

    /// <summary>Reads a file.</summary>
    /// <exception cref="CheckpointException">It is broken, or of a model type that is not known; the message names the key.</exception>
    public static ModelConfig Read(string path) => Read(path, JsonFile.ReadObject(path, Largest));

    /// <summary>Reads a config that lies in memory.</summary>
    public static ModelConfig Read(FileImage image) => Read(image.Path, JsonFile.ReadObject(image, Largest));

    /// <summary>Reads a parsed config.</summary>
    public static ModelConfig Read(string place, JsonElement json)
    {
        var config = new ConfigObject(place, json);
        string type = config.Text("model_type") ?? throw config.Missing("model_type");
        ModelConfig model = type switch
        {
            "llama" or "qwen2" or "qwen3" or "qwen3_moe" => GroupedQuery(config, type),
            "deepseek_v2" or "deepseek_v3" or "deepseek_v32" => Latent(config, type),
            "deepseek_v4" => DeepseekV4(config),
            _ => throw new CheckpointException($"{place}: model_type {Checkpoint.Show(type)} is not supported ({SupportedModels.Names} are)"),
        };
        return ConfigLimits.Check(model, place, key => key);
    }

    private static ModelConfig GroupedQuery(ConfigObject c, string type)
    {
        RequireSilu(c);
        if (type != "llama" && c.Flag("use_sliding_window")) throw new CheckpointException($"{c.Place}: use_sliding_window: true is not supported");
        bool moe = type == "qwen3_moe";
        int hidden = c.RequiredWhole("hidden_size", 1, ConfigLimits.Hidden), heads = c.RequiredWhole("num_attention_heads", 1, ConfigLimits.Heads);
        int layers = c.RequiredWhole("num_hidden_layers", 1, ConfigLimits.Layers);
        int headDim = c.Whole("head_dim", 1, ConfigLimits.HeadDim) ?? (type == "qwen3" ? 128 : WholeHead(c, hidden, heads));
        int context = c.Whole("max_position_embeddings", 1, ConfigLimits.Context) ?? (type == "llama" ? 2048 : 32768);
        int keyHeads = c.Whole("num_key_value_heads", 1, ConfigLimits.Heads) ?? (moe ? 4 : type == "llama" || c.Has("num_key_value_heads") ? heads : 32);
        ModelConfig model = Common(c, type, hidden, heads, layers, context) with
        {
            NumKeyValueHeads = keyHeads,
            HeadDim = headDim,
            IntermediateSize = c.RequiredWhole("intermediate_size", 1, ConfigLimits.Intermediate),
            AttentionBias = type == "qwen2" || c.Flag("attention_bias"),
            MlpBias = type == "llama" && c.Flag("mlp_bias"),
            Rope = HuggingFaceRope.Read(c, headDim, context, latent: false),
        };
        return moe ? Qwen3Experts(c, model) : model;
    }

    private static ModelConfig Qwen3Experts(ConfigObject c, ModelConfig model)
    {
        int experts = c.Whole("num_experts", 0, ConfigLimits.Experts) ?? c.Whole("num_local_experts", 0, ConfigLimits.Experts) ?? 128;
        int step = c.Whole("decoder_sparse_step", 1, ConfigLimits.Layers) ?? 1;
        HashSet<int> dense = [.. c.WholeList("mlp_only_layers", 0, ConfigLimits.Layers)];
        return model with
        {
            NRoutedExperts = experts,
            NumExpertsPerTok = c.Whole("num_experts_per_tok", 1, ConfigLimits.Experts) ?? 8,
            MoeIntermediateSize = c.Whole("moe_intermediate_size", 1, ConfigLimits.Intermediate) ?? 768,
            NormTopkProb = c.Flag("norm_topk_prob"),
            IsMoeLayer = [.. Enumerable.Range(0, model.NumHiddenLayers).Select(i => experts > 0 && !dense.Contains(i) && (i + 1) % step == 0)],
        };
    }

    private static ModelConfig Latent(ConfigObject c, string type)
    {
        RequireSilu(c);
        bool v2 = type == "deepseek_v2";
        if (c.Flag("attention_bias")) throw new CheckpointException($"{c.Place}: attention_bias: true is not supported for {type}");
        if (!c.Flag("rope_interleave", true)) throw new CheckpointException($"{c.Place}: rope_interleave: false is not supported");
        int hidden = c.RequiredWhole("hidden_size", 1, ConfigLimits.Hidden), heads = c.RequiredWhole("num_attention_heads", 1, ConfigLimits.Heads);
        int layers = c.RequiredWhole("num_hidden_layers", 1, ConfigLimits.Layers);
        int context = c.Whole("max_position_embeddings", 1, ConfigLimits.Context) ?? (v2 ? 2048 : 4096);
        int rope = c.Whole("qk_rope_head_dim", 1, ConfigLimits.HeadDim) ?? 64;
        ModelConfig model = Common(c, type, hidden, heads, layers, context) with
        {
            // Every head has its own keys once the latent is expanded; the file's number says nothing more.
            NumKeyValueHeads = heads,
            IntermediateSize = c.RequiredWhole("intermediate_size", 1, ConfigLimits.Intermediate),
            QLoraRank = c.Has("q_lora_rank") ? c.Whole("q_lora_rank", 1, ConfigLimits.Rank) : 1536,
            KvLoraRank = c.Whole("kv_lora_rank", 1, ConfigLimits.Rank) ?? 512,
            QkNopeHeadDim = c.Whole("qk_nope_head_dim", 1, ConfigLimits.HeadDim) ?? 128,
            QkRopeHeadDim = rope,
            VHeadDim = c.Whole("v_head_dim", 1, ConfigLimits.HeadDim) ?? 128,
            NumNextnPredictLayers = c.Whole("num_nextn_predict_layers", 0, ConfigLimits.Layers) ?? 0,
            Rope = HuggingFaceRope.Read(c, rope, context, latent: true),
            IndexNHeads = c.Whole("index_n_heads", 1, ConfigLimits.Heads),
            IndexHeadDim = c.Whole("index_head_dim", 1, ConfigLimits.HeadDim),
            IndexTopk = c.Whole("index_topk", 1, ConfigLimits.Context),
        };
        return DeepseekExperts(c, model, v2);
    }

    private static ModelConfig DeepseekExperts(ConfigObject c, ModelConfig model, bool v2)
    {
        int experts = c.Has("n_routed_experts") ? c.Whole("n_routed_experts", 0, ConfigLimits.Experts) ?? 0 : v2 ? 64 : 256;
        if (experts == 0) return model with { IsMoeLayer = new bool[model.NumHiddenLayers] };
        int dense = c.Whole("first_k_dense_replace", 0, ConfigLimits.Layers) ?? (v2 ? 0 : 3), every = c.Whole("moe_layer_freq", 1, ConfigLimits.Layers) ?? 1;
        int groups = c.Whole("n_group", 1, ConfigLimits.Experts) ?? (v2 || c.Has("n_group") ? 1 : 8);
        return model with
        {
            NRoutedExperts = experts,
            NSharedExperts = c.Has("n_shared_experts") ? c.Whole("n_shared_experts", 0, ConfigLimits.Experts) ?? 0 : v2 ? 2 : 1,
            NumExpertsPerTok = c.Whole("num_experts_per_tok", 1, ConfigLimits.Experts) ?? (v2 ? throw c.Missing("num_experts_per_tok") : 8),
            MoeIntermediateSize = c.Whole("moe_intermediate_size", 1, ConfigLimits.Intermediate) ?? (v2 ? 1407 : 2048),
            IsMoeLayer = [.. Enumerable.Range(0, model.NumHiddenLayers).Select(i => i >= dense && i % every == 0)],
            NGroup = groups,
            TopkGroup = c.Whole("topk_group", 1, ConfigLimits.Experts) ?? (v2 || c.Has("topk_group") ? groups : 4),
            RoutedScalingFactor = (float)(c.Number("routed_scaling_factor", 0, ConfigLimits.MostScale) ?? (v2 ? 1 : 2.5)),
            NormTopkProb = c.Flag("norm_topk_prob", !v2),
            ScoringFunc = c.Text("scoring_func") switch
            {
                null => v2 ? ScoringFunc.Softmax : ScoringFunc.Sigmoid,
                "softmax" => ScoringFunc.Softmax,
                "sigmoid" => ScoringFunc.Sigmoid,
                string s => throw new CheckpointException($"{c.Place}: scoring_func {Checkpoint.Show(s)} is not supported (softmax, sigmoid are)"),
            },
            TopkMethod = c.Text("topk_method") switch
            {
                null => v2 ? TopkMethod.Greedy : TopkMethod.NoAuxTc,
                "greedy" => TopkMethod.Greedy,
                "group_limited_greedy" => TopkMethod.GroupLimitedGreedy,
                "noaux_tc" => TopkMethod.NoAuxTc,
                string s => throw new CheckpointException($"{c.Place}: topk_method {Checkpoint.Show(s)} is not supported (greedy, group_limited_greedy, noaux_tc are)"),
            },
        };
    }

    // Parsed for planning: attention with one shared key head, compressed stretches of the context, hyper-connections.
    private static ModelConfig DeepseekV4(ConfigObject c)
    {
        int hidden = c.RequiredWhole("hidden_size", 1, ConfigLimits.Hidden), heads = c.RequiredWhole("num_attention_heads", 1, ConfigLimits.Heads);
        int layers = c.RequiredWhole("num_hidden_layers", 1, ConfigLimits.Layers);
        int context = c.RequiredWhole("max_position_embeddings", 1, ConfigLimits.Context);
        int rope = c.RequiredWhole("qk_rope_head_dim", 1, ConfigLimits.HeadDim), width = c.RequiredWhole("moe_intermediate_size", 1, ConfigLimits.Intermediate);
        return Common(c, "deepseek_v4", hidden, heads, layers, context) with
        {
            NumKeyValueHeads = c.Whole("num_key_value_heads", 1, ConfigLimits.Heads) ?? 1,
            HeadDim = c.RequiredWhole("head_dim", 1, ConfigLimits.HeadDim),
            IntermediateSize = width, // every layer has experts
            QLoraRank = c.Whole("q_lora_rank", 1, ConfigLimits.Rank),
            QkRopeHeadDim = rope,
            NRoutedExperts = c.RequiredWhole("n_routed_experts", 1, ConfigLimits.Experts),
            NSharedExperts = c.Whole("n_shared_experts", 0, ConfigLimits.Experts) ?? 1,
            NumExpertsPerTok = c.RequiredWhole("num_experts_per_tok", 1, ConfigLimits.Experts),
            MoeIntermediateSize = width,
            IsMoeLayer = [.. Enumerable.Repeat(true, layers)],
            RoutedScalingFactor = (float)(c.Number("routed_scaling_factor", 0, ConfigLimits.MostScale) ?? 1),
            NormTopkProb = c.Flag("norm_topk_prob", true),
            ScoringFunc = ScoringFunc.SqrtSoftplus,
            TopkMethod = TopkMethod.NoAuxTc,
            NumNextnPredictLayers = c.Whole("num_nextn_predict_layers", 0, ConfigLimits.Layers) ?? 0,
            Rope = HuggingFaceRope.Read(c, rope, context, latent: true),
            IndexNHeads = c.Whole("index_n_heads", 1, ConfigLimits.Heads),
            IndexHeadDim = c.Whole("index_head_dim", 1, ConfigLimits.HeadDim),
            IndexTopk = c.Whole("index_topk", 1, ConfigLimits.Context),
            SlidingWindow = c.Whole("sliding_window", 1, ConfigLimits.Context),
            CompressRatios = c.WholeList("compress_ratios", 0, ConfigLimits.Context),
            OGroups = c.Whole("o_groups", 1, ConfigLimits.Heads),
            OLoraRank = c.Whole("o_lora_rank", 1, ConfigLimits.Rank),
            HcMult = c.Whole("hc_mult", 1, 64),
            NumHashLayers = c.Whole("num_hash_layers", 0, ConfigLimits.Layers),
        };
    }

    private static ModelConfig Common(ConfigObject c, string type, int hidden, int heads, int layers, int context)
    {
        ConfigObject? quantization = c.Child("quantization_config");
        return new ModelConfig
        {
            ModelType = type,
            VocabSize = c.RequiredWhole("vocab_size", 1, ConfigLimits.Vocabulary),
            HiddenSize = hidden,
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            NumKeyValueHeads = heads,
            IntermediateSize = 0,
            MaxPositionEmbeddings = context,
            RmsNormEps = (float)(c.Number("rms_norm_eps", ConfigLimits.LeastEps, ConfigLimits.MostEps) ?? 1e-6),
            Rope = new RopeConfig { Dims = 0 },
            TieWordEmbeddings = c.Flag("tie_word_embeddings"),
            BosTokenId = c.WholeList("bos_token_id", 0, int.MaxValue) is [int bos, ..] ? bos : null,
            EosTokenIds = c.WholeList("eos_token_id", 0, int.MaxValue),
            QuantizationMethod = quantization is null ? null : quantization.Text("quant_method") ?? throw quantization.Missing("quant_method"),
            WeightBlockSize = quantization?.WholeList("weight_block_size", 1, ConfigLimits.Hidden) is { Length: > 0 } block ? block : null,
        };
    }

    private static int WholeHead(ConfigObject c, int hidden, int heads) =>
        hidden % heads == 0 ? hidden / heads : throw new CheckpointException($"{c.Place}: num_attention_heads: expected a divisor of hidden_size, which is {hidden}, found {heads}");

    private static void RequireSilu(ConfigObject c)
    {
        string act = c.Text("hidden_act") ?? "silu";
        if (act is not ("silu" or "swish")) throw new CheckpointException($"{c.Place}: hidden_act {Checkpoint.Show(act)} is not supported (silu is)");
    }
}
