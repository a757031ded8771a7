namespace SeekSharp.Engine;

/// <summary>A sequence's part of one step: the tokens [<see cref="Start"/>, <see cref="Start"/> + <see cref="Count"/>) go through the model.</summary>
internal readonly record struct ScheduledPart(Sequence Sequence, int Start, int Count)
{
    /// <summary>The part reaches the last known token, so that the next one can be chosen.</summary>
    public bool Chooses => Start + Count == Sequence.Ids.Length;
}

/// <summary>
/// Decides what the next step computes. Sequences are served in the order of their arrival, one at a time as yet; a long prompt goes in parts
/// that take about half a second each, so that a request can be cancelled, and its progress be told, between them. How a prompt is parted changes no bit.
/// </summary>
internal sealed class Scheduler(int longestPart)
{
    private const double SecondsPerPart = 0.5;
    private const int ShortestPart = 32;

    private readonly Queue<Sequence> _waiting = new();
    private readonly List<ScheduledPart> _batch = new(1);
    private double _tokensPerSecond = 256;

    /// <summary>The sequence that runs; null when none does.</summary>
    public Sequence? Running { get; private set; }

    public void Add(Sequence sequence) => _waiting.Enqueue(sequence);

    /// <summary>The parts of the next step; none when nothing waits. <paramref name="admit"/> is told of a sequence that begins to run.</summary>
    public IReadOnlyList<ScheduledPart> Schedule(Action<Sequence> admit)
    {
        _batch.Clear();
        while (Running is null or { IsFinished: true })
        {
            Running = null;
            if (!_waiting.TryDequeue(out Sequence? next)) return _batch;
            if (next.IsFinished) continue; // cancelled while it waited
            admit(Running = next);
        }
        int left = Running.Ids.Length - Running.Computed;
        _batch.Add(new(Running, Running.Computed, Math.Min(left, PartLength())));
        return _batch;
    }

    /// <summary>Learns from a step how long the next part may be.</summary>
    public void Learn(int tokens, TimeSpan time)
    {
        if (tokens >= ShortestPart && time > TimeSpan.Zero) _tokensPerSecond = tokens / time.TotalSeconds;
    }

    private int PartLength() => (int)Math.Clamp(_tokensPerSecond * SecondsPerPart, ShortestPart, longestPart);
}
