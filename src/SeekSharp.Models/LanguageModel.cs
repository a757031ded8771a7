using System.Diagnostics.CodeAnalysis;
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
    private int _embeddingRows;                     // read since its pages were given back
    private DecoderLayer[] _layers;
    private WeightVector _finalNorm;       // [H]
    private OutputHead _output;            // [V, H]
    private MultiTokenPrediction? _mtp;
    private RotaryEmbedding _rotary;
    private readonly RopeLayout _ropeLayout;
    private readonly KvLayout _kvLayout;
    private readonly KvLayout? _mtpLayout; // a layer more: the module's own
    private readonly int _hidden, _chunk;
    private readonly NativeArray<float> _x, _cos, _sin, _mtpFinal, _mtpHidden;
    private readonly NativeArray<RowPlace> _places = new(); // [T]
    private readonly NativeArray<int> _wanted;      // rows whose logits are wanted
    private StepPart[] _parts = new StepPart[64];
    private readonly StepPart[] _mtpPart = new StepPart[1];
    private readonly ActivationBuffer _final;       // [T, H]
    private readonly Lock _calls = new();
    private const int MostEmbeddingRows = 1024; // each brings up to 64 kB of the mapped file along, which count as this process's memory
    private bool _disposed;

    internal LanguageModel(ModelConfig config, ModelWeights weights, ModelOptions options, IProgress<double>? progress = null, ModelFolder? folder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ChunkSize, 1);
        if (options.ContextLength is { } length) ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        (Config, Options, _folder, _hidden, _chunk) = (config, options, folder, config.HiddenSize, options.ChunkSize);
        ContextLength = options.ContextLength ?? config.MaxPositionEmbeddings;

        bool mtp = options.MultiTokenPrediction && weights.MultiTokenPrediction.Length > 0;
        _kvLayout = KvLayout.Of(config, options.Kv ?? (options.Exact ? KvFormat.F32 : KvFormat.BF16), config.NumHiddenLayers);
        _mtpLayout = mtp ? _kvLayout.Grown(1) : null;
        MemoryPlan plan = MemoryPlan.Make(config, weights, options, _mtpLayout ?? _kvLayout, MachineMemory.Available());
        if (plan.Notice is { } notice) options.Notify?.Invoke(notice);
        CacheBytes = plan.CacheBytes;

        folder?.Retain();
        KernelTable kernels = KernelTable.Current;
        _turns = options.Budget is { } budget ? new ThreadBudget.Member(budget) : null;
        _pool = options.Budget?.Pool ?? new WorkerPool(options.Threads);
        _w = new Workspace(kernels, _pool, options.Exact ? Arithmetic.Exact : Arithmetic.Default);
        _pages = new SourcePages(folder?.Checkpoint?.Images ?? []);
        if (plan.SlotBytes is not null && folder is not null) _packedExperts = OpenPackedExperts(folder, weights, options.Notify);
        ExpertStore? experts = plan.SlotBytes is { } slots ? new ExpertStore(kernels, slots, plan.LargestExpert, _pages, _packedExperts) : null;
        _packer = new WeightPacker(kernels, _pool, options.Exact, ModelMatrices.FileBytes(weights, mtp, experts: experts is null), progress, _pages) { Experts = experts };
        try
        {
            _ropeLayout = weights.RopeLayout;
            Build(weights, mtp);
        }
        catch
        {
            Release();
            throw;
        }
        _x = _w.Floats("residual");
        _cos = _w.Floats("cos");
        _sin = _w.Floats("sin");
        _mtpFinal = _w.Floats("mtp final");
        _mtpHidden = _w.Floats("mtp hidden");
        _wanted = _w.Ints("wanted rows");
        _final = _output.Rows;
    }

    // Everything that hangs on the weights: at load, and again when new ones are published.
    [MemberNotNull(nameof(_embedding), nameof(_layers), nameof(_finalNorm), nameof(_output), nameof(_rotary))]
    private void Build(ModelWeights weights, bool mtp)
    {
        ModelConfig config = Config;
        if (weights.Layers.Length != config.NumHiddenLayers)
            throw new CheckpointException($"expected {config.NumHiddenLayers} layers, found {weights.Layers.Length}");
        _rotary = new RotaryEmbedding(config.Rope, weights.RopeFactors);
        _embedding = weights.Embedding;
        WeightPacker.Require(_embedding, config.VocabSize, _hidden);
        _finalNorm = WeightPacker.Vector(weights.FinalNorm, _hidden, "final norm");
        _output = new OutputHead(weights.Output, config.VocabSize, _hidden, _packer, _w);
        _layers = new DecoderLayer[weights.Layers.Length];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new DecoderLayer(weights.Layers[i], config, weights.RopeLayout, i, _packer, _w);
        _mtp = mtp ? new MultiTokenPrediction(weights.MultiTokenPrediction[0], weights, config, _layers.Length, _packer, _w) : null;
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
        return new BlockPool(layout, blocks, (int)Math.Max(1, (4L << 20) / layout.BlockBytes));
    }

    /// <summary>An empty cache in a pool of this model.</summary>
    internal KvCache CreateCache(BlockPool pool, LoraAdapter? adapter = null) => new(pool, pool.Layout == _mtpLayout ? _hidden : 0) { Adapter = adapter };

    /// <summary>Reads a LoRA adapter for this model.</summary>
    /// <exception cref="CheckpointException">It is broken, or made for another model.</exception>
    internal LoraAdapter LoadAdapter(string folder) => LoraAdapter.Load(folder, Config, _ropeLayout);

    /// <summary>Bytes of a block of 64 tokens.</summary>
    internal long KvBlockBytes(bool multiTokenPrediction = false) => LayoutOf(multiTokenPrediction).BlockBytes;

    private static PackedExpertsFile? OpenPackedExperts(ModelFolder folder, ModelWeights weights, Action<string>? notify)
    {
        string path = PackedExpertsFile.PathFor(folder);
        if (!File.Exists(path)) return null; // the identity of a large model takes a moment
        return PackedExpertsFile.Open(path, new PackedExpertsLayout(folder.Checkpoint!.Images, [.. ModelMatrices.Experts(weights, multiTokenPrediction: true)]), notify);
    }

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

    /// <summary>
    /// Logits of the multi-token-prediction module for the token after the next, for sequences whose next token is known and not computed yet. The sequences'
    /// lengths stay; the module's place for the last token is written.
    /// </summary>
    /// <param name="caches">N sequences of at least one token, followed by the module, each at most once.</param>
    /// <param name="next">[N] their next tokens.</param>
    /// <param name="logits">[N, V]</param>
    /// <exception cref="ModelException">A cache does not follow the module, or its last hidden state is not known.</exception>
    internal void Draft(ReadOnlySpan<KvCache> caches, ReadOnlySpan<int> next, Span<float> logits)
    {
        if (next.Length != caches.Length || logits.Length != (long)caches.Length * VocabularySize) throw new ArgumentException($"{next.Length} tokens and {logits.Length} logits for {caches.Length} sequences");
        if (caches.IsEmpty) return;
        lock (_calls)
        {
            ThrowIfUnusable();
            float* hidden = _mtpHidden.Get((long)caches.Length * _hidden); // [N, H]
            if (_parts.Length < caches.Length) Array.Resize(ref _parts, caches.Length);
            for (int i = 0; i < caches.Length; i++)
            {
                KvCache cache = caches[i];
                if (_mtp is null || !cache.FollowsMtp || cache.LastHidden.IsEmpty) throw new ModelException("a draft needs a cache that the multi-token-prediction module follows, and the last token's hidden state");
                if ((uint)next[i] >= (uint)VocabularySize) throw new ModelException($"token id {next[i]} at position {cache.Length}: expected 0 to {VocabularySize - 1}");
                cache.Reserve(cache.Length);
                cache.LastHidden.CopyTo(new Span<float>(hidden + (long)i * _hidden, _hidden));
                _parts[i] = new StepPart { Cache = cache, Row = i, Tokens = 1, Position = cache.Length - 1 };
            }
            _turns?.Enter();
            try
            {
                fixed (float* l = logits) _mtp!.Run(StepOf(_parts, caches.Length, caches.Length), hidden, next, l);
            }
            finally
            {
                _turns?.Leave();
            }
            Array.Clear(_parts, 0, caches.Length);
        }
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
        if (_turns is null) _pool.Dispose();
        _packer.Dispose();
        _packedExperts?.Dispose();
        _w.Dispose();
        _places.Dispose();
        foreach (WeightUpdate.NewTensor tensor in _published.Values) tensor.Memory?.Dispose();
        _folder?.Release();
    }

    private void Run(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, Span<float> logits, Span<float> mtpLogits, Span<float> hidden, ForwardTrace? trace)
    {
        lock (_calls)
        {
            _turns?.Enter();
            try
            {
                RunAlone(parts, ids, logits, mtpLogits, hidden, trace);
            }
            finally
            {
                _turns?.Leave();
            }
        }
    }

    // The parts go through the layers in runs of rows, at most a chunk at a time.
    private void RunAlone(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, Span<float> logits, Span<float> mtpLogits, Span<float> hidden, ForwardTrace? trace)
    {
        ThrowIfUnusable();
        Check(parts, ids);
        CheckMtp(parts, ids, mtpLogits, VocabularySize);
        foreach (BatchPart part in parts) part.Cache.Reserve(part.Cache.Length + part.Tokens);
        if (_parts.Length < parts.Length) Array.Resize(ref _parts, parts.Length);
        trace?.Begin(ids.Length);
        fixed (float* all = logits, allMtp = mtpLogits)
        {
            int part = 0, within = 0, mtpDone = 0, rowsDone = 0;
            for (int done = 0; done < ids.Length;)
            {
                // 1. Rows of this run, and which of them have logits to come. 2. Layers. 3. The module. 4. Logits. 5. The caches are longer.
                // 1.
                int count = 0, runs = 0, wanted = 0;
                int* rows = _wanted.Get(_chunk);
                while (count < _chunk && part < parts.Length)
                {
                    BatchPart p = parts[part];
                    int take = Math.Min(p.Tokens - within, _chunk - count);
                    _parts[runs++] = new StepPart { Cache = p.Cache, Row = count, Tokens = take, Position = p.Cache.Length };
                    for (int t = Math.Max(0, p.Tokens - p.LogitRows - within); t < take; t++) rows[wanted++] = count + t;
                    (count, within) = (count + take, within + take);
                    if (within == p.Tokens) (part, within) = (part + 1, 0);
                }
                ReadOnlySpan<int> chunk = ids.Slice(done, count);

                // 2.
                float* x = RunLayers(runs, chunk, trace, done);

                // 3.
                float* final = null; // [T, H], where the module needs it
                for (int r = 0; r < runs; r++)
                {
                    if (!_parts[r].Cache.FollowsMtp) continue;
                    if (final == null)
                    {
                        final = _mtpFinal.Get((long)count * _hidden);
                        RowOperations.RmsNorm(x, _hidden, _finalNorm, Config.RmsNormEps, final, _hidden, count, _w);
                    }
                    StepPart p = _parts[r];
                    mtpDone += RunMtp(p.Cache, final + (long)p.Row * _hidden, chunk.Slice(p.Row, p.Tokens), allMtp == null ? null : allMtp + (long)mtpDone * VocabularySize);
                }

                // 4.
                if (wanted > 0)
                {
                    FinalNorm(x, rows, wanted);
                    if (all != null) _output.Run(wanted, all + (long)rowsDone * VocabularySize);
                    for (int r = 0; r < wanted && !hidden.IsEmpty; r++) new ReadOnlySpan<float>(_final.Row(r), _hidden).CopyTo(hidden.Slice((rowsDone + r) * _hidden, _hidden));
                    rowsDone += wanted;
                }

                // 5.
                for (int r = 0; r < runs; r++)
                {
                    StepPart p = _parts[r];
                    if (p.Cache.FollowsMtp) p.Cache.Advance(p.Tokens, final + (long)p.Row * _hidden, _hidden);
                    else p.Cache.Advance(p.Tokens);
                    _parts[r] = default; // keeps no cache alive
                }
                done += count;
            }
        }
    }

    private void FinalNorm(float* x, int* rows, int count)
    {
        float* final = _final.Begin(count);
        var work = new FinalNormWork { Owner = this, X = x, Rows = rows, Y = final, Stride = _final.Stride };
        _pool.Run(count, ref work);
    }

    // Embedding and layers: [T, H], before the final norm.
    private float* RunLayers(int parts, ReadOnlySpan<int> ids, ForwardTrace? trace, int traceRow)
    {
        int tokens = ids.Length;
        float* x = _x.Get((long)tokens * _hidden);
        fixed (int* i = ids)
        {
            var work = new EmbeddingWork { Owner = this, Ids = i, X = x };
            _pool.Run(tokens, ref work);
        }
        if ((_embeddingRows += tokens) >= MostEmbeddingRows)
        {
            _pages.Forget(_embedding.Address, _embedding.ByteLength);
            _embeddingRows = 0;
        }
        Step step = StepOf(_parts, parts, tokens);
        (step.Trace, step.TraceRow) = (trace, traceRow);
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            trace?.AddHidden(layer, traceRow, new ReadOnlySpan<float>(x, tokens * _hidden), _hidden);
            _layers[layer].Run(step, x);
        }
        trace?.AddHidden(_layers.Length, traceRow, new ReadOnlySpan<float>(x, tokens * _hidden), _hidden);
        return x;
    }

    // The module for every position whose next token is now known: from the first that its layer lacks up to the run's last but one.
    private int RunMtp(KvCache cache, float* final, ReadOnlySpan<int> ids, float* logits)
    {
        int start = cache.MtpLength, before = cache.Length - start, count = before + ids.Length - 1;
        if (count == 0) return 0;
        float* hidden = _mtpHidden.Get((long)count * _hidden); // [count, H]
        if (before == 1) cache.LastHidden.CopyTo(new Span<float>(hidden, _hidden));
        new ReadOnlySpan<float>(final, (count - before) * _hidden).CopyTo(new Span<float>(hidden + (long)before * _hidden, (count - before) * _hidden));
        _mtpPart[0] = new StepPart { Cache = cache, Row = 0, Tokens = count, Position = start };
        _mtp!.Run(StepOf(_mtpPart, 1, count), hidden, ids[(1 - before)..], logits);
        return count;
    }

    // Places and angles of the rows.
    private Step StepOf(StepPart[] parts, int count, int tokens)
    {
        int pairs = _rotary.Pairs, angles = checked(tokens * pairs);
        float* cos = _cos.Get(angles), sin = _sin.Get(angles);
        RowPlace* places = _places.Get(tokens);
        bool adapters = false;
        for (int p = 0; p < count; p++)
        {
            StepPart part = parts[p];
            adapters |= part.Cache.Adapter is not null;
            for (int t = 0; t < part.Tokens; t++) places[part.Row + t] = new RowPlace { Part = p, Position = part.Position + t };
            _rotary.Fill(part.Position, new Span<float>(cos + (long)part.Row * pairs, part.Tokens * pairs), new Span<float>(sin + (long)part.Row * pairs, part.Tokens * pairs));
        }
        return new Step { Parts = parts, PartCount = count, Tokens = tokens, HasAdapters = adapters, Rows = places, Cos = cos, Sin = sin };
    }

    private void Check(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids)
    {
        int first = 0;
        for (int p = 0; p < parts.Length; p++)
        {
            (KvCache cache, int tokens, int rows) = parts[p];
            if (cache.Layout != _kvLayout && cache.Layout != _mtpLayout) throw new ModelException("the cache belongs to another model");
            if (tokens < 1) throw new ModelException("no tokens to compute");
            if (tokens > ids.Length - first || (uint)rows > (uint)tokens) throw new ArgumentException($"part {p}: {tokens} tokens with {rows} rows of logits, of {ids.Length} ids", nameof(parts));
            if (cache.Length > ContextLength - tokens)
                throw new ModelException(cache.Length == 0
                    ? $"the prompt has {tokens} tokens, the context holds {ContextLength}"
                    : $"the sequence has {cache.Length} tokens and {tokens} more, together {(long)cache.Length + tokens}; the context holds {ContextLength}");
            for (int i = 0; i < tokens; i++)
                if ((uint)ids[first + i] >= (uint)VocabularySize)
                    throw new ModelException($"token id {ids[first + i]} at position {cache.Length + i}: expected 0 to {VocabularySize - 1}");
            for (int other = 0; other < p; other++)
                if (parts[other].Cache == cache) throw new ArgumentException($"parts {other} and {p} are the same sequence", nameof(parts));
            first += tokens;
        }
        if (first != ids.Length) throw new ArgumentException($"{ids.Length} ids for parts of {first} tokens", nameof(ids));
    }

    private static void CheckMtp(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, Span<float> mtpLogits, int vocabulary)
    {
        foreach (BatchPart part in parts)
        {
            KvCache cache = part.Cache;
            if (cache.FollowsMtp && cache.MtpLength < cache.Length && cache.LastHidden.IsEmpty)
                throw new ModelException($"the cache was cut to {cache.Length} tokens: multi-token prediction needs the last one's hidden state; cut to 0 and compute again");
        }
        if (mtpLogits.IsEmpty) return;
        if (!parts[0].Cache.FollowsMtp) throw new ModelException("multi-token-prediction logits need a cache made for them");
        long expected = (long)(ids.Length - (parts[0].Cache.Length == parts[0].Cache.MtpLength ? 1 : 0)) * vocabulary;
        if (mtpLogits.Length != expected) throw new ArgumentException($"expected room for {expected} MTP logits, found {mtpLogits.Length}", nameof(mtpLogits));
    }

    private struct FinalNormWork : IParallelWork
    {
        public LanguageModel Owner;
        public float* X, Y;
        public int* Rows;
        public int Stride;

        public readonly void Run(int item, int worker)
            => Elementwise.RmsNorm(X + (long)Rows[item] * Owner._hidden, Owner._finalNorm.Pointer, Y + (long)item * Stride, Owner._hidden, Owner.Config.RmsNormEps, Owner._w.Kernels);
    }

    private struct EmbeddingWork : IParallelWork
    {
        public LanguageModel Owner;
        public int* Ids;
        public float* X;

        public readonly void Run(int item, int worker) => DecodedRows.Decode(Owner._embedding, Ids[item], 1, X + (long)item * Owner._hidden);
    }
}
