using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Latent attention over 8-bit latents (<see cref="LatentBlock"/>), in integers: queries are quantized by row, weights (times the keys' scales) by row and block. Here the
/// integers are held in floats, which is exact below 2^24: L up to 1,000.
/// </summary>
internal static unsafe partial class AttentionKernel<S, F, I>
{
    private static void Latent8(LatentArguments* a, int first, int count, byte* scratch)
    {
        int l = a->LatentDim, dim = l + a->RopeDim, panels = (l + 31) / 32;
        var rows = new Rows((float*)scratch, count, l);
        float* queries = rows.Next, keys = queries + (long)MaxRows * dim, values = keys + 64L * dim, part = values + 64L * 32 * panels, rope = part + rows.Stride * 32;
        float** q = stackalloc float*[MaxRows];
        float** turned = stackalloc float*[MaxRows]; // the queries' rotated parts
        float** low = stackalloc float*[MaxRows];
        float** high = stackalloc float*[MaxRows];
        float* scales = stackalloc float[4 * MaxRows]; // latent, rotated, weights, corrections
        sbyte* codes = stackalloc sbyte[dim];
        int* seen = stackalloc int[MaxRows];
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            seen[r] = a->Position + t + 1;
            float* x = a->Query + (long)t * a->QueryStride + (long)n * dim;
            q[r] = queries + (long)r * dim;
            turned[r] = q[r] + l;
            low[r] = rows.Score(r, 0);
            high[r] = rows.Score(r, 1);
            scales[r] = LatentBlock.Quantize(x, l, codes);
            scales[MaxRows + r] = LatentBlock.Quantize(x + l, a->RopeDim, codes + l);
            for (int d = 0; d < dim; d++) q[r][d] = codes[d];
        }
        int end = seen[count - 1];
        for (int start = 0; start < end; start += 64)
        {
            byte* block = a->Blocks[start / 64];
            var keyScales = (float*)(block + LatentBlock.Zeros(l, a->RopeDim)) + 128;
            int visible = Math.Min(64, end - start);
            Widen(block, l, keys, dim, values);
            Widen(block + LatentBlock.Rope(l), a->RopeDim, keys + l * 32, dim, null);
            new Span<float>(rows.Scores, rows.Stride * 64).Clear();
            new Span<float>(rope, rows.Stride * 64).Clear();
            for (int half = 0; half < (visible > 32 ? 2 : 1); half++)
            {
                Multiply((byte*)(keys + half * 32 * dim), l, q, count, rows.Score(0, half));
                Multiply((byte*)(keys + half * 32 * dim + l * 32), a->RopeDim, turned, count, rope + half * rows.Stride * 32);
            }
            for (int r = 0; r < count; r++)
            {
                for (int j = 0; j < 64; j += S.Count)
                {
                    float* p = (j < 32 ? low[r] : high[r]) + (j & 31), turn = rope + ((j >> 5) * rows.Stride + r) * 32 + (j & 31);
                    F latent = S.Multiply(S.Multiply(S.Load(p), S.Load(keyScales + j)), S.Set(scales[r]));
                    S.Store(p, S.Fma(S.Multiply(S.Load(turn), S.Load(keyScales + 64 + j)), S.Set(scales[MaxRows + r]), latent));
                }
                scales[3 * MaxRows + r] = VectorKernels<S, F, I>.OnlineSoftmax(low[r], high[r], a->Scale, seen[r] - start, false, ref rows.Max[r], ref rows.Total[r]);
                scales[2 * MaxRows + r] = QuantizeWeights(low[r], high[r], keyScales, Math.Min(64, seen[r] - start));
            }
            for (int p = 0; p < panels; p++)
            {
                new Span<float>(part, count * 32).Clear();
                Multiply((byte*)(values + p * 64 * 32), Math.Min(32, visible), low, count, part);
                if (visible > 32) Multiply((byte*)(values + p * 64 * 32 + 32 * 32), visible - 32, high, count, part);
                for (int r = 0; r < count; r++)
                {
                    float* sums = rows.Sums + (p * rows.Stride + r) * 32;
                    F weight = S.Set(scales[2 * MaxRows + r]), correction = S.Set(scales[3 * MaxRows + r]);
                    for (int e = 0; e < 32; e += S.Count) S.Store(sums + e, S.Fma(S.Load(part + r * 32 + e), weight, S.Multiply(S.Load(sums + e), correction)));
                }
            }
        }
        for (int r = 0; r < count; r++)
        {
            int t = (first + r) / a->Heads, n = (first + r) % a->Heads;
            Finish(in rows, r, a->Output + (long)t * a->OutputStride + (long)n * l);
        }
    }

    // Weights times the keys' scales, what is not seen exactly nothing, to 0 … 255 in place: code = weight / scale to nearest even, scale = max / 255. Returns the scale.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float QuantizeWeights(float* low, float* high, float* keyScales, int visible)
    {
        float max = 0;
        for (int j = 0; j < 64; j++)
        {
            float* p = (j < 32 ? low : high) + (j & 31);
            *p = j < visible ? *p * keyScales[j] : 0;
            max = *p > max ? *p : max;
        }
        float inverse = max > 0 ? 255 / max : 0;
        if (!(inverse <= float.MaxValue)) inverse = 0;
        for (int j = 0; j < 64; j += S.Count)
        {
            float* p = (j < 32 ? low : high) + (j & 31);
            S.Store(p, S.Round(S.Multiply(S.Load(p), S.Set(inverse))));
        }
        return max / 255;
    }

    // Bytes [count/4][64][4] to floats: keys [2 halves][…][32 keys], dim numbers from a half to the next, and, if asked for, values [panels][64][32].
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(byte* bytes, int count, float* keys, int dim, float* values)
    {
        for (int d = 0; d < count; d++)
            for (int j = 0; j < 64; j += S.Count)
            {
                I code = S.ShiftRight(S.ShiftLeft(S.Load((int*)bytes + (d >> 2) * 64 + j), 24 - 8 * (d & 3)), 24);
                S.Store(keys + ((j & 32) * dim + d * 32 + (j & 31)), S.ToFloat(code));
            }
        if (values == null) return;
        for (int d = 0; d < count; d += 4)
            for (int j = 0; j < 64; j++)
            {
                float* y = values + ((d >> 5) * 64 + j) * 32 + (d & 31);
                var four = (sbyte*)bytes + ((d >> 2) * 64 + j) * 4;
                (y[0], y[1], y[2], y[3]) = (four[0], four[1], four[2], four[3]);
            }
    }
}
