using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// A language model ready to compute: token ids in, logits out. DeepSeek V2, V3 and R1, Qwen2, Qwen3, Qwen3-MoE and Llama.
/// <para>
/// A sequence's logits are the same bits however its ids were cut into calls and chunks, and with any number of threads. Calls
/// from several threads are served one after the other. T tokens, H hidden, V vocabulary.
/// </para>
/// </summary>
public sealed unsafe partial class LanguageModel : IDisposable
{
    private readonly ModelFolder? _folder; // embeddings are read from its mapped file
    private readonly WeightPacker _packer;
    private readonly PackedExpertsFile? _packedExperts;
    private readonly WorkerPool _pool;
    private readonly ThreadBudget.Member? _turns; // null with threads of its own
    private readonly Workspace _w;
    private MatrixSource _embedding;       // [V, H]
    private readonly SourcePages _pages;
    private DecoderLayer[] _layers;
    private WeightVector _finalNorm;       // [H]
    private OutputHead _output;            // [V, H]
    private MultiTokenPrediction? _mtp;
    private RotaryEmbedding _rotary;
    private readonly RopeLayout _ropeLayout;
    private readonly KvLayout _kvLayout;
    private readonly KvLayout? _mtpLayout; // a layer more: the module's own
    private readonly int _hidden, _chunk;
    private readonly StepChecks _checks;
    private readonly Lock _calls = new();
    private bool _disposed;
    private const long SlabBytes = 8L << 20; // from here on memory comes in pages of 2 MB: a prompt's blocks are touched with a few page faults, not thousands

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>How it is run.</summary>
    public ModelOptions Options { get; }

    /// <summary>V.</summary>
    public int VocabularySize => Config.VocabSize;

    /// <summary>Longest sequence that is accepted, in tokens.</summary>
    public int ContextLength { get; }

    /// <summary>Threads that compute.</summary>
    public int Threads => _pool.Threads;

    /// <summary>The same threads, for what is done between passes.</summary>
    internal WorkerPool Pool => _pool;

    /// <summary>Its part in a shared budget of threads; null with threads of its own.</summary>
    internal ThreadBudget.Member? Turns => _turns;

    /// <summary>Bytes of the packed weights.</summary>
    public long WeightBytes => _packer.Bytes;

    /// <summary>Bytes that keys and values may take, where there is a limit or experts are read as they are needed; null where what is free decides.</summary>
    internal long? CacheBytes { get; }

    /// <summary>Experts read as they are needed: how many were asked for and how many of them had to be read; null where all are in memory.</summary>
    internal (long Asked, long Read)? ExpertCounts => _packer.Experts?.Counts;

    /// <summary>Has a multi-token-prediction module been loaded?</summary>
    public bool HasMultiTokenPrediction => _mtp is not null;

    /// <summary>An empty cache for one sequence. It grows as the sequence does.</summary>
    /// <param name="multiTokenPrediction">The module follows the sequence with a layer of its own, so that its logits can be had.</param>
    /// <exception cref="ModelException">The module is asked for and the model has none.</exception>
    public KvCache CreateCache(bool multiTokenPrediction = false) => new(LayoutOf(multiTokenPrediction), multiTokenPrediction ? _hidden : 0);

    /// <summary>Memory for the caches of many sequences.</summary>
    /// <param name="blocks">Blocks of 64 tokens at most.</param>
    /// <param name="multiTokenPrediction">With room for the module's layer.</param>
    internal BlockPool CreatePool(int blocks, bool multiTokenPrediction = false)
    {
        KvLayout layout = LayoutOf(multiTokenPrediction);
        return new BlockPool(layout, blocks, (int)((SlabBytes + layout.BlockBytes - 1) / layout.BlockBytes));
    }

    /// <summary>An empty cache in a pool of this model.</summary>
    internal KvCache CreateCache(BlockPool pool, LoraAdapter? adapter = null) => new(pool, pool.Layout == _mtpLayout ? _hidden : 0) { Adapter = adapter };

    /// <summary>Reads a LoRA adapter for this model.</summary>
    /// <exception cref="CheckpointException">It is broken, or made for another model.</exception>
    internal LoraAdapter LoadAdapter(string folder) => LoraAdapter.Load(folder, Config, _ropeLayout);

    /// <summary>Bytes of a block of 64 tokens.</summary>
    internal long KvBlockBytes(bool multiTokenPrediction = false) => LayoutOf(multiTokenPrediction).BlockBytes;

    private KvLayout LayoutOf(bool multiTokenPrediction) => !multiTokenPrediction ? _kvLayout
        : _mtpLayout ?? throw new ModelException("the model has no multi-token-prediction module");

    /// <summary>Appends tokens to a sequence and computes the logits after the last of them.</summary>
    /// <param name="cache">The sequence so far.</param>
    /// <param name="ids">[T] the tokens to append, at least one.</param>
    /// <param name="logits">[V] for the token after the last; or empty, where only the cache is wanted.</param>
    /// <exception cref="ModelException">An id is outside the vocabulary, or the sequence outgrows the context. The cache is as before.</exception>
    public void Forward(KvCache cache, ReadOnlySpan<int> ids, Span<float> logits)
    {
        if (!logits.IsEmpty && logits.Length != VocabularySize) throw new ArgumentException($"expected room for {VocabularySize} logits, found {logits.Length}", nameof(logits));
        ArgumentNullException.ThrowIfNull(cache);
        var part = new BatchPart(cache, ids.Length, logits.IsEmpty ? 0 : 1);
        Run(new ReadOnlySpan<BatchPart>(in part), ids, logits, default, default, null);
    }

    /// <summary>Appends tokens to a sequence and computes the logits after each of them.</summary>
    /// <param name="cache">The sequence so far.</param>
    /// <param name="ids">[T] the tokens to append, at least one.</param>
    /// <param name="logits">[T, V] row-major.</param>
    /// <param name="mtpLogits">
    /// Empty, or, with a cache made for it, [T, V] ([T − 1, V] where the sequence was empty) logits of the multi-token-prediction module: each row is
    /// for the token after the next, of the positions from the sequence's last one so far (or 0) up to the last but one.
    /// </param>
    /// <param name="trace">Filled with what the layers did; null where nobody looks.</param>
    /// <exception cref="ModelException">
    /// An id is outside the vocabulary, the sequence outgrows the context, or MTP logits are asked for and the cache was not made for them.
    /// The cache is as before.
    /// </exception>
    public void ForwardAll(KvCache cache, ReadOnlySpan<int> ids, Span<float> logits, Span<float> mtpLogits = default, ForwardTrace? trace = null)
    {
        if (logits.Length != (long)ids.Length * VocabularySize)
            throw new ArgumentException($"expected room for {ids.Length} × {VocabularySize} logits, found {logits.Length}", nameof(logits));
        ArgumentNullException.ThrowIfNull(cache);
        var part = new BatchPart(cache, ids.Length, ids.Length);
        Run(new ReadOnlySpan<BatchPart>(in part), ids, logits, mtpLogits, default, trace);
    }

    /// <summary>
    /// Appends tokens to several sequences in one pass: the weights are read once for all of them. A sequence's results are the same bits as alone.
    /// </summary>
    /// <param name="parts">The sequences, each at most once.</param>
    /// <param name="ids">[T] their tokens, part after part.</param>
    /// <param name="logits">[R, V], R the sum of all <see cref="BatchPart.LogitRows"/>, part after part; or empty, where only the caches or the hidden states are wanted.</param>
    /// <param name="hidden">Empty, or [R, H]: the same rows' hidden states after the final norm.</param>
    /// <exception cref="ModelException">An id is outside the vocabulary, a sequence outgrows the context or the pool. No sequence is longer than before.</exception>
    internal void Forward(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, Span<float> logits, Span<float> hidden = default)
    {
        long rows = 0;
        foreach (BatchPart part in parts) rows += part.LogitRows;
        if (!logits.IsEmpty && logits.Length != rows * VocabularySize) throw new ArgumentException($"expected room for {rows} × {VocabularySize} logits, found {logits.Length}", nameof(logits));
        if (!hidden.IsEmpty && hidden.Length != rows * _hidden) throw new ArgumentException($"expected room for {rows} × {_hidden} numbers, found {hidden.Length}", nameof(hidden));
        Run(parts, ids, logits, default, hidden, null);
    }

    /// <summary>Gives memory and threads back.</summary>
    public void Dispose()
    {
        lock (_calls)
        {
            if (_disposed) return;
            _disposed = true;
            Release();
        }
    }
}
