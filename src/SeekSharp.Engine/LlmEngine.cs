using System.Diagnostics;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>How an engine runs.</summary>
internal sealed record EngineOptions
{
    /// <summary>Who runs, who waits, and how long a step may be.</summary>
    public SchedulerOptions Scheduler { get; init; } = new();
    /// <summary>Bytes for keys and values, the prefix cache's included; at least what the longest sequence takes is used. Null: a quarter of the free memory, or that.</summary>
    public long? KvBytes { get; init; }
    /// <summary>The prefix cache's second tier; null for none. It stays its owner's.</summary>
    public DiskTier? Disk { get; init; }
    /// <summary>With <see cref="Disk"/>: names the model's weights, so that two files never share a name (a hash, or path, size and time).</summary>
    public string ModelIdentity { get; init; } = "";
    /// <summary>How tokens are guessed ahead.</summary>
    public SpeculationOptions Speculation { get; init; } = new();
    /// <summary>The model's name in metrics and traces.</summary>
    public string ModelName { get; init; } = "";
}

/// <summary>What an engine is doing, and has done.</summary>
internal readonly record struct EngineStatistics(int Running, int Waiting, int BlocksUsed, int BlocksIdle, int Blocks, long Steps, long PromptTokens, long CachedTokens, long GeneratedTokens, long Preemptions);

/// <summary>
/// Generates tokens, for many sequences at once: sees ids, never text. A step is three verbs: <c>batch = Schedule(); ids = Run(batch); Commit(batch, ids)</c>.
/// What a sequence becomes does not depend on its company. <see cref="EngineLoop"/> runs the steps on a thread of its own; without it, one thread at a time may call
/// (the lock is for <see cref="Clear"/> and the like, between steps).
/// </summary>
internal sealed class LlmEngine : IDisposable
{
    private readonly LanguageModel _model;
    private readonly KvMemory _memory;
    private readonly Scheduler _scheduler;
    private readonly Sampler?[] _samplers;     // one a thread
    private readonly SpeculativeDecoder _speculation;
    private readonly EngineMetrics _metrics;
    private readonly Lock _steps = new();
    private string _weights = "0";             // names the weights on disk: "0" for the file's own
    private BatchPart[] _parts = new BatchPart[64];
    private int[] _ids = new int[512];         // [T] of the step
    private int[] _chosen = new int[64];       // [parts]
    private int[] _rows = new int[64];         // [parts] their first rows of logits
    private Exception?[] _errors = new Exception?[64];
    private float[] _logits = [];              // [parts that choose, V]
    private long _stepCount, _passTicks, _promptTokens, _cachedTokens, _generated;

    /// <param name="model">Stays its owner's. Its <see cref="ModelOptions.ContextLength"/>, where there is one, is the longest sequence; else it is what the model allows and memory holds.</param>
    /// <param name="vocabulary">Ids below it can be chosen, where the tokenizer knows fewer than the model has rows; null for all.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="EngineException">The model has no context of that length.</exception>
    public LlmEngine(LanguageModel model, int? vocabulary = null, EngineOptions? options = null)
    {
        _model = model;
        Options = options ?? new EngineOptions();
        bool mtp = Options.Speculation.MultiTokenPrediction && model.HasMultiTokenPrediction;
        long blockBytes = Math.Max(1, model.KvBlockBytes(mtp)), free = Math.Min(MachineMemory.Available(), model.CacheBytes ?? long.MaxValue);
        ContextLength = LongestContext(model, blockBytes / KvCache.BlockTokens, free);
        Vocabulary = Math.Min(model.VocabularySize, vocabulary ?? int.MaxValue);
        long blocks = Math.Max((Options.KvBytes ?? free / 4) / blockBytes, KvCache.Blocks(ContextLength) + 1);
        Pool = model.CreatePool((int)Math.Min(blocks, MostBlocks), mtp);
        _memory = new KvMemory(Pool, adapter => model.CreateCache(Pool, adapter));
        if (Options.Disk is not null)
        {
            string version = typeof(LlmEngine).Assembly.ManifestModule.ModuleVersionId.ToString(); // another build may compute other bits
            _memory.Prefixes.DiskRoot = space => BlockKey.Root(Options.ModelIdentity, space.Adapter, _weights, $"{Pool.Layout.Format}", model.Options.Exact ? "exact" : "default",
                mtp ? "mtp" : "", KernelTable.Current.Name, KernelTable.Current.AttentionForm, version, space.Tenant);
            _memory.Prefixes.Disk = Options.Disk;
        }
        _metrics = new EngineMetrics(Options.ModelName);
        SchedulerOptions scheduler = Options.Scheduler;
        // Where experts are read as they are needed, a hundred tokens go to nearly all of them, so that every part of a prompt has them all read again.
        int worth = model.ExpertCounts is not null ? scheduler.MaxTokens : RowsOfExpert * model.Config.NRoutedExperts / Math.Max(1, model.Config.NumExpertsPerTok);
        _scheduler = new Scheduler(_memory, scheduler with { PartWhileReading = Math.Max(scheduler.PartWhileReading, Math.Min(scheduler.MaxTokens, worth)) })
        {
            Ended = _metrics.Ended,
            OthersWork = model.Turns is { } turns ? () => turns.IsContended : null,
        };
        _samplers = new Sampler?[model.Threads];
        _speculation = new SpeculativeDecoder(model, Options.Speculation, Vocabulary, mtp, (long)Pool.Capacity * KvCache.BlockTokens);
    }

    private const int RowsOfExpert = 48; // of a part of a prompt: from there on more gain little (docs/log.md, 2026-11-23)
    private const int MostBlocks = 1 << 21; // what stands beside the blocks stays below a gigabyte

    public EngineOptions Options { get; }
    /// <summary>Longest sequence, in tokens.</summary>
    public int ContextLength { get; }
    /// <summary>Ids that can be chosen.</summary>
    public int Vocabulary { get; }
    /// <summary>Memory for keys and values. It grows as it is needed.</summary>
    public BlockPool Pool { get; }
    /// <summary>What is known of earlier texts.</summary>
    public PrefixCache Prefixes => _memory.Prefixes;

    public EngineStatistics Statistics
    {
        get
        {
            lock (_steps) return Snapshot();
        }
    }

    /// <summary>What became of drafts of one kind.</summary>
    public SpeculationStatistics Speculated(DraftKind kind)
    {
        lock (_steps) return _speculation.Of(kind);
    }

    private EngineStatistics Snapshot() =>
        new(_scheduler.Running, _scheduler.Waiting, Pool.Used, _memory.Prefixes.IdleCount, Pool.Capacity, _stepCount, _promptTokens, _cachedTokens, _generated, _scheduler.Preemptions);

    /// <summary>Time of all steps in the model and the sampler; what a step takes beyond that is the engine's own.</summary>
    public TimeSpan PassTime => Stopwatch.GetElapsedTime(0, Volatile.Read(ref _passTicks));

    /// <summary>Sequences that wait.</summary>
    public int Waiting => _scheduler.Waiting;

    /// <summary>Checks what can be checked before a sequence waits. Any thread may call.</summary>
    /// <exception cref="EngineException">It is longer than the context, or holds an id outside the vocabulary.</exception>
    public void Validate(Sequence sequence)
    {
        ReadOnlySpan<int> ids = sequence.Ids;
        if (ids.Length > ContextLength)
            throw new EngineException(EngineRefusal.TooLong, $"the prompt has {ids.Length} tokens, the context {ContextLength}");
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)_model.VocabularySize)
                throw new EngineException($"token id {ids[i]} at position {i} is outside the vocabulary of {_model.VocabularySize}");
        }
        sequence.Parameters.ValidateFor(Vocabulary);
    }

    /// <summary>Puts a sequence in the queue.</summary>
    /// <exception cref="EngineException">As <see cref="Validate"/>, or the queue is full.</exception>
    public void Add(Sequence sequence)
    {
        Validate(sequence);
        EngineMetrics.Arrived(sequence);
        lock (_steps) _scheduler.Add(sequence);
    }

    /// <summary>Forgets the texts that nobody runs.</summary>
    public void Clear()
    {
        lock (_steps) _memory.Prefixes.Clear();
    }

    /// <summary>
    /// New weights for the model, between two steps: everything that was computed with the old ones is dropped. Sequences that run keep their tokens and are read again. Any thread may call.
    /// </summary>
    /// <param name="update">From <see cref="LanguageModel.BeginUpdate"/>; empty afterwards.</param>
    /// <exception cref="CheckpointException">It does not fit; nothing has changed.</exception>
    public void Publish(WeightUpdate update) => ChangeWeights(() => _model.Publish(update));

    /// <summary>As <see cref="Publish"/>, for who changes the weights in another way.</summary>
    /// <param name="change">Changes the weights; nothing runs meanwhile. Where it throws, nothing is dropped.</param>
    internal void ChangeWeights(Action change)
    {
        lock (_steps)
        {
            change();
            _scheduler.PreemptAll();
            _memory.Prefixes.Clear();
            WeightVersion++;
            _weights = Guid.NewGuid().ToString("N"); // another process may publish, too: its first weights are not ours
            _memory.Prefixes.Invalidate();
        }
    }

    /// <summary>How often the weights have changed.</summary>
    public long WeightVersion { get; private set; }

    /// <summary>Called with each sequence that is to choose a token and its logits [V], before the sampler changes them, on the model's threads; null for nobody.</summary>
    internal Action<Sequence, ReadOnlySpan<float>>? LogitsSeen { get; set; }

    /// <summary>One step. False when there was nothing to do.</summary>
    /// <remarks>What goes wrong with one sequence ends that sequence (<see cref="Sequence.Error"/>); what goes wrong with the pass ends those that were in it.</remarks>
    public bool Step()
    {
        lock (_steps)
        {
            IReadOnlyList<ScheduledPart> batch = _scheduler.Schedule();
            if (batch.Count == 0) return false;
            long began = Stopwatch.GetTimestamp();
            _speculation.Draft(batch, _memory, ContextLength, Options.Scheduler.MaxTokens);
            ReadOnlySpan<int> ids = Run(batch);
            Commit(batch, ids);
            _metrics.Stepped(Snapshot(), Stopwatch.GetElapsedTime(began));
            return true;
        }
    }

    /// <summary>Stopwatch ticks of the next deadline; <see cref="long.MaxValue"/> without.</summary>
    internal long NextDeadline()
    {
        lock (_steps) return _scheduler.NextDeadline();
    }

    /// <summary>Computes the batch and chooses a token for each part that reached its sequence's end; −1 for the others.</summary>
    private ReadOnlySpan<int> Run(IReadOnlyList<ScheduledPart> batch)
    {
        int tokens = 0, rows = 0, drafted = 0, v = _model.VocabularySize;
        Grow(batch);
        for (int i = 0; i < batch.Count; i++)
        {
            (Sequence sequence, int start, int count) = batch[i];
            ReadOnlySpan<int> draft = _speculation.DraftOf(i);
            sequence.Ids.Slice(start, count).CopyTo(_ids.AsSpan(tokens));
            draft.CopyTo(_ids.AsSpan(tokens + count));
            int choices = batch[i].Chooses ? 1 + draft.Length : 0;
            _parts[i] = new(sequence.Cache!, count + draft.Length, choices);
            _chosen[i] = choices > 0 ? rows : -1;
            _rows[i] = rows;
            tokens += count + draft.Length;
            rows += choices;
            drafted += draft.Length;
            EngineMetrics.Began(sequence);
            _errors[i] = null;
        }
        if (_logits.Length < rows * v) _logits = GC.AllocateUninitializedArray<float>(Math.Max(rows, Math.Min(2 * rows, 16)) * v);
        try
        {
            long began = Stopwatch.GetTimestamp(), waited = _model.Turns?.Waited ?? 0;
            _model.Forward(_parts.AsSpan(0, batch.Count), _ids.AsSpan(0, tokens), _logits.AsSpan(0, rows * v));
            began += (_model.Turns?.Waited ?? 0) - waited; // others' turns are not this step's time
            TimeSpan time = Stopwatch.GetElapsedTime(began);
            if (drafted == 0) _scheduler.Learn(batch, time);
            _speculation.Learn(batch, time);
            var work = new ChooseWork { Owner = this, Batch = batch };
            _model.Pool.Run(batch.Count, ref work);
            _passTicks += Stopwatch.GetTimestamp() - began;
        }
        catch (Exception e) // memory, a broken model: the sequences' caches cannot be trusted
        {
            Array.Fill(_errors, e, 0, batch.Count);
        }
        Array.Clear(_parts, 0, batch.Count);
        _stepCount++;
        return _chosen;
    }

    /// <summary>Writes down what the step did.</summary>
    private void Commit(IReadOnlyList<ScheduledPart> batch, ReadOnlySpan<int> ids)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            (Sequence sequence, int start, int count) = batch[i];
            try
            {
                if (_errors[i] is { } error) sequence.Fail(error);
                else
                {
                    bool prompt = start < sequence.PromptLength;
                    sequence.Computed += count;
                    if (prompt) _promptTokens += Math.Min(sequence.Computed, sequence.PromptLength) - start;
                    if (ids[i] >= 0)
                    {
                        if (sequence.Generated.IsEmpty) _cachedTokens += sequence.CachedTokens;
                        Continue(sequence, i, ids[i]);
                    }
                    _memory.Publish(sequence);
                    if (ids[i] < 0) sequence.Observer?.Advanced(-1);
                }
            }
            catch (Exception e)
            {
                sequence.Fail(e);
            }
            if (sequence.IsFinished) _scheduler.Retire(sequence);
        }
    }

    // The chosen token goes to the sequence; and as long as it is the one that was guessed, the next one is chosen from the row after it.
    private void Continue(Sequence sequence, int part, int id)
    {
        ReadOnlySpan<int> draft = _speculation.DraftOf(part);
        int held = 0;
        while (true)
        {
            bool guessed = held < draft.Length && draft[held] == id;
            sequence.Append(id, ContextLength);
            _generated++;
            EngineMetrics.Chosen(sequence);
            sequence.Observer?.Advanced(id);
            if (!guessed || sequence.IsFinished)
            {
                if (draft.IsEmpty) return;
                DraftKind kind = _speculation.Checked(part, sequence, guessed ? held + 1 : held);
                _metrics.Checked(kind, draft.Length, guessed ? held + 1 : held);
                // What was computed for guesses that do not hold is forgotten; its places are written anew.
                sequence.Computed += held;
                sequence.Cache!.Truncate(sequence.Computed);
                return;
            }
            held++;
            id = Choose(sequence, _rows[part] + held, 0);
        }
    }

    private int Choose(Sequence sequence, int row, int worker)
    {
        Span<float> logits = _logits.AsSpan(row * _model.VocabularySize, _model.VocabularySize);
        LogitsSeen?.Invoke(sequence, logits);
        return (_samplers[worker] ??= new Sampler(Vocabulary)).Choose(sequence, logits[..Vocabulary]);
    }

    private struct ChooseWork : IParallelWork
    {
        public LlmEngine Owner;
        public IReadOnlyList<ScheduledPart> Batch;

        public readonly void Run(int item, int worker)
        {
            int row = Owner._chosen[item];
            if (row < 0) return;
            try
            {
                Owner._chosen[item] = Owner.Choose(Batch[item].Sequence, row, worker);
            }
            catch (Exception e)
            {
                Owner._errors[item] = e;
            }
        }
    }

    private void Grow(IReadOnlyList<ScheduledPart> batch)
    {
        int tokens = 0;
        for (int i = 0; i < batch.Count; i++) tokens += batch[i].Count + _speculation.DraftOf(i).Length;
        if (_ids.Length < tokens) _ids = new int[tokens];
        if (_parts.Length >= batch.Count) return;
        int length = Math.Max(batch.Count, 2 * _parts.Length);
        (_parts, _chosen, _rows, _errors) = (new BatchPart[length], new int[length], new int[length], new Exception?[length]);
    }

    /// <summary>
    /// What the options ask for, at most what the model was made for; without a wish, what four fifths of the free memory hold
    /// (V3's 163,840 tokens would be 11 GB), and at least 512.
    /// </summary>
    private static int LongestContext(LanguageModel model, long bytesPerToken, long free)
    {
        int most = model.Config.MaxPositionEmbeddings;
        if (model.Options.ContextLength is { } asked)
            return asked <= most ? asked : throw new EngineException($"a context of {asked} tokens was asked for; the model has 1 to {most}");
        long fits = free / 5 * 4 / Math.Max(1, bytesPerToken);
        return (int)Math.Min(most, Math.Max(512, fits));
    }

    /// <summary>Gives the memory back. Nothing may be running.</summary>
    public void Dispose()
    {
        lock (_steps)
        {
            _speculation.Dispose();
            _metrics.Dispose();
            Pool.Dispose();
        }
    }
}
