using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1). Of a token only its latent c (L numbers, from which every
/// head's key and value could be made) and one rotated key (R numbers, shared by all heads) are cached.
/// <para>
/// Departs from the paper's training form: all tokens, a prompt's too, run <see cref="Run"/>, the absorbed path. With k = W_UK·c
/// the score q·k is (W_UKᵀ·q)·c, and with v = W_UV·c the sum Σ p·v is W_UV·(Σ p·c): queries are taken into the latent space and
/// results out of it, and keys and values never exist. <see cref="Naive"/> is the form of the paper, kept as the plain twin.
/// </para>
/// T tokens, H hidden, N heads, Q rank of the query's compression, D part of a head without position, R rotated part, V value head size, L rank
/// of the latent.
/// </summary>
internal sealed unsafe class MultiHeadLatentAttention
{
    private readonly Linear? _qA;              // [Q, H]; null in "Lite" models
    private readonly WeightVector? _qANorm;    // [Q]
    private readonly Linear _qB;               // [N·(D+R), Q], or [N·(D+R), H] without compression
    private readonly Linear _kvA;              // [L+R, H]
    private readonly WeightVector _kvANorm;    // [L]
    private readonly LatentProjections _heads; // N × [L, D] and N × [V, L]
    private readonly Linear _o;                // [H, N·V]
    private readonly int _n, _d, _r, _v, _l, _layer, _slice;
    private readonly float _scale, _epsilon;
    private readonly RotaryLayout _layout;
    private readonly NativeArray<float> _compressed, _queries, _latents, _latentQueries, _latentResults;
    private readonly NativeArray<int> _headRows;
    private readonly NativeArray<LatentArguments> _arguments;
    private readonly ActivationBuffer? _queryLatent; // [T, Q]
    private readonly ActivationBuffer _queryHeads;   // [T·N, D] a view of the queries
    private readonly ActivationBuffer _resultHeads;  // [T·N, L] a view of the results
    private readonly ActivationBuffer _mixed;        // [T, N·V]
    private readonly Workspace _w;

    public MultiHeadLatentAttention(LatentAttentionWeights weights, ModelConfig config, RopeLayout layout, int layer, WeightPacker packer, Workspace workspace)
    {
        (_n, _d, _r, _v, _l) = (config.NumAttentionHeads, config.QkNopeHeadDim, config.QkRopeHeadDim, config.VHeadDim, config.KvLoraRank);
        (_layer, _w) = (layer, workspace);
        if (config.Rope.Dims != _r) throw new CheckpointException($"attention: {config.Rope.Dims} rotated numbers, expected qk_rope_head_dim = {_r}");
        _layout = layout == RopeLayout.HalfSplit ? RotaryLayout.HalfSplit : RotaryLayout.Interleaved;
        _slice = Math.Max(32, 16 * workspace.Pool.Threads); // each thread has a second-level cache
        _scale = config.Rope.ScoreScale / MathF.Sqrt(_d + _r); // ScoreScale: YaRN's mscale², for the whole score
        _epsilon = config.LatentNormEps;

        int hidden = config.HiddenSize, queryIn = hidden;
        if (weights.QA is not null)
        {
            queryIn = checked((int)weights.QA.Rows);
            _qA = packer.Pack(weights.QA, queryIn, hidden);
            _qANorm = WeightPacker.Vector(weights.QANorm ?? throw new CheckpointException($"layer {layer}: the norm of the compressed query is missing"), queryIn, "q_a_norm");
            _queryLatent = workspace.Activations("query latent", queryIn);
        }
        _qB = packer.Pack(weights.QB, (long)_n * (_d + _r), queryIn);
        _kvA = packer.Pack(weights.KvA, _l + _r, hidden);
        _kvANorm = WeightPacker.Vector(weights.KvANorm, _l, "kv_a_norm");
        _heads = new LatentProjections(weights, _n, _d, _v, _l, packer);
        _o = packer.Pack(weights.O, hidden, (long)_n * _v);

        _compressed = workspace.Floats("compressed queries");
        _queries = workspace.Floats("queries");
        _latents = workspace.Floats("latents");
        _latentQueries = workspace.Floats("latent queries");
        _latentResults = workspace.Floats("latent results");
        _headRows = workspace.Ints("head rows");
        _arguments = workspace.Latents;
        _queryHeads = workspace.Activations("query heads", _d);
        _resultHeads = workspace.Activations("result heads", _l);
        _mixed = workspace.Activations("attention", checked(_n * _v));
    }

    /// <summary>The absorbed path: residual[T, H] += attention(input[T, H]); appends the rows' latents and rotated keys to their sequences' caches.</summary>
    public void Run(in Step step, ActivationBuffer input, float* residual, int residualStride)
    {
        // 1. Queries and the latent. 2. Norm, rotation, cache. 3. q·W_UK. 4. Attention in the latent space. 5. W_UV. 6. Output.
        int tokens = step.Tokens, head = _d + _r, row = _l + _r;

        // 1.
        float* q = _queries.Get((long)tokens * _n * head);  // [T, N, D+R]
        float* c = _latents.Get((long)tokens * row);        // [T, L+R]
        if (_qA is null)
        {
            MatrixProduct.Run([_qB.Job(input, tokens, q, _n * head), _kvA.Job(input, tokens, c, row)], _w.Arithmetic, _w.Kernels, _w.Pool);
        }
        else
        {
            int rank = _qA.Weights.Rows;
            float* compressed = _compressed.Get((long)tokens * rank); // [T, Q]
            MatrixProduct.Run([_qA.Job(input, tokens, compressed, rank), _kvA.Job(input, tokens, c, row)], _w.Arithmetic, _w.Kernels, _w.Pool);
            LoraAdapter.Apply(step, _layer, LoraTarget.QA, input, compressed, rank, _w);
            float* normed = _queryLatent!.Begin(tokens);
            RowOperations.RmsNorm(compressed, rank, _qANorm!, _epsilon, normed, _queryLatent.Stride, tokens, _w);
            _qB.Run(_queryLatent, tokens, q, _n * head, _w);
        }
        LoraAdapter.Apply(step, _layer, LoraTarget.QB, _queryLatent ?? input, q, _n * head, _w);
        LoraAdapter.Apply(step, _layer, LoraTarget.KvA, input, c, row, _w);

        // 2. The rotated part of a query goes straight to its place behind the latent query.
        float* x = _latentQueries.Get((long)tokens * _n * row); // [T, N, L+R]
        var work = new TokenWork { Owner = this, Step = step, Q = q, C = c, X = x };
        _w.Pool.Run(tokens, ref work);

        // 3. to 5. Between the products lie N·(2L+R) numbers a token, 70 KB for 16 heads: a slice of tokens at a time they stay in cache.
        float* mixed = _mixed.Begin(tokens);                    // [T, N·V]
        for (int first = 0; first < tokens; first += _slice) RunSlice(step, first, Math.Min(_slice, tokens - first), q, x, mixed);

        // 6.
        _o.AddTo(step, _layer, LoraTarget.O, _mixed, residual, residualStride, _w);
    }

    // Steps 3 to 5 for S tokens from `first` on: q[T, N, D+R], x[T, N, L+R] with the rotated parts in place, mixed[T, N·V].
    private void RunSlice(in Step step, int first, int count, float* q, float* x, float* mixed)
    {
        // 3. Head h reads rows s·N + h of the queries [S·N, D+R], of each only the first D numbers.
        int head = _d + _r, row = _l + _r;
        int* rows = HeadRows(count);                            // [N, S]
        x += (long)first * _n * row;
        mixed += (long)first * _mixed.Stride;
        _queryHeads.Wrap(q + (long)first * _n * head, head, count * _n);
        _w.Jobs.Clear();
        for (int h = 0; h < _n; h++) _w.Jobs.Add(_heads.K[h].Job(_queryHeads, count, x + (long)h * row, _n * row, rows + (long)h * count));
        MatrixProduct.Run(CollectionsMarshal.AsSpan(_w.Jobs), _w.Arithmetic, _w.Kernels, _w.Pool);

        // 4.
        float* y = _latentResults.Get((long)count * _n * _l);   // [S, N, L]
        LatentArguments* arguments = _arguments.Get(step.PartCount);
        int parts = 0;
        for (int i = step.Rows[first].Part; i < step.PartCount && step.Parts[i].Row < first + count; i++)
        {
            ref readonly StepPart part = ref step.Parts[i];
            int from = Math.Max(first, part.Row), to = Math.Min(first + count, part.Row + part.Tokens);
            arguments[parts++] = new LatentArguments
            {
                Query = x + (long)(from - first) * _n * row,
                QueryStride = _n * row,
                Blocks = part.Cache.Keys(_layer),
                Format = part.Cache.Format,
                Tokens = to - from,
                Heads = _n,
                LatentDim = _l,
                RopeDim = _r,
                Position = part.Position + from - part.Row,
                Scale = _scale,
                Output = y + (long)(from - first) * _n * _l,
                OutputStride = _n * _l,
            };
        }
        Attention.Latent(new ReadOnlySpan<LatentArguments>(arguments, parts), _w.Kernels, _w.Pool);

        // 5.
        _resultHeads.Wrap(y, _l, count * _n);
        _w.Jobs.Clear();
        for (int h = 0; h < _n; h++) _w.Jobs.Add(_heads.V[h].Job(_resultHeads, count, mixed + (long)h * _v, _mixed.Stride, rows + (long)h * count));
        MatrixProduct.Run(CollectionsMarshal.AsSpan(_w.Jobs), _w.Arithmetic, _w.Kernels, _w.Pool);
        _w.Jobs.Clear();
    }

    /// <summary>
    /// The plain twin, as the paper writes it: every head's keys and values are made from the latents.
    /// </summary>
    /// <param name="q">[T, N, D+R] queries, rotated; the tokens are the last T of S.</param>
    /// <param name="c">[S, L+R] latents after their norm, and rotated keys.</param>
    /// <param name="kvB">[N, D+V, L]: W_UK above W_UV in each head.</param>
    /// <param name="scale">Multiplies every score.</param>
    /// <param name="sizes">N, D, R, V, L.</param>
    /// <returns>[T, N, V]</returns>
    public static float[] Naive(float[] q, float[] c, float[] kvB, float scale, (int N, int D, int R, int V, int L) sizes)
    {
        (int n, int d, int r, int v, int l) = sizes;
        int tokens = q.Length / (n * (d + r)), keys = c.Length / (l + r);
        var result = new float[tokens * n * v];
        for (int t = 0; t < tokens; t++)
            for (int h = 0; h < n; h++)
            {
                double Made(int s, int i) // row i of W_UK over W_UV, times the latent of token s
                    => Enumerable.Range(0, l).Sum(j => (double)kvB[(h * (d + v) + i) * l + j] * c[s * (l + r) + j]);
                int visible = keys - tokens + t + 1, at = (t * n + h) * (d + r);
                double[] scores = [.. Enumerable.Range(0, visible).Select(s => scale
                    * (Enumerable.Range(0, d).Sum(i => q[at + i] * Made(s, i)) + Enumerable.Range(0, r).Sum(i => (double)q[at + d + i] * c[s * (l + r) + l + i])))];
                double[] weights = [.. scores.Select(x => Math.Exp(x - scores.Max()))];
                for (int i = 0; i < v; i++)
                    result[(t * n + h) * v + i] = (float)(Enumerable.Range(0, visible).Sum(s => weights[s] * Made(s, d + i)) / weights.Sum());
            }
        return result;
    }

    private int* HeadRows(int tokens)
    {
        int* rows = _headRows.Get((long)_n * tokens);
        for (int h = 0; h < _n; h++)
            for (int t = 0; t < tokens; t++) rows[h * tokens + t] = t * _n + h;
        return rows;
    }

    // One token: the latent's norm, rotation of its key and of every head's query, and into the cache.
    private struct TokenWork : IParallelWork
    {
        public MultiHeadLatentAttention Owner;
        public Step Step;
        public float* Q, C, X;

        public readonly void Run(int item, int worker)
        {
            MultiHeadLatentAttention a = Owner;
            KernelTable kernels = a._w.Kernels;
            int head = a._d + a._r, row = a._l + a._r, pairs = a._r / 2;
            float* cos = Step.Cos + (long)item * pairs, sin = Step.Sin + (long)item * pairs;
            float* c = C + (long)item * row, q = Q + (long)item * a._n * head, x = X + (long)item * a._n * row;

            Elementwise.RmsNorm(c, a._kvANorm.Pointer, c, a._l, a._epsilon, kernels);
            Elementwise.Rotate(c + a._l, 1, row, cos, sin, pairs, a._layout, kernels);
            KvCache cache = Step.Parts[Step.Rows[item].Part].Cache;
            int position = Step.Rows[item].Position;
            LatentBlock.Write(cache.Format, cache.Keys(a._layer)[position / KvBlock.Tokens], position % KvBlock.Tokens, a._l, a._r, c);

            Elementwise.Rotate(q + a._d, a._n, head, cos, sin, pairs, a._layout, kernels);
            for (int h = 0; h < a._n; h++)
                new ReadOnlySpan<float>(q + (long)h * head + a._d, a._r).CopyTo(new Span<float>(x + (long)h * row + a._l, a._r));
        }
    }
}
