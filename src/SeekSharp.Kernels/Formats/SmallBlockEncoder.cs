using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Encoders of the blocks of 32 (layouts: <see cref="SmallBlocks"/>, <see cref="Iq4Blocks"/>), byte for byte ggml's
/// <c>quantize_row_*_ref</c>. The stored scale is rounded to binary16, but the numbers are divided by the unrounded one.
/// </summary>
internal static unsafe class SmallBlockEncoder
{
    /// <summary>The value of largest magnitude becomes −8; the others are rounded up from the middle.</summary>
    public static void Q4_0(float* src, byte* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 32, dst += 18)
        {
            float d = Extreme(src) / -8, inverse = d == 0 ? 0 : 1 / d;
            *(ushort*)dst = FloatFormats.ToF16(d);
            for (int i = 0; i < 16; i++)
                dst[2 + i] = (byte)(Biased(src[i], inverse, 8.5f, 15) | Biased(src[i + 16], inverse, 8.5f, 15) << 4);
        }
    }

    public static void Q4_1(float* src, byte* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 32, dst += 20)
        {
            (float min, float max) = Range(src);
            float d = (max - min) / 15, inverse = d == 0 ? 0 : 1 / d;
            *(ushort*)dst = FloatFormats.ToF16(d);
            *(ushort*)(dst + 2) = FloatFormats.ToF16(min);
            for (int i = 0; i < 16; i++)
                dst[4 + i] = (byte)(Above(src[i], min, inverse, 15) | Above(src[i + 16], min, inverse, 15) << 4);
        }
    }

    public static void Q5_0(float* src, byte* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 32, dst += 22)
        {
            float d = Extreme(src) / -16, inverse = d == 0 ? 0 : 1 / d;
            *(ushort*)dst = FloatFormats.ToF16(d);
            uint high = 0;
            for (int i = 0; i < 16; i++)
            {
                int a = Biased(src[i], inverse, 16.5f, 31), b = Biased(src[i + 16], inverse, 16.5f, 31);
                dst[6 + i] = (byte)(a & 15 | (b & 15) << 4);
                high |= (uint)(a >> 4) << i | (uint)(b >> 4) << i + 16;
            }
            Unsafe.WriteUnaligned(dst + 2, high);
        }
    }

    public static void Q5_1(float* src, byte* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 32, dst += 24)
        {
            (float min, float max) = Range(src);
            float d = (max - min) / 31, inverse = d == 0 ? 0 : 1 / d;
            *(ushort*)dst = FloatFormats.ToF16(d);
            *(ushort*)(dst + 2) = FloatFormats.ToF16(min);
            uint high = 0;
            for (int i = 0; i < 16; i++)
            {
                int a = Above(src[i], min, inverse, 31), b = Above(src[i + 16], min, inverse, 31);
                dst[8 + i] = (byte)(a & 15 | (b & 15) << 4);
                high |= (uint)(a >> 4) << i | (uint)(b >> 4) << i + 16;
            }
            Unsafe.WriteUnaligned(dst + 4, high);
        }
    }

    /// <summary>The largest magnitude becomes 127; ties go away from zero.</summary>
    public static void Q8_0(float* src, byte* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 32, dst += 34)
        {
            float d = MathF.Abs(Extreme(src)) / 127, inverse = d == 0 ? 0 : 1 / d;
            *(ushort*)dst = FloatFormats.ToF16(d);
            for (int i = 0; i < 32; i++)
                dst[2 + i] = (byte)(int)MathF.Round(src[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }

    /// <summary>The scale is the power of two that puts the largest magnitude between 4 and 8; then the nearest level, the first among equals.</summary>
    public static void Mxfp4(float* src, byte* dst, long blocks)
    {
        ReadOnlySpan<sbyte> levels = Codebooks.Mxfp4;
        for (; blocks > 0; blocks--, src += 32, dst += 17)
        {
            float largest = MathF.Abs(Extreme(src));
            int e = largest > 0 ? Math.Clamp((int)MathF.Floor(MathF.Log2(largest)) - 2 + 127, 0, 254) : 0;
            dst[0] = (byte)e;
            float scale = Iq4Blocks.Mxfp4Scale(e);
            for (int i = 0; i < 16; i++)
                dst[1 + i] = (byte)(Nearest(levels, src[i], scale) | Nearest(levels, src[i + 16], scale) << 4);
        }

        static int Nearest(ReadOnlySpan<sbyte> levels, float x, float scale)
        {
            int best = 0;
            float least = MathF.Abs(levels[0] * scale - x);
            for (int k = 1; k < 16; k++)
            {
                float error = MathF.Abs(levels[k] * scale - x);
                if (error < least) (least, best) = (error, k);
            }
            return best;
        }
    }

    /// <summary>trunc(x·inverse + bias), at most top. Not fused: weights that came from bfloat16 often lie half way, where that would show.</summary>
    private static int Biased(float x, float inverse, float bias, int top) => Math.Min((int)(x * inverse + bias), top);

    private static int Above(float x, float min, float inverse, int top) => Math.Min((int)((x - min) * inverse + 0.5f), top);

    /// <summary>The value of largest magnitude, the first among equals.</summary>
    private static float Extreme(float* x)
    {
        float extreme = 0, largest = 0;
        for (int i = 0; i < 32; i++)
            if (MathF.Abs(x[i]) > largest) (extreme, largest) = (x[i], MathF.Abs(x[i]));
        return extreme;
    }

    private static (float Min, float Max) Range(float* x)
    {
        float min = x[0], max = x[0];
        for (int i = 1; i < 32; i++)
        {
            if (x[i] < min) min = x[i];
            if (x[i] > max) max = x[i];
        }
        return (min, max);
    }
}
