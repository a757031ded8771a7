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
public sealed unsafe class LanguageModel : IDisposable
{
    private readonly ModelFolder? _folder; // embeddings are read from its mapped file
    private readonly WeightPacker _packer;
    private readonly WorkerPool _pool;
    private readonly Workspace _w;
    private readonly MatrixSource _embedding;       // [V, H]
    private readonly DecoderLayer[] _layers;
    private readonly WeightVector _finalNorm;       // [H]
    private readonly OutputHead _output;            // [V, H]
    private readonly MultiTokenPrediction? _mtp;
    private readonly RotaryEmbedding _rotary;
    private readonly KvLayout _kvLayout;
    private readonly KvLayout? _mtpLayout; // a layer more: the module's own
    private readonly int _hidden, _chunk;
    private readonly NativeArray<float> _x, _cos, _sin, _mtpHidden;
    private readonly ActivationBuffer _final;       // [T, H]
    private readonly Lock _calls = new();
    private bool _disposed;

    internal LanguageModel(ModelConfig config, ModelWeights weights, ModelOptions options, IProgress<double>? progress = null, ModelFolder? folder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ChunkSize, 1);
        if (options.ContextLength is { } length) ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        (Config, Options, _folder, _hidden, _chunk) = (config, options, folder, config.HiddenSize, options.ChunkSize);
        ContextLength = options.ContextLength ?? config.MaxPositionEmbeddings;

        folder?.Retain();
        KernelTable kernels = KernelTable.Current;
        _pool = new WorkerPool(options.Threads);
        _w = new Workspace(kernels, _pool, options.Exact ? Arithmetic.Exact : Arithmetic.Default);
        _packer = new WeightPacker(kernels, _pool, options.Exact, WeightPacker.TotalBytes(weights), progress);
        try
        {
            if (weights.Layers.Length != config.NumHiddenLayers)
                throw new CheckpointException($"expected {config.NumHiddenLayers} layers, found {weights.Layers.Length}");
            bool mtp = options.MultiTokenPrediction && weights.MultiTokenPrediction.Length > 0;
            _kvLayout = KvLayout.Of(config, options.Kv ?? (options.Exact ? KvFormat.F32 : KvFormat.BF16), config.NumHiddenLayers);
            _mtpLayout = mtp ? _kvLayout.Grown(1) : null;
            _rotary = new RotaryEmbedding(config.Rope, weights.RopeFactors);
            _embedding = weights.Embedding;
            WeightPacker.Require(_embedding, config.VocabSize, _hidden);
            _finalNorm = WeightPacker.Vector(weights.FinalNorm, _hidden, "final norm");
            _output = new OutputHead(weights.Output, config.VocabSize, _hidden, _packer, _w);
            _layers = new DecoderLayer[weights.Layers.Length];
            for (int i = 0; i < _layers.Length; i++)
                _layers[i] = new DecoderLayer(weights.Layers[i], config, weights.RopeLayout, i, _packer, _w);
            if (mtp) _mtp = new MultiTokenPrediction(weights.MultiTokenPrediction[0], weights, config, _layers.Length, _packer, _w);
        }
        catch
        {
            Release();
            throw;
        }
        _x = _w.Floats("residual");
        _cos = _w.Floats("cos");
        _sin = _w.Floats("sin");
        _mtpHidden = _w.Floats("mtp hidden");
        _final = _output.Rows;
    }

    /// <summary>
    /// Reads a model's weights into memory, packed for the kernels. Embeddings are read from the mapped file, which stays open as
    /// long as the model does, even if the folder is disposed before.
    /// </summary>
    /// <param name="folder">An opened model.</param>
    /// <param name="options">How to run it; null for the defaults.</param>
    /// <param name="progress">Told the share that is done, 0 to 1.</param>
    /// <exception cref="CheckpointException">The folder holds no weights, or they do not fit the config.</exception>
    public static LanguageModel Load(ModelFolder folder, ModelOptions? options = null, IProgress<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ModelWeights weights = folder.LoadWeights();
        ModelConfig config = folder.Config ?? throw new CheckpointException($"{folder.Path}: holds no model, only a tokenizer");
        return new LanguageModel(config, weights, options ?? new ModelOptions(), progress, folder);
    }

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

    /// <summary>Bytes of the packed weights.</summary>
    public long WeightBytes => _packer.Bytes;

    /// <summary>Has a multi-token-prediction module been loaded?</summary>
    public bool HasMultiTokenPrediction => _mtp is not null;

    /// <summary>An empty cache for one sequence. It grows as the sequence does.</summary>
    /// <param name="multiTokenPrediction">The module follows the sequence with a layer of its own, so that its logits can be had.</param>
    /// <exception cref="ModelException">The module is asked for and the model has none.</exception>
    public KvCache CreateCache(bool multiTokenPrediction = false) => new(!multiTokenPrediction ? _kvLayout
        : _mtpLayout ?? throw new ModelException("the model has no multi-token-prediction module"), multiTokenPrediction);

    /// <summary>Appends tokens to a sequence and computes the logits after the last of them.</summary>
    /// <param name="cache">The sequence so far.</param>
    /// <param name="ids">[T] the tokens to append, at least one.</param>
    /// <param name="logits">[V] for the token after the last; or empty, where only the cache is wanted.</param>
    /// <exception cref="ModelException">An id is outside the vocabulary, or the sequence outgrows the context. The cache is as before.</exception>
    public void Forward(KvCache cache, ReadOnlySpan<int> ids, Span<float> logits)
    {
        if (!logits.IsEmpty && logits.Length != VocabularySize) throw new ArgumentException($"expected room for {VocabularySize} logits, found {logits.Length}", nameof(logits));
        Run(cache, ids, logits.IsEmpty ? 0 : 1, logits, default, null);
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
        Run(cache, ids, ids.Length, logits, mtpLogits, trace);
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

    private void Release()
    {
        _pool.Dispose();
        _packer.Dispose();
        _w.Dispose();
        _folder?.Release();
    }

    // Logits are computed for the last `rows` tokens.
    private void Run(KvCache cache, ReadOnlySpan<int> ids, int rows, Span<float> logits, Span<float> mtpLogits, ForwardTrace? trace)
    {
        ArgumentNullException.ThrowIfNull(cache);
        lock (_calls)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Check(cache, ids);
            bool mtp = cache.FollowsMtp;
            CheckMtp(cache, ids, mtpLogits);
            cache.Reserve(cache.Length + ids.Length);
            trace?.Begin(ids.Length);
            fixed (float* all = logits, allMtp = mtpLogits)
            {
                int mtpDone = 0, v = VocabularySize;
                for (int done = 0; done < ids.Length; done += _chunk)
                {
                    ReadOnlySpan<int> chunk = ids.Slice(done, Math.Min(_chunk, ids.Length - done));
                    int firstRow = Math.Max(0, ids.Length - rows - done); // of the chunk: the first whose logits are wanted
                    float* x = RunLayers(cache, chunk, trace, done);
                    if (mtp) // it needs every row's hidden state
                    {
                        FinalNorm(x, chunk.Length);
                        mtpDone += RunMtp(cache, chunk, allMtp == null ? null : allMtp + (long)mtpDone * v);
                    }
                    if (firstRow < chunk.Length)
                    {
                        int count = chunk.Length - firstRow;
                        FinalNorm(x + (long)firstRow * _hidden, count);
                        _output.Run(count, all + (long)(done + firstRow - (ids.Length - rows)) * v);
                    }
                    cache.Length += chunk.Length;
                }
            }
        }
    }

    private void FinalNorm(float* x, int count)
    {
        float* final = _final.Begin(count);
        RowOperations.RmsNorm(x, _hidden, _finalNorm, Config.RmsNormEps, final, _final.Stride, count, _w);
    }

    // Embedding and layers: [T, H], before the final norm.
    private float* RunLayers(KvCache cache, ReadOnlySpan<int> ids, ForwardTrace? trace, int traceRow)
    {
        int tokens = ids.Length;
        float* x = _x.Get((long)tokens * _hidden);
        fixed (int* i = ids)
        {
            var work = new EmbeddingWork { Owner = this, Ids = i, X = x };
            _pool.Run(tokens, ref work);
        }
        Step step = StepAt(cache, cache.Length, tokens);
        (step.Trace, step.TraceRow) = (trace, traceRow);
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            trace?.AddHidden(layer, traceRow, new ReadOnlySpan<float>(x, tokens * _hidden), _hidden);
            _layers[layer].Run(step, x);
        }
        trace?.AddHidden(_layers.Length, traceRow, new ReadOnlySpan<float>(x, tokens * _hidden), _hidden);
        return x;
    }

    // The module for every position whose next token is now known: from the one before the chunk up to the chunk's last but one.
    private int RunMtp(KvCache cache, ReadOnlySpan<int> ids, float* logits)
    {
        int before = cache.Length == 0 ? 0 : 1, count = before + ids.Length - 1;
        if (count > 0)
        {
            float* hidden = _mtpHidden.Get((long)count * _hidden); // [count, H]
            if (before == 1) cache.LastHidden.CopyTo(new Span<float>(hidden, _hidden));
            for (int t = 0; t < count - before; t++) new ReadOnlySpan<float>(_final.Row(t), _hidden).CopyTo(new Span<float>(hidden + (long)(before + t) * _hidden, _hidden));
            cache.LastHidden = new ReadOnlySpan<float>(_final.Row(ids.Length - 1), _hidden).ToArray();
            _mtp!.Run(StepAt(cache, cache.Length - before, count), hidden, ids[(1 - before)..], logits);
        }
        else
        {
            cache.LastHidden = new ReadOnlySpan<float>(_final.Row(0), _hidden).ToArray();
        }
        return count;
    }

    private Step StepAt(KvCache cache, int position, int tokens)
    {
        int angles = checked(tokens * _rotary.Pairs);
        float* cos = _cos.Get(angles), sin = _sin.Get(angles);
        _rotary.Fill(position, new Span<float>(cos, angles), new Span<float>(sin, angles));
        return new Step { Cache = cache, Position = position, Tokens = tokens, Cos = cos, Sin = sin };
    }

    private void Check(KvCache cache, ReadOnlySpan<int> ids)
    {
        if (cache.Layout != _kvLayout && cache.Layout != _mtpLayout) throw new ModelException("the cache belongs to another model");
        if (ids.IsEmpty) throw new ModelException("no tokens to compute");
        if (cache.Length > ContextLength - ids.Length)
            throw new ModelException(cache.Length == 0
                ? $"the prompt has {ids.Length} tokens, the context holds {ContextLength}"
                : $"the sequence has {cache.Length} tokens and {ids.Length} more, together {(long)cache.Length + ids.Length}; the context holds {ContextLength}");
        for (int i = 0; i < ids.Length; i++)
            if ((uint)ids[i] >= (uint)VocabularySize)
                throw new ModelException($"token id {ids[i]} at position {cache.Length + i}: expected 0 to {VocabularySize - 1}");
    }

    private void CheckMtp(KvCache cache, ReadOnlySpan<int> ids, Span<float> mtpLogits)
    {
        if (cache.FollowsMtp && cache.Length > 0 && cache.LastHidden is null)
            throw new ModelException($"the cache was cut to {cache.Length} tokens: cut one more and compute it again, multi-token prediction needs its hidden state");
        if (mtpLogits.IsEmpty) return;
        if (!cache.FollowsMtp) throw new ModelException("multi-token-prediction logits need a cache made for them");
        long expected = (long)(ids.Length - (cache.Length == 0 ? 1 : 0)) * VocabularySize;
        if (mtpLogits.Length != expected) throw new ArgumentException($"expected room for {expected} MTP logits, found {mtpLogits.Length}", nameof(mtpLogits));
    }

    private struct EmbeddingWork : IParallelWork
    {
        public LanguageModel Owner;
        public int* Ids;
        public float* X;

        public readonly void Run(int item, int worker) => DecodedRows.Decode(Owner._embedding, Ids[item], 1, X + (long)item * Owner._hidden);
    }
}
