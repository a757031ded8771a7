using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>Looks for ∞ and NaN, which the products' fast conversions of F16 and FP8 do not know.</summary>
internal static unsafe class FiniteScan
{
    /// <summary>Is every number of an F16 or E4M3 array finite?</summary>
    public static bool AllFinite(NumberFormat format, byte* numbers, long count) =>
        format == NumberFormat.F16 ? !HasInfinite((ushort*)numbers, count) : !HasNaN(numbers, count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool HasInfinite(ushort* numbers, long count)
    {
        Vector128<ushort> exponent = Vector128.Create((ushort)0x7C00), all = Vector128<ushort>.Zero;
        long i = 0;
        int found = 0;
        for (; i + 8 <= count; i += 8) all |= Vector128.Equals(Vector128.Load(numbers + i) & exponent, exponent);
        for (; i < count; i++) found |= (numbers[i] & 0x7C00) == 0x7C00 ? 1 : 0;
        return found != 0 || all != Vector128<ushort>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool HasNaN(byte* numbers, long count)
    {
        Vector128<byte> magnitude = Vector128.Create((byte)0x7F), all = Vector128<byte>.Zero;
        long i = 0;
        int found = 0;
        for (; i + 16 <= count; i += 16) all |= Vector128.Equals(Vector128.Load(numbers + i) & magnitude, magnitude);
        for (; i < count; i++) found |= (numbers[i] & 0x7F) == 0x7F ? 1 : 0;
        return found != 0 || all != Vector128<byte>.Zero;
    }
}
