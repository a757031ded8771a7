using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Attention in tiles. An item is a set of rows (query tokens × heads that read the same keys) against all blocks they see, block by block:
/// 1. the block's keys and values to fp32; 2. scores of all rows; 3. online softmax, row by row; 4. the rows' sums += weights × values.
/// A row's arithmetic is that of its plain twin, whatever rows share the tile: scores are sums over d in order (grouped-query; latent: 16 partial sums),
/// sums of values run over keys in order.
/// </summary>
internal static unsafe partial class AttentionKernel<S, F, I>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
{
    /// <summary>Rows of an item at most.</summary>
    public const int MaxRows = 48;

    // Rows of room after the sums and scores of an item.
    private const int Spare = 5;

    /// <summary>Bytes of scratch for an item.</summary>
    public static long ScratchBytes(int keyFloats, int valueDim) => sizeof(float) * (64L * keyFloats + (64L + MaxRows + Spare) * ((valueDim + 31) & ~31) + (MaxRows + Spare) * (64 + 4 + 96L) + (long)MaxRows * keyFloats) + 4096;

    // What both kinds share, in scratch: panels of sums [E/32][rows][32], scores [2][rows][32], maxima, totals.
    private ref struct Rows
    {
        public int Count, Stride, ValueDim;
        public float* Sums, Scores, Max, Total;
        public float* Next;

        public Rows(float* scratch, int count, int valueDim)
        {
            Count = count;
            ValueDim = valueDim;
            int width = (valueDim + 31) & ~31;
            Stride = count + Spare;
            Sums = scratch;
            Scores = Sums + Stride * width;
            Max = Scores + Stride * 64;
            Total = Max + MaxRows;
            Next = Total + MaxRows;
            new Span<float>(Sums, Stride * width).Clear();
            new Span<float>(Max, count).Fill(float.NegativeInfinity);
            new Span<float>(Total, count).Clear();
        }

        public readonly float* Score(int row, int half) => Scores + (half * Stride + row) * 32;
    }

    /// <summary>One item: rows first … first + count − 1 (row = token · group + head in group) of key/value head <paramref name="head"/>.</summary>
    public static void GroupedQuery(GroupedQueryArguments* a, int head, int first, int count, byte* scratch)
    {
        int group = a->Heads / a->KvHeads, dim = a->KeyDim;
        var rows = new Rows((float*)scratch, count, a->ValueDim);
        float* keys = rows.Next, queries = keys + 64L * dim, values = queries + (long)MaxRows * dim;
        float** q = stackalloc float*[MaxRows];
        int* seen = stackalloc int[MaxRows];
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / group, n = head * group + (first + r) % group;
            q[r] = a->Query + (long)t * a->QueryStride + (long)n * dim;
            if (a->Format == KvFormat.BF16) q[r] = Rounded(q[r], dim, queries + (long)r * dim);
            seen[r] = a->Position + t + 1;
        }
        int end = seen[count - 1];
        for (int start = 0; start < end; start += 64)
        {
            byte* keyHead = a->KeyBlocks[start / 64] + head * KvBlock.KeyHeadBytes(a->Format, dim);
            byte* valueHead = a->ValueBlocks[start / 64] + head * KvBlock.ValueHeadBytes(a->Format, a->ValueDim);
            int visible = Math.Min(64, end - start);
            KvTiles<S, F, I>.Keys(a->Format, keyHead, dim, keys);
            new Span<float>(rows.Scores, rows.Stride * 64).Clear();
            for (int half = 0; half < (visible > 32 ? 2 : 1); half++) Multiply((byte*)(keys + half * 32 * dim), dim, q, count, rows.Score(0, half));
            KvTiles<S, F, I>.Values(a->Format, valueHead, a->ValueDim, visible, values);
            Accumulate(ref rows, a->Format == KvFormat.BF16, a->Scale, seen, start, visible, values);
        }
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / group, n = head * group + (first + r) % group;
            Finish(in rows, r, a->Output + (long)t * a->OutputStride + (long)n * a->ValueDim);
        }
    }

    /// <summary>One item: rows first … first + count − 1 (row = token · heads + head).</summary>
    public static void Latent(LatentArguments* a, int first, int count, byte* scratch)
    {
        if (a->Format == KvFormat.Q8_0)
        {
            Latent8(a, first, count, scratch);
            return;
        }
        int dim = a->LatentDim + a->RopeDim, padded = (dim + 31) & ~31;
        var rows = new Rows((float*)scratch, count, a->LatentDim);
        float* latents = rows.Next, queries = latents + 64L * padded;
        int* seen = stackalloc int[MaxRows];
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            seen[r] = a->Position + t + 1;
            // Rows of the scores' sums are read in whole vectors: filled up with zeros.
            new ReadOnlySpan<float>(a->Query + (long)t * a->QueryStride + (long)n * dim, dim).CopyTo(new Span<float>(queries + r * padded, dim));
            new Span<float>(queries + r * padded + dim, padded - dim).Clear();
            if (a->Format == KvFormat.BF16) Rounded(queries + r * padded, padded, queries + r * padded);
        }
        int end = seen[count - 1];
        for (int start = 0; start < end; start += 64)
        {
            int visible = Math.Min(64, end - start);
            KvTiles<S, F, I>.Values(a->Format, a->Blocks[start / 64], dim, visible, latents);
            for (int r = 0; r < count; r += 2)
                for (int j = 0; j < visible; j += 4)
                {
                    float* second = queries + Math.Min(r + 1, count - 1) * padded;
                    Dots(queries + r * padded, second, latents + j * 32, padded / 32,
                        rows.Score(r, j >> 5) + (j & 31), rows.Score(Math.Min(r + 1, count - 1), j >> 5) + (j & 31));
                }
            Accumulate(ref rows, a->Format == KvFormat.BF16, a->Scale, seen, start, visible, latents);
        }
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            Finish(in rows, r, a->Output + (long)t * a->OutputStride + (long)n * a->LatentDim);
        }
    }

    // Steps 3 and 4.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate(ref Rows rows, bool rounded, float scale, int* seen, int start, int visible, float* values)
    {
        int panels = (rows.ValueDim + 31) / 32;
        float** low = stackalloc float*[MaxRows];
        float** high = stackalloc float*[MaxRows];
        for (int r = 0; r < rows.Count; r++)
        {
            low[r] = rows.Score(r, 0);
            high[r] = rows.Score(r, 1);
            float correction = VectorKernels<S, F, I>.OnlineSoftmax(low[r], high[r], scale, seen[r] - start, rounded, ref rows.Max[r], ref rows.Total[r]);
            if (correction == 1) continue; // × 1 changes nothing
            for (int p = 0; p < panels; p++)
            {
                float* sums = rows.Sums + (p * rows.Stride + r) * 32;
                for (int e = 0; e < 32; e += S.Count) S.Store(sums + e, S.Multiply(S.Load(sums + e), S.Set(correction)));
            }
        }
        for (int p = 0; p < panels; p++)
        {
            float* panel = values + p * 64 * 32, sums = rows.Sums + p * rows.Stride * 32;
            Multiply((byte*)panel, Math.Min(32, visible), low, rows.Count, sums);
            if (visible > 32) Multiply((byte*)(panel + 32 * 32), visible - 32, high, rows.Count, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float* Rounded(float* x, int n, float* result)
    {
        int i = 0;
        for (; i + S.Count <= n; i += S.Count) S.Store(result + i, VectorKernels<S, F, I>.RoundBF16(S.Load(x + i)));
        for (; i < n; i++) result[i] = FloatFormats.RoundBF16(x[i]);
        return result;
    }

    private static void Finish(in Rows rows, int row, float* y)
    {
        for (int e = 0; e < rows.ValueDim; e++) y[e] = rows.Sums[((e >> 5) * rows.Stride + row) * 32 + (e & 31)] / rows.Total[row];
    }

    // sums[r][32] += Σ_k x[r][k] · w[k][32]. A tile may write beyond its rows: so panels of sums lie 5 rows apart.
    private static void Multiply(byte* w, int k, float** x, int count, float* sums) => FloatTile<S, F, I, FloatPanels<S, F, I>.F32>.Many(w, k, x, count, sums);

    /// <summary>
    /// Scores of two queries and four keys: 16 partial sums each (element d goes to d mod 16), then halves are added, 8, 4, 2, 1. Keys lie in panels, 32 numbers
    /// of a key together, the next key 32 further, the next panel 64 · 32 further.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dots(float* q0, float* q1, float* keys, int panels, float* y0, float* y1)
    {
        const int Lanes = VectorMath.Lanes;
        float* lanes = stackalloc float[8 * Lanes];
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            F a0 = S.Set(0f), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
            float* k = keys + lane, x0 = q0 + lane, x1 = q1 + lane;
            for (int p = 0; p < panels; p++, k += 64 * 32, x0 += 32, x1 += 32)
                for (int d = 0; d < 32; d += Lanes)
                {
                    F u = S.Load(x0 + d), v = S.Load(x1 + d);
                    F w = S.Load(k + d);
                    a0 = S.Fma(u, w, a0);
                    b0 = S.Fma(v, w, b0);
                    w = S.Load(k + d + 32);
                    a1 = S.Fma(u, w, a1);
                    b1 = S.Fma(v, w, b1);
                    w = S.Load(k + d + 64);
                    a2 = S.Fma(u, w, a2);
                    b2 = S.Fma(v, w, b2);
                    w = S.Load(k + d + 96);
                    a3 = S.Fma(u, w, a3);
                    b3 = S.Fma(v, w, b3);
                }
            S.Store(lanes + lane, a0);
            S.Store(lanes + Lanes + lane, a1);
            S.Store(lanes + 2 * Lanes + lane, a2);
            S.Store(lanes + 3 * Lanes + lane, a3);
            S.Store(lanes + 4 * Lanes + lane, b0);
            S.Store(lanes + 5 * Lanes + lane, b1);
            S.Store(lanes + 6 * Lanes + lane, b2);
            S.Store(lanes + 7 * Lanes + lane, b3);
        }
        AddFour(lanes).Store(y0);
        AddFour(lanes + 4 * Lanes).Store(y1);
    }

    // VectorMath.AddLanes of four times 16 partial sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> AddFour(float* lanes)
    {
        Vector128<float> a = Quarter(lanes), b = Quarter(lanes + 16), c = Quarter(lanes + 32), d = Quarter(lanes + 48);
        Vector128<double> ab0 = Vector128.Create(a.AsDouble().GetLower(), b.AsDouble().GetLower()), ab1 = Vector128.Create(a.AsDouble().GetUpper(), b.AsDouble().GetUpper());
        Vector128<double> cd0 = Vector128.Create(c.AsDouble().GetLower(), d.AsDouble().GetLower()), cd1 = Vector128.Create(c.AsDouble().GetUpper(), d.AsDouble().GetUpper());
        Vector128<float> ab = ab0.AsSingle() + ab1.AsSingle(), cd = cd0.AsSingle() + cd1.AsSingle();
        Vector128<float> abEven = Vector128.Shuffle(ab, Vector128.Create(0, 2, 1, 3)), cdEven = Vector128.Shuffle(cd, Vector128.Create(0, 2, 1, 3));
        return Vector128.Create(abEven.GetLower(), cdEven.GetLower()) + Vector128.Create(abEven.GetUpper(), cdEven.GetUpper());

        static Vector128<float> Quarter(float* p) => (Vector128.Load(p) + Vector128.Load(p + 8)) + (Vector128.Load(p + 4) + Vector128.Load(p + 12));
    }
}
