using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Decoders of the 4-bit formats whose 16 levels are a table: IQ4_NL, IQ4_XS and MXFP4. Each 32 values are 16 bytes,
/// values 0–15 in the low nibbles. (ggml-common.h: <c>block_iq4_nl</c>, <c>block_iq4_xs</c>, <c>block_mxfp4</c>.)
/// </summary>
internal static unsafe class Iq4Blocks
{
    /// <summary>d · level: d, 16 bytes of nibbles.</summary>
    public static void DecodeNl(byte* src, float* dst, long blocks)
    {
        Vector128<sbyte> levels = Vector128.Create(Codebooks.Iq4);
        for (; blocks > 0; blocks--, src += 18, dst += 32)
            Store(levels, src + 2, FloatFormats.FromF16(*(ushort*)src), dst);
    }

    /// <summary>(d·(s−32)) · level: d, word of upper pairs of s, 4 bytes of lower nibbles of s, 128 bytes of nibbles; 8 parts of 32.</summary>
    public static void DecodeXs(byte* src, float* dst, long blocks)
    {
        Vector128<sbyte> levels = Vector128.Create(Codebooks.Iq4);
        for (; blocks > 0; blocks--, src += 136)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            int high = *(ushort*)(src + 2);
            for (int part = 0; part < 8; part++, dst += 32)
            {
                int s = src[4 + (part >> 1)] >> 4 * (part & 1) & 15 | (high >> 2 * part & 3) << 4;
                Store(levels, src + 8 + 16 * part, d * (s - 32), dst);
            }
        }
    }

    /// <summary>
    /// 2^(e−128) · level: e, 16 bytes of nibbles. The levels are doubled, hence 128 in place of E8M0's 127;
    /// for e = 0 and 1 the scale is subnormal.
    /// </summary>
    public static void DecodeMxfp4(byte* src, float* dst, long blocks)
    {
        Vector128<sbyte> levels = Vector128.Create(Codebooks.Mxfp4);
        for (; blocks > 0; blocks--, src += 17, dst += 32)
            Store(levels, src + 1, Mxfp4Scale(src[0]), dst);
    }

    /// <summary>2^(e−128).</summary>
    public static float Mxfp4Scale(int e) => BitConverter.UInt32BitsToSingle(e < 2 ? 0x0020_0000u << e : (uint)(e - 1) << 23);

    private static void Store(Vector128<sbyte> levels, byte* nibbles, float scale, float* dst)
    {
        Vector128<byte> q = Vector128.Load(nibbles);
        Spread.Store(Vector128.Shuffle(levels, (q & Vector128.Create((byte)15)).AsSByte()), scale, dst);
        Spread.Store(Vector128.Shuffle(levels, (q >> 4).AsSByte()), scale, dst + 16);
    }
}
