using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// Grouped-query attention (arXiv 2305.13245) as in Llama, Qwen2 (biases of q, k and v) and Qwen3 (RMSNorm of each head's q and
/// k). T tokens, H hidden, N query heads, G key/value heads, D head size, P rotated pairs.
/// </summary>
internal sealed unsafe class GroupedQueryAttention
{
    private readonly Linear _q, _k, _v, _o;
    private readonly WeightVector? _qNorm, _kNorm; // [D]
    private readonly int _heads, _kvHeads, _dim, _pairs, _layer;
    private readonly float _scale, _epsilon;
    private readonly RotaryLayout _layout;
    private readonly NativeArray<float> _queries, _keys, _values;
    private readonly ActivationBuffer _mixed; // [T, N·D]
    private readonly NativeArray<GroupedQueryArguments> _arguments;
    private readonly Workspace _w;

    public GroupedQueryAttention(GroupedQueryWeights weights, ModelConfig config, RopeLayout layout, int layer, WeightPacker packer, Workspace workspace)
    {
        (_heads, _kvHeads, _dim, _layer, _w) = (config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim, layer, workspace);
        _pairs = config.Rope.Dims / 2;
        if (_kvHeads < 1 || _heads % _kvHeads != 0) throw new CheckpointException($"attention: {_heads} query heads cannot share {_kvHeads} key heads");
        if (2 * _pairs > _dim) throw new CheckpointException($"attention: {2 * _pairs} rotated numbers in a head of {_dim}");
        _epsilon = config.RmsNormEps;
        _scale = config.Rope.ScoreScale / MathF.Sqrt(_dim);
        _layout = layout == RopeLayout.HalfSplit ? RotaryLayout.HalfSplit : RotaryLayout.Interleaved;
        long q = (long)_heads * _dim, kv = (long)_kvHeads * _dim, h = config.HiddenSize;
        _q = packer.Pack(weights.Q, q, h, weights.QBias);
        _k = packer.Pack(weights.K, kv, h, weights.KBias);
        _v = packer.Pack(weights.V, kv, h, weights.VBias);
        _o = packer.Pack(weights.O, h, q, weights.OBias);
        _qNorm = weights.QNorm is null ? null : WeightPacker.Vector(weights.QNorm, _dim, "q_norm");
        _kNorm = weights.KNorm is null ? null : WeightPacker.Vector(weights.KNorm, _dim, "k_norm");
        _queries = workspace.Floats("queries");
        _keys = workspace.Floats("keys");
        _values = workspace.Floats("values");
        _arguments = workspace.GroupedQueries;
        _mixed = workspace.Activations("attention", checked((int)q));
    }

    /// <summary>x[T, H] += attention(input[T, H]); appends the rows' keys and values to their sequences' caches.</summary>
    public void Run(in Step step, ActivationBuffer input, float* x, int xStride)
    {
        int tokens = step.Tokens, qWidth = _heads * _dim, kvWidth = _kvHeads * _dim;
        float* q = _queries.Get((long)tokens * qWidth);  // [T, N, D]
        float* k = _keys.Get((long)tokens * kvWidth);    // [T, G, D]
        float* v = _values.Get((long)tokens * kvWidth);  // [T, G, D]
        MatrixProduct.Run([_q.Job(input, tokens, q, qWidth), _k.Job(input, tokens, k, kvWidth), _v.Job(input, tokens, v, kvWidth)], _w.Arithmetic, _w.Kernels, _w.Pool);

        LoraAdapter.Apply(step, _layer, LoraTarget.Q, input, q, qWidth, _w);
        LoraAdapter.Apply(step, _layer, LoraTarget.K, input, k, kvWidth, _w);
        LoraAdapter.Apply(step, _layer, LoraTarget.V, input, v, kvWidth, _w);

        var work = new TokenWork { Owner = this, Step = step, Q = q, K = k, V = v };
        _w.Pool.Run(tokens, ref work);

        float* mixed = _mixed.Begin(tokens);             // [T, N·D]
        GroupedQueryArguments* arguments = _arguments.Get(step.PartCount);
        for (int i = 0; i < step.PartCount; i++)
        {
            ref readonly StepPart part = ref step.Parts[i];
            arguments[i] = new GroupedQueryArguments
            {
                Query = q + (long)part.Row * qWidth,
                QueryStride = qWidth,
                KeyBlocks = part.Cache.Keys(_layer),
                ValueBlocks = part.Cache.Values(_layer),
                Format = part.Cache.Format,
                Tokens = part.Tokens,
                Heads = _heads,
                KvHeads = _kvHeads,
                KeyDim = _dim,
                ValueDim = _dim,
                Position = part.Position,
                Scale = _scale,
                Output = mixed + (long)part.Row * _mixed.Stride,
                OutputStride = _mixed.Stride,
            };
        }
        Attention.GroupedQuery(new ReadOnlySpan<GroupedQueryArguments>(arguments, step.PartCount), _w.Kernels, _w.Pool);
        _o.AddTo(step, _layer, LoraTarget.O, _mixed, x, xStride, _w);
    }

    // One token: norms, rotation, and into the cache.
    private struct TokenWork : IParallelWork
    {
        public GroupedQueryAttention Owner;
        public Step Step;
        public float* Q, K, V;

        public readonly void Run(int item, int worker)
        {
            GroupedQueryAttention a = Owner;
            KernelTable kernels = a._w.Kernels;
            float* q = Q + (long)item * a._heads * a._dim, k = K + (long)item * a._kvHeads * a._dim, v = V + (long)item * a._kvHeads * a._dim;
            if (a._qNorm is not null)
                for (int h = 0; h < a._heads; h++) Elementwise.RmsNorm(q + h * a._dim, a._qNorm.Pointer, q + h * a._dim, a._dim, a._epsilon, kernels);
            if (a._kNorm is not null)
                for (int h = 0; h < a._kvHeads; h++) Elementwise.RmsNorm(k + h * a._dim, a._kNorm.Pointer, k + h * a._dim, a._dim, a._epsilon, kernels);
            float* cos = Step.Cos + (long)item * a._pairs, sin = Step.Sin + (long)item * a._pairs;
            Elementwise.Rotate(q, a._heads, a._dim, cos, sin, a._pairs, a._layout, kernels);
            Elementwise.Rotate(k, a._kvHeads, a._dim, cos, sin, a._pairs, a._layout, kernels);

            KvCache cache = Step.Parts[Step.Rows[item].Part].Cache;
            int position = Step.Rows[item].Position, block = position / KvBlock.Tokens, slot = position % KvBlock.Tokens;
            KvBlock.WriteKeys(cache.Format, cache.Keys(a._layer)[block], slot, a._kvHeads, a._dim, k, a._dim);
            KvBlock.WriteValues(cache.Format, cache.Values(a._layer)[block], slot, a._kvHeads, a._dim, v, a._dim);
        }
    }
}
