using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using F = System.Runtime.Intrinsics.Vector128<float>;
using I = System.Runtime.Intrinsics.Vector128<int>;

namespace SeekSharp.Kernels;

/// <summary>128-bit vectors of any CPU. Without fused multiply-add in hardware right but slow.</summary>
internal readonly unsafe struct Simd128 : ISimd<F, I>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Count => 4;

    [MethodImpl(Inline)] public static F Set(float x) => Vector128.Create(x);
    [MethodImpl(Inline)] public static F Load(float* p) => Vector128.Load(p);
    [MethodImpl(Inline)] public static void Store(float* p, F x) => x.Store(p);
    [MethodImpl(Inline)] public static F Add(F a, F b) => a + b;
    [MethodImpl(Inline)] public static F Subtract(F a, F b) => a - b;
    [MethodImpl(Inline)] public static F Multiply(F a, F b) => a * b;
    [MethodImpl(Inline)] public static F Divide(F a, F b) => a / b;
    [MethodImpl(Inline)] public static F Fma(F a, F b, F c) => Vector128.FusedMultiplyAdd(a, b, c);
    [MethodImpl(Inline)] public static F Max(F a, F b) => Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), a, b);
    [MethodImpl(Inline)] public static F Min(F a, F b) => Vector128.ConditionalSelect(Vector128.LessThan(a, b), a, b);
    [MethodImpl(Inline)] public static F Round(F a) => Vector128.Round(a);
    [MethodImpl(Inline)] public static I ToInt(F a) => Vector128.ConvertToInt32(a);
    [MethodImpl(Inline)] public static F ToFloat(I a) => Vector128.ConvertToSingle(a);
    [MethodImpl(Inline)] public static I AsInt(F a) => a.AsInt32();
    [MethodImpl(Inline)] public static F AsFloat(I a) => a.AsSingle();

    [MethodImpl(Inline)] public static I Set(int x) => Vector128.Create(x);
    [MethodImpl(Inline)] public static I Load(int* p) => Vector128.Load(p);
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
    [MethodImpl(Inline)] public static I IfGreater(I a, I b, I yes, I no) => Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), yes, no);

    [MethodImpl(Inline)] public static I Add16(I a, I b) => (a.AsInt16() + b.AsInt16()).AsInt32();
    [MethodImpl(Inline)] public static I Multiply16(I a, I b) => (a.AsInt16() * b.AsInt16()).AsInt32();
    [MethodImpl(Inline)] public static I DotPairs(I a, I b) => ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
    public static bool HasDotQuads => false;
    [MethodImpl(Inline)] public static I DotQuads(I sum, I u, I s) => throw new PlatformNotSupportedException();

    [MethodImpl(Inline)]
    public static void Prefetch(byte* p)
    {
        if (Sse.IsSupported) Sse.Prefetch0(p);
    }

    [MethodImpl(Inline)]
    public static void PrefetchFar(byte* p)
    {
        if (Sse.IsSupported) Sse.Prefetch1(p);
    }

    [MethodImpl(Inline)] public static I EvenBytes(I a) => ((a.AsInt16() << 8) >> 8).AsInt32();
    [MethodImpl(Inline)] public static I OddBytes(I a) => (a.AsInt16() >> 8).AsInt32();
    [MethodImpl(Inline)] public static I Lookup(ulong lower, ulong upper, I a) => Vector128.Shuffle(Vector128.Create(lower, upper).AsByte(), a.AsByte()).AsInt32();

    [MethodImpl(Inline)]
    public static I DotBytes(I u, I s)
    {
        Vector128<short> even = (u.AsInt16() & Vector128.Create((short)0xFF)) * EvenBytes(s).AsInt16();
        return (even + (u.AsInt16() >>> 8) * OddBytes(s).AsInt16()).AsInt32();
    }

    [MethodImpl(Inline)] public static I LoadSignedBytes(byte* p) => Vector128.Create((sbyte)p[0], (sbyte)p[1], (sbyte)p[2], (sbyte)p[3]);
    [MethodImpl(Inline)] public static I LoadBytes(byte* p) => Vector128.Create(p[0], p[1], p[2], p[3]);
    [MethodImpl(Inline)] public static I LoadShorts(ushort* p) => Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(p)).AsUInt16()).AsInt32();

    [MethodImpl(Inline)]
    public static void StoreBytes(byte* p, I a)
    {
        for (int i = 0; i < 4; i++) p[i] = (byte)a.GetElement(i);
    }

    // 4 bits of exponent with bias 7, 3 of fraction. Subnormals are made normal with 2^-6 added, which is taken off again: a product with a
    // subnormal float would cost a microcode assist.
    [MethodImpl(Inline)]
    public static void LoadE4M3(ushort* p, out F second, out F first)
    {
        I x = LoadShorts(p);
        second = Float(x >>> 8);
        first = Float(x & Vector128.Create(0xFF));

        [MethodImpl(Inline)]
        static F Float(I code)
        {
            I magnitude = code & Vector128.Create(0x7F), bits = magnitude << 20;
            I normal = bits + Vector128.Create(120 << 23);
            F small = (bits + Vector128.Create(121 << 23)).AsSingle() - Vector128.Create(121 << 23).AsSingle();
            return (IfGreater(magnitude, Vector128.Create(7), normal, small.AsInt32()) | ((code & Vector128.Create(0x80)) << 24)).AsSingle();
        }
    }

    [MethodImpl(Inline)]
    public static void Nibbles(byte* plane, int pair, out I low, out I high)
    {
        I x = Vector128.Load((int*)(plane + 16 * pair)), mask = Vector128.Create(0x0F0F0F0F);
        low = x & mask;
        high = (x >>> 4) & mask;
    }

    [MethodImpl(Inline)]
    public static void TwoBits(byte* plane, int pair, out I low, out I high)
    {
        I x = Vector128.Load((int*)(plane + 16 * (pair & 1))), mask = Vector128.Create(0x03030303);
        low = (x >>> (pair & 2)) & mask;
        high = (x >>> (pair & 2) + 4) & mask;
    }

    [MethodImpl(Inline)]
    public static void OneBit(byte* plane, int pair, out I low, out I high)
    {
        I x = Vector128.Load((int*)plane), mask = Vector128.Create(0x01010101);
        low = (x >>> pair) & mask;
        high = (x >>> pair + 4) & mask;
    }
}
