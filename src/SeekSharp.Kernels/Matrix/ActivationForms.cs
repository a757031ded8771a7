using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// The forms of activations that products read. Quantized, 32 inputs of a row at a time: scale = max|x| / 127, code = x · (127 / max|x|) rounded to nearest even.
/// A block's record is its codes (32 bytes in k order for unsigned weights; 2 × 8 × 2 16-bit numbers for signed ones: numbers 0 and 2 of each
/// quad, then numbers 1 and 3) and 32 bytes of what belongs to it.
/// </summary>
internal static unsafe class ActivationForms
{
    /// <summary>Bytes of a block's record.</summary>
    public const int UnsignedBytes = 64, SignedBytes = 96;

    /// <summary>Offsets in a record (32 more in a signed one): the scale; scale · Σ codes of the block, and of its halves; in two 16-bit numbers, sums of codes 0, 1 and
    /// 2, 3 of each quad, of the halves and of the block.</summary>
    public const int Scale = 32, SumOfBlock = 36, SumOfHalf = 40, PairsOfHalf = 48, PairsOfBlock = 56;

    /// <summary>In the assembled tier, instead of the pairs: −128 · Σ codes of the halves and of the block, 32 bits each.</summary>
    public const int ZeroOfHalf = 48, ZeroOfBlock = 56;

    /// <summary>Largest magnitude; as an integer comparison of bits NaN is above ∞, and the order of comparing does not matter.</summary>
    public static float ScaleOf(int magnitude, out float inverse)
    {
        // ∞ or NaN: the scale is NaN and so is every product. Below 10⁻³⁶ the inverse would overflow: such activations count as zero.
        float max = BitConverter.Int32BitsToSingle(magnitude);
        inverse = 0;
        if (magnitude >= 0x7F800000) return float.NaN;
        if (max < 1e-36f) return 0;
        inverse = 127 / max;
        return max / 127;
    }

    /// <summary>Quantizes one row; <paramref name="cols"/> is a multiple of 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Quantize<S, F, I>(float* x, int cols, byte* result, int signed)
        where S : struct, ISimd<F, I>
        where F : struct
        where I : struct
    {
        int* lanes = stackalloc int[S.Count];
        sbyte* codes = stackalloc sbyte[32];
        for (int start = 0; start < cols; start += 32, x += 32)
        {
            I max = S.Set(0);
            for (int i = 0; i < 32; i += S.Count)
            {
                I magnitude = S.And(S.AsInt(S.Load(x + i)), S.Set(0x7FFFFFFF));
                max = S.IfGreater(magnitude, max, magnitude, max);
            }
            S.Store(lanes, max);
            int largest = 0;
            for (int i = 0; i < S.Count; i++) largest = Math.Max(largest, lanes[i]);
            float scale = ScaleOf(largest, out float inverse);
            bool finite = largest < 0x7F800000;
            for (int i = 0; i < 32; i += S.Count)
                S.StoreBytes((byte*)codes + i, finite ? S.ToInt(S.Round(S.Multiply(S.Load(x + i), S.Set(inverse)))) : S.Set(0));
            byte* meta = result;
            if (signed == 0)
            {
                for (int i = 0; i < 4; i++) ((long*)result)[i] = ((long*)codes)[i];
            }
            else
            {
                short* even = (short*)result, odd = even + 16;
                for (int i = 0; i < 16; i++)
                {
                    even[i] = codes[2 * i];
                    odd[i] = codes[2 * i + 1];
                }
                meta += 32;
            }
            int first = 0, second = 0, third = 0, fourth = 0;
            for (int i = 0; i < 16; i += 4)
            {
                first += codes[i] + codes[i + 1];
                second += codes[i + 2] + codes[i + 3];
                third += codes[16 + i] + codes[17 + i];
                fourth += codes[18 + i] + codes[19 + i];
            }
            *(float*)(meta + Scale) = scale;
            *(float*)(meta + SumOfBlock) = scale * (first + second + third + fourth);
            *(float*)(meta + SumOfHalf) = scale * (first + second);
            *(float*)(meta + SumOfHalf + 4) = scale * (third + fourth);
            *(int*)(meta + PairsOfHalf) = first & 0xFFFF | second << 16;
            *(int*)(meta + PairsOfHalf + 4) = third & 0xFFFF | fourth << 16;
            *(int*)(meta + PairsOfBlock) = first + third & 0xFFFF | second + fourth << 16;
            result += signed == 0 ? UnsignedBytes : SignedBytes;
        }
    }

    /// <summary>
    /// Rounds one row to bfloat16, kept as floats, the two of each pair exchanged (the order in which bf16 products are summed), with a zero where
    /// <paramref name="cols"/> is odd.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RoundPairs(float* x, int cols, float* result)
    {
        for (int k = 0; k < cols; k += 2)
        {
            result[k] = k + 1 < cols ? FloatFormats.RoundBF16(x[k + 1]) : 0;
            result[k + 1] = FloatFormats.RoundBF16(x[k]);
        }
    }
}
