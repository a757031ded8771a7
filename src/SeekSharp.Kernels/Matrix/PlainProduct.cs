using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// The plain twins of <see cref="MatrixProduct"/>: one output of one row, from the bytes of the file and the fp32 activations, in the order of operations
/// that all tiers keep. They have the same bits.
/// </summary>
internal static unsafe class PlainProduct
{
    /// <summary>Σ x[k] · w[k] in the format's default arithmetic, or exactly.</summary>
    /// <param name="format">Format of the weights.</param>
    /// <param name="w">One row as in the file.</param>
    /// <param name="x">Activations [cols].</param>
    /// <param name="cols">K.</param>
    /// <param name="scales">FP8: the scales of the row's blocks of 128; null for ones.</param>
    /// <param name="arithmetic">Which.</param>
    public static float Dot(NumberFormat format, byte* w, float* x, int cols, float* scales, Arithmetic arithmetic)
    {
        if (arithmetic == Arithmetic.Default && NumberFormats.IsInteger(format)) return Integer(format, w, x, cols);
        float[] weights = new float[cols];
        fixed (float* decoded = weights) BlockDecoder.Decode(format, w, decoded, cols);
        if (arithmetic == Arithmetic.Default && format is NumberFormat.BF16) return Rounded(weights, x, 0, cols);
        if (arithmetic == Arithmetic.Default && format is NumberFormat.F8E4M3)
        {
            float total = 0;
            for (int k = 0; k < cols; k += 128)
                total = MathF.FusedMultiplyAdd(Rounded(weights, x, k, Math.Min(k + 128, cols)), scales == null ? 1 : scales[k / 128], total);
            return total;
        }
        float sum = 0;
        for (int k = 0; k < cols; k++)
        {
            float weight = format == NumberFormat.F8E4M3 && scales != null ? weights[k] * scales[k / 128] : weights[k];
            sum = MathF.FusedMultiplyAdd(x[k], weight, sum);
        }
        return sum;
    }

    // Pairs, the second first: so vdpbf16ps adds them.
    private static float Rounded(float[] w, float* x, int start, int end)
    {
        float sum = 0;
        for (int k = start; k < end; k += 2)
        {
            if (k + 1 < end) sum = MathF.FusedMultiplyAdd(FloatFormats.RoundBF16(x[k + 1]), w[k + 1], sum);
            sum = MathF.FusedMultiplyAdd(FloatFormats.RoundBF16(x[k]), w[k], sum);
        }
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Integer(NumberFormat format, byte* w, float* x, int cols)
    {
        var block = new BlockCodes();
        int inputs = NumberFormats.BlockSize(format);
        float sum = 0;
        sbyte[] codes = new sbyte[32];
        for (int start = 0; start < cols; start += 32, x += 32)
        {
            if (start % inputs == 0) block.Read(format, w + start / inputs * NumberFormats.BlockBytes(format));
            int part = start % inputs / 16;
            float scale = Quantize(x, codes);
            int first = 0, second = 0;
            int share = HasHalves(format) ? 16 : 32; // inputs of one scale
            for (int k0 = 0; k0 < 32; k0 += share)
            {
                int dot = 0;
                for (int k = k0; k < k0 + share; k++)
                {
                    dot += block.Value(format, start % inputs + k) * codes[k];
                    if (k < 16) first += codes[k];
                    else second += codes[k];
                }
                sum = MathF.FusedMultiplyAdd(dot, block.Scale(format) * block.Sub[part + k0 / 16] * scale, sum);
            }
            if (format == NumberFormat.Q2_K)
            {
                sum = MathF.FusedMultiplyAdd(block.Minimum(format, part), scale * first, sum);
                sum = MathF.FusedMultiplyAdd(block.Minimum(format, part + 1), scale * second, sum);
            }
            else if (BlockCodes.HasMinimum(format))
            {
                sum = MathF.FusedMultiplyAdd(block.Minimum(format, part), scale * (first + second), sum);
            }
        }
        return sum;
    }

    private static bool HasHalves(NumberFormat format) => format is NumberFormat.Q2_K or NumberFormat.Q3_K or NumberFormat.Q6_K || PackedLayout.IsCodebook(format);

    private static float Quantize(float* x, sbyte[] codes)
    {
        int magnitude = 0;
        for (int k = 0; k < 32; k++) magnitude = Math.Max(magnitude, BitConverter.SingleToInt32Bits(x[k]) & int.MaxValue);
        float scale = ActivationForms.ScaleOf(magnitude, out float inverse);
        for (int k = 0; k < 32; k++) codes[k] = float.IsNaN(scale) ? (sbyte)0 : (sbyte)MathF.Round(x[k] * inverse);
        return scale;
    }
}
