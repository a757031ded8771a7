namespace SeekSharp.Checkpoints;

/// <summary>
/// GGUF's tensor names → <see cref="ModelWeights"/>. Legend: H hidden, V vocabulary, I intermediate, E experts, N heads,
/// D head size.
/// </summary>
internal sealed class GgufWeights
{
    private readonly WeightReader _read;
    private readonly ModelConfig _config;

    private GgufWeights(WeightReader read, ModelConfig config)
    {
        _read = read;
        _config = config;
    }

    /// <summary>Finds all weights of a model.</summary>
    /// <exception cref="CheckpointException">One is missing or of another shape.</exception>
    public static ModelWeights Load(Checkpoint checkpoint, ModelConfig config, string place) =>
        new GgufWeights(new WeightReader(checkpoint, place), config).Load();

    private ModelWeights Load()
    {
        ModelConfig c = _config;
        MatrixSource embedding = _read.Matrix("token_embd.weight", c.VocabSize, c.HiddenSize);
        return new ModelWeights
        {
            Embedding = embedding,
            Output = c.TieWordEmbeddings ? embedding : _read.Matrix("output.weight", c.VocabSize, c.HiddenSize),
            FinalNorm = _read.Vector("output_norm.weight", c.HiddenSize),
            // llama's q and k rows are permuted by the converter so that pairs lie side by side.
            RopeLayout = c.IsLatentAttention || c.ModelType == "llama" ? RopeLayout.Interleaved : RopeLayout.HalfSplit,
            RopeFactors = c.IsLatentAttention ? null : _read.OptionalVector("rope_freqs.weight", c.Rope.Dims / 2),
            Layers = [.. Enumerable.Range(0, c.NumHiddenLayers).Select(i => Layer(i, c.IsMoeLayer.Count > i && c.IsMoeLayer[i]))],
            MultiTokenPrediction = [.. Enumerable.Range(c.NumHiddenLayers, c.NumNextnPredictLayers).Where(i => _read.Has($"blk.{i}.nextn.eh_proj.weight")).Select(PredictionModule)],
        };
    }

    private LayerWeights Layer(int index, bool experts)
    {
        string p = $"blk.{index}.";
        return new LayerWeights
        {
            AttentionNorm = _read.Vector(p + "attn_norm.weight", _config.HiddenSize),
            FeedForwardNorm = _read.Vector(p + "ffn_norm.weight", _config.HiddenSize),
            GroupedQuery = _config.IsLatentAttention ? null : GroupedQuery(p),
            Latent = _config.IsLatentAttention ? Latent(p) : null,
            Dense = experts ? null : SwiGlu(p, "", _config.IntermediateSize, _config.MlpBias),
            Experts = experts ? Experts(p) : null,
        };
    }

    private GroupedQueryWeights GroupedQuery(string p)
    {
        ModelConfig c = _config;
        long h = c.HiddenSize, q = (long)c.NumAttentionHeads * c.HeadDim, kv = (long)c.NumKeyValueHeads * c.HeadDim;
        bool norms = c.ModelType is "qwen3" or "qwen3_moe";
        return new GroupedQueryWeights
        {
            Q = _read.Matrix(p + "attn_q.weight", q, h),
            K = _read.Matrix(p + "attn_k.weight", kv, h),
            V = _read.Matrix(p + "attn_v.weight", kv, h),
            O = _read.Matrix(p + "attn_output.weight", h, q),
            QBias = Bias(p + "attn_q.bias", q),
            KBias = Bias(p + "attn_k.bias", kv),
            VBias = Bias(p + "attn_v.bias", kv),
            OBias = _read.OptionalVector(p + "attn_output.bias", h),
            QNorm = norms ? _read.Vector(p + "attn_q_norm.weight", c.HeadDim) : null,
            KNorm = norms ? _read.Vector(p + "attn_k_norm.weight", c.HeadDim) : null,
        };
    }

    private float[]? Bias(string name, long length) => _config.AttentionBias ? _read.Vector(name, length) : null;

    private LatentAttentionWeights Latent(string p)
    {
        ModelConfig c = _config;
        long h = c.HiddenSize, qk = c.QkNopeHeadDim + c.QkRopeHeadDim;
        int n = c.NumAttentionHeads;
        int? rank = c.QLoraRank;
        // Old files have one matrix as published; newer ones two, k transposed for absorption.
        bool whole = _read.Has(p + "attn_kv_b.weight");
        return new LatentAttentionWeights
        {
            QA = rank is int r ? _read.Matrix(p + "attn_q_a.weight", r, h) : null,
            QANorm = rank is int a ? _read.Vector(p + "attn_q_a_norm.weight", a) : null,
            QB = _read.Matrix(p + (rank is null ? "attn_q.weight" : "attn_q_b.weight"), n * qk, rank ?? h),
            KvA = _read.Matrix(p + "attn_kv_a_mqa.weight", c.KvLoraRank + c.QkRopeHeadDim, h),
            KvANorm = _read.Vector(p + "attn_kv_a_norm.weight", c.KvLoraRank),
            KvB = whole ? _read.Matrix(p + "attn_kv_b.weight", n * (long)(c.QkNopeHeadDim + c.VHeadDim), c.KvLoraRank) : null,
            KB = whole ? null : _read.Stack(p + "attn_k_b.weight", n, c.KvLoraRank, c.QkNopeHeadDim),
            VB = whole ? null : _read.Stack(p + "attn_v_b.weight", n, c.VHeadDim, c.KvLoraRank),
            O = _read.Matrix(p + "attn_output.weight", h, n * (long)c.VHeadDim),
        };
    }

    private SwiGluWeights SwiGlu(string p, string kind, long intermediate, bool bias = false)
    {
        long h = _config.HiddenSize;
        return new SwiGluWeights
        {
            Gate = _read.Matrix($"{p}ffn_gate{kind}.weight", intermediate, h),
            Up = _read.Matrix($"{p}ffn_up{kind}.weight", intermediate, h),
            Down = _read.Matrix($"{p}ffn_down{kind}.weight", h, intermediate),
            GateBias = bias ? _read.Vector($"{p}ffn_gate{kind}.bias", intermediate) : null,
            UpBias = bias ? _read.Vector($"{p}ffn_up{kind}.bias", intermediate) : null,
            DownBias = bias ? _read.Vector($"{p}ffn_down{kind}.bias", h) : null,
        };
    }

    private MixtureOfExpertsWeights Experts(string p)
    {
        ModelConfig c = _config;
        int e = c.NRoutedExperts;
        long h = c.HiddenSize, i = c.MoeIntermediateSize;
        MatrixSource[] gate = _read.Stack(p + "ffn_gate_exps.weight", e, i, h), up = _read.Stack(p + "ffn_up_exps.weight", e, i, h);
        MatrixSource[] down = _read.Stack(p + "ffn_down_exps.weight", e, h, i);
        return new MixtureOfExpertsWeights
        {
            Router = _read.Matrix(p + "ffn_gate_inp.weight", e, h),
            RouterBias = _read.OptionalVector(p + "exp_probs_b.bias", e) ?? (c.IsLatentAttention ? _read.OptionalVector(p + "exp_probs_b", e) : null),
            Experts = [.. Enumerable.Range(0, e).Select(x => new SwiGluWeights { Gate = gate[x], Up = up[x], Down = down[x] })],
            Shared = c.NSharedExperts > 0 ? SwiGlu(p, "_shexp", i * c.NSharedExperts) : null,
        };
    }

    private MultiTokenPredictionWeights PredictionModule(int index)
    {
        ModelConfig c = _config;
        string p = $"blk.{index}.nextn.";
        return new MultiTokenPredictionWeights
        {
            EmbeddingNorm = _read.Vector(p + "enorm.weight", c.HiddenSize),
            HiddenNorm = _read.Vector(p + "hnorm.weight", c.HiddenSize),
            Projection = _read.Matrix(p + "eh_proj.weight", c.HiddenSize, 2L * c.HiddenSize),
            Layer = Layer(index, c.NRoutedExperts > 0),
            FinalNorm = _read.Vector(p + "shared_head_norm.weight", c.HiddenSize),
            Embedding = _read.Has(p + "embed_tokens.weight") ? _read.Matrix(p + "embed_tokens.weight", c.VocabSize, c.HiddenSize) : null,
            Output = _read.Has(p + "shared_head_head.weight") ? _read.Matrix(p + "shared_head_head.weight", c.VocabSize, c.HiddenSize) : null,
        };
    }
}
