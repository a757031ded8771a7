using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// One block of a row, taken apart: value = (d · sub[part]) · (code − zero) + min[part], with the same roundings as <see cref="BlockDecoder"/>
/// (all products are exact but the last). What packing and the plain twins read.
/// </summary>
internal unsafe struct BlockCodes
{
    /// <summary>Codes as stored: unsigned, before the zero point is taken off; indexes of a level table; signed for Q8_0 and the codebooks.</summary>
    public fixed byte Codes[256];
    /// <summary>Scales of 16 inputs each; 1 in formats without.</summary>
    public fixed sbyte Sub[16];
    /// <summary>Small minima of 16 inputs each.</summary>
    public fixed byte Min[16];
    /// <summary>The block's scale, binary16 (MXFP4: the E8M0 code).</summary>
    public ushort D;
    /// <summary>Q4_1, Q5_1: m; K formats: the scale of the minima. Binary16.</summary>
    public ushort M;

    /// <summary>The scale as a float, codebook formats' constant factors included.</summary>
    public readonly float Scale(NumberFormat format) => format switch
    {
        NumberFormat.MXFP4 => Iq4Blocks.Mxfp4Scale(D),
        NumberFormat.IQ3_S => FloatFormats.FromF16(D),
        NumberFormat.IQ3_XXS => FloatFormats.FromF16(D) * 0.25f,
        >= NumberFormat.IQ1_S and <= NumberFormat.IQ2_S => FloatFormats.FromF16(D) * 0.125f,
        _ => FloatFormats.FromF16(D),
    };

    /// <summary>What is added to the values of a part.</summary>
    public readonly float Minimum(NumberFormat format, int part) => format switch
    {
        NumberFormat.Q4_1 or NumberFormat.Q5_1 => FloatFormats.FromF16(M),
        NumberFormat.Q2_K or NumberFormat.Q4_K or NumberFormat.Q5_K => -(FloatFormats.FromF16(M) * Min[part]),
        _ => 0,
    };

    /// <summary>The signed integer of input <paramref name="k"/>.</summary>
    public readonly int Value(NumberFormat format, int k) => format switch
    {
        NumberFormat.Q4_0 => Codes[k] - 8,
        NumberFormat.Q5_0 => Codes[k] - 16,
        NumberFormat.Q3_K => Codes[k] - 4,
        NumberFormat.Q6_K => Codes[k] - 32,
        NumberFormat.Q8_0 or (>= NumberFormat.IQ1_S and <= NumberFormat.IQ3_S) => (sbyte)Codes[k],
        NumberFormat.IQ4_NL or NumberFormat.IQ4_XS => Codebooks.Iq4[Codes[k]],
        NumberFormat.MXFP4 => Codebooks.Mxfp4[Codes[k]],
        _ => Codes[k],
    };

    /// <summary>Are there minima?</summary>
    public static bool HasMinimum(NumberFormat format) => format
        is NumberFormat.Q4_1 or NumberFormat.Q5_1 or NumberFormat.Q2_K or NumberFormat.Q4_K or NumberFormat.Q5_K;

    /// <summary>Takes a block apart (the layouts are explained at the decoders in Formats/).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Read(NumberFormat format, byte* src)
    {
        fixed (byte* codes = Codes, min = Min)
        fixed (sbyte* sub = Sub)
        {
            if (PackedLayout.IsCodebook(format))
            {
                D = CodebookBlocks.Read(format, src, (int*)codes, sub);
                return;
            }
            new Span<sbyte>(sub, 16).Fill(1);
            switch (format)
            {
                case NumberFormat.Q4_0 or NumberFormat.IQ4_NL:
                    D = *(ushort*)src;
                    Nibbles(src + 2, codes);
                    break;
                case NumberFormat.Q4_1:
                    D = *(ushort*)src;
                    M = *(ushort*)(src + 2);
                    Nibbles(src + 4, codes);
                    break;
                case NumberFormat.Q5_0:
                    D = *(ushort*)src;
                    Nibbles(src + 6, codes);
                    FifthBits(src + 2, codes);
                    break;
                case NumberFormat.Q5_1:
                    D = *(ushort*)src;
                    M = *(ushort*)(src + 2);
                    Nibbles(src + 8, codes);
                    FifthBits(src + 4, codes);
                    break;
                case NumberFormat.Q8_0:
                    D = *(ushort*)src;
                    Buffer.MemoryCopy(src + 2, codes, 32, 32);
                    break;
                case NumberFormat.MXFP4:
                    D = *src;
                    Nibbles(src + 1, codes);
                    break;
                case NumberFormat.Q2_K:
                    D = *(ushort*)(src + 80);
                    M = *(ushort*)(src + 82);
                    for (int part = 0; part < 16; part++)
                    {
                        sub[part] = (sbyte)(src[part] & 15);
                        min[part] = (byte)(src[part] >> 4);
                    }
                    for (int k = 0; k < 256; k++) codes[k] = (byte)(src[16 + (k >> 7) * 32 + (k & 31)] >> 2 * (k >> 5 & 3) & 3);
                    break;
                case NumberFormat.Q3_K:
                    D = *(ushort*)(src + 108);
                    KBlocks.UnpackQ3Scales(src + 96, sub);
                    for (int k = 0; k < 256; k++)
                        codes[k] = (byte)(src[32 + (k >> 7) * 32 + (k & 31)] >> 2 * (k >> 5 & 3) & 3 | (src[k & 31] >> (k >> 5) & 1) << 2);
                    break;
                case NumberFormat.Q4_K or NumberFormat.Q5_K:
                    D = *(ushort*)src;
                    M = *(ushort*)(src + 2);
                    byte* q = src + (format == NumberFormat.Q4_K ? 16 : 48);
                    for (int part = 0; part < 8; part++)
                    {
                        (int s, int m) = KBlocks.UnpackScaleMin(src + 4, part);
                        sub[2 * part] = sub[2 * part + 1] = (sbyte)s;
                        min[2 * part] = min[2 * part + 1] = (byte)m;
                    }
                    for (int two = 0; two < 4; two++, q += 32)
                        for (int i = 0; i < 32; i++)
                        {
                            codes[64 * two + i] = (byte)(q[i] & 15);
                            codes[64 * two + 32 + i] = (byte)(q[i] >> 4);
                        }
                    if (format == NumberFormat.Q5_K)
                        for (int k = 0; k < 256; k++) codes[k] |= (byte)((src[16 + (k & 31)] >> (k >> 5) & 1) << 4);
                    break;
                case NumberFormat.Q6_K:
                    D = *(ushort*)(src + 208);
                    Buffer.MemoryCopy(src + 192, sub, 16, 16);
                    for (int half = 0; half < 2; half++)
                        for (int quarter = 0; quarter < 4; quarter++)
                            for (int i = 0; i < 32; i++)
                                codes[128 * half + 32 * quarter + i] = (byte)(src[64 * half + 32 * (quarter & 1) + i] >> 4 * (quarter >> 1) & 15
                                    | (src[128 + 32 * half + i] >> 2 * quarter & 3) << 4);
                    break;
                case NumberFormat.IQ4_XS:
                    D = *(ushort*)src;
                    for (int part = 0; part < 8; part++)
                    {
                        int s = src[4 + (part >> 1)] >> 4 * (part & 1) & 15 | (*(ushort*)(src + 2) >> 2 * part & 3) << 4;
                        sub[2 * part] = sub[2 * part + 1] = (sbyte)(s - 32);
                        Nibbles(src + 8 + 16 * part, codes + 32 * part);
                    }
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(format), format, "no integer format");
            }
        }
    }

    private static void Nibbles(byte* src, byte* codes)
    {
        for (int i = 0; i < 16; i++)
        {
            codes[i] = (byte)(src[i] & 15);
            codes[16 + i] = (byte)(src[i] >> 4);
        }
    }

    private static void FifthBits(byte* src, byte* codes)
    {
        for (int k = 0; k < 32; k++) codes[k] |= (byte)((src[k >> 3] >> (k & 7) & 1) << 4);
    }
}
