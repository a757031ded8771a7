using System.Diagnostics;

namespace SeekSharp.Engine;

/// <summary>A sequence's part of one step: the tokens [<see cref="Start"/>, <see cref="Start"/> + <see cref="Count"/>) go through the model.</summary>
internal readonly record struct ScheduledPart(Sequence Sequence, int Start, int Count)
{
    /// <summary>The part reaches the last known token, so that the next one can be chosen.</summary>
    public bool Chooses => Start + Count == Sequence.Ids.Length;
}

/// <summary>What a scheduler may do.</summary>
internal sealed record SchedulerOptions
{
    /// <summary>Sequences that run at once, at least 1.</summary>
    public int MaxRunning { get; init; } = 64;
    /// <summary>Sequences that wait at most, at least 1; those that were preempted do not count.</summary>
    public int MaxWaiting { get; init; } = 1024;
    /// <summary>Tokens of a step at most, at least 1.</summary>
    public int MaxTokens { get; init; } = 512;
    /// <summary>Time that a step may take while somebody decodes: half of what a reader is ever to wait for, since predictions err.</summary>
    public TimeSpan StepWhileDecoding { get; init; } = TimeSpan.FromMilliseconds(100);
    /// <summary>Time that a step may take while only prompts are read: after it a request can be cancelled, and its progress be told.</summary>
    public TimeSpan StepWhileReading { get; init; } = TimeSpan.FromMilliseconds(400);
    /// <summary>
    /// Tokens that a step may have while only prompts are read, at least 1, whatever time they take and however few any step has had before: with fewer, a large model would spend its time
    /// reading weights rather than using them.
    /// </summary>
    public int PartWhileReading { get; init; } = 64;
}

/// <summary>
/// Decides what the next step computes. All sequences that run and know their next token get one row each; what is left of the step's time goes to
/// prompts, in parts whose time <see cref="StepCost"/> predicts. Who waits is let in by priority and arrival as soon as there is memory. When memory runs short while
/// decoding, the last in this order gives its blocks back and waits again; its tokens stay, and what the prefix cache still has of them when it comes back need not be computed again.
/// How parts are cut, and who is together in a step, changes no bit.
/// </summary>
internal sealed class Scheduler(KvMemory memory, SchedulerOptions options)
{
    private const int ShortestPart = 8; // of a prompt: so many tokens cost hardly more than one

    private readonly List<Sequence> _waiting = [], _running = []; // both in order, who goes first at the front
    private readonly List<ScheduledPart> _batch = [];
    private readonly List<Sequence> _ended = [];
    private long _arrivals;
    private int _newcomers; // of those that wait: never ran
    private Sequence? _tooLarge; // the first of those that wait did not fit when so many blocks could be had and so many ran
    private int _availableThen, _runningThen;

    /// <summary>Sequences that run.</summary>
    public int Running => _running.Count;

    /// <summary>Sequences that wait.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>How often a sequence gave its memory to others.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Told of every sequence that has ended.</summary>
    public Action<Sequence>? Ended { get; init; }

    /// <summary>Whether another model has to do, whose steps come between these; null for a model with threads of its own.</summary>
    public Func<bool>? OthersWork { get; init; }

    /// <summary>What steps take.</summary>
    public StepCost Cost { get; } = new();

    /// <summary>Puts a sequence in the queue.</summary>
    /// <exception cref="EngineException">The queue is full.</exception>
    public void Add(Sequence sequence)
    {
        if (_newcomers >= options.MaxWaiting) throw Full(options.MaxWaiting);
        sequence.Arrival = _arrivals++;
        if (sequence.TimeLimit is { } limit && limit < TimeSpan.FromDays(365))
            sequence.DeadlineAt = Stopwatch.GetTimestamp() + (long)(limit.TotalSeconds * Stopwatch.Frequency);
        _newcomers++;
        Insert(_waiting, sequence);
    }

    /// <summary>What is said when the queue is full.</summary>
    public static EngineException Full(int waiting) => new(EngineRefusal.QueueFull, $"the queue is full: {waiting} requests wait already");

    /// <summary>The parts of the next step; none when nothing can be done. Those that decode come first.</summary>
    public IReadOnlyList<ScheduledPart> Schedule()
    {
        // 1. Who has ended gives its blocks back. 2. Who waits is let in. 3. Who decodes gets a row. 4. Prompts share what is left of the time.
        _batch.Clear();
        memory.BeginStep();
        Sweep();
        Admit();

        // 3.
        double work = 0;
        for (int i = 0; i < _running.Count && _batch.Count < options.MaxTokens; i++)
        {
            Sequence s = _running[i];
            if (s.IsPaused || s.Left != 1) continue;
            bool stays = Reserve(s, s.Ids.Length);
            i = _running.IndexOf(s, 0, Math.Min(i + 1, _running.Count)) is int at && at >= 0 ? at : i - 1; // others, or itself, may be gone
            if (!stays) continue;
            _batch.Add(new(s, s.Computed, 1));
            work += StepCost.Work(s.Computed, 1);
        }

        // 4. No step is much larger than any before it: a prediction reaches only so far.
        int decoding = _batch.Count;
        double alone = Cost.Predict(decoding, work);
        bool alonePrompts = decoding == 0 && OthersWork?.Invoke() != true;
        double seconds = (alonePrompts ? options.StepWhileReading.TotalSeconds : Math.Max(options.StepWhileDecoding.TotalSeconds, 1.5 * alone)) - alone;
        int free = alonePrompts ? Math.Min(options.PartWhileReading, options.MaxTokens) : 0, most = decoding == 0 ? Math.Max(128, 4 * Cost.LargestStep) : Math.Max(16, 2 * Cost.LargestStep);
        Read(seconds, Math.Min(options.MaxTokens - decoding, Math.Max(most, free)), free);
        return _batch;
    }

    /// <summary>The sequence has ended: its blocks go back, and whoever listens is told.</summary>
    public void Retire(Sequence sequence)
    {
        _running.Remove(sequence);
        memory.Release(sequence);
        Ended?.Invoke(sequence);
        Tell(sequence);
    }

    /// <summary>Learns from a step.</summary>
    public void Learn(IReadOnlyList<ScheduledPart> batch, TimeSpan time)
    {
        int tokens = 0;
        double work = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            tokens += batch[i].Count;
            work += StepCost.Work(batch[i].Start, batch[i].Count);
        }
        Cost.Learn(tokens, work, time.TotalSeconds);
    }

    /// <summary>Stopwatch ticks until the next deadline of a sequence that rests or waits; <see cref="long.MaxValue"/> without.</summary>
    public long NextDeadline()
    {
        long next = long.MaxValue;
        foreach (Sequence s in _running) next = Math.Min(next, s.DeadlineAt);
        foreach (Sequence s in _waiting) next = Math.Min(next, s.DeadlineAt);
        return next;
    }

    // Ends what is past its deadline, and lets go of everything that has ended.
    private void Sweep()
    {
        long now = Stopwatch.GetTimestamp();
        foreach (List<Sequence> list in (ReadOnlySpan<List<Sequence>>)[_running, _waiting])
        {
            for (int i = 0; i < list.Count; i++)
            {
                Sequence s = list[i];
                if (now >= s.DeadlineAt) s.End(FinishReason.Deadline);
                if (s.IsFinished) _ended.Add(s);
            }
        }
        foreach (Sequence s in _ended)
        {
            if (_waiting.Remove(s) && s.Preemptions == 0) _newcomers--;
            Retire(s);
        }
        _ended.Clear();
    }

    private void Admit()
    {
        for (int i = 0; i < _waiting.Count;)
        {
            Sequence s = _waiting[i];
            if (s.IsPaused)
            {
                i++;
                continue;
            }
            if (s == _tooLarge && memory.Available <= _availableThen && _running.Count >= _runningThen && !Yields(s)) return;
            if (_running.Count >= options.MaxRunning && !PreemptFor(s, onlyBelow: true)) return;
            memory.Attach(s, hurry: _running.Count > 0);
            // Room for its whole text, what the others have still to read, and a block to write on for everyone: who is let in should not be sent away soon.
            long needed = s.Cache!.Missing(s.Ids.Length + 1) + _running.Count;
            foreach (Sequence other in _running) needed += other.Left > 1 ? other.Cache!.Missing(other.Ids.Length) : 0;
            while (needed > memory.Available && _running.Count > 0 && PreemptFor(s, onlyBelow: true)) { }
            if (needed > memory.Available && _running.Count > 0)
            {
                memory.Release(s);
                if (s.Preemptions == 0) s.CachedTokens = 0;
                (_tooLarge, _availableThen, _runningThen) = (s, memory.Available, _running.Count);
                return; // nobody overtakes it: it would wait for ever
            }
            _tooLarge = null;
            _waiting.Remove(s);
            if (s.Preemptions == 0) _newcomers--;
            Insert(_running, s);
            i = 0; // others may have been sent back to the queue
        }
    }

    // Prompts, by rank; but where several are read, the one with the least left may have half of the time, so that a short one does not wait for a long one's end.
    // Of the tokens as many as are free count whatever time they take.
    private void Read(double seconds, int tokens, int free)
    {
        Sequence? first = null, shortest = null;
        foreach (Sequence s in _running)
        {
            if (!IsReading(s)) continue;
            first ??= s;
            if (shortest is null || s.Left < shortest.Left) shortest = s;
        }
        if (first is null) return;
        if (shortest == first || shortest!.Priority != first.Priority) shortest = null;
        if (shortest is not null) free -= ReadPart(shortest, ref seconds, ref tokens, seconds / 2, free / 2);
        for (int i = 0; i < _running.Count && tokens > 0; i++)
        {
            Sequence s = _running[i];
            if (s == shortest || !IsReading(s)) continue;
            free -= ReadPart(s, ref seconds, ref tokens, seconds, Math.Max(free, s == first ? ShortestPart : 0));
            i = _running.IndexOf(s, 0, Math.Min(i + 1, _running.Count)) is int at && at >= 0 ? at : i - 1;
        }
    }

    // How many tokens of it.
    private int ReadPart(Sequence s, ref double seconds, ref int tokens, double share, int least)
    {
        if (!memory.Extend(s, hurry: _batch.Count > 0)) return 0; // it is being read from the disk
        if (IsBehind(s)) return 0;
        int count = Math.Min(Math.Min(s.Left, tokens), Math.Max(Cost.Within(share, s.Computed), least));
        if (count <= 0) return 0;
        count = memory.Reach(s, s.Computed + count) - s.Computed;
        // No memory: it waits for others to end, if any of them gets on. Else it makes itself room.
        if (count <= 0 && _batch.Count > 0) return 0;
        count = Math.Max(count, 1);
        if (!Reserve(s, s.Computed + count)) return 0;
        _batch.Add(new(s, s.Computed, count));
        seconds -= Cost.Added(count, StepCost.Work(s.Computed, count));
        tokens -= count;
        return count;
    }

    // Somebody before it computes what it needs next (n choices of one request begin together, and so do requests with a common system message): it takes that over when it is there.
    private bool IsBehind(Sequence s)
    {
        foreach (Sequence other in _running)
        {
            if (other == s) return false;
            if (IsReading(other) && KvMemory.NeedsBlockOf(s, other)) return true;
        }
        return false;
    }

    private static bool IsReading(Sequence s) => !s.IsPaused && s.Left > 1;

    // Room for a sequence up to a length; others may have to go. False where the sequence itself was the last, and went.
    private bool Reserve(Sequence s, int length)
    {
        while (!memory.MakeRoom(s, length))
            if (!PreemptFor(s, onlyBelow: false)) return false;
        s.Cache!.Reserve(length);
        return true;
    }

    // Would somebody go for this one?
    private bool Yields(Sequence s) => _running.Exists(static other => other.IsPaused) || (_running.Count > 0 && _running[^1].Priority < s.Priority);

    // Sends one away: who rests, else the last in order. False where that was the sequence itself, or where nobody yields.
    private bool PreemptFor(Sequence s, bool onlyBelow)
    {
        Sequence? victim = null;
        for (int i = _running.Count - 1; i >= 0 && victim is null; i--)
            if (_running[i] != s && _running[i].IsPaused) victim = _running[i];
        if (victim is null && _running.Count > 0) victim = _running[^1];
        if (victim is null || (onlyBelow && !victim.IsPaused && victim.Priority >= s.Priority)) return false;
        Preempt(victim);
        return victim != s;
    }

    /// <summary>Sends everybody back to the queue: what was computed counts no longer.</summary>
    public void PreemptAll()
    {
        while (_running.Count > 0) Preempt(_running[^1]);
    }

    private void Preempt(Sequence s)
    {
        _batch.RemoveAll(part => part.Sequence == s);
        _running.Remove(s);
        memory.Release(s);
        s.Preemptions++;
        Preemptions++;
        Insert(_waiting, s);
    }

    private static void Insert(List<Sequence> list, Sequence sequence)
    {
        int at = list.Count;
        while (at > 0 && sequence.GoesBefore(list[at - 1])) at--;
        list.Insert(at, sequence);
    }

    private static void Tell(Sequence sequence)
    {
        try
        {
            sequence.Observer?.Ended();
        }
        catch (Exception e)
        {
            sequence.Fail(e);
        }
    }
}
