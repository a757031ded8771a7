using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using F = System.Runtime.Intrinsics.Vector512<float>;
using I = System.Runtime.Intrinsics.Vector512<int>;

namespace SeekSharp.Kernels;

/// <summary>AVX-512 (F, BW, DQ, VL).</summary>
internal readonly unsafe struct Simd512 : ISimd<F, I>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Count => 16;

    [MethodImpl(Inline)] public static F Set(float x) => Vector512.Create(x);
    [MethodImpl(Inline)] public static F Load(float* p) => Vector512.Load(p);
    [MethodImpl(Inline)] public static void Store(float* p, F x) => x.Store(p);
    [MethodImpl(Inline)] public static F Add(F a, F b) => a + b;
    [MethodImpl(Inline)] public static F Subtract(F a, F b) => a - b;
    [MethodImpl(Inline)] public static F Multiply(F a, F b) => a * b;
    [MethodImpl(Inline)] public static F Divide(F a, F b) => a / b;
    [MethodImpl(Inline)] public static F Fma(F a, F b, F c) => Avx512F.FusedMultiplyAdd(a, b, c);
    [MethodImpl(Inline)] public static F Max(F a, F b) => Avx512F.Max(a, b);
    [MethodImpl(Inline)] public static F Min(F a, F b) => Avx512F.Min(a, b);
    [MethodImpl(Inline)] public static F Round(F a) => Avx512F.RoundScale(a, 0);
    [MethodImpl(Inline)] public static I ToInt(F a) => Avx512F.ConvertToVector512Int32(a);
    [MethodImpl(Inline)] public static F ToFloat(I a) => Avx512F.ConvertToVector512Single(a);
    [MethodImpl(Inline)] public static I AsInt(F a) => a.AsInt32();
    [MethodImpl(Inline)] public static F AsFloat(I a) => a.AsSingle();

    [MethodImpl(Inline)] public static I Set(int x) => Vector512.Create(x);
    [MethodImpl(Inline)] public static I Load(int* p) => Vector512.Load(p);
    [MethodImpl(Inline)] public static void Store(int* p, I x) => x.Store(p);
    [MethodImpl(Inline)] public static I Add(I a, I b) => a + b;
    [MethodImpl(Inline)] public static I Subtract(I a, I b) => a - b;
    [MethodImpl(Inline)] public static I Multiply(I a, I b) => a * b;
    [MethodImpl(Inline)] public static I And(I a, I b) => a & b;
    [MethodImpl(Inline)] public static I Or(I a, I b) => a | b;
    [MethodImpl(Inline)] public static I Xor(I a, I b) => a ^ b;
    [MethodImpl(Inline)] public static I ShiftLeft(I a, int bits) => a << bits;
    [MethodImpl(Inline)] public static I ShiftRight(I a, int bits) => a >> bits;
    [MethodImpl(Inline)] public static I ShiftRightLogical(I a, int bits) => a >>> bits;
    [MethodImpl(Inline)] public static I IfGreater(I a, I b, I yes, I no) => Vector512.ConditionalSelect(Vector512.GreaterThan(a, b), yes, no);

    [MethodImpl(Inline)] public static I Add16(I a, I b) => (a.AsInt16() + b.AsInt16()).AsInt32();
    [MethodImpl(Inline)] public static I Multiply16(I a, I b) => Avx512BW.MultiplyLow(a.AsInt16(), b.AsInt16()).AsInt32();
    [MethodImpl(Inline)] public static I DotPairs(I a, I b) => Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());
    [MethodImpl(Inline)] public static I DotBytes(I u, I s) => Avx512BW.MultiplyAddAdjacent(u.AsByte(), s.AsSByte()).AsInt32();
    public static bool HasDotQuads => false;
    [MethodImpl(Inline)] public static I DotQuads(I sum, I u, I s) => throw new PlatformNotSupportedException();
    [MethodImpl(Inline)] public static void Prefetch(byte* p) => Sse.Prefetch0(p);
    [MethodImpl(Inline)] public static void PrefetchFar(byte* p) => Sse.Prefetch1(p);
    [MethodImpl(Inline)] public static I EvenBytes(I a) => ((a.AsInt16() << 8) >> 8).AsInt32();
    [MethodImpl(Inline)] public static I OddBytes(I a) => (a.AsInt16() >> 8).AsInt32();
    [MethodImpl(Inline)] public static I Lookup(ulong lower, ulong upper, I a) => Avx512BW.Shuffle(Vector512.Create(lower, upper, lower, upper, lower, upper, lower, upper).AsByte(), a.AsByte()).AsInt32();

    [MethodImpl(Inline)] public static I LoadSignedBytes(byte* p) => Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)p));
    [MethodImpl(Inline)] public static I LoadBytes(byte* p) => Avx512F.ConvertToVector512Int32(Vector128.Load(p));
    [MethodImpl(Inline)] public static I LoadShorts(ushort* p) => Avx512F.ConvertToVector512Int32(Vector256.Load(p));
    [MethodImpl(Inline)] public static void StoreBytes(byte* p, I a) => Avx512F.ConvertToVector128Byte(a).Store(p);

    // (1 + m/8) · 2^(e−7), and m/8 · 2^−6 for e = 0, is scale[s, e] · m + base[s, e]: two tables of 32, indexed by sign and exponent, and one for m. The product is exact.
    [MethodImpl(Inline)]
    public static void LoadE4M3(ushort* p, out F second, out F first)
    {
        F m = Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
        F scale = Vector512.Create(0.001953125f, 0.001953125f, 0.00390625f, 0.0078125f, 0.015625f, 0.03125f, 0.0625f, 0.125f, 0.25f, 0.5f, 1f, 2f, 4f, 8f, 16f, 32f);
        F bottom = Vector512.Create(0f, 0.015625f, 0.03125f, 0.0625f, 0.125f, 0.25f, 0.5f, 1f, 2f, 4f, 8f, 16f, 32f, 64f, 128f, 256f);
        F minusScale = Vector512.Create(-0.001953125f, -0.001953125f, -0.00390625f, -0.0078125f, -0.015625f, -0.03125f, -0.0625f, -0.125f, -0.25f, -0.5f, -1f, -2f, -4f, -8f, -16f, -32f);
        F minusBottom = Vector512.Create(0f, -0.015625f, -0.03125f, -0.0625f, -0.125f, -0.25f, -0.5f, -1f, -2f, -4f, -8f, -16f, -32f, -64f, -128f, -256f);
        I x = LoadShorts(p); // the permutations look at the lowest 4 and 5 bits of an index only
        second = Float(x >>> 8, x >>> 11);
        first = Float(x, x >>> 3);

        [MethodImpl(Inline)]
        F Float(I fraction, I signAndExponent) => Avx512F.FusedMultiplyAdd(
            Avx512F.PermuteVar16x32x2(scale, signAndExponent, minusScale), Avx512F.PermuteVar16x32(m, fraction), Avx512F.PermuteVar16x32x2(bottom, signAndExponent, minusBottom));
    }

    [MethodImpl(Inline)]
    public static void Nibbles(byte* plane, int pair, out I low, out I high)
    {
        I x = Vector512.Load((int*)plane), mask = Vector512.Create(0x0F0F0F0F);
        low = x & mask;
        high = (x >>> 4) & mask;
    }

    [MethodImpl(Inline)]
    public static void TwoBits(byte* plane, int pair, out I low, out I high)
    {
        // Not BroadcastVector256ToVector512: the compiler of .NET 10.0 encodes the displacement of vbroadcasti64x4 as if it read 16 bytes.
        Vector512<uint> x = Vector256.Load((uint*)plane).ToVector512Unsafe();
        x = Avx512F.Shuffle4x128(x, x, 0b01_00_01_00);
        I mask = Vector512.Create(0x03030303);
        low = Avx512F.ShiftRightLogicalVariable(x, Vector512.Create(0u, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2)).AsInt32() & mask;
        high = Avx512F.ShiftRightLogicalVariable(x, Vector512.Create(4u, 4, 4, 4, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6, 6, 6)).AsInt32() & mask;
    }

    [MethodImpl(Inline)]
    public static void OneBit(byte* plane, int pair, out I low, out I high)
    {
        Vector512<uint> x = Avx512F.BroadcastVector128ToVector512((uint*)plane);
        I mask = Vector512.Create(0x01010101);
        low = Avx512F.ShiftRightLogicalVariable(x, Vector512.Create(0u, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)).AsInt32() & mask;
        high = Avx512F.ShiftRightLogicalVariable(x, Vector512.Create(4u, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7)).AsInt32() & mask;
    }
}
