namespace SeekSharp.Engine;

/// <summary>
/// How the next token is chosen. The values take effect in Transformers' order: repetition penalty, temperature, top-k, top-p, min-p;
/// the later ones see what the earlier ones have left.
/// </summary>
internal sealed record SamplingParams
{
    /// <summary>0: always the best token. Otherwise logits are divided by it. 0 to 100.</summary>
    public float Temperature { get; init; } = 0.6f;
    /// <summary>The best tokens that together hold this share of the probability; above 0, up to 1 (all).</summary>
    public float TopP { get; init; } = 0.95f;
    /// <summary>The best k tokens; 0 for all.</summary>
    public int TopK { get; init; }
    /// <summary>Tokens with at least this share of the best token's probability; 0 (all) to 1.</summary>
    public float MinP { get; init; }
    /// <summary>Positive logits of every token that the sequence holds already are divided by it, negative ones multiplied (arXiv 1909.05858); above 0, up to 100; 1 for none.</summary>
    public float RepeatPenalty { get; init; } = 1;
    /// <summary>Key of the random numbers.</summary>
    public ulong Seed { get; init; }
    /// <summary>Most tokens to generate; null: until the context is full. At least 1.</summary>
    public int? MaxTokens { get; init; }
    /// <summary>Ids that end the answer.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Greedy decoding without limits.</summary>
    public static SamplingParams Greedy { get; } = new() { Temperature = 0, TopP = 1 };

    /// <summary>Checks every range; what is not a number is out of range.</summary>
    /// <exception cref="EngineException">A value is out of its range.</exception>
    public SamplingParams Validate()
    {
        Check(Temperature is >= 0 and <= 100, "temperature", Temperature, "from 0 to 100");
        Check(TopP is > 0 and <= 1, "top-p", TopP, "above 0, up to 1");
        Check(TopK >= 0, "top-k", TopK, "at least 0");
        Check(MinP is >= 0 and <= 1, "min-p", MinP, "from 0 to 1");
        Check(RepeatPenalty is > 0 and <= 100, "repeat-penalty", RepeatPenalty, "above 0, up to 100");
        Check(MaxTokens is null or >= 1, "max-tokens", MaxTokens ?? 1, "at least 1");
        return this;

        static void Check(bool holds, string name, double value, string range)
        {
            if (!holds) throw new EngineException($"{name} must be {range}, not {value}");
        }
    }
}
