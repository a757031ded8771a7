using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>Blocks taken apart in vectors, for packing. Twin: <see cref="BlockCodes.Read"/>, which explains nothing either: the layouts stand at the decoders in Formats/.</summary>
internal static unsafe class BlockUnpacker
{
    /// <summary>Where a block's binary16 scale lies; where there is a minimum (or its scale), it follows.</summary>
    public static int ScaleOffset(NumberFormat format) => format switch
    {
        NumberFormat.Q2_K => 80,
        NumberFormat.Q3_K => 108,
        NumberFormat.Q6_K => 208,
        _ => 0,
    };

    /// <summary>The small scales as a record's header holds them, then the small minima: up to 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Parts(NumberFormat format, byte* block, byte* parts)
    {
        switch (format)
        {
            case NumberFormat.Q2_K:
                Vector128.Load(block).Store(parts); // a scale and a minimum share a byte there too
                break;
            case NumberFormat.Q3_K:
                // Twelve bytes: the low four bits of parts 0–7 and 8–15 are the nibbles of bytes 0–7; the high two of parts 4i … 4i + 3 lie in bytes 8–11 from bit 2i on. Less 32.
                uint x = Unsafe.ReadUnaligned<uint>(block + 96), y = Unsafe.ReadUnaligned<uint>(block + 100), z = Unsafe.ReadUnaligned<uint>(block + 104);
                Vector128<uint> nibbles = Vector128.Create(x, y, x >> 4, y >> 4) & Vector128.Create(0x0F0F0F0Fu);
                Vector128<uint> high2 = Vector128.Create(z << 4, z << 2, z, z >> 2) & Vector128.Create(0x30303030u);
                ((nibbles | high2).AsByte() - Vector128.Create((byte)32)).Store(parts);
                break;
            case NumberFormat.Q4_K or NumberFormat.Q5_K:
                // Twelve bytes: parts 0–3 in the low six bits of bytes 0–3 (scales) and 4–7 (minima); parts 4–7 in the nibbles of bytes 8–11 and the high two bits of the others.
                uint a = Unsafe.ReadUnaligned<uint>(block + 4), b = Unsafe.ReadUnaligned<uint>(block + 8), c = Unsafe.ReadUnaligned<uint>(block + 12);
                ((uint*)parts)[0] = a & 0x3F3F3F3F;
                ((uint*)parts)[1] = c & 0x0F0F0F0F | (a >> 6 & 0x03030303) << 4;
                ((uint*)parts)[2] = b & 0x3F3F3F3F;
                ((uint*)parts)[3] = c >> 4 & 0x0F0F0F0F | (b >> 6 & 0x03030303) << 4;
                break;
            case NumberFormat.Q6_K:
                Vector128.Load(block + 192).Store(parts);
                break;
            case NumberFormat.IQ4_XS:
                uint low = Unsafe.ReadUnaligned<uint>(block + 4);
                int high = Unsafe.ReadUnaligned<ushort>(block + 2);
                for (int part = 0; part < 8; part++) parts[part] = (byte)((int)(low >> 4 * part & 15 | (uint)(high >> 2 * part & 3) << 4) - 32);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "no small scales");
        }
    }

    /// <summary>The codes of blocks in a row as bytes: up to 8 blocks of 32, or one of 256.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Codes(NumberFormat format, byte* block, int count, byte* codes)
    {
        Vector128<byte> three = Vector128.Create((byte)3), four = Vector128.Create((byte)4), low = Vector128.Create((byte)15), sixteen = Vector128.Create((byte)16);
        switch (format)
        {
            case NumberFormat.Q4_0 or NumberFormat.IQ4_NL:
                for (; count > 0; count--, block += 18, codes += 32) Nibbles(block + 2, codes);
                break;
            case NumberFormat.Q4_1:
                for (; count > 0; count--, block += 20, codes += 32) Nibbles(block + 4, codes);
                break;
            case NumberFormat.MXFP4:
                for (; count > 0; count--, block += 17, codes += 32) Nibbles(block + 1, codes);
                break;
            case NumberFormat.Q5_0:
                for (; count > 0; count--, block += 22, codes += 32) FiveBits(block + 2, block + 6, codes);
                break;
            case NumberFormat.Q5_1:
                for (; count > 0; count--, block += 24, codes += 32) FiveBits(block + 4, block + 8, codes);
                break;
            case NumberFormat.Q8_0:
                for (; count > 0; count--, block += 34, codes += 32)
                {
                    Vector128.Load(block + 2).Store(codes);
                    Vector128.Load(block + 18).Store(codes + 16);
                }
                break;
            case NumberFormat.Q2_K:
                for (int half = 0; half < 2; half++)
                    for (int i = 0; i < 32; i += 16)
                    {
                        Vector128<byte> q = Vector128.Load(block + 16 + 32 * half + i);
                        for (int pair = 0; pair < 4; pair++) ((q >> 2 * pair) & three).Store(codes + 128 * half + 32 * pair + i);
                    }
                break;
            case NumberFormat.Q3_K:
                for (int half = 0; half < 2; half++)
                    for (int i = 0; i < 32; i += 16)
                    {
                        Vector128<byte> q = Vector128.Load(block + 32 + 32 * half + i), third = Vector128.Load(block + i) >> 4 * half;
                        for (int pair = 0; pair < 4; pair++) ((q >> 2 * pair) & three | ((third >> pair) << 2) & four).Store(codes + 128 * half + 32 * pair + i);
                    }
                break;
            case NumberFormat.Q4_K:
                for (int two = 0; two < 4; two++)
                    for (int i = 0; i < 32; i += 16)
                    {
                        Vector128<byte> q = Vector128.Load(block + 16 + 32 * two + i);
                        (q & low).Store(codes + 64 * two + i);
                        (q >> 4).Store(codes + 64 * two + 32 + i);
                    }
                break;
            case NumberFormat.Q5_K:
                for (int two = 0; two < 4; two++)
                    for (int i = 0; i < 32; i += 16)
                    {
                        Vector128<byte> q = Vector128.Load(block + 48 + 32 * two + i), fifth = Vector128.Load(block + 16 + i) >> 2 * two;
                        (q & low | (fifth << 4) & sixteen).Store(codes + 64 * two + i);
                        (q >> 4 | (fifth << 3) & sixteen).Store(codes + 64 * two + 32 + i);
                    }
                break;
            case NumberFormat.Q6_K:
                for (int half = 0; half < 2; half++)
                    for (int i = 0; i < 32; i += 16)
                    {
                        Vector128<byte> q = Vector128.Load(block + 64 * half + i), r = Vector128.Load(block + 64 * half + 32 + i), top = Vector128.Load(block + 128 + 32 * half + i);
                        byte* to = codes + 128 * half + i;
                        (q & low | (top & three) << 4).Store(to);
                        (r & low | ((top >> 2) & three) << 4).Store(to + 32);
                        (q >> 4 | ((top >> 4) & three) << 4).Store(to + 64);
                        (r >> 4 | (top >> 6) << 4).Store(to + 96);
                    }
                break;
            case NumberFormat.IQ4_XS:
                for (int part = 0; part < 8; part++) Nibbles(block + 8 + 16 * part, codes + 32 * part);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "no planes");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Nibbles(byte* source, byte* codes)
    {
        Vector128<byte> q = Vector128.Load(source);
        (q & Vector128.Create((byte)15)).Store(codes);
        (q >> 4).Store(codes + 16);
    }

    // Bit k of the four bytes is the fifth bit of code k.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FiveBits(byte* fifth, byte* source, byte* codes)
    {
        Vector128<byte> q = Vector128.Load(source), bits = Vector128.Create(0x8040201008040201).AsByte(), sixteen = Vector128.Create((byte)16);
        Vector128<byte> first = Vector128.Create(0x0101010101010101ul * fifth[0], 0x0101010101010101ul * fifth[1]).AsByte();
        Vector128<byte> second = Vector128.Create(0x0101010101010101ul * fifth[2], 0x0101010101010101ul * fifth[3]).AsByte();
        (q & Vector128.Create((byte)15) | Vector128.Equals(first & bits, bits) & sixteen).Store(codes);
        (q >> 4 | Vector128.Equals(second & bits, bits) & sixteen).Store(codes + 16);
    }
}
