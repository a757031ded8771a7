namespace SeekSharp.Checkpoints;

/// <summary>How a model's publisher wants it sampled, from <c>generation_config.json</c> or GGUF; null where nothing is said.</summary>
public sealed record GenerationConfig
{
    /// <summary>Every id that ends an answer: end of turn, end of message, end of text; from all files together.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];
    /// <summary>False: greedy.</summary>
    public bool? DoSample { get; init; }
    /// <summary>Sampling temperature.</summary>
    public float? Temperature { get; init; }
    /// <summary>Nucleus.</summary>
    public float? TopP { get; init; }
    /// <summary>Best k.</summary>
    public int? TopK { get; init; }
    /// <summary>Least share of the best token's probability.</summary>
    public float? MinP { get; init; }
    /// <summary>Repetition penalty.</summary>
    public float? RepetitionPenalty { get; init; }
}
