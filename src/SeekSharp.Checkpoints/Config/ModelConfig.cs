namespace SeekSharp.Checkpoints;

/// <summary>
/// A model's shape, from <c>config.json</c> or from GGUF metadata. Property names are the PascalCase of the keys in
/// <c>config.json</c>; everything has been checked to be present, positive and consistent when one of these exists.
/// </summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>: <c>deepseek_v2</c>, <c>deepseek_v3</c>, <c>qwen2</c>, <c>qwen3</c>, <c>qwen3_moe</c>, <c>llama</c> (others parse for planning only).</summary>
    public required string ModelType { get; init; }
    /// <summary>Rows of the embedding.</summary>
    public required int VocabSize { get; init; }
    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }
    /// <summary>Decoder layers, without multi-token-prediction modules.</summary>
    public required int NumHiddenLayers { get; init; }
    /// <summary>Query heads.</summary>
    public required int NumAttentionHeads { get; init; }
    /// <summary>Key and value heads (grouped-query attention).</summary>
    public required int NumKeyValueHeads { get; init; }
    /// <summary>Size of a head in grouped-query attention.</summary>
    public int HeadDim { get; init; }
    /// <summary>Width of the dense feed-forward part.</summary>
    public required int IntermediateSize { get; init; }
    /// <summary>Longest context, in tokens.</summary>
    public required int MaxPositionEmbeddings { get; init; }
    /// <summary>ε of RMSNorm.</summary>
    public required float RmsNormEps { get; init; }
    /// <summary>ε of the norms of compressed queries and latents: Transformers has 1e-6 whatever <c>rms_norm_eps</c> says, llama.cpp the model's ε.</summary>
    public float LatentNormEps { get; init; } = 1e-6f;
    /// <summary>Rotary embedding, every variant resolved.</summary>
    public required RopeConfig Rope { get; init; }
    /// <summary>The output matrix is the embedding.</summary>
    public bool TieWordEmbeddings { get; init; }
    /// <summary>First token of a sequence, where there is one.</summary>
    public int? BosTokenId { get; init; }
    /// <summary>Tokens that end generation according to the config (the generation config adds to them).</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    // Multi-head latent attention (DeepSeek).

    /// <summary>Rank of the query's compression; null where queries are not compressed ("Lite").</summary>
    public int? QLoraRank { get; init; }
    /// <summary>Rank of the latent that is cached; 0 for grouped-query models.</summary>
    public int KvLoraRank { get; init; }
    /// <summary>Part of a head without position.</summary>
    public int QkNopeHeadDim { get; init; }
    /// <summary>Part of a head that is rotated.</summary>
    public int QkRopeHeadDim { get; init; }
    /// <summary>Size of a value head.</summary>
    public int VHeadDim { get; init; }

    // Mixture of experts.

    /// <summary>Routed experts a layer (<c>n_routed_experts</c>, <c>num_experts</c>); 0 for dense models.</summary>
    public int NRoutedExperts { get; init; }
    /// <summary>Shared experts a layer.</summary>
    public int NSharedExperts { get; init; }
    /// <summary>Routed experts a token goes to.</summary>
    public int NumExpertsPerTok { get; init; }
    /// <summary>Width of one expert.</summary>
    public int MoeIntermediateSize { get; init; }
    /// <summary>For each layer: does it have experts (<c>first_k_dense_replace</c>, <c>moe_layer_freq</c>, <c>decoder_sparse_step</c>, <c>mlp_only_layers</c>).</summary>
    public IReadOnlyList<bool> IsMoeLayer { get; init; } = [];
    /// <summary>Groups of experts; 1 for none.</summary>
    public int NGroup { get; init; } = 1;
    /// <summary>Groups a token may use.</summary>
    public int TopkGroup { get; init; } = 1;
    /// <summary>Factor on the routed experts' sum.</summary>
    public float RoutedScalingFactor { get; init; } = 1;
    /// <summary>The chosen weights are divided by their sum.</summary>
    public bool NormTopkProb { get; init; }
    /// <summary>Scores are the sigmoid (V3) or the softmax (V2, Qwen) of the router's output.</summary>
    public ScoringFunc ScoringFunc { get; init; }
    /// <summary>How experts are chosen from the scores.</summary>
    public TopkMethod TopkMethod { get; init; }

    /// <summary>Multi-token-prediction modules in the checkpoint.</summary>
    public int NumNextnPredictLayers { get; init; }

    // Biases and stored quantization.

    /// <summary>Attention's projections have biases (Qwen2: q, k and v only).</summary>
    public bool AttentionBias { get; init; }
    /// <summary>The feed-forward projections have biases (Llama).</summary>
    public bool MlpBias { get; init; }
    /// <summary><c>quant_method</c> of the file's weights (<c>fp8</c>); null for none.</summary>
    public string? QuantizationMethod { get; init; }
    /// <summary>Rows and columns of a block with one scale (<c>weight_block_size</c>); null for none.</summary>
    public IReadOnlyList<int>? WeightBlockSize { get; init; }

    // DeepSeek-V3.2's indexer and DeepSeek-V4: read for planning, not for running.

    /// <summary>Heads of the indexer that chooses the tokens to attend to.</summary>
    public int? IndexNHeads { get; init; }
    /// <summary>Size of one of them.</summary>
    public int? IndexHeadDim { get; init; }
    /// <summary>Tokens (V4: compressed stretches) that it chooses.</summary>
    public int? IndexTopk { get; init; }
    /// <summary>V4: tokens that are attended to uncompressed.</summary>
    public int? SlidingWindow { get; init; }
    /// <summary>V4: for each layer, how many tokens one compressed entry stands for; 0 for none.</summary>
    public IReadOnlyList<int> CompressRatios { get; init; } = [];
    /// <summary>V4: groups of the output projection.</summary>
    public int? OGroups { get; init; }
    /// <summary>V4: rank of the output projection within a group.</summary>
    public int? OLoraRank { get; init; }
    /// <summary>V4: residual streams.</summary>
    public int? HcMult { get; init; }
    /// <summary>V4: first layers whose experts are chosen by a table of token ids.</summary>
    public int? NumHashLayers { get; init; }

    /// <summary>True for models with multi-head latent attention.</summary>
    public bool IsLatentAttention => KvLoraRank > 0;
}

/// <summary>What turns a router's outputs into scores.</summary>
public enum ScoringFunc
{
    /// <summary>Softmax over all experts.</summary>
    Softmax,
    /// <summary>Sigmoid of each.</summary>
    Sigmoid,
    /// <summary>V4: √softplus of each (planning only).</summary>
    SqrtSoftplus,
}

/// <summary>How experts are chosen.</summary>
public enum TopkMethod
{
    /// <summary>The best k.</summary>
    Greedy,
    /// <summary>V2: the best groups by their best expert, then the best k within them.</summary>
    GroupLimitedGreedy,
    /// <summary>V3: scores plus a bias choose; the best groups by the sum of their two best, then the best k within them.</summary>
    NoAuxTc,
}

/// <summary>Kinds of rotary-embedding scaling.</summary>
public enum RopeKind
{
    /// <summary>None.</summary>
    Default,
    /// <summary>Positions divided by a factor.</summary>
    Linear,
    /// <summary>YaRN (arXiv 2309.00071).</summary>
    Yarn,
    /// <summary>Llama 3.1's smooth scaling.</summary>
    Llama3,
}

/// <summary>
/// Rotary embedding with every variant of the keys resolved: a model needs only these numbers.
/// </summary>
public sealed record RopeConfig
{
    /// <summary>Kind of scaling.</summary>
    public RopeKind Kind { get; init; }
    /// <summary>Base of the frequencies.</summary>
    public float Theta { get; init; } = 10000;
    /// <summary>Rotated numbers of a head; even.</summary>
    public required int Dims { get; init; }
    /// <summary>Scaling factor; 1 for none.</summary>
    public float Factor { get; init; } = 1;
    /// <summary>Context length before scaling.</summary>
    public int OriginalMaxPositionEmbeddings { get; init; }
    /// <summary>YaRN's β_fast.</summary>
    public float BetaFast { get; init; } = 32;
    /// <summary>YaRN's β_slow.</summary>
    public float BetaSlow { get; init; } = 1;
    /// <summary>YaRN: the correction range's ends are rounded to whole pairs (true in all published models).</summary>
    public bool Truncate { get; init; } = true;
    /// <summary>Llama 3: low_freq_factor.</summary>
    public float LowFreqFactor { get; init; } = 1;
    /// <summary>Llama 3: high_freq_factor.</summary>
    public float HighFreqFactor { get; init; } = 4;
    /// <summary>Multiplies cos and sin (YaRN's attention factor; for DeepSeek mscale/mscale_all_dim's ratio).</summary>
    public float CosSinScale { get; init; } = 1;
    /// <summary>Multiplies the softmax scale 1/√d (DeepSeek: mscale_all_dim's mscale²).</summary>
    public float ScoreScale { get; init; } = 1;
}
