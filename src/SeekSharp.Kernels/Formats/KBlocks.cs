using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Decoders of the K blocks: 256 values in 8 parts of 32 or 16 parts of 16, each part with a small integer scale (and
/// minimum) that binary16 numbers of the block scale in turn. (ggml-common.h: <c>block_q2_K</c> … <c>block_q6_K</c>.)
/// </summary>
internal static unsafe class KBlocks
{
    private static float Half(byte* p) => FloatFormats.FromF16(*(ushort*)p);

    /// <summary>(d·s)·q − dmin·m: 16 bytes s (low nibble) and m, 64 bytes of 2-bit q, d, dmin.</summary>
    public static void DecodeQ2_K(byte* src, float* dst, long blocks)
    {
        Vector128<byte> three = Vector128.Create((byte)3);
        for (; blocks > 0; blocks--, src += 84)
        {
            float d = Half(src + 80), min = Half(src + 82);
            for (int part = 0; part < 16; part++, dst += 16)
            {
                // A half of 128 values has 32 bytes; the values 32 apart share a byte.
                int half = part >> 3, pair = part >> 1 & 3;
                Vector128<byte> q = Vector128.Load(src + 16 + 32 * half + 16 * (part & 1)) >> 2 * pair;
                Spread.Store((q & three).AsSByte(), d * (src[part] & 15), -(min * (src[part] >> 4)), dst);
            }
        }
    }

    /// <summary>(d·(s−32))·(q−4): 32 bytes of third bits, 64 bytes of 2-bit q, 12 bytes of 6-bit s, d.</summary>
    public static void DecodeQ3_K(byte* src, float* dst, long blocks)
    {
        Vector128<byte> three = Vector128.Create((byte)3), four = Vector128.Create((byte)4);
        sbyte* scales = stackalloc sbyte[16];
        for (; blocks > 0; blocks--, src += 110)
        {
            float d = Half(src + 108);
            UnpackQ3Scales(src + 96, scales);
            for (int part = 0; part < 16; part++, dst += 16)
            {
                int half = part >> 3, pair = part >> 1 & 3;
                Vector128<byte> q = (Vector128.Load(src + 32 + 32 * half + 16 * (part & 1)) >> 2 * pair) & three;
                // Third bits: byte l of 32 has bit 4·half + pair; unset subtracts 4.
                Vector128<byte> high = Vector128.Load(src + 16 * (part & 1)) >> 4 * half + pair;
                q = (q | (high << 2 & four)) - four;
                Spread.Store(q.AsSByte(), d * scales[part], dst);
            }
        }
    }

    /// <summary>(d·s)·q − dmin·m: d, dmin, 12 bytes of 6-bit s and m, 128 bytes of nibbles.</summary>
    public static void DecodeQ4_K(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15);
        for (; blocks > 0; blocks--, src += 144)
        {
            float d = Half(src), min = Half(src + 2);
            for (int part = 0; part < 8; part++, dst += 32)
            {
                (int s, int m) = UnpackScaleMin(src + 4, part);
                float scale = d * s, add = -(min * m);
                byte* qs = src + 16 + 32 * (part >> 1); // two parts share 32 bytes: low nibbles, then high
                Spread.Store((Vector128.Load(qs) >> 4 * (part & 1) & low).AsSByte(), scale, add, dst);
                Spread.Store((Vector128.Load(qs + 16) >> 4 * (part & 1) & low).AsSByte(), scale, add, dst + 16);
            }
        }
    }

    /// <summary>(d·s)·q − dmin·m: d, dmin, 12 bytes of 6-bit s and m, 32 bytes of fifth bits, 128 bytes of nibbles.</summary>
    public static void DecodeQ5_K(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15), sixteen = Vector128.Create((byte)16);
        for (; blocks > 0; blocks--, src += 176)
        {
            float d = Half(src), min = Half(src + 2);
            for (int part = 0; part < 8; part++, dst += 32)
            {
                (int s, int m) = UnpackScaleMin(src + 4, part);
                float scale = d * s, add = -(min * m);
                for (int l = 0; l < 32; l += 16)
                {
                    Vector128<byte> q = Vector128.Load(src + 48 + 32 * (part >> 1) + l) >> 4 * (part & 1) & low;
                    Vector128<byte> high = (Vector128.Load(src + 16 + l) >> part) << 4 & sixteen; // bit `part` of byte l
                    Spread.Store((q | high).AsSByte(), scale, add, dst + l);
                }
            }
        }
    }

    /// <summary>(d·s)·(q−32): 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed bytes s, d.</summary>
    public static void DecodeQ6_K(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15), pairs = Vector128.Create((byte)0x30), bias = Vector128.Create((byte)32);
        for (; blocks > 0; blocks--, src += 210)
        {
            float d = Half(src + 208);
            sbyte* scales = (sbyte*)src + 192;
            for (int part = 0; part < 16; part++, dst += 16)
            {
                // A half of 128 values: 64 bytes of nibbles (values 0–63 low, 64–127 high), 32 bytes of bit pairs.
                int half = part >> 3, quarter = part >> 1 & 3, l = 16 * (part & 1);
                Vector128<byte> q = Vector128.Load(src + 64 * half + 32 * (quarter & 1) + l) >> 4 * (quarter >> 1) & low;
                Vector128<byte> high = (Vector128.Load(src + 128 + 32 * half + l) >> 2 * quarter) << 4 & pairs;
                Spread.Store(((q | high) - bias).AsSByte(), d * scales[part], dst);
            }
        }
    }

    /// <summary>Scale and minimum of one of the 8 parts of Q4_K and Q5_K, 6 bits each in 12 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (int Scale, int Min) UnpackScaleMin(byte* packed, int part) => part < 4
        ? (packed[part] & 63, packed[part + 4] & 63)
        : (packed[part + 4] & 15 | packed[part - 4] >> 6 << 4, packed[part + 4] >> 4 | packed[part] >> 6 << 4);

    /// <summary>The 16 scales of Q3_K, 6 bits in 12 bytes (nibbles in the first 8, the upper pairs in the last 4), less 32.</summary>
    public static void UnpackQ3Scales(byte* packed, sbyte* scales)
    {
        for (int i = 0; i < 16; i++)
        {
            int nibble = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
            scales[i] = (sbyte)((nibble | (packed[8 + (i & 3)] >> 2 * (i >> 2) & 3) << 4) - 32);
        }
    }
}
