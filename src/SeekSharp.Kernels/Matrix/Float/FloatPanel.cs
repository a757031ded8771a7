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
        float* parts = sums + (count + 5) * 32, tile = parts + (count + 5) * 32;
        float** x = stackalloc float*[count];
        new Span<float>(sums, count * 32).Clear();
        byte* p = a->Panels + panel * a->PanelBytes;
        int cols = T.Rounded ? a->Cols + 1 & ~1 : a->Cols;
        for (int k0 = 0; k0 < cols; k0 += ExactPanel.Chunk)
        {
            int n = Math.Min(ExactPanel.Chunk, cols - k0);
            byte* chunk = p + (long)(k0 / 2) * T.PairBytes;
            float* target = sums;
            if (T.Scaled) new Span<float>(target = parts, count * 32).Clear();
            for (int i = 0; i < count; i++) x[i] = (float*)a->Row(first + i) + k0;
            if (count <= 6 || T.Format == NumberFormat.F32)
            {
                FloatTile<S, F, I, T>.Many(chunk, n, x, count, target);
            }
            else
            {
                Convert(chunk, n, tile);
                FloatTile<S, F, I, FloatPanels<S, F, I>.F32>.Many((byte*)tile, n, x, count, target);
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
        float* tile = sums + (count + 5) * 32;
        float** x = stackalloc float*[count];
        var more = (byte*)(tile + (Chunk + 1) * 32);
        new Span<float>(sums, count * 32).Clear();
        for (int k0 = 0; k0 < a->Cols; k0 += Chunk)
        {
            int n = Math.Min(Chunk, a->Cols - k0);
            floats(a, panel, k0, n, tile, more);
            for (int i = 0; i < count; i++) x[i] = (float*)a->Row(first + i) + k0;
            FloatTile<S, F, I, FloatPanels<S, F, I>.F32>.Many((byte*)tile, n, x, count, sums);
        }
        a->Finish(panel, first, count, sums);
    }
}
