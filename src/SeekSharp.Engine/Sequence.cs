using SeekSharp.Models;

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
    /// <summary>Its time was up.</summary>
    Deadline,
    /// <summary>It could not go on; <see cref="Sequence.Error"/> says why.</summary>
    Failed,
}

/// <summary>Who is told what becomes of a sequence, on the engine's thread: a few microseconds' work, please. What it throws ends the sequence as failed, and nothing else.</summary>
internal abstract class SequenceObserver
{
    /// <summary>A part was computed. It may end the sequence, or force tokens.</summary>
    /// <param name="id">The token that was chosen after it and appended; −1 where the prompt is not read to its end yet.</param>
    public abstract void Advanced(int id);

    /// <summary>The sequence has ended and its blocks are given back. It is not touched again.</summary>
    public abstract void Ended();
}

/// <summary>One text in the making: a prompt, the tokens after it, how far they are computed, and how they are chosen.</summary>
internal sealed class Sequence
{
    private readonly List<int> _ids;
    private readonly Queue<int> _forced = new();
    private bool _paused;

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
    /// <summary>Whose text it is: prefixes are shared within a tenant only.</summary>
    public string Tenant { get; init; } = "";
    /// <summary>What changes the model for this sequence; null for nothing. It stays its owner's, and must live as long as the sequence.</summary>
    public LoraAdapter? Adapter { get; init; }
    /// <summary>Higher ones run first, and take the memory of lower ones if they must.</summary>
    public int Priority { get; init; }
    /// <summary>From its arrival on; then it ends as <see cref="FinishReason.Deadline"/>, in the queue or in mid-sentence. Null for no limit.</summary>
    public TimeSpan? TimeLimit { get; init; }
    /// <summary>Who is told; null for nobody.</summary>
    public SequenceObserver? Observer { get; set; }
    /// <summary>What may come next; null for anything.</summary>
    public TokenConstraint? Constraint { get; init; }
    /// <summary>Of the generated tokens; null where nobody asked.</summary>
    public LogProbabilityLog? LogProbabilities { get; }
    public FinishReason Finish { get; private set; }
    public bool IsFinished => Finish != FinishReason.None;
    /// <summary>Why it failed.</summary>
    public Exception? Error { get; private set; }
    /// <summary>Nobody reads what it says: it rests until this is taken back. Set by any thread.</summary>
    public bool IsPaused { get => Volatile.Read(ref _paused); set => Volatile.Write(ref _paused, value); }
    /// <summary>How often it gave its memory to others.</summary>
    public int Preemptions { get; internal set; }

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

    /// <summary>Ends the sequence with what went wrong.</summary>
    public void Fail(Exception error)
    {
        Error ??= error;
        End(FinishReason.Failed, replace: true);
    }

    // What follows is the engine's.

    internal PrefixSpace Space => new(Tenant, Adapter?.Identity ?? "");

    /// <summary>Its keys and values; null while it waits.</summary>
    internal KvCache? Cache { get; set; }
    /// <summary>Place in the order of arrival.</summary>
    internal long Arrival { get; set; }
    /// <summary>As <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/>.</summary>
    internal long DeadlineAt { get; set; } = long.MaxValue;
    /// <summary>Blocks that the prefix cache knows, and the node of the last of them there (or the root).</summary>
    internal int Published { get; set; }
    internal int Node { get; set; }
    /// <summary>Tokens that are known and not computed.</summary>
    internal int Left => _ids.Count - Computed;

    /// <summary>Who goes first: by priority, then by arrival.</summary>
    internal bool GoesBefore(Sequence other) => Priority != other.Priority ? Priority > other.Priority : Arrival < other.Arrival;

    /// <summary>What speculation knows of it; null where nothing was drafted yet.</summary>
    internal DraftState? Draft { get; set; }
    /// <summary>The next token is known.</summary>
    internal bool IsForced => _forced.Count > 0;
    internal RequestTimes Times;

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
