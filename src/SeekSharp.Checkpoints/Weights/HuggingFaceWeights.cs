namespace SeekSharp.Checkpoints;

/// <summary>
/// Published safetensors names → <see cref="ModelWeights"/>. Legend: H hidden, V vocabulary, I intermediate, E experts,
/// N heads, D head size.
/// </summary>
internal sealed class HuggingFaceWeights
{
    private readonly WeightReader _read;
    private readonly ModelConfig _config;
    private readonly string _base;

    private HuggingFaceWeights(WeightReader read, ModelConfig config)
    {
        _read = read;
        _config = config;
        // A model saved without its head has no "model." before its names.
        _base = !read.Has("model.embed_tokens.weight") && read.Has("embed_tokens.weight") ? "" : "model.";
    }

    /// <summary>Finds all weights of a model.</summary>
    /// <exception cref="CheckpointException">One is missing or of another shape.</exception>
    public static ModelWeights Load(Checkpoint checkpoint, ModelConfig config, string place) =>
        new HuggingFaceWeights(new WeightReader(checkpoint, place, fp8NeedsScales: config.QuantizationMethod == "fp8"), config).Load();

    private ModelWeights Load()
    {
        ModelConfig c = _config;
        MatrixSource embedding = _read.Matrix(_base + "embed_tokens.weight", c.VocabSize, c.HiddenSize);
        return new ModelWeights
        {
            Embedding = embedding,
            Output = c.TieWordEmbeddings ? embedding : _read.Matrix("lm_head.weight", c.VocabSize, c.HiddenSize),
            FinalNorm = _read.Vector(_base + "norm.weight", c.HiddenSize),
            RopeLayout = c.IsLatentAttention ? RopeLayout.Interleaved : RopeLayout.HalfSplit,
            Layers = [.. Enumerable.Range(0, c.NumHiddenLayers).Select(i => Layer(i, c.IsMoeLayer.Count > i && c.IsMoeLayer[i]))],
            MultiTokenPrediction = PredictionModules(),
        };
    }

    private LayerWeights Layer(int index, bool experts)
    {
        string p = $"{_base}layers.{index}.";
        return new LayerWeights
        {
            AttentionNorm = _read.Vector(p + "input_layernorm.weight", _config.HiddenSize),
            FeedForwardNorm = _read.Vector(p + "post_attention_layernorm.weight", _config.HiddenSize),
            GroupedQuery = _config.IsLatentAttention ? null : GroupedQuery(p + "self_attn."),
            Latent = _config.IsLatentAttention ? Latent(p + "self_attn.") : null,
            Dense = experts ? null : SwiGlu(p + "mlp.", _config.IntermediateSize, _config.MlpBias),
            Experts = experts ? Experts(p + "mlp.") : null,
        };
    }

    private GroupedQueryWeights GroupedQuery(string p)
    {
        ModelConfig c = _config;
        long h = c.HiddenSize, q = (long)c.NumAttentionHeads * c.HeadDim, kv = (long)c.NumKeyValueHeads * c.HeadDim;
        bool bias = c.AttentionBias, outBias = bias && c.ModelType != "qwen2", norms = c.ModelType is "qwen3" or "qwen3_moe";
        return new GroupedQueryWeights
        {
            Q = _read.Matrix(p + "q_proj.weight", q, h),
            K = _read.Matrix(p + "k_proj.weight", kv, h),
            V = _read.Matrix(p + "v_proj.weight", kv, h),
            O = _read.Matrix(p + "o_proj.weight", h, q),
            QBias = bias ? _read.Vector(p + "q_proj.bias", q) : null,
            KBias = bias ? _read.Vector(p + "k_proj.bias", kv) : null,
            VBias = bias ? _read.Vector(p + "v_proj.bias", kv) : null,
            OBias = outBias ? _read.Vector(p + "o_proj.bias", h) : null,
            QNorm = norms ? _read.Vector(p + "q_norm.weight", c.HeadDim) : null,
            KNorm = norms ? _read.Vector(p + "k_norm.weight", c.HeadDim) : null,
        };
    }

    private LatentAttentionWeights Latent(string p)
    {
        ModelConfig c = _config;
        long h = c.HiddenSize, n = c.NumAttentionHeads, qk = c.QkNopeHeadDim + c.QkRopeHeadDim;
        int? rank = c.QLoraRank;
        return new LatentAttentionWeights
        {
            QA = rank is int r ? _read.Matrix(p + "q_a_proj.weight", r, h) : null,
            QANorm = rank is int a ? _read.Vector(p + "q_a_layernorm.weight", a) : null,
            QB = _read.Matrix(p + (rank is null ? "q_proj.weight" : "q_b_proj.weight"), n * qk, rank ?? h),
            KvA = _read.Matrix(p + "kv_a_proj_with_mqa.weight", c.KvLoraRank + c.QkRopeHeadDim, h),
            KvANorm = _read.Vector(p + "kv_a_layernorm.weight", c.KvLoraRank),
            KvB = _read.Matrix(p + "kv_b_proj.weight", n * (c.QkNopeHeadDim + c.VHeadDim), c.KvLoraRank),
            O = _read.Matrix(p + "o_proj.weight", h, n * c.VHeadDim),
        };
    }

    private SwiGluWeights SwiGlu(string p, long intermediate, bool bias = false)
    {
        long h = _config.HiddenSize;
        return new SwiGluWeights
        {
            Gate = _read.Matrix(p + "gate_proj.weight", intermediate, h),
            Up = _read.Matrix(p + "up_proj.weight", intermediate, h),
            Down = _read.Matrix(p + "down_proj.weight", h, intermediate),
            GateBias = bias ? _read.Vector(p + "gate_proj.bias", intermediate) : null,
            UpBias = bias ? _read.Vector(p + "up_proj.bias", intermediate) : null,
            DownBias = bias ? _read.Vector(p + "down_proj.bias", h) : null,
        };
    }

    private MixtureOfExpertsWeights Experts(string p)
    {
        ModelConfig c = _config;
        return new MixtureOfExpertsWeights
        {
            Router = _read.Matrix(p + "gate.weight", c.NRoutedExperts, c.HiddenSize),
            RouterBias = c.TopkMethod == TopkMethod.NoAuxTc ? _read.Vector(p + "gate.e_score_correction_bias", c.NRoutedExperts) : null,
            Experts = _read.Has(p + "experts.gate_up_proj")
                ? FusedExperts(p + "experts.")
                : [.. Enumerable.Range(0, c.NRoutedExperts).Select(e => SwiGlu($"{p}experts.{e}.", c.MoeIntermediateSize))],
            Shared = c.NSharedExperts > 0 ? SwiGlu(p + "shared_experts.", (long)c.MoeIntermediateSize * c.NSharedExperts) : null,
        };
    }

    // Transformers 5 in memory, and in files saved by it without going back: gate_up_proj [E, 2I, H], down_proj [E, H, I].
    private SwiGluWeights[] FusedExperts(string p)
    {
        ModelConfig c = _config;
        MatrixSource[] gateUp = _read.Stack(p + "gate_up_proj", c.NRoutedExperts, 2L * c.MoeIntermediateSize, c.HiddenSize);
        MatrixSource[] down = _read.Stack(p + "down_proj", c.NRoutedExperts, c.HiddenSize, c.MoeIntermediateSize);
        return [.. gateUp.Zip(down, (both, d) =>
        {
            (MatrixSource gate, MatrixSource up) = _read.SplitRows(both, c.MoeIntermediateSize);
            return new SwiGluWeights { Gate = gate, Up = up, Down = d };
        })];
    }

    // model.layers.N, N+1, …: only where the file has them; many published copies leave them out.
    private MultiTokenPredictionWeights[] PredictionModules()
    {
        ModelConfig c = _config;
        var modules = new List<MultiTokenPredictionWeights>();
        for (int i = c.NumHiddenLayers; i < c.NumHiddenLayers + c.NumNextnPredictLayers; i++)
        {
            string p = $"{_base}layers.{i}.";
            if (!_read.Has(p + "eh_proj.weight")) break;
            modules.Add(new MultiTokenPredictionWeights
            {
                EmbeddingNorm = _read.Vector(p + "enorm.weight", c.HiddenSize),
                HiddenNorm = _read.Vector(p + "hnorm.weight", c.HiddenSize),
                Projection = _read.Matrix(p + "eh_proj.weight", c.HiddenSize, 2L * c.HiddenSize),
                Layer = Layer(i, c.NRoutedExperts > 0),
                FinalNorm = _read.Vector(p + "shared_head.norm.weight", c.HiddenSize),
                Embedding = _read.Has(p + "embed_tokens.weight") ? _read.Matrix(p + "embed_tokens.weight", c.VocabSize, c.HiddenSize) : null,
                Output = _read.Has(p + "shared_head.head.weight") ? _read.Matrix(p + "shared_head.head.weight", c.VocabSize, c.HiddenSize) : null,
            });
        }
        return [.. modules];
    }
}
