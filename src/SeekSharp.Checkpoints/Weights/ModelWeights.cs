namespace SeekSharp.Checkpoints;

/// <summary>How the two numbers of a rotated pair lie in a head.</summary>
internal enum RopeLayout
{
    /// <summary>Pairs (i, i + d/2): Transformers' "rotate half"; Qwen everywhere, Llama from safetensors.</summary>
    HalfSplit,
    /// <summary>Pairs (2i, 2i + 1): DeepSeek everywhere, and Llama from GGUF, whose q and k rows are permuted for it.</summary>
    Interleaved,
}

/// <summary>
/// The weights of a model under one set of names, whatever file they came from: renaming, slicing and splitting happen
/// here, never inside a model. Matrices are views of the mapped file; vectors are copied as floats.
/// H hidden, V vocabulary, I intermediate, E experts, N heads, D head size.
/// </summary>
internal sealed record ModelWeights
{
    public required MatrixSource Embedding { get; init; }      // [V, H]
    public required MatrixSource Output { get; init; }         // [V, H]; the embedding itself where tied
    public required float[] FinalNorm { get; init; }           // [H]
    public required RopeLayout RopeLayout { get; init; }
    /// <summary>GGUF's <c>rope_freqs.weight</c> [rope dims / 2]: each pair's frequency is divided by its factor. Null without.</summary>
    public float[]? RopeFactors { get; init; }
    public required LayerWeights[] Layers { get; init; }
    public MultiTokenPredictionWeights[] MultiTokenPrediction { get; init; } = [];
}

/// <summary>One decoder layer: norms, attention of one of two kinds, and a dense or expert feed-forward part.</summary>
internal sealed record LayerWeights
{
    public required float[] AttentionNorm { get; init; }       // [H]   input_layernorm
    public required float[] FeedForwardNorm { get; init; }     // [H]   post_attention_layernorm
    public GroupedQueryWeights? GroupedQuery { get; init; }    // Qwen, Llama
    public LatentAttentionWeights? Latent { get; init; }       // DeepSeek
    public SwiGluWeights? Dense { get; init; }
    public MixtureOfExpertsWeights? Experts { get; init; }
}

/// <summary>Grouped-query attention (Qwen2, Qwen3, Llama).</summary>
internal sealed record GroupedQueryWeights
{
    public required MatrixSource Q { get; init; }              // [N·D, H]
    public required MatrixSource K { get; init; }              // [N_kv·D, H]
    public required MatrixSource V { get; init; }              // [N_kv·D, H]
    public required MatrixSource O { get; init; }              // [H, N·D]
    public float[]? QBias { get; init; }
    public float[]? KBias { get; init; }
    public float[]? VBias { get; init; }
    public float[]? OBias { get; init; }
    public float[]? QNorm { get; init; }                       // [D] (Qwen3)
    public float[]? KNorm { get; init; }                       // [D]
}

/// <summary>Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).</summary>
internal sealed record LatentAttentionWeights
{
    public MatrixSource? QA { get; init; }                     // [q_lora, H]; null in "Lite" models
    public float[]? QANorm { get; init; }                      // [q_lora]
    public required MatrixSource QB { get; init; }             // [N·(nope+rope), q_lora], or [N·(nope+rope), H] without QA
    public required MatrixSource KvA { get; init; }            // [kv_lora+rope, H]  kv_a_proj_with_mqa
    public required float[] KvANorm { get; init; }             // [kv_lora]
    public MatrixSource? KvB { get; init; }                    // [N·(nope+v), kv_lora], k before v in each head; or the split form:
    public MatrixSource[]? KB { get; init; }                   // N × [kv_lora, nope]  (attn_k_b: already transposed for absorption)
    public MatrixSource[]? VB { get; init; }                   // N × [v, kv_lora]
    public required MatrixSource O { get; init; }              // [H, N·v]
}

/// <summary>down(silu(gate x) ⊙ (up x)).</summary>
internal sealed record SwiGluWeights
{
    public required MatrixSource Gate { get; init; }           // [I, H]
    public required MatrixSource Up { get; init; }             // [I, H]
    public required MatrixSource Down { get; init; }           // [H, I]
    public float[]? GateBias { get; init; }
    public float[]? UpBias { get; init; }
    public float[]? DownBias { get; init; }
}

/// <summary>Router, routed experts and shared experts.</summary>
internal sealed record MixtureOfExpertsWeights
{
    public required MatrixSource Router { get; init; }         // [E, H]
    public float[]? RouterBias { get; init; }                  // [E] e_score_correction_bias / exp_probs_b: in the choice only
    public required SwiGluWeights[] Experts { get; init; }     // E
    public SwiGluWeights? Shared { get; init; }                // I = n_shared_experts · moe_intermediate_size
}

/// <summary>One multi-token-prediction module (DeepSeek-V3, arXiv 2412.19437, section 2.2).</summary>
internal sealed record MultiTokenPredictionWeights
{
    public required float[] EmbeddingNorm { get; init; }       // [H] enorm
    public required float[] HiddenNorm { get; init; }          // [H] hnorm
    public required MatrixSource Projection { get; init; }     // [H, 2H] eh_proj, input [embedding; hidden]
    public required LayerWeights Layer { get; init; }
    public required float[] FinalNorm { get; init; }           // [H] shared_head.norm
    public MatrixSource? Embedding { get; init; }              // null: the main model's
    public MatrixSource? Output { get; init; }                 // null: the main model's
}
