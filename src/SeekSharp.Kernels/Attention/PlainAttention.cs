namespace SeekSharp.Kernels;

/// <summary>The plain twins of <see cref="Attention"/>: one query at a time, in the order of operations that the fast paths keep. With a bf16 cache
/// queries and weights are rounded to bf16, so that one instruction can multiply pairs of them (the assembled tier, whose sums are formed in another order).</summary>
internal static unsafe class PlainAttention
{
    /// <summary>The result of query <paramref name="t"/>, head <paramref name="n"/>.</summary>
    public static void GroupedQuery(GroupedQueryArguments a, int t, int n)
    {
        int head = n / (a.Heads / a.KvHeads);
        float* q = a.Query + (long)t * a.QueryStride + (long)n * a.KeyDim;
        float* y = a.Output + (long)t * a.OutputStride + (long)n * a.ValueDim;
        bool rounded = a.Format == KvFormat.BF16;
        Row(rounded, a.ValueDim, a.Position + t + 1, a.Scale, y,
            j =>
            {
                float s = 0;
                for (int d = 0; d < a.KeyDim; d++) s = MathF.FusedMultiplyAdd(rounded ? FloatFormats.RoundBF16(q[d]) : q[d], KvBlock.ReadKey(a.Format, a.KeyBlocks[j / 64], head, a.KeyDim, j % 64, d), s);
                return s;
            },
            (j, e) => KvBlock.ReadValue(a.Format, a.ValueBlocks[j / 64], head, a.ValueDim, j % 64, e));
    }

    /// <summary>The result of query <paramref name="t"/>, head <paramref name="n"/>.</summary>
    public static void Latent(LatentArguments a, int t, int n)
    {
        if (a.Format == KvFormat.Q8_0)
        {
            Latent8(a, t, n);
            return;
        }
        int dim = a.LatentDim + a.RopeDim;
        float* q = a.Query + (long)t * a.QueryStride + (long)n * dim;
        float* y = a.Output + (long)t * a.OutputStride + (long)n * a.LatentDim;
        bool rounded = a.Format == KvFormat.BF16;
        Row(rounded, a.LatentDim, a.Position + t + 1, a.Scale, y,
            j =>
            {
                Span<float> lanes = stackalloc float[VectorMath.Lanes];
                lanes.Clear();
                for (int d = 0; d < dim; d++) lanes[d % 16] = MathF.FusedMultiplyAdd(rounded ? FloatFormats.RoundBF16(q[d]) : q[d], KvBlock.ReadValue(a.Format, a.Blocks[j / 64], 0, dim, j % 64, d), lanes[d % 16]);
                return VectorMath.AddLanes(lanes);
            },
            (j, e) => KvBlock.ReadValue(a.Format, a.Blocks[j / 64], 0, dim, j % 64, e));
    }

    // 8-bit latents: integer sums, the query quantized by part, the weights (times the keys' scales) by block.
    private static void Latent8(LatentArguments a, int t, int n)
    {
        int l = a.LatentDim, dim = l + a.RopeDim, keys = a.Position + t + 1;
        float* q = a.Query + (long)t * a.QueryStride + (long)n * dim, y = a.Output + (long)t * a.OutputStride + (long)n * l;
        sbyte[] codes = new sbyte[dim];
        float latentScale, ropeScale, max = float.NegativeInfinity, sum = 0;
        fixed (sbyte* c = codes) (latentScale, ropeScale) = (LatentBlock.Quantize(q, l, c), LatentBlock.Quantize(q + l, a.RopeDim, c + l));
        float[] p = new float[64];
        int[] weights = new int[64];
        new Span<float>(y, l).Clear();
        for (int start = 0; start < keys; start += 64)
        {
            byte* block = a.Blocks[start / 64];
            float* keyScales = (float*)(block + LatentBlock.Zeros(l, a.RopeDim)) + 128;
            int visible = Math.Min(64, keys - start);
            float newMax = max;
            Array.Fill(p, float.NegativeInfinity);
            for (int j = 0; j < visible; j++)
            {
                int latent = 0, rope = 0;
                for (int d = 0; d < l; d++) latent += codes[d] * LatentBlock.Code(block, l, j, d);
                for (int d = l; d < dim; d++) rope += codes[d] * LatentBlock.Code(block, l, j, d);
                p[j] = MathF.FusedMultiplyAdd(rope * keyScales[64 + j], ropeScale, latent * keyScales[j] * latentScale) * a.Scale;
                newMax = MathF.Max(newMax, p[j]);
            }
            float correction = VectorMath.Exp(max - newMax), largest = 0;
            for (int j = 0; j < 64; j++) p[j] = VectorMath.Weight(p[j] - newMax);
            sum = MathF.FusedMultiplyAdd(sum, correction, VectorMath.Sum(p));
            max = newMax;
            for (int j = 0; j < visible; j++) largest = MathF.Max(largest, p[j] *= keyScales[j]);
            for (int j = 0; j < visible; j++) weights[j] = largest > 0 ? (int)MathF.Round(p[j] * (255 / largest)) : 0;
            for (int e = 0; e < l; e++)
            {
                int total = 0;
                for (int j = 0; j < visible; j++) total += weights[j] * LatentBlock.Code(block, l, j, e);
                y[e] = MathF.FusedMultiplyAdd(total, largest / 255, y[e] * correction);
            }
        }
        for (int e = 0; e < l; e++) y[e] /= sum;
    }

    private static void Row(bool rounded, int valueDim, int keys, float scale, float* y, Func<int, float> score, Func<int, int, float> value)
    {
        float[] p = new float[64];
        float max = float.NegativeInfinity, sum = 0;
        for (int e = 0; e < valueDim; e++) y[e] = 0;
        for (int start = 0; start < keys; start += 64)
        {
            float tileMax = float.NegativeInfinity;
            for (int j = 0; j < 64; j++)
            {
                p[j] = float.NegativeInfinity;
                if (start + j >= keys) continue;
                p[j] = score(start + j) * scale;
                tileMax = MathF.Max(tileMax, p[j]);
            }
            float newMax = MathF.Max(max, tileMax), correction = VectorMath.Exp(max - newMax);
            for (int j = 0; j < 64; j++)
            {
                p[j] = VectorMath.Weight(p[j] - newMax);
                if (rounded) p[j] = FloatFormats.RoundBF16(p[j]);
            }
            for (int e = 0; e < valueDim; e++)
            {
                y[e] *= correction;
                for (int j = 0; j < Math.Min(64, keys - start); j++) y[e] = MathF.FusedMultiplyAdd(p[j], value(start + j, e), y[e]);
            }
            sum = MathF.FusedMultiplyAdd(sum, correction, VectorMath.Sum(p));
            max = newMax;
        }
        for (int e = 0; e < valueDim; e++) y[e] /= sum;
    }
}
