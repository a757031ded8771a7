using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// binary16, bfloat16 and the 8-bit floats, to and from binary32. To narrow is to round to nearest, ties to even,
/// as PyTorch 2.13 does it; its cast to E4M3FN saturates (±∞ and all above 448 give ±448).
/// </summary>
internal static unsafe class FloatFormats
{
    /// <summary>Values of the 256 codes of OCP FP8 E4M3FN: bias 7, no infinities, 0x7F and 0xFF are NaN.</summary>
    public static readonly float[] E4M3 = MakeTable(E4M3Value);
    /// <summary>Values of the 256 codes of OCP FP8 E5M2: bias 15, the upper byte of a binary16.</summary>
    public static readonly float[] E5M2 = MakeTable(code => FromF16((ushort)(code << 8)));
    /// <summary>Values of the 256 codes of OCP E8M0: 2^(code−127); 0 is the subnormal 2⁻¹²⁷, 255 is NaN.</summary>
    public static readonly float[] E8M0 = MakeTable(code =>
        code == 255 ? float.NaN : BitConverter.UInt32BitsToSingle(code == 0 ? 0x0040_0000u : (uint)code << 23));

    public static float FromF16(ushort bits) => (float)BitConverter.UInt16BitsToHalf(bits);

    public static ushort ToF16(float value) => BitConverter.HalfToUInt16Bits((Half)value);

    public static float FromBF16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static ushort ToBF16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if ((bits & 0x7FFF_FFFF) > 0x7F80_0000) return (ushort)(bits >> 16 | 0x40); // stays NaN, quiet
        return (ushort)(bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }

    /// <summary><paramref name="value"/> rounded to bfloat16, as a float.</summary>
    public static float RoundBF16(float value) => FromBF16(ToBF16(value));

    /// <summary><paramref name="value"/> rounded to binary16, as a float.</summary>
    public static float RoundF16(float value) => FromF16(ToF16(value));

    public static byte ToE4M3(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = bits >> 24 & 0x80, magnitude = bits & 0x7FFF_FFFF;
        if (magnitude > 0x7F80_0000) return (byte)(sign | 0x7F);
        float a = BitConverter.UInt32BitsToSingle(magnitude);
        if (a >= 448) return (byte)(sign | 0x7E);
        if (a < 0.015625f) // below 2⁻⁶: subnormal, steps of 2⁻⁹; 8 steps are the smallest normal's code
            return (byte)(sign | (uint)MathF.Round(a * 512)); // Math.Round takes ties to even
        uint rounded = magnitude + 0x7FFFF + (magnitude >> 20 & 1); // 3 bits of fraction stay
        return (byte)(sign | Math.Min((rounded >> 20) - (120 << 3), 0x7E));
    }

    public static void FromF16(ushort* src, float* dst, long count)
    {
        // The 15 lower bits, moved to binary32's exponent and fraction, are off by 2^112 (also for subnormals: the
        // product is exact). Only ∞ and NaN need the exponent filled up.
        long i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector128<ushort> h = Vector128.Load(src + i);
            Widen(Vector128.WidenLower(h)).Store(dst + i);
            Widen(Vector128.WidenUpper(h)).Store(dst + i + 4);
        }
        for (; i < count; i++) dst[i] = FromF16(src[i]);

        static Vector128<float> Widen(Vector128<uint> h)
        {
            Vector128<uint> magnitude = (h & Vector128.Create(0x7FFFu)) << 13;
            Vector128<uint> value = (magnitude.AsSingle() * BitConverter.UInt32BitsToSingle((112u + 127) << 23)).AsUInt32();
            Vector128<uint> special = Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(0x0F80_0000u)) & Vector128.Create(0x7F80_0000u);
            return (value | special | (h & Vector128.Create(0x8000u)) << 16).AsSingle();
        }
    }

    public static void FromBF16(ushort* src, float* dst, long count)
    {
        long i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector128<ushort> h = Vector128.Load(src + i);
            (Vector128.WidenLower(h) << 16).AsSingle().Store(dst + i);
            (Vector128.WidenUpper(h) << 16).AsSingle().Store(dst + i + 4);
        }
        for (; i < count; i++) dst[i] = FromBF16(src[i]);
    }

    public static void ToF16(float* src, ushort* dst, long count)
    {
        for (long i = 0; i < count; i++) dst[i] = ToF16(src[i]);
    }

    public static void ToBF16(float* src, ushort* dst, long count)
    {
        long i = 0;
        for (; i + 8 <= count; i += 8) Vector128.Narrow(Bits(Vector128.Load(src + i)), Bits(Vector128.Load(src + i + 4))).Store(dst + i);
        for (; i < count; i++) dst[i] = ToBF16(src[i]);

        static Vector128<uint> Bits(Vector128<float> x)
        {
            Vector128<uint> bits = x.AsUInt32(), rounded = bits + Vector128.Create(0x7FFFu) + ((bits >>> 16) & Vector128<uint>.One);
            return Vector128.ConditionalSelect(Vector128.Equals(x, x).AsUInt32(), rounded, bits | Vector128.Create(0x400000u)) >>> 16;
        }
    }

    public static void ToE4M3(float* src, byte* dst, long count)
    {
        for (long i = 0; i < count; i++) dst[i] = ToE4M3(src[i]);
    }

    public static void FromTable(float[] table, byte* src, float* dst, long count)
    {
        fixed (float* t = table)
            for (long i = 0; i < count; i++) dst[i] = t[src[i]];
    }

    private static float[] MakeTable(Func<int, float> value)
    {
        float[] table = GC.AllocateUninitializedArray<float>(256, pinned: true);
        for (int code = 0; code < 256; code++) table[code] = value(code);
        return table;
    }

    private static float E4M3Value(int code)
    {
        int exponent = code >> 3 & 15, fraction = code & 7;
        float value = (code & 0x7F) == 0x7F ? float.NaN
            : exponent == 0 ? MathF.ScaleB(fraction, -9)
            : MathF.ScaleB(8 + fraction, exponent - 10);
        return BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0x7FFF_FFFF | (uint)(code & 0x80) << 24);
    }
}
