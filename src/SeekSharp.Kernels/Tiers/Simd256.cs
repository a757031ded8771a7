using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using F = System.Runtime.Intrinsics.Vector256<float>;
using I = System.Runtime.Intrinsics.Vector256<int>;

namespace SeekSharp.Kernels;

/// <summary>AVX2 and FMA.</summary>
internal readonly unsafe struct Simd256 : ISimd<F, I>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Count => 8;

    [MethodImpl(Inline)] public static F Set(float x) => Vector256.Create(x);
    [MethodImpl(Inline)] public static F Load(float* p) => Vector256.Load(p);
    [MethodImpl(Inline)] public static void Store(float* p, F x) => x.Store(p);
    [MethodImpl(Inline)] public static F Add(F a, F b) => a + b;
    [MethodImpl(Inline)] public static F Subtract(F a, F b) => a - b;
    [MethodImpl(Inline)] public static F Multiply(F a, F b) => a * b;
    [MethodImpl(Inline)] public static F Divide(F a, F b) => a / b;
    [MethodImpl(Inline)] public static F Fma(F a, F b, F c) => System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(a, b, c);
    [MethodImpl(Inline)] public static F Max(F a, F b) => Avx.Max(a, b);
    [MethodImpl(Inline)] public static F Min(F a, F b) => Avx.Min(a, b);
    [MethodImpl(Inline)] public static F Round(F a) => Avx.RoundToNearestInteger(a);
    [MethodImpl(Inline)] public static I ToInt(F a) => Avx.ConvertToVector256Int32(a);
    [MethodImpl(Inline)] public static F ToFloat(I a) => Avx.ConvertToVector256Single(a);
    [MethodImpl(Inline)] public static I AsInt(F a) => a.AsInt32();
    [MethodImpl(Inline)] public static F AsFloat(I a) => a.AsSingle();

    [MethodImpl(Inline)] public static I Set(int x) => Vector256.Create(x);
    [MethodImpl(Inline)] public static I Load(int* p) => Vector256.Load(p);
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
    [MethodImpl(Inline)] public static I IfGreater(I a, I b, I yes, I no) => Vector256.ConditionalSelect(Vector256.GreaterThan(a, b), yes, no);

    [MethodImpl(Inline)] public static I Add16(I a, I b) => (a.AsInt16() + b.AsInt16()).AsInt32();
    [MethodImpl(Inline)] public static I Multiply16(I a, I b) => Avx2.MultiplyLow(a.AsInt16(), b.AsInt16()).AsInt32();
    [MethodImpl(Inline)] public static I DotPairs(I a, I b) => Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());
    [MethodImpl(Inline)] public static I DotBytes(I u, I s) => Avx2.MultiplyAddAdjacent(u.AsByte(), s.AsSByte()).AsInt32();
    public static bool HasDotQuads => AvxVnni.IsSupported;
    [MethodImpl(Inline)] public static I DotQuads(I sum, I u, I s) => AvxVnni.MultiplyWideningAndAdd(sum, u.AsByte(), s.AsSByte());
    [MethodImpl(Inline)] public static void Prefetch(byte* p) => Sse.Prefetch0(p);
    [MethodImpl(Inline)] public static void PrefetchFar(byte* p) => Sse.Prefetch1(p);
    [MethodImpl(Inline)] public static I EvenBytes(I a) => ((a.AsInt16() << 8) >> 8).AsInt32();
    [MethodImpl(Inline)] public static I OddBytes(I a) => (a.AsInt16() >> 8).AsInt32();
    [MethodImpl(Inline)] public static I Lookup(ulong lower, ulong upper, I a) => Avx2.Shuffle(Vector256.Create(lower, upper, lower, upper).AsByte(), a.AsByte()).AsInt32();

    [MethodImpl(Inline)] public static I LoadSignedBytes(byte* p) => Avx2.ConvertToVector256Int32((sbyte*)p);
    [MethodImpl(Inline)] public static I LoadBytes(byte* p) => Avx2.ConvertToVector256Int32(p);
    [MethodImpl(Inline)] public static I LoadShorts(ushort* p) => Avx2.ConvertToVector256Int32(p);

    [MethodImpl(Inline)]
    public static void StoreBytes(byte* p, I a)
    {
        // The lowest byte of each lane to the lower 4 bytes of each half, then the halves side by side.
        Vector256<byte> order = Vector256.Create(0x80808080_0C080400ul, 0x80808080_80808080ul, 0x80808080_0C080400ul, 0x80808080_80808080ul).AsByte();
        Vector256<uint> packed = Avx2.Shuffle(a.AsByte(), order).AsUInt32();
        Unsafe.WriteUnaligned(p, packed.GetElement(0) | (ulong)packed.GetElement(4) << 32);
    }

    // 4 bits of exponent with bias 7, 3 of fraction. Subnormals are made normal with 2^-6 added, which is taken off again: a product with a
    // subnormal float would cost a microcode assist.
    [MethodImpl(Inline)]
    public static void LoadE4M3(ushort* p, out F second, out F first)
    {
        I x = LoadShorts(p);
        second = Float(x >>> 8);
        first = Float(x & Vector256.Create(0xFF));

        [MethodImpl(Inline)]
        static F Float(I code)
        {
            I magnitude = code & Vector256.Create(0x7F), bits = magnitude << 20;
            I normal = bits + Vector256.Create(120 << 23);
            F small = (bits + Vector256.Create(121 << 23)).AsSingle() - Vector256.Create(121 << 23).AsSingle();
            return (IfGreater(magnitude, Vector256.Create(7), normal, small.AsInt32()) | ((code & Vector256.Create(0x80)) << 24)).AsSingle();
        }
    }

    [MethodImpl(Inline)]
    public static void Nibbles(byte* plane, int pair, out I low, out I high)
    {
        I x = Vector256.Load((int*)(plane + 32 * pair)), mask = Vector256.Create(0x0F0F0F0F);
        low = x & mask;
        high = (x >>> 4) & mask;
    }

    [MethodImpl(Inline)]
    public static void TwoBits(byte* plane, int pair, out I low, out I high)
    {
        I x = Vector256.Load((int*)plane), mask = Vector256.Create(0x03030303);
        low = (x >>> 2 * pair) & mask;
        high = (x >>> 2 * pair + 4) & mask;
    }

    [MethodImpl(Inline)]
    public static void OneBit(byte* plane, int pair, out I low, out I high)
    {
        Vector256<uint> x = Avx2.BroadcastVector128ToVector256((uint*)plane);
        Vector256<uint> shift = Vector256.Create(0u, 0, 0, 0, 1, 1, 1, 1) + Vector256.Create(2 * (uint)pair);
        I mask = Vector256.Create(0x01010101);
        low = Avx2.ShiftRightLogicalVariable(x, shift).AsInt32() & mask;
        high = Avx2.ShiftRightLogicalVariable(x, shift + Vector256.Create(4u)).AsInt32() & mask;
    }
}
