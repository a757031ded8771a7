using System.Diagnostics;
using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>
/// Generates tokens: sees ids, never text. A step is three verbs: <c>batch = Schedule(); ids = Run(batch); Commit(batch, ids)</c>.
/// One sequence runs at a time as yet. Its keys and values stay when it has ended, and the next sequence computes only from the
/// first token that differs. Not safe for several threads at once.
/// </summary>
internal sealed class LlmEngine : IDisposable
{
    private readonly LanguageModel _model;
    private readonly Scheduler _scheduler;
    private readonly Sampler _sampler;
    private readonly KvCache _cache;
    private readonly List<int> _resident = []; // the ids whose keys and values the cache holds
    private readonly float[] _logits;          // [V]
    private readonly int[] _chosen = new int[1];

    /// <param name="model">Stays its owner's. Its <see cref="ModelOptions.ContextLength"/>, where there is one, is the longest sequence; else it is what the model allows and memory holds.</param>
    /// <param name="vocabulary">Ids below it can be chosen, where the tokenizer knows fewer than the model has rows; null for all.</param>
    /// <exception cref="EngineException">The model has no context of that length.</exception>
    public LlmEngine(LanguageModel model, int? vocabulary = null)
    {
        _model = model;
        _cache = model.CreateCache();
        ContextLength = LongestContext(model, _cache);
        Vocabulary = Math.Min(model.VocabularySize, vocabulary ?? int.MaxValue);
        _logits = new float[model.VocabularySize];
        _sampler = new Sampler(Vocabulary);
        _scheduler = new Scheduler(longestPart: 512);
    }

    /// <summary>Longest sequence, in tokens. The cache grows as it is needed.</summary>
    public int ContextLength { get; }
    /// <summary>Ids that can be chosen.</summary>
    public int Vocabulary { get; }
    /// <summary>Keys and values of what ran last.</summary>
    public KvCache Cache => _cache;

    /// <summary>Puts a sequence in the queue.</summary>
    /// <exception cref="EngineException">It is longer than the context, or holds an id outside the vocabulary.</exception>
    public void Add(Sequence sequence)
    {
        ReadOnlySpan<int> ids = sequence.Ids;
        if (ids.Length > ContextLength)
            throw new EngineException($"the prompt has {ids.Length} tokens, the context {ContextLength}");
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)_model.VocabularySize)
                throw new EngineException($"token id {ids[i]} at position {i} is outside the vocabulary of {_model.VocabularySize}");
        }
        sequence.Parameters.ValidateFor(Vocabulary);
        _scheduler.Add(sequence);
    }

    /// <summary>Forgets what the cache holds. Nothing may be running.</summary>
    public void Clear()
    {
        _cache.Truncate(0);
        _resident.Clear();
    }

    /// <summary>One step. False when there was nothing to do.</summary>
    public bool Step()
    {
        IReadOnlyList<ScheduledPart> batch = _scheduler.Schedule(ReusePrefix);
        if (batch.Count == 0) return false;
        ReadOnlySpan<int> ids = Run(batch);
        Commit(batch, ids);
        return true;
    }

    /// <summary>Computes the batch and chooses a token for each part that reached its sequence's end; −1 for the others.</summary>
    private ReadOnlySpan<int> Run(IReadOnlyList<ScheduledPart> batch)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            (Sequence sequence, int start, int count) = batch[i];
            long began = Stopwatch.GetTimestamp();
            _model.Forward(_cache, sequence.Ids.Slice(start, count), batch[i].Chooses ? _logits : []);
            _scheduler.Learn(count, Stopwatch.GetElapsedTime(began));
            _chosen[i] = !batch[i].Chooses ? -1
                : _sampler.Choose(sequence, _logits.AsSpan(0, Vocabulary));
        }
        return _chosen;
    }

    /// <summary>Writes down what the step did.</summary>
    private void Commit(IReadOnlyList<ScheduledPart> batch, ReadOnlySpan<int> ids)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            (Sequence sequence, int start, int count) = batch[i];
            _resident.AddRange(sequence.Ids.Slice(start, count));
            sequence.Computed += count;
            if (ids[i] >= 0) sequence.Append(ids[i], ContextLength);
        }
    }

    /// <summary>The longest common beginning with what the cache holds; the last token is computed in any case, for its logits.</summary>
    private void ReusePrefix(Sequence sequence)
    {
        ReadOnlySpan<int> ids = sequence.Ids;
        int common = ids[..^1].CommonPrefixLength(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_resident));
        _cache.Truncate(common);
        _resident.RemoveRange(common, _resident.Count - common);
        sequence.Computed = sequence.CachedTokens = common;
    }

    /// <summary>
    /// What the options ask for, at most what the model was made for; without a wish, what four fifths of the free memory hold
    /// (V3's 163,840 tokens would be 11 GB), and at least 512.
    /// </summary>
    private static int LongestContext(LanguageModel model, KvCache cache)
    {
        int most = model.Config.MaxPositionEmbeddings;
        if (model.Options.ContextLength is { } asked)
            return asked <= most ? asked : throw new EngineException($"a context of {asked} tokens was asked for; the model has 1 to {most}");
        long fits = AvailableMemory() / 5 * 4 / Math.Max(1, cache.BytesPerToken);
        return (int)Math.Min(most, Math.Max(512, fits));
    }

    /// <summary>Free memory in bytes: what Linux says is available, elsewhere what the runtime may use less what it uses.</summary>
    private static long AvailableMemory()
    {
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        long available = info.TotalAvailableMemoryBytes - Environment.WorkingSet;
        if (OperatingSystem.IsLinux())
        {
            try
            {
                foreach (string line in File.ReadLines("/proc/meminfo"))
                {
                    if (line.StartsWith("MemAvailable:", StringComparison.Ordinal) && long.TryParse(line.AsSpan(13).TrimEnd("kB ").Trim(), out long kib))
                        available = Math.Min(available, kib * 1024);
                }
            }
            catch (IOException) { } // a container may hide it: the runtime's figure stands
        }
        return Math.Max(0, available);
    }

    public void Dispose() => _cache.Dispose();
}
