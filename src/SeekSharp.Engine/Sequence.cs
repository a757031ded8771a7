namespace SeekSharp.Engine;

/// <summary>Why an answer ended, with the API's names.</summary>
internal enum FinishReason
{
    /// <summary>It has not ended.</summary>
    None,
    /// <summary>An end token, or whoever reads the text asked for the end (a stop string).</summary>
    Stop,
    /// <summary>The most tokens, or the context's end.</summary>
    Length,
    /// <summary>It was taken back.</summary>
    Cancelled,
}

/// <summary>One text in the making: a prompt, the tokens after it, how far they are computed, and how they are chosen.</summary>
internal sealed class Sequence
{
    private readonly List<int> _ids;
    private readonly Queue<int> _forced = new();

    /// <param name="prompt">At least one id, each in the vocabulary.</param>
    /// <param name="parameters">How tokens are chosen; checked here.</param>
    /// <exception cref="EngineException">The prompt is empty, or a parameter out of range.</exception>
    public Sequence(ReadOnlySpan<int> prompt, SamplingParams parameters)
    {
        if (prompt.IsEmpty) throw new EngineException("the prompt has no tokens");
        Parameters = parameters.Validate();
        PromptLength = prompt.Length;
        _ids = new List<int>(prompt.Length + 256);
        _ids.AddRange(prompt);
        if (parameters.LogProbabilities is { } top) LogProbabilities = new LogProbabilityLog(top);
    }

    public SamplingParams Parameters { get; }
    /// <summary>Tokens of the prompt.</summary>
    public int PromptLength { get; }
    /// <summary>Prompt and generated tokens.</summary>
    public ReadOnlySpan<int> Ids => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids);
    /// <summary>Generated tokens.</summary>
    public ReadOnlySpan<int> Generated => Ids[PromptLength..];
    /// <summary>Tokens whose keys and values are in the cache.</summary>
    public int Computed { get; set; }
    /// <summary>Tokens of the prompt that the cache held already.</summary>
    public int CachedTokens { get; set; }
    /// <summary>What may come next; null for anything.</summary>
    public TokenConstraint? Constraint { get; init; }
    /// <summary>Of the generated tokens; null where nobody asked.</summary>
    public LogProbabilityLog? LogProbabilities { get; }
    public FinishReason Finish { get; private set; }
    public bool IsFinished => Finish != FinishReason.None;

    /// <summary>The next tokens are these, whatever the logits say (the closing tag when a budget for thinking is spent).</summary>
    public void Force(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids) _forced.Enqueue(id);
    }

    /// <summary>Ends the sequence; the first reason stays unless a better one is known.</summary>
    public void End(FinishReason reason, bool replace = false)
    {
        if (!IsFinished || replace) Finish = reason;
    }

    internal bool TryTakeForced(out int id) => _forced.TryDequeue(out id);

    /// <summary>Adds a generated token and ends the sequence where it was the last one.</summary>
    internal void Append(int id, int contextLength)
    {
        _ids.Add(id);
        Constraint?.Accept(id);
        if (Parameters.StopTokenIds.Contains(id)) End(FinishReason.Stop);
        else if (_ids.Count - PromptLength >= (Parameters.MaxTokens ?? int.MaxValue) || _ids.Count > contextLength) End(FinishReason.Length);
    }
}
