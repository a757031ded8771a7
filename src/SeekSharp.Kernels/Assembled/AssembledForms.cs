using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>The activations as assembled tiles read them; the numbers are those of <see cref="ActivationForms"/>.</summary>
internal static unsafe class AssembledForms
{
    /// <summary>Quantizes one row to int8, 32 numbers at a time; <paramref name="cols"/> is a multiple of 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Quantize(float* x, int cols, byte* result)
    {
        for (int start = 0; start < cols; start += 32, x += 32, result += ActivationForms.UnsignedBytes)
        {
            Vector512<float> a = Vector512.Load(x), b = Vector512.Load(x + 16);
            Vector512<int> sign = Vector512.Create(int.MaxValue);
            Vector512<int> max = Vector512.Max(a.AsInt32() & sign, b.AsInt32() & sign);
            Vector256<int> max8 = Vector256.Max(max.GetLower(), max.GetUpper());
            Vector128<int> max4 = Vector128.Max(max8.GetLower(), max8.GetUpper());
            max4 = Vector128.Max(max4, Vector128.Shuffle(max4, Vector128.Create(2, 3, 0, 1)));
            int largest = Math.Max(max4.ToScalar(), max4.GetElement(1));
            float scale = ActivationForms.ScaleOf(largest, out float inverse);
            Vector512<int> first = Vector512<int>.Zero, second = first;
            if (largest < 0x7F800000)
            {
                Vector512<float> factor = Vector512.Create(inverse);
                first = Avx512F.ConvertToVector512Int32(a * factor); // to nearest even
                second = Avx512F.ConvertToVector512Int32(b * factor);
            }
            Avx512F.ConvertToVector128SByte(first).Store((sbyte*)result);
            Avx512F.ConvertToVector128SByte(second).Store((sbyte*)result + 16);
            int low = Vector512.Sum(first), high = Vector512.Sum(second); // of integers: exact
            *(float*)(result + ActivationForms.Scale) = scale;
            *(float*)(result + ActivationForms.SumOfBlock) = scale * (low + high);
            *(float*)(result + ActivationForms.SumOfHalf) = scale * low;
            *(float*)(result + ActivationForms.SumOfHalf + 4) = scale * high;
            *(int*)(result + ActivationForms.ZeroOfHalf) = -128 * low;
            *(int*)(result + ActivationForms.ZeroOfHalf + 4) = -128 * high;
            *(int*)(result + ActivationForms.ZeroOfBlock) = -128 * (low + high);
        }
    }

    /// <summary>Rounds one row to bfloat16, to nearest even, filled up with zeros to a multiple of 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(float* x, int cols, ushort* result)
    {
        int k = 0;
        for (; k + 16 <= cols; k += 16) Avx512F.ConvertToVector256UInt16(Bits(Vector512.Load(x + k))).Store(result + k);
        for (; k < cols; k++) result[k] = FloatFormats.ToBF16(x[k]);
        for (; (k & 31) != 0; k++) result[k] = 0;
    }

    // NaN stays NaN: what rounding would do to its bits is undone by keeping its upper half, made quiet.
    private static Vector512<uint> Bits(Vector512<float> x)
    {
        Vector512<uint> bits = x.AsUInt32();
        Vector512<uint> rounded = bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, bits | Vector512.Create(0x400000u)) >>> 16;
    }
}
