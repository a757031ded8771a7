using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>
/// Attention over a bf16 cache with assembled tiles; other formats go to <see cref="AttentionKernel{S, F, I}"/>. An item is a set of rows (query tokens × heads that
/// read the same keys) against all blocks they see, block by block: 1. scores; 2. online softmax; 3. the rows' sums. Queries and weights are rounded to bf16. The cache is read as it lies,
/// except for blocks that are not full (where a pair's second key may be missing, or what was never written might be NaN) and widths that are no multiple of 32: these are
/// copied and filled up with zeros.
/// </summary>
internal static unsafe class AssembledAttention<T>
    where T : struct, IAttentionForm
{
    private const int MaxRows = AttentionKernel<Simd512, Vector512<float>, Vector512<int>>.MaxRows;

    /// <summary>Bytes of scratch for an item, of any format of the cache.</summary>
    public static long ScratchBytes(int keyFloats, int valueDim)
        => Math.Max(AttentionKernel<Simd512, Vector512<float>, Vector512<int>>.ScratchBytes(keyFloats, valueDim),
            8192 + MaxRows * (4L * (keyFloats + 64) + 64 * 10 + 4L * (valueDim + 32)) + 64L * 2 * (Math.Max(keyFloats, valueDim) + 32) + (T.Matrices ? 64L * 2 * (valueDim + 32) : 0));

    // An item's scratch memory. All rows' strides are multiples of 64 bytes.
    private ref struct Rows
    {
        public int Count, Room, QueryBytes, Panels; // Room: rows that there is memory for
        public byte* Queries;                  // [rows] in bf16, or fp32; for latents in the matrix unit [rows/16][pairs][16][2]
        public float* Scores;                  // [rows][64]
        public byte* Weights;                  // [rows][64] in bf16; fp32: the scores' place
        public float* Max, Total, Corrections; // [rows]
        public float* Sums;                    // [E/32][rows][32]
        public byte* Paired;                   // the values' tiles for the matrix unit
        public byte* Copy;                     // [64][width] in bf16

        public Rows(byte* scratch, int count, int queryDim, int valueDim)
        {
            Count = count;
            Room = T.Matrices ? count + MatrixTileAssembler.Rows - 1 & -MatrixTileAssembler.Rows : count;
            QueryBytes = (queryDim + 31 & ~31) * (T.Pairs ? 2 : 4);
            Panels = (valueDim + 31) / 32;
            Max = (float*)scratch;
            Total = Max + 64;
            Corrections = Total + 64;
            Queries = (byte*)(Corrections + 64);
            Scores = (float*)(Queries + (long)Room * QueryBytes);
            Weights = (byte*)(Scores + Room * 64);
            Sums = (float*)(Weights + Room * 128);
            Paired = (byte*)(Sums + (long)Panels * Room * 32);
            Copy = Paired + (T.Matrices ? Panels * 4096 : 0);
            if (!T.Pairs) Weights = (byte*)Scores;
            new Span<byte>(Weights + count * 128, (Room - count) * 128).Clear(); // of rows that are not there: nothing that would be slow to multiply
            new Span<float>(Sums, Panels * Room * 32).Clear();
            new Span<float>(Max, 64).Fill(float.NegativeInfinity);
            new Span<float>(Total, 64).Clear();
        }

        public readonly byte* Query(int row) => Queries + (long)row * QueryBytes;
    }

    /// <summary>One item: rows first … first + count − 1 (row = token · group + head in group) of key/value head <paramref name="head"/>.</summary>
    public static void GroupedQuery(GroupedQueryArguments* a, int head, int first, int count, byte* scratch)
    {
        if (a->Format != KvFormat.BF16)
        {
            AttentionKernel<Simd512, Vector512<float>, Vector512<int>>.GroupedQuery(a, head, first, count, scratch);
            return;
        }
        AttentionTiles* tiles = AttentionTiles.Of<T>();
        int group = a->Heads / a->KvHeads, dim = a->KeyDim, valueDim = a->ValueDim;
        var rows = new Rows(scratch, count, dim, valueDim);
        int* seen = stackalloc int[MaxRows];
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / group, n = head * group + (first + r) % group;
            seen[r] = a->Position + t + 1;
            Query(a->Query + (long)t * a->QueryStride + (long)n * dim, dim, rows.Query(r), false);
        }
        if (T.Matrices) ((delegate* unmanaged[SuppressGCTransition]<void>)tiles->Configure)();
        int end = seen[count - 1];
        for (int start = 0; start < end; start += 64)
        {
            byte* keys = a->KeyBlocks[start / 64] + head * KvBlock.KeyHeadBytes(KvFormat.BF16, dim);
            byte* values = a->ValueBlocks[start / 64] + head * KvBlock.ValueHeadBytes(KvFormat.BF16, valueDim);
            int visible = Math.Min(64, end - start), pairs = (dim + 1) / 2;
            if (T.Matrices)
            {
                if ((dim & 31) != 0) keys = CopyPairs(keys, pairs, rows.QueryBytes / 4, rows.Copy);
                for (int r = 0; r < count; r += MatrixTileAssembler.Rows)
                    ((delegate* unmanaged[SuppressGCTransition]<byte*, long, byte*, long, float*, void>)tiles->MatrixKeys)(rows.Query(r), rows.QueryBytes, keys, rows.QueryBytes / 64, rows.Scores + r * 64);
            }
            for (int r = 0, n; !T.Matrices && r < count; r += n)
            {
                n = Share(count - r, AttentionTileAssembler.KeyRows);
                ((delegate* unmanaged[SuppressGCTransition]<byte*, long, byte*, long, float*, void>)tiles->Keys[n])(rows.Query(r), rows.QueryBytes, keys, pairs, rows.Scores + r * 64);
            }
            Softmax(in rows, a->Scale, seen, start);
            Values(in rows, tiles, values, valueDim, valueDim, visible, rows.Copy);
        }
        if (T.Matrices) ((delegate* unmanaged[SuppressGCTransition]<void>)tiles->Release)();
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / group, n = head * group + (first + r) % group;
            Finish(in rows, r, valueDim, a->Output + (long)t * a->OutputStride + (long)n * valueDim);
        }
    }

    /// <summary>One item: rows first … first + count − 1 (row = token · heads + head).</summary>
    public static void Latent(LatentArguments* a, int first, int count, byte* scratch)
    {
        if (a->Format != KvFormat.BF16)
        {
            if (a->Format == KvFormat.Q8_0) AssembledLatent8.Run(a, first, count, scratch, AttentionTiles.Of<T>());
            else AttentionKernel<Simd512, Vector512<float>, Vector512<int>>.Latent(a, first, count, scratch);
            return;
        }
        AttentionTiles* tiles = AttentionTiles.Of<T>();
        int dim = a->LatentDim + a->RopeDim, width = dim + 31 & ~31;
        var rows = new Rows(scratch, count, dim, a->LatentDim);
        int* seen = stackalloc int[MaxRows];
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            seen[r] = a->Position + t + 1;
            byte* place = T.Matrices ? rows.Copy + r % MatrixTileAssembler.Rows * rows.QueryBytes : rows.Query(r);
            Query(a->Query + (long)t * a->QueryStride + (long)n * dim, dim, place, true);
            if (T.Matrices && (r == count - 1 || r % MatrixTileAssembler.Rows == MatrixTileAssembler.Rows - 1))
                ((delegate* unmanaged[SuppressGCTransition]<byte*, long, byte*, long, void>)tiles->Turn)(rows.Copy, rows.QueryBytes, rows.Query(r & -MatrixTileAssembler.Rows), width / 32);
        }
        if (T.Matrices) ((delegate* unmanaged[SuppressGCTransition]<void>)tiles->Configure)();
        int end = seen[count - 1];
        for (int start = 0; start < end; start += 64)
        {
            int visible = Math.Min(64, end - start);
            byte* block = a->Blocks[start / 64];
            if (visible < 64 || width != dim)
            {
                Copy(block, dim, visible, width, rows.Copy);
                block = rows.Copy;
            }
            if (T.Matrices) ((delegate* unmanaged[SuppressGCTransition]<byte*, long, long, byte*, void>)tiles->Pair)(block, width * 2, rows.Panels, rows.Paired);
            for (int r = 0; T.Matrices && r < count; r += MatrixTileAssembler.Rows)
                ((delegate* unmanaged[SuppressGCTransition]<byte*, long, byte*, long, float*, void>)tiles->MatrixDots)(block, width * 2, rows.Query(r), width / 32, rows.Scores + r * 64);
            // 16 keys stay in the first-level cache while all rows pass.
            for (int j = 0; !T.Matrices && j < visible; j += AttentionTileAssembler.DotKeys)
                for (int r = 0, n; r < count; r += n)
                {
                    n = Share(count - r, AttentionTileAssembler.DotRows);
                    ((delegate* unmanaged[SuppressGCTransition]<byte*, long, byte*, long, long, float*, void>)tiles->Dots[n])(
                        rows.Query(r), rows.QueryBytes, block + (long)j * width * 2, width * 2, width / 32, rows.Scores + r * 64 + j);
                }
            Softmax(in rows, a->Scale, seen, start);
            Values(in rows, tiles, block, width, a->LatentDim, visible, null);
        }
        if (T.Matrices) ((delegate* unmanaged[SuppressGCTransition]<void>)tiles->Release)();
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            Finish(in rows, r, a->LatentDim, a->Output + (long)t * a->OutputStride + (long)n * a->LatentDim);
        }
    }

    // Rows are cut evenly into tiles: 8 are 4 and 4, not 6 and 2.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Share(int left, int most)
    {
        int tiles = (left + most - 1) / most;
        return (left + tiles - 1) / tiles;
    }

    // Rounded to bf16, filled up with zeros to a multiple of 32. In fp32, split: the even numbers of each 32 first, as the tile of dot products wants them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Query(float* x, int dim, byte* result, bool split)
    {
        AssembledForms.Round(x, dim, (ushort*)result);
        if (T.Pairs) return;
        for (int d = (dim + 31 & ~31) - 32; d >= 0; d -= 32) // from the end: floats take twice the room
        {
            if (split)
            {
                Vector512<uint> pairs = Vector512.Load((uint*)((ushort*)result + d));
                (pairs << 16).Store((uint*)result + d);
                (pairs & Vector512.Create(0xFFFF0000u)).Store((uint*)result + d + 16);
            }
            else
            {
                Vector512<uint> low = Avx512F.ConvertToVector512UInt32(Vector256.Load((ushort*)result + d)), high = Avx512F.ConvertToVector512UInt32(Vector256.Load((ushort*)result + d + 16));
                (low << 16).Store((uint*)result + d);
                (high << 16).Store((uint*)result + d + 16);
            }
        }
    }

    // The first tokens of a block [64][dim] to [64][width], the rest zeros.
    private static void Copy(byte* block, int dim, int tokens, int width, byte* result)
    {
        int rest = (width - dim) * 2;
        for (int j = 0; j < tokens; j++, block += dim * 2, result += width * 2)
        {
            new ReadOnlySpan<byte>(block, dim * 2).CopyTo(new Span<byte>(result, dim * 2));
            if (rest > 0) new Span<byte>(result + dim * 2, rest).Clear();
        }
        new Span<byte>(result, (64 - tokens) * width * 2).Clear();
    }

    // Keys [pairs][64][2], filled up with zeros to as many pairs as tiles have.
    private static byte* CopyPairs(byte* keys, int pairs, int all, byte* result)
    {
        new ReadOnlySpan<byte>(keys, pairs * 256).CopyTo(new Span<byte>(result, pairs * 256));
        new Span<byte>(result + pairs * 256, (all - pairs) * 256).Clear();
        return result;
    }

    // Scores to weights e^(s − max), rounded to bf16, and their sums; what rows do not see weighs exactly nothing.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax(in Rows rows, float scale, int* seen, int start)
    {
        float* news = stackalloc float[64];
        Vector512<float> factor = Vector512.Create(scale), none = Vector512.Create(float.NegativeInfinity);
        Vector512<int> index = Vector512<int>.Indices;
        for (int r = 0; r < rows.Count; r++)
        {
            float* s = rows.Scores + r * 64;
            Vector512<float> a = Vector512.Load(s) * factor, b = Vector512.Load(s + 16) * factor, c = Vector512.Load(s + 32) * factor, d = Vector512.Load(s + 48) * factor;
            int visible = seen[r] - start;
            if (visible < 64)
            {
                a = Vector512.ConditionalSelect(Vector512.GreaterThan(Vector512.Create(visible), index).AsSingle(), a, none);
                b = Vector512.ConditionalSelect(Vector512.GreaterThan(Vector512.Create(visible - 16), index).AsSingle(), b, none);
                c = Vector512.ConditionalSelect(Vector512.GreaterThan(Vector512.Create(visible - 32), index).AsSingle(), c, none);
                d = Vector512.ConditionalSelect(Vector512.GreaterThan(Vector512.Create(visible - 48), index).AsSingle(), d, none);
            }
            a.Store(s);
            b.Store(s + 16);
            c.Store(s + 32);
            d.Store(s + 48);
            Vector512<float> max = Avx512F.Max(Avx512F.Max(a, b), Avx512F.Max(c, d));
            Vector256<float> max8 = Avx.Max(max.GetLower(), max.GetUpper());
            Vector128<float> max4 = Sse.Max(max8.GetLower(), max8.GetUpper());
            max4 = Sse.Max(max4, Sse.MoveHighToLow(max4, max4));
            max4 = Sse.MaxScalar(max4, Sse.Shuffle(max4, max4, 1));
            news[r] = MathF.Max(rows.Max[r], max4.ToScalar());
        }
        for (int r = 0; r < rows.Count; r += 16)
        {
            Vector512<float> max = Vector512.Load(news + r);
            VectorKernels<Simd512, Vector512<float>, Vector512<int>>.Exp(Vector512.Load(rows.Max + r) - max).Store(rows.Corrections + r);
            max.Store(rows.Max + r);
        }
        for (int r = 0; r < rows.Count; r++)
        {
            float* s = rows.Scores + r * 64;
            Vector512<float> max = Vector512.Create(news[r]);
            Vector512<float> a = Weight(s, max), b = Weight(s + 16, max), c = Weight(s + 32, max), d = Weight(s + 48, max);
            if (T.Pairs)
            {
                ushort* w = (ushort*)rows.Weights + r * 64;
                Avx512F.ConvertToVector256UInt16(a.AsUInt32() >>> 16).Store(w);
                Avx512F.ConvertToVector256UInt16(b.AsUInt32() >>> 16).Store(w + 16);
                Avx512F.ConvertToVector256UInt16(c.AsUInt32() >>> 16).Store(w + 32);
                Avx512F.ConvertToVector256UInt16(d.AsUInt32() >>> 16).Store(w + 48);
            }
            else
            {
                a.Store(s);
                b.Store(s + 16);
                c.Store(s + 32);
                d.Store(s + 48);
            }
            // Sums as VectorMath.Sum has them.
            Vector512<float> sum = a + b + c + d;
            Vector256<float> sum8 = sum.GetLower() + sum.GetUpper();
            Vector128<float> sum4 = sum8.GetLower() + sum8.GetUpper();
            sum4 += Sse.MoveHighToLow(sum4, sum4);
            rows.Total[r] = MathF.FusedMultiplyAdd(rows.Total[r], rows.Corrections[r], sum4.ToScalar() + sum4.GetElement(1));
        }
    }

    // e^(score − max), or nothing, to 8 significant bits by Veltkamp's rounding: c = 65537 p, c − (c − p). NaN stays NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Weight(float* score, Vector512<float> max)
    {
        Vector512<float> p = AssembledLatent8.Weight(Vector512.Load(score) - max), c = p * Vector512.Create(65537f);
        return c - (c - p);
    }

    // sums = sums · correction + weights × values. Values of a token lie stride numbers apart. Latents (no copy): they have been filled up already, and paired for the matrix unit.
    private static void Values(in Rows rows, AttentionTiles* tiles, byte* values, int stride, int valueDim, int visible, byte* copy)
    {
        if (copy != null && (visible < 64 || (valueDim & 31) != 0))
        {
            int width = valueDim + 31 & ~31;
            Copy(values, stride, visible, width, copy);
            values = copy;
            stride = width;
        }
        if (T.Matrices)
        {
            if (copy != null) ((delegate* unmanaged[SuppressGCTransition]<byte*, long, long, byte*, void>)tiles->Pair)(values, stride * 2, rows.Panels, rows.Paired);
            for (int r = 0; r < rows.Count; r += MatrixTileAssembler.Rows)
                ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, long, long, float*, float*, void>)tiles->MatrixValues)(
                    rows.Weights + r * 128, rows.Paired, rows.Panels, rows.Room * 128, rows.Sums + r * 32, rows.Corrections + r);
            return;
        }
        int steps = T.Pairs ? (visible + 1) / 2 : visible, weightBytes = T.Pairs ? 128 : 256;
        for (int p = 0; p < rows.Panels; p++)
            for (int r = 0, n; r < rows.Count; r += n)
            {
                n = Share(rows.Count - r, AttentionTileAssembler.ValueRows);
                ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, long, long, float*, float*, void>)tiles->Values[n])(
                    rows.Weights + r * weightBytes, values + p * 64, stride * 2, steps, rows.Sums + (p * rows.Room + r) * 32, rows.Corrections + r);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in Rows rows, int row, int valueDim, float* y)
    {
        float* last = stackalloc float[32];
        Vector512<float> total = Vector512.Create(rows.Total[row]);
        Vector512<int> first = T.Pairs ? Vector512.Create(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23) : Vector512.Create(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        Vector512<int> second = first + Vector512.Create(8);
        for (int p = 0; p < rows.Panels; p++)
        {
            float* sums = rows.Sums + (p * rows.Room + row) * 32;
            Vector512<float> low = Vector512.Load(sums) / total, high = Vector512.Load(sums + 16) / total;
            int width = Math.Min(32, valueDim - 32 * p);
            float* target = width < 32 ? last : y + 32 * p;
            Avx512F.PermuteVar16x32x2(low, first, high).Store(target);
            Avx512F.PermuteVar16x32x2(low, second, high).Store(target + 16);
            if (width < 32) new ReadOnlySpan<float>(last, width).CopyTo(new Span<float>(y + 32 * p, width));
        }
    }
}
