using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>
/// Latent attention over 8-bit latents (<see cref="LatentBlock"/>) with <c>vpdpbusd</c>: four products a lane and instruction. An item is a set of rows (query tokens × heads)
/// against all blocks they see, block by block: 1. integer scores, tokens side by side; 2. online softmax, weights times the keys' scales as unsigned bytes; 3. the block turned to four keys side by
/// side; 4. the rows' sums. The same bits as the plain twin.
/// </summary>
internal static unsafe class AssembledLatent8
{
    private const int MaxRows = AttentionKernel<Simd512, Vector512<float>, Vector512<int>>.MaxRows;

    // An item's scratch memory; Stride: bytes of a query, as in the cache the rotated part behind the latent's whole 16 numbers.
    private ref struct Rows
    {
        public int Count, Stride, Panels;
        public float* Max, Total, Corrections, LatentScales, RopeScales, WeightScales; // [rows]
        public byte* Queries, Weights; // [rows][Stride], [rows][64]
        public int* Latent, Rope;      // [rows][64]; the scores take the latent's place
        public float* Sums;            // [L/32][rows][32]
        public byte* Values;           // [16][32 · panels][4]

        public Rows(byte* scratch, int count, int latent, int rope)
        {
            Count = count;
            Stride = (latent + 15 & ~15) + (rope + 3 & ~3) + 63 & ~63;
            Panels = (latent + 31) / 32;
            Max = (float*)scratch;
            Total = Max + 64;
            Corrections = Total + 64;
            LatentScales = Corrections + 64;
            RopeScales = LatentScales + 64;
            WeightScales = RopeScales + 64;
            Weights = (byte*)(WeightScales + 64);
            Latent = (int*)(Weights + count * 64);
            Rope = Latent + count * 64;
            Sums = (float*)(Rope + count * 64);
            Values = (byte*)(Sums + (long)Panels * count * 32);
            Queries = Values + 16L * 32 * Panels * 4;
            new Span<float>(Sums, Panels * count * 32).Clear();
            new Span<float>(Max, 64).Fill(float.NegativeInfinity);
            new Span<float>(Total, 64).Clear();
        }
    }

    /// <summary>One item: rows first … first + count − 1 (row = token · heads + head).</summary>
    public static void Run(LatentArguments* a, int first, int count, byte* scratch, AttentionTiles* tiles)
    {
        int l = a->LatentDim, p = a->RopeDim, dim = l + p, ropeAt = l + 15 & ~15;
        var rows = new Rows(scratch, count, l, p);
        int* seen = stackalloc int[MaxRows];
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            seen[r] = a->Position + t + 1;
            float* q = a->Query + (long)t * a->QueryStride + (long)n * dim;
            byte* codes = rows.Queries + (long)r * rows.Stride;
            new Span<byte>(codes, rows.Stride).Fill(128);
            rows.LatentScales[r] = Quantize(q, l, codes);
            rows.RopeScales[r] = Quantize(q + l, p, codes + ropeAt);
        }
        int end = seen[count - 1];
        for (int start = 0; start < end; start += 64)
        {
            byte* block = a->Blocks[start / 64];
            var zeros = (int*)(block + LatentBlock.Zeros(l, p));
            for (int r = 0, n; r < count; r += n)
            {
                n = AssembledAttention<AttentionTiles.InPairs>.Share(count - r, AttentionTileAssembler.KeyRows);
                var tile = (delegate* unmanaged[SuppressGCTransition]<byte*, long, byte*, long, int*, int*, void>)tiles->Keys8[n];
                byte* q = rows.Queries + (long)r * rows.Stride;
                tile(q, rows.Stride, block, (l + 3) / 4, rows.Latent + r * 64, zeros);
                tile(q + ropeAt, rows.Stride, block + LatentBlock.Rope(l), (p + 3) / 4, rows.Rope + r * 64, zeros + 64);
            }
            Softmax(in rows, (float*)(zeros + 128), a->Scale, seen, start);
            Turn(block, ropeAt / 16, rows.Values, 128 * rows.Panels);
            for (int panel = 0; panel < rows.Panels; panel++)
                for (int r = 0, n; r < count; r += n)
                {
                    n = AssembledAttention<AttentionTiles.InPairs>.Share(count - r, AttentionTileAssembler.ValueRows);
                    ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, long, float*, float*, float*, void>)tiles->Values8[n])(
                        rows.Weights + r * 64, rows.Values + panel * 128, 128 * rows.Panels, rows.WeightScales + r, rows.Sums + (panel * count + r) * 32, rows.Corrections + r);
                }
        }
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            float* y = a->Output + (long)t * a->OutputStride + (long)n * l;
            for (int d = 0; d < l; d += 16)
            {
                Vector512<float> x = Vector512.Load(rows.Sums + ((d >> 5) * count + r) * 32 + (d & 31)) / Vector512.Create(rows.Total[r]);
                if (d + 16 <= l) x.Store(y + d);
                else for (int i = d; i < l; i++) y[i] = x[i - d];
            }
        }
    }

    // LatentBlock.Quantize, 128 added.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Quantize(float* x, int count, byte* codes)
    {
        int whole = count & ~15;
        float max = 0;
        Vector512<int> largest = Vector512<int>.Zero, magnitude = Vector512.Create(int.MaxValue);
        for (int i = 0; i < whole; i += 16) largest = Vector512.Max(largest, Vector512.Load((int*)x + i) & magnitude); // as integers: order of magnitude, ∞ and NaN on top
        for (int i = 0; i < 16; i++) max = MathF.Max(max, BitConverter.Int32BitsToSingle(largest[i])); // NaN stays
        for (int i = whole; i < count; i++) max = MathF.Max(max, MathF.Abs(x[i]));
        float scale = max / 127, inverse = 127 / max;
        if (!(max <= float.MaxValue)) return float.NaN;
        if (!(inverse <= float.MaxValue)) return 0;
        for (int i = 0; i < whole; i += 16)
            Avx512F.ConvertToVector128Byte(Avx512F.ConvertToVector512Int32(Vector512.Load(x + i) * Vector512.Create(inverse)) + Vector512.Create(128)).Store(codes + i); // to nearest even
        for (int i = whole; i < count; i++) codes[i] = (byte)(128 + (int)MathF.Round(x[i] * inverse));
        return scale;
    }

    /// <summary><see cref="VectorMath.Weight"/> for x ≤ 0, in fewer instructions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> Weight(Vector512<float> x)
    {
        Vector512<float> low = Vector512.Create(VectorMath.WeightLow), none = Vector512.LessThan(x, low);
        x = Avx512F.Max(low, x); // with NaN the second operand
        Vector512<float> n = Avx512F.RoundScale(x * Vector512.Create(VectorMath.Log2E), 0);
        Vector512<float> r = Avx512F.FusedMultiplyAdd(n, Vector512.Create(-VectorMath.Ln2High), x);
        r = Avx512F.FusedMultiplyAdd(n, Vector512.Create(-VectorMath.Ln2Low), r);
        Vector512<float> p = Avx512F.FusedMultiplyAdd(Vector512.Create(VectorMath.E0), r, Vector512.Create(VectorMath.E1));
        p = Avx512F.FusedMultiplyAdd(p, r, Vector512.Create(VectorMath.E2));
        p = Avx512F.FusedMultiplyAdd(p, r, Vector512.Create(VectorMath.E3));
        p = Avx512F.FusedMultiplyAdd(p, r, Vector512.Create(VectorMath.E4));
        p = Avx512F.FusedMultiplyAdd(p, r, Vector512.Create(VectorMath.E5));
        return Vector512.AndNot(Avx512F.Scale(Avx512F.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One, n), none);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax(in Rows rows, float* keyScales, float scale, int* seen, int start)
    {
        Vector512<int> index = Vector512<int>.Indices;
        Vector512<float> none = Vector512.Create(float.NegativeInfinity);
        Vector512<float> s0 = Vector512.Load(keyScales), s1 = Vector512.Load(keyScales + 16), s2 = Vector512.Load(keyScales + 32), s3 = Vector512.Load(keyScales + 48);
        Vector512<float> t0 = Vector512.Load(keyScales + 64), t1 = Vector512.Load(keyScales + 80), t2 = Vector512.Load(keyScales + 96), t3 = Vector512.Load(keyScales + 112);
        for (int r = 0; r < rows.Count; r++)
        {
            int* latent = rows.Latent + r * 64, rope = rows.Rope + r * 64;
            Vector512<float> ql = Vector512.Create(rows.LatentScales[r]), qr = Vector512.Create(rows.RopeScales[r]), factor = Vector512.Create(scale);
            Vector512<float> a = Score(latent, rope, s0, t0), b = Score(latent + 16, rope + 16, s1, t1), c = Score(latent + 32, rope + 32, s2, t2), d = Score(latent + 48, rope + 48, s3, t3);
            int visible = seen[r] - start;
            Vector512<float> m0 = Mask(0), m1 = Mask(16), m2 = Mask(32), m3 = Mask(48);
            a = Vector512.ConditionalSelect(m0, a, none);
            b = Vector512.ConditionalSelect(m1, b, none);
            c = Vector512.ConditionalSelect(m2, c, none);
            d = Vector512.ConditionalSelect(m3, d, none);
            float max = MathF.Max(rows.Max[r], Largest(Avx512F.Max(Avx512F.Max(a, b), Avx512F.Max(c, d)))), correction = VectorMath.Exp(rows.Max[r] - max);
            Vector512<float> top = Vector512.Create(max);
            a = Weight(a - top);
            b = Weight(b - top);
            c = Weight(c - top);
            d = Weight(d - top);
            Vector512<float> sum = a + b + c + d; // as VectorMath.Sum has it
            Vector256<float> sum8 = sum.GetLower() + sum.GetUpper();
            Vector128<float> sum4 = sum8.GetLower() + sum8.GetUpper();
            sum4 += Sse.MoveHighToLow(sum4, sum4);
            rows.Total[r] = MathF.FusedMultiplyAdd(rows.Total[r], correction, sum4.ToScalar() + sum4.GetElement(1));
            rows.Max[r] = max;
            rows.Corrections[r] = correction;
            a = (a * s0) & m0;
            b = (b * s1) & m1;
            c = (c * s2) & m2;
            d = (d * s3) & m3;
            float largest = Largest(Avx512F.Max(Avx512F.Max(a, b), Avx512F.Max(c, d))), inverse = largest > 0 ? 255 / largest : 0;
            if (!(inverse <= float.MaxValue)) inverse = 0;
            Vector512<float> by = Vector512.Create(inverse);
            byte* w = rows.Weights + r * 64;
            Avx512F.ConvertToVector128Byte(Avx512F.ConvertToVector512Int32(a * by)).Store(w);
            Avx512F.ConvertToVector128Byte(Avx512F.ConvertToVector512Int32(b * by)).Store(w + 16);
            Avx512F.ConvertToVector128Byte(Avx512F.ConvertToVector512Int32(c * by)).Store(w + 32);
            Avx512F.ConvertToVector128Byte(Avx512F.ConvertToVector512Int32(d * by)).Store(w + 48);
            rows.WeightScales[r] = largest / 255;

            Vector512<float> Score(int* i, int* j, Vector512<float> s, Vector512<float> t)
                => Avx512F.FusedMultiplyAdd(Vector512.ConvertToSingle(Vector512.Load(j)) * t, qr, Vector512.ConvertToSingle(Vector512.Load(i)) * s * ql) * factor;

            Vector512<float> Mask(int at) => Vector512.GreaterThan(Vector512.Create(visible - at), index).AsSingle();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector512<float> x)
    {
        Vector256<float> max8 = Avx.Max(x.GetLower(), x.GetUpper());
        Vector128<float> max4 = Sse.Max(max8.GetLower(), max8.GetUpper());
        max4 = Sse.Max(max4, Sse.MoveHighToLow(max4, max4));
        return Sse.MaxScalar(max4, Sse.Shuffle(max4, max4, 1)).ToScalar();
    }

    // [quads of numbers][64 keys][4] to [16 quads of keys][numbers][4]: in each quarter of a vector 4 × 4 bytes are transposed, then quarters.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn(byte* block, int sixteens, byte* values, int stride)
    {
        Vector512<byte> cross = Vector512.Create(Four(), Four());
        for (int i = 0; i < sixteens; i++, block += 4 * 256, values += 64)
            for (int k = 0; k < 4; k++)
            {
                Vector512<int> a = Avx512BW.Shuffle(Vector512.Load(block + k * 64), cross).AsInt32(), b = Avx512BW.Shuffle(Vector512.Load(block + 256 + k * 64), cross).AsInt32();
                Vector512<int> c = Avx512BW.Shuffle(Vector512.Load(block + 512 + k * 64), cross).AsInt32(), d = Avx512BW.Shuffle(Vector512.Load(block + 768 + k * 64), cross).AsInt32();
                Vector512<int> ab = Avx512F.Shuffle4x128(a, b, 0x44), ab2 = Avx512F.Shuffle4x128(a, b, 0xEE), cd = Avx512F.Shuffle4x128(c, d, 0x44), cd2 = Avx512F.Shuffle4x128(c, d, 0xEE);
                byte* y = values + (long)k * 4 * stride;
                Avx512F.Shuffle4x128(ab, cd, 0x88).Store((int*)y);
                Avx512F.Shuffle4x128(ab, cd, 0xDD).Store((int*)(y + stride));
                Avx512F.Shuffle4x128(ab2, cd2, 0x88).Store((int*)(y + 2 * stride));
                Avx512F.Shuffle4x128(ab2, cd2, 0xDD).Store((int*)(y + 3 * stride));
            }

        static Vector256<byte> Four() => Vector256.Create((byte)0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    }
}
