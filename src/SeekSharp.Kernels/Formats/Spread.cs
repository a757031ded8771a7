using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>Small integers in vectors to scaled floats: what every block decoder ends with. One rounding for each operation.</summary>
internal static unsafe class Spread
{
    /// <summary>dst[i] = scale · q[i], 16 signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<sbyte> q, float scale, float* dst)
    {
        Vector256<float> s = Vector256.Create(scale);
        (s * Floats(q)).Store(dst);
        (s * Floats(Vector128.Shuffle(q.AsUInt64(), Vector128.Create(1ul, 1ul)).AsSByte())).Store(dst + 8);
    }

    /// <summary>dst[i] = scale · q[i] + add, 16 signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<sbyte> q, float scale, float add, float* dst)
    {
        Vector256<float> s = Vector256.Create(scale), a = Vector256.Create(add);
        (s * Floats(q) + a).Store(dst);
        (s * Floats(Vector128.Shuffle(q.AsUInt64(), Vector128.Create(1ul, 1ul)).AsSByte()) + a).Store(dst + 8);
    }

    /// <summary>dst[i] = scale · q[i], negated where bit i of <paramref name="signs"/> is set; 8 signed bytes in a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ulong q, int signs, float scale, float* dst)
    {
        Vector256<int> bits = Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
        Vector256<int> negative = Vector256.Equals(Vector256.Create(signs) & bits, bits) & Vector256.Create(int.MinValue);
        Vector256<float> value = Vector256.Create(scale) * Floats(Vector128.CreateScalar(q).AsSByte());
        (value.AsInt32() ^ negative).AsSingle().Store(dst);
    }

    /// <summary>The lower 8 signed bytes as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Floats(Vector128<sbyte> q)
    {
        if (Avx2.IsSupported) return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(q));
        Vector128<short> w = Vector128.WidenLower(q);
        return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(w), Vector128.WidenUpper(w)));
    }
}
