using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Rows of activations times one panel of floats, K in chunks of 128. Few rows convert the weights in registers, many rows share a chunk converted to fp32.
/// FP8: the sum of each 128 inputs starts at zero and is added times its block's scale, acc = fma(sum, scale, acc).
/// </summary>
internal static unsafe class FloatPanel<S, F, I, T>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
    where T : struct, IFloatFormat<F, I>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(PanelArguments* a, int panel, int first, int count, byte* scratch)
    {
        var sums = (float*)scratch;
        float* parts = sums + count * 32, tile = parts + count * 32;
        new Span<float>(sums, count * 32).Clear();
        byte* p = a->Panels + panel * a->PanelBytes;
        int cols = T.Rounded ? a->Cols + 1 & ~1 : a->Cols;
        for (int k0 = 0; k0 < cols; k0 += ExactPanel.Chunk)
        {
            int n = Math.Min(ExactPanel.Chunk, cols - k0);
            byte* chunk = p + (long)(k0 / 2) * T.PairBytes;
            float* target = sums;
            if (T.Scaled) new Span<float>(target = parts, count * 32).Clear();
            if (count < 6)
            {
                for (int i = 0; i < count; i++) FloatTile<S, F, I, T>.One(chunk, n, (float*)a->Row(first + i) + k0, target + i * 32);
            }
            else
            {
                if (T.Format != NumberFormat.F32)
                {
                    Convert(chunk, n, tile);
                    chunk = (byte*)tile;
                }
                ExactPanel.Multiply<S, F, I>(a, chunk, k0, n, first, count, target);
            }
            if (T.Scaled)
            {
                float scale = a->BlockScales == null ? 1 : a->BlockScales[panel * PackedLayout.Width / 128 * ((a->Cols + 127) / 128) + k0 / 128];
                for (int i = 0; i < count * 32; i += S.Count)
                    S.Store(sums + i, S.Fma(S.Load(parts + i), S.Set(scale), S.Load(sums + i)));
            }
        }
        a->Finish(panel, first, count, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Convert(byte* pairs, int count, float* result)
    {
        for (int k = 0; k < count; k += 2, pairs += T.PairBytes, result += 64)
            for (int row = 0; row < 32; row += S.Count)
            {
                T.Load(pairs, row, out F first, out F second);
                S.Store(result + row, first);
                S.Store(result + 32 + row, second);
            }
    }

    /// <summary>Inputs k0 … k0 + count − 1 of a panel as dequantized floats [count][32], in order of k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Floats(PanelArguments* a, int panel, int k0, int count, float* result, byte* scratch)
    {
        byte* pairs = a->Panels + panel * a->PanelBytes + (long)(k0 / 2) * T.PairBytes;
        float scale = a->BlockScales == null ? 1 : a->BlockScales[panel * PackedLayout.Width / 128 * ((a->Cols + 127) / 128) + k0 / 128];
        for (int k = 0; k < count; k += 2, pairs += T.PairBytes, result += 64)
            for (int row = 0; row < 32; row += S.Count)
            {
                T.Load(pairs, row, out F first, out F second);
                if (T.Rounded) (first, second) = (second, first);
                if (T.Scaled) (first, second) = (S.Multiply(first, S.Set(scale)), S.Multiply(second, S.Set(scale)));
                S.Store(result + row, first);
                S.Store(result + 32 + row, second);
            }
    }
}

/// <summary>Products in <see cref="Arithmetic.Exact"/>, for every format: a chunk of the panel is dequantized and multiplied in fp32, in order of k.</summary>
internal static unsafe class ExactPanel
{
    /// <summary>Inputs dequantized at a time; FP8's blocks have as many.</summary>
    public const int Chunk = 128;

    public static void Run<S, F, I>(PanelArguments* a, int panel, int first, int count, byte* scratch, delegate*<PanelArguments*, int, int, int, float*, byte*, void> floats)
        where S : struct, ISimd<F, I>
        where F : struct
        where I : struct
    {
        var sums = (float*)scratch;
        float* tile = sums + count * 32;
        var more = (byte*)(tile + (Chunk + 1) * 32);
        new Span<float>(sums, count * 32).Clear();
        for (int k0 = 0; k0 < a->Cols; k0 += Chunk)
        {
            int n = Math.Min(Chunk, a->Cols - k0);
            floats(a, panel, k0, n, tile, more);
            Multiply<S, F, I>(a, (byte*)tile, k0, n, first, count, sums);
        }
        a->Finish(panel, first, count, sums);
    }

    /// <summary>Adds the products of a chunk [n][32] of floats.</summary>
    public static void Multiply<S, F, I>(PanelArguments* a, byte* chunk, int k0, int n, int first, int count, float* sums)
        where S : struct, ISimd<F, I>
        where F : struct
        where I : struct
    {
        int i = 0;
        for (; i + 6 <= count; i += 6)
        {
            FloatTile<S, F, I, FloatPanels<S, F, I>.F32>.Six(chunk, n,
                (float*)a->Row(first + i) + k0, (float*)a->Row(first + i + 1) + k0, (float*)a->Row(first + i + 2) + k0,
                (float*)a->Row(first + i + 3) + k0, (float*)a->Row(first + i + 4) + k0, (float*)a->Row(first + i + 5) + k0, sums + i * 32);
        }
        for (; i < count; i++) FloatTile<S, F, I, FloatPanels<S, F, I>.F32>.One(chunk, n, (float*)a->Row(first + i) + k0, sums + i * 32);
    }
}
