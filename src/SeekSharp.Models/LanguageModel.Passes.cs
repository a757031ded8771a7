using SeekSharp.Kernels;

namespace SeekSharp.Models;

// A pass: tokens of several sequences go through the embedding, the layers and the output, a chunk at a time.
public sealed unsafe partial class LanguageModel
{
    private const int MostEmbeddingRows = 1024; // each brings up to 64 kB of the mapped file along, which count as this process's memory

    private readonly NativeArray<float> _x, _cos, _sin;     // [T, H]; [T, P]
    private readonly NativeArray<RowPlace> _places = new(); // [T]
    private readonly NativeArray<int> _wanted;              // rows whose logits are wanted
    private readonly ActivationBuffer _final;               // [T, H]
    private StepPart[] _parts = new StepPart[64];
    private int _embeddingRows;                             // read since its pages were given back

    private void Run(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, Span<float> logits, Span<float> mtpLogits, Span<float> hidden, ForwardTrace? trace)
    {
        lock (_calls)
        {
            _turns?.Enter();
            try
            {
                using WorkerPool.AwakeScope awake = KeepAwake();
                RunAlone(parts, ids, logits, mtpLogits, hidden, trace);
            }
            finally
            {
                _turns?.Leave();
            }
        }
    }

    // Reading experts from the disk may take long: threads may sleep then.
    private WorkerPool.AwakeScope KeepAwake() => _packer.Experts is null ? _pool.StayAwake() : default;

    // The parts go through the layers in runs of rows, at most a chunk at a time.
    private void RunAlone(ReadOnlySpan<BatchPart> parts, ReadOnlySpan<int> ids, Span<float> logits, Span<float> mtpLogits, Span<float> hidden, ForwardTrace? trace)
    {
        ThrowIfUnusable();
        _checks.Parts(parts, ids);
        _checks.MtpLogits(parts, ids, mtpLogits);
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
