namespace SeekSharp.Engine;

/// <summary>An id's logit is raised by so much before the choice, −100 to 100; −100 bans it in practice, 100 leaves nothing else.</summary>
internal readonly record struct LogitBias(int Id, float Bias);

/// <summary>
/// How the next token is chosen. The values take effect in this order: repetition penalty, presence and frequency penalty, logit bias, the grammar's mask,
/// temperature, top-k, top-p, min-p; the later ones see what the earlier ones have left (Transformers has the same order).
/// Log probabilities are those of the model itself, before all this, as vLLM and the OpenAI API give them.
/// </summary>
internal sealed record SamplingParams
{
    /// <summary>Most log probabilities that can be asked for beside the chosen token's, as in the OpenAI API.</summary>
    public const int MostLogProbabilities = 20;
    /// <summary>Most biases of one request.</summary>
    public const int MostBiases = 1024;

    /// <summary>0: always the best token. Otherwise logits are divided by it. 0 to 100.</summary>
    public float Temperature { get; init; } = 0.6f;
    /// <summary>The best tokens that together hold this share of the probability; above 0, up to 1 (all).</summary>
    public float TopP { get; init; } = 0.95f;
    /// <summary>The best k tokens; 0 for all.</summary>
    public int TopK { get; init; }
    /// <summary>Tokens with at least this share of the best token's probability; 0 (all) to 1.</summary>
    public float MinP { get; init; }
    /// <summary>Positive logits of every token that the sequence holds already, its prompt included, are divided by it, negative ones multiplied (arXiv 1909.05858); above 0, up to 100; 1 for none.</summary>
    public float RepeatPenalty { get; init; } = 1;
    /// <summary>Taken off the logit of every token that was generated before; −2 to 2.</summary>
    public float PresencePenalty { get; init; }
    /// <summary>Taken off a token's logit as often as it was generated before; −2 to 2.</summary>
    public float FrequencyPenalty { get; init; }
    /// <summary>Added to single logits; an id at most once.</summary>
    public IReadOnlyList<LogitBias> LogitBias { get; init; } = [];
    /// <summary>Report the chosen token's log probability and those of so many best ones, 0 to 20; null: report none.</summary>
    public int? LogProbabilities { get; init; }
    /// <summary>Key of the random numbers.</summary>
    public ulong Seed { get; init; }
    /// <summary>Most tokens to generate; null: until the context is full. At least 1.</summary>
    public int? MaxTokens { get; init; }
    /// <summary>Ids that end the answer.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Greedy decoding without limits.</summary>
    public static SamplingParams Greedy { get; } = new() { Temperature = 0, TopP = 1 };

    /// <summary>Some logit depends on what the sequence holds already.</summary>
    public bool Penalizes => RepeatPenalty != 1 || PresencePenalty != 0 || FrequencyPenalty != 0;

    /// <summary>Checks every range; what is not a number is out of range.</summary>
    /// <exception cref="EngineException">A value is out of its range.</exception>
    public SamplingParams Validate()
    {
        Check(Temperature is >= 0 and <= 100, "temperature", Temperature, "from 0 to 100");
        Check(TopP is > 0 and <= 1, "top-p", TopP, "above 0, up to 1");
        Check(TopK >= 0, "top-k", TopK, "at least 0");
        Check(MinP is >= 0 and <= 1, "min-p", MinP, "from 0 to 1");
        Check(RepeatPenalty is > 0 and <= 100, "repeat-penalty", RepeatPenalty, "above 0, up to 100");
        Check(PresencePenalty is >= -2 and <= 2, "presence-penalty", PresencePenalty, "from -2 to 2");
        Check(FrequencyPenalty is >= -2 and <= 2, "frequency-penalty", FrequencyPenalty, "from -2 to 2");
        Check(LogProbabilities is null or (>= 0 and <= MostLogProbabilities), "logprobs", LogProbabilities ?? 0, $"from 0 to {MostLogProbabilities}");
        Check(MaxTokens is null or >= 1, "max-tokens", MaxTokens ?? 1, "at least 1");
        Check(LogitBias.Count <= MostBiases, "logit-bias", LogitBias.Count, $"at most {MostBiases} ids");
        var biased = new HashSet<int>();
        for (int i = 0; i < LogitBias.Count; i++)
        {
            (int id, float bias) = LogitBias[i];
            Check(bias is >= -100 and <= 100, $"logit-bias of id {id}", bias, "from -100 to 100");
            Check(id >= 0, "logit-bias: an id", id, "at least 0");
            if (!biased.Add(id)) throw new EngineException($"logit-bias names id {id} twice");
        }
        return this;

        static void Check(bool holds, string name, double value, string range)
        {
            if (!holds) throw new EngineException($"{name} must be {range}, not {value}");
        }
    }

    /// <summary>Checks what hangs on the model.</summary>
    /// <param name="vocabulary">Ids below it can be chosen.</param>
    /// <exception cref="EngineException">A bias names an id that cannot be chosen.</exception>
    public void ValidateFor(int vocabulary)
    {
        for (int i = 0; i < LogitBias.Count; i++)
            if (LogitBias[i].Id >= vocabulary) throw new EngineException($"logit-bias: id {LogitBias[i].Id} is outside the vocabulary of {vocabulary}");
    }
}
