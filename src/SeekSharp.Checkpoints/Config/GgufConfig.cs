namespace SeekSharp.Checkpoints;

/// <summary>Reads a model's config from GGUF metadata. Missing keys have llama.cpp's defaults.</summary>
internal static class GgufConfig
{
    // Names in config.json → keys of GGUF, for messages of the checks that both share.
    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["num_key_value_heads"] = "attention.head_count_kv",
        ["num_experts_per_tok"] = "expert_used_count",
        ["n_group"] = "expert_group_count",
        ["topk_group"] = "expert_group_used_count",
    };

    /// <summary>Reads the config of an opened file.</summary>
    /// <exception cref="CheckpointException">An architecture that does not run, or a key that is missing or absurd; the message names it.</exception>
    public static ModelConfig Read(GgufCheckpoint checkpoint)
    {
        GgufMetadata metadata = checkpoint.Metadata;
        string architecture = metadata.GetString("general.architecture") ?? throw new CheckpointException($"{metadata.File}: general.architecture is missing");
        var keys = new GgufKeys(metadata, architecture);
        ModelConfig model = architecture switch
        {
            "llama" or "qwen2" or "qwen3" or "qwen3moe" => GroupedQuery(keys, checkpoint, architecture),
            "deepseek2" => Latent(keys, checkpoint),
            _ => throw new CheckpointException($"{metadata.File}: architecture {Checkpoint.Show(architecture)} is not supported ({SupportedModels.Architectures} are)"),
        };
        return ConfigLimits.Check(model, metadata.File, key => keys.Name(Names[key]));
    }

    private static ModelConfig GroupedQuery(GgufKeys keys, GgufCheckpoint checkpoint, string architecture)
    {
        ModelConfig common = Common(keys, checkpoint, architecture == "qwen3moe" ? "qwen3_moe" : architecture);
        int heads = common.NumAttentionHeads;
        int headDim = keys.Whole("attention.key_length", 1, ConfigLimits.HeadDim)
            ?? (common.HiddenSize % heads == 0 ? common.HiddenSize / heads : throw keys.Missing("attention.key_length"));
        int valueDim = keys.Whole("attention.value_length", 1, ConfigLimits.HeadDim) ?? headDim;
        if (valueDim != headDim) throw keys.Wrong("attention.value_length", $"attention.key_length, which is {headDim}", $"{valueDim}");
        int experts = keys.Whole("expert_count", 0, ConfigLimits.Experts) ?? 0;
        if (architecture == "qwen3moe" ? experts == 0 : experts != 0)
            throw new CheckpointException($"{keys.File}: {keys.Name("expert_count")} is {experts}: " + (experts == 0 ? "expected experts" : $"{architecture} with experts is not supported"));
        ModelConfig model = common with
        {
            NumKeyValueHeads = keys.Whole("attention.head_count_kv", 1, ConfigLimits.Heads) ?? heads,
            HeadDim = headDim,
            IntermediateSize = keys.Whole("feed_forward_length", 1, ConfigLimits.Intermediate)
                ?? (experts > 0 ? keys.RequiredWhole("expert_feed_forward_length", 1, ConfigLimits.Intermediate) : throw keys.Missing("feed_forward_length")),
            AttentionBias = architecture == "qwen2" || checkpoint.Tensors.ContainsKey("blk.0.attn_q.bias"),
            MlpBias = architecture == "llama" && checkpoint.Tensors.ContainsKey("blk.0.ffn_gate.bias"),
            Rope = GgufRope.Read(keys, headDim, common.MaxPositionEmbeddings, latent: false),
        };
        if (experts == 0) return model;
        int used = keys.RequiredWhole("expert_used_count", 1, ConfigLimits.Experts);
        return model with
        {
            NRoutedExperts = experts,
            NumExpertsPerTok = used,
            MoeIntermediateSize = keys.Whole("expert_feed_forward_length", 1, ConfigLimits.Intermediate) ?? Math.Max(1, model.IntermediateSize / used),
            NormTopkProb = true, // llama.cpp always normalizes here
            RoutedScalingFactor = Scale(keys),
            IsMoeLayer = [.. Enumerable.Repeat(true, model.NumHiddenLayers)],
        };
    }

    private static ModelConfig Latent(GgufKeys keys, GgufCheckpoint checkpoint)
    {
        // The split form has the real head sizes under names of their own; there key_length is the latent's.
        bool split = keys.Has("attention.key_length_mla");
        int key = keys.RequiredWhole(split ? "attention.key_length_mla" : "attention.key_length", 1, ConfigLimits.HeadDim);
        int value = keys.RequiredWhole(split ? "attention.value_length_mla" : "attention.value_length", 1, ConfigLimits.HeadDim);
        int rope = keys.RequiredWhole("rope.dimension_count", 2, ConfigLimits.HeadDim);
        if (rope >= key) throw keys.Wrong("rope.dimension_count", $"less than a head of {key}", $"{rope}");
        bool sigmoid = (keys.Whole("expert_gating_func", 0, 100) ?? 0) switch
        {
            0 or 1 => false, // missing in old V2 files
            2 => true,
            int other => throw keys.Wrong("expert_gating_func", "1 (softmax) or 2 (sigmoid)", $"{other}"),
        };
        ModelConfig common = Common(keys, checkpoint, sigmoid ? "deepseek_v3" : "deepseek_v2");
        int layers = common.NumHiddenLayers;
        int experts = keys.Whole("expert_count", 0, ConfigLimits.Experts) ?? 0;
        ModelConfig model = common with
        {
            NumKeyValueHeads = common.NumAttentionHeads,
            LatentNormEps = common.RmsNormEps,
            IntermediateSize = keys.RequiredWhole("feed_forward_length", 1, ConfigLimits.Intermediate),
            // llama.cpp takes 26 or 27 layers for "Lite"; what decides is whether queries are compressed.
            QLoraRank = checkpoint.Tensors.ContainsKey("blk.0.attn_q.weight") ? null : keys.RequiredWhole("attention.q_lora_rank", 1, ConfigLimits.Rank),
            KvLoraRank = keys.RequiredWhole("attention.kv_lora_rank", 1, ConfigLimits.Rank),
            QkNopeHeadDim = key - rope,
            QkRopeHeadDim = rope,
            VHeadDim = value,
            Rope = GgufRope.Read(keys, rope, common.MaxPositionEmbeddings, latent: true),
        };
        if (experts == 0) return model with { IsMoeLayer = new bool[layers] };

        int dense = keys.Whole("leading_dense_block_count", 0, ConfigLimits.Layers) ?? 0;
        int groups = Math.Max(1, keys.Whole("expert_group_count", 0, ConfigLimits.Experts) ?? 1);
        return model with
        {
            NRoutedExperts = experts,
            NSharedExperts = keys.RequiredWhole("expert_shared_count", 0, ConfigLimits.Experts),
            NumExpertsPerTok = keys.RequiredWhole("expert_used_count", 1, ConfigLimits.Experts),
            MoeIntermediateSize = keys.RequiredWhole("expert_feed_forward_length", 1, ConfigLimits.Intermediate),
            IsMoeLayer = [.. Enumerable.Range(0, layers).Select(i => i >= dense)],
            NGroup = groups,
            TopkGroup = groups > 1 ? keys.RequiredWhole("expert_group_used_count", 1, ConfigLimits.Experts) : 1,
            RoutedScalingFactor = Scale(keys),
            NormTopkProb = keys.Flag("expert_weights_norm"),
            ScoringFunc = sigmoid ? ScoringFunc.Sigmoid : ScoringFunc.Softmax,
            // V2 takes a group's best expert, where llama.cpp has V3's rule for both.
            TopkMethod = sigmoid ? TopkMethod.NoAuxTc : groups > 1 ? TopkMethod.GroupLimitedGreedy : TopkMethod.Greedy,
        };
    }

    private static ModelConfig Common(GgufKeys keys, GgufCheckpoint checkpoint, string type)
    {
        int blocks = keys.RequiredWhole("block_count", 1, ConfigLimits.Layers), predict = keys.Whole("nextn_predict_layers", 0, ConfigLimits.Layers) ?? 0;
        if (predict >= blocks) throw keys.Wrong("nextn_predict_layers", $"fewer than the {blocks} blocks", $"{predict}");
        GgufMetadata metadata = checkpoint.Metadata;
        return new ModelConfig
        {
            ModelType = type,
            VocabSize = VocabularySize(keys, checkpoint),
            HiddenSize = keys.RequiredWhole("embedding_length", 1, ConfigLimits.Hidden),
            NumHiddenLayers = blocks - predict,
            NumNextnPredictLayers = predict,
            NumAttentionHeads = keys.RequiredWhole("attention.head_count", 1, ConfigLimits.Heads),
            NumKeyValueHeads = 1,
            IntermediateSize = 0,
            MaxPositionEmbeddings = keys.RequiredWhole("context_length", 1, ConfigLimits.Context),
            RmsNormEps = (float)(keys.Number("attention.layer_norm_rms_epsilon", ConfigLimits.LeastEps, ConfigLimits.MostEps) ?? throw keys.Missing("attention.layer_norm_rms_epsilon")),
            Rope = new RopeConfig { Dims = 0 },
            TieWordEmbeddings = !checkpoint.Tensors.ContainsKey("output.weight"),
            BosTokenId = TokenId(metadata, "tokenizer.ggml.bos_token_id"),
            EosTokenIds = TokenId(metadata, "tokenizer.ggml.eos_token_id") is int eos ? [eos] : [],
        };
    }

    // The tokens themselves, else vocab_size, else the embedding's rows.
    private static int VocabularySize(GgufKeys keys, GgufCheckpoint checkpoint)
    {
        if (checkpoint.Metadata.ArrayLength("tokenizer.ggml.tokens") is long n && n > 0)
            return n <= ConfigLimits.Vocabulary ? (int)n : throw new CheckpointException($"{keys.File}: tokenizer.ggml.tokens: expected at most {ConfigLimits.Vocabulary} tokens, found {n}");
        if (keys.Whole("vocab_size", 1, ConfigLimits.Vocabulary) is int size) return size;
        if (checkpoint.Tensors.TryGetValue("token_embd.weight", out CheckpointTensor? embedding) && embedding.Shape is [long rows, _] && rows is > 0 and <= ConfigLimits.Vocabulary) return (int)rows;
        throw keys.Missing("vocab_size");
    }

    /// <summary>A special token's id; null where it is missing or beyond the vocabulary (as llama.cpp, which ignores such ids).</summary>
    public static int? TokenId(GgufMetadata metadata, string key)
    {
        if (metadata.GetInteger(key) is not long id || id < 0 || id >= ConfigLimits.Vocabulary) return null;
        return metadata.ArrayLength("tokenizer.ggml.tokens") is long count && id >= count ? null : (int)id;
    }

    private static float Scale(GgufKeys keys)
    {
        double scale = keys.Number("expert_weights_scale", 0, ConfigLimits.MostScale) ?? 1;
        return scale == 0 ? 1 : (float)scale; // as llama.cpp: zero means none
    }
}
