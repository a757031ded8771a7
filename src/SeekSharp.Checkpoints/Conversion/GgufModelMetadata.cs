namespace SeekSharp.Checkpoints;

/// <summary>
/// A Hugging Face config → GGUF's keys, under llama.cpp's names. What GGUF cannot say is refused, not approximated: a file
/// that computes something else than its source would be found out by nobody.
/// </summary>
internal static class GgufModelMetadata
{
    /// <summary><c>general.architecture</c> of a model that runs.</summary>
    public static string Architecture(ModelConfig config) => config.ModelType switch
    {
        "qwen3_moe" => "qwen3moe",
        "deepseek_v2" or "deepseek_v3" => "deepseek2",
        string same => same,
    };

    /// <summary>Adds the model's keys.</summary>
    /// <param name="keys">Where to.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="json">Its <c>config.json</c>.</param>
    /// <exception cref="CheckpointException">GGUF or llama.cpp has no word for something.</exception>
    public static void Add(GgufMetadataBuilder keys, ModelConfig config, ConfigObject json)
    {
        string arch = Architecture(config), place = json.Place;
        Set("vocab_size", (uint)config.VocabSize);
        Set("context_length", (uint)config.MaxPositionEmbeddings);
        Set("embedding_length", (uint)config.HiddenSize);
        Set("block_count", (uint)config.NumHiddenLayers);
        Set("feed_forward_length", (uint)config.IntermediateSize);
        Set("attention.head_count", (uint)config.NumAttentionHeads);
        Set("attention.layer_norm_rms_epsilon", config.RmsNormEps);
        Set("rope.freq_base", config.Rope.Theta);
        Set("rope.dimension_count", (uint)config.Rope.Dims);
        if (config.IsLatentAttention) Latent();
        else GroupedQuery();
        if (config.NRoutedExperts > 0) Experts();

        void Set(string key, object value) => keys.Set($"{arch}.{key}", value);

        void GroupedQuery()
        {
            Set("attention.head_count_kv", (uint)config.NumKeyValueHeads);
            Set("attention.key_length", (uint)config.HeadDim);
            Set("attention.value_length", (uint)config.HeadDim);
            RopeConfig rope = config.Rope;
            if (rope.Dims != config.HeadDim) throw Cannot("a rotation of only a part of each head");
            if (rope.Kind == RopeKind.Llama3 && arch != "llama") throw Cannot($"rope_type llama3 in a {config.ModelType} model");
            if (rope.Kind is RopeKind.Default or RopeKind.Llama3) return; // llama3's is a tensor: rope_freqs.weight
            Scaling(rope);
            float usual = rope.Kind == RopeKind.Yarn ? (float)YarnScaling.Mscale(rope.Factor) : 1;
            if (rope.CosSinScale != usual) Set("rope.scaling.attn_factor", rope.CosSinScale / usual);
        }

        void Latent()
        {
            // After absorption there is one key and value head, the latent: that is what these sizes say.
            Set("attention.head_count_kv", 1u);
            Set("attention.key_length", (uint)(config.KvLoraRank + config.QkRopeHeadDim));
            Set("attention.value_length", (uint)config.KvLoraRank);
            Set("attention.key_length_mla", (uint)(config.QkNopeHeadDim + config.QkRopeHeadDim));
            Set("attention.value_length_mla", (uint)config.VHeadDim);
            Set("attention.kv_lora_rank", (uint)config.KvLoraRank);
            if (config.QLoraRank is int rank) Set("attention.q_lora_rank", (uint)rank);
            RopeConfig rope = config.Rope;
            if (rope.Kind == RopeKind.Default) return;
            double all = MscaleAllDim(json);
            if (rope.Kind != RopeKind.Yarn || all == 0 || rope.CosSinScale != 1) throw Cannot("RoPE scaling other than yarn with mscale = mscale_all_dim in a DeepSeek model");
            Scaling(rope);
            Set("rope.scaling.yarn_log_multiplier", (float)(0.1 * all));
        }

        void Scaling(RopeConfig rope)
        {
            Set("rope.scaling.type", rope.Kind == RopeKind.Yarn ? "yarn" : "linear");
            Set("rope.scaling.factor", rope.Factor);
            if (rope.Kind != RopeKind.Yarn) return;
            Set("rope.scaling.original_context_length", (uint)rope.OriginalMaxPositionEmbeddings);
            // llama.cpp reads the keys for these and goes on with 32 and 1.
            if (rope.BetaFast != 32 || rope.BetaSlow != 1 || !rope.Truncate) throw Cannot("yarn with other betas than 32 and 1, or without truncation");
        }

        void Experts()
        {
            Set("expert_count", (uint)config.NRoutedExperts);
            Set("expert_used_count", (uint)config.NumExpertsPerTok);
            Set("expert_feed_forward_length", (uint)config.MoeIntermediateSize);
            int dense = config.IsMoeLayer.TakeWhile(moe => !moe).Count();
            if (config.IsMoeLayer.Skip(dense).Contains(false)) throw Cannot("dense layers behind layers with experts");
            if (!config.IsLatentAttention)
            {
                if (dense > 0) throw Cannot("dense layers in a qwen3_moe model");
                if (!config.NormTopkProb) throw Cannot("a qwen3_moe model without norm_topk_prob");
                return;
            }
            bool sigmoid = config.ScoringFunc == ScoringFunc.Sigmoid;
            if (sigmoid != (config.TopkMethod == TopkMethod.NoAuxTc)) throw Cannot($"{config.ScoringFunc} scores with topk_method {config.TopkMethod}");
            Set("leading_dense_block_count", (uint)dense);
            Set("expert_shared_count", (uint)config.NSharedExperts);
            Set("expert_weights_scale", config.RoutedScalingFactor);
            Set("expert_weights_norm", config.NormTopkProb);
            Set("expert_gating_func", sigmoid ? 2u : 1u);
            if (config.NGroup <= 1 || config.TopkMethod == TopkMethod.Greedy) return;
            Set("expert_group_count", (uint)config.NGroup);
            Set("expert_group_used_count", (uint)config.TopkGroup);
        }

        CheckpointException Cannot(string what) => new($"{place}: GGUF cannot express {what}");
    }

    /// <summary>The key itself: the config has only what follows from it, rounded.</summary>
    private static double MscaleAllDim(ConfigObject json)
    {
        foreach (string key in (string[])["rope_scaling", "rope_parameters"])
            if (json.Child(key) is { } rope && rope.Json.EnumerateObject().MoveNext()) return rope.Number("mscale_all_dim", 0, ConfigLimits.MostScale) ?? 0;
        return 0;
    }
}
