namespace SeekSharp.Kernels;

/// <summary>The plain twins of <see cref="Attention"/>: one query at a time, in the order of operations that the fast paths keep.</summary>
internal static unsafe class PlainAttention
{
    /// <summary>The result of query <paramref name="t"/>, head <paramref name="n"/>.</summary>
    public static void GroupedQuery(GroupedQueryArguments a, int t, int n)
    {
        int head = n / (a.Heads / a.KvHeads);
        float* q = a.Query + (long)t * a.QueryStride + (long)n * a.KeyDim;
        float* y = a.Output + (long)t * a.OutputStride + (long)n * a.ValueDim;
        Row(q, a.KeyDim, a.ValueDim, a.Position + t + 1, a.Scale, y,
            (j, d) => KvBlock.ReadKey(a.Format, a.KeyBlocks[j / 64], head, a.KeyDim, j % 64, d),
            (j, e) => KvBlock.ReadValue(a.Format, a.ValueBlocks[j / 64], head, a.ValueDim, j % 64, e));
    }

    /// <summary>The result of query <paramref name="t"/>, head <paramref name="n"/>.</summary>
    public static void Latent(LatentArguments a, int t, int n)
    {
        int dim = a.LatentDim + a.RopeDim;
        float* q = a.Query + (long)t * a.QueryStride + (long)n * dim;
        float* y = a.Output + (long)t * a.OutputStride + (long)n * a.LatentDim;
        float Row64(int j, int d) => KvBlock.ReadValue(a.Format, a.Blocks[j / 64], 0, dim, j % 64, d);
        Row(q, dim, a.LatentDim, a.Position + t + 1, a.Scale, y, Row64, Row64);
    }

    private static void Row(float* q, int keyDim, int valueDim, int keys, float scale, float* y, Func<int, int, float> key, Func<int, int, float> value)
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
                float s = 0;
                for (int d = 0; d < keyDim; d++) s = MathF.FusedMultiplyAdd(q[d], key(start + j, d), s);
                p[j] = s * scale;
                tileMax = MathF.Max(tileMax, p[j]);
            }
            float newMax = MathF.Max(max, tileMax), correction = VectorMath.Exp(max - newMax);
            for (int j = 0; j < 64; j++) p[j] = VectorMath.Exp(p[j] - newMax);
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
