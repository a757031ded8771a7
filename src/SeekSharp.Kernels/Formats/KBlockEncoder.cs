namespace SeekSharp.Kernels;

/// <summary>Encoders of the K blocks: <see cref="KBlockSearch"/> finds the numbers, here they are laid out as <see cref="KBlocks"/> reads them.</summary>
internal static unsafe class KBlockEncoder
{
    public static void Q2_K(float* src, byte* dst, long blocks)
    {
        KBlockSearch k = default;
        for (; blocks > 0; blocks--, src += 256, dst += 84)
        {
            k.Affine(src, 16, 3, 15);
            new Span<byte>(dst, 84).Clear();
            for (int part = 0; part < 16; part++) dst[part] = (byte)(k.Scale[part] | k.Min[part] << 4);
            for (int i = 0; i < 256; i++) dst[16 + 32 * (i >> 7) + (i & 31)] |= (byte)((int)k.Q[i] << 2 * (i >> 5 & 3));
            *(ushort*)(dst + 80) = FloatFormats.ToF16(k.D);
            *(ushort*)(dst + 82) = FloatFormats.ToF16(k.DMin);
        }
    }

    public static void Q3_K(float* src, byte* dst, long blocks)
    {
        KBlockSearch k = default;
        for (; blocks > 0; blocks--, src += 256, dst += 110)
        {
            k.Symmetric(src, 4, 32);
            new Span<byte>(dst, 110).Clear();
            for (int i = 0; i < 256; i++)
            {
                int q = (int)k.Q[i] + 4;
                dst[i & 31] |= (byte)(q >> 2 << (i >> 5));
                dst[32 + 32 * (i >> 7) + (i & 31)] |= (byte)((q & 3) << 2 * (i >> 5 & 3));
            }
            for (int part = 0; part < 16; part++)
            {
                int scale = k.Scale[part] + 32;
                dst[96 + (part & 7)] |= (byte)((scale & 15) << 4 * (part >> 3));
                dst[104 + (part & 3)] |= (byte)(scale >> 4 << 2 * (part >> 2));
            }
            *(ushort*)(dst + 108) = FloatFormats.ToF16(k.D);
        }
    }

    public static void Q4_K(float* src, byte* dst, long blocks)
    {
        KBlockSearch k = default;
        for (; blocks > 0; blocks--, src += 256, dst += 144)
        {
            k.Affine(src, 8, 15, 63);
            PackScales(ref k, dst);
            for (int i = 0; i < 128; i++)
            {
                int at = 64 * (i >> 5) + (i & 31); // 32 bytes hold values 0–31 low and 32–63 high
                dst[16 + i] = (byte)((int)k.Q[at] | (int)k.Q[at + 32] << 4);
            }
        }
    }

    public static void Q5_K(float* src, byte* dst, long blocks)
    {
        KBlockSearch k = default;
        for (; blocks > 0; blocks--, src += 256, dst += 176)
        {
            k.Affine(src, 8, 31, 63);
            PackScales(ref k, dst);
            new Span<byte>(dst + 16, 32).Clear();
            for (int i = 0; i < 256; i++) dst[16 + (i & 31)] |= (byte)((int)k.Q[i] >> 4 << (i >> 5));
            for (int i = 0; i < 128; i++)
            {
                int at = 64 * (i >> 5) + (i & 31);
                dst[48 + i] = (byte)((int)k.Q[at] & 15 | ((int)k.Q[at + 32] & 15) << 4);
            }
        }
    }

    public static void Q6_K(float* src, byte* dst, long blocks)
    {
        KBlockSearch k = default;
        for (; blocks > 0; blocks--, src += 256, dst += 210)
        {
            k.Symmetric(src, 32, 128);
            new Span<byte>(dst, 192).Clear();
            for (int i = 0; i < 256; i++)
            {
                int q = (int)k.Q[i] + 32, half = i >> 7, quarter = i >> 5 & 3;
                dst[64 * half + 32 * (quarter & 1) + (i & 31)] |= (byte)((q & 15) << 4 * (quarter >> 1));
                dst[128 + 32 * half + (i & 31)] |= (byte)(q >> 4 << 2 * quarter);
            }
            for (int part = 0; part < 16; part++) dst[192 + part] = (byte)k.Scale[part];
            *(ushort*)(dst + 208) = FloatFormats.ToF16(k.D);
        }
    }

    /// <summary>d, dmin and the 12 bytes of 6-bit scales and minima (see <see cref="KBlocks.UnpackScaleMin"/>).</summary>
    private static void PackScales(ref KBlockSearch k, byte* dst)
    {
        *(ushort*)dst = FloatFormats.ToF16(k.D);
        *(ushort*)(dst + 2) = FloatFormats.ToF16(k.DMin);
        for (int part = 0; part < 4; part++)
        {
            int s = k.Scale[part + 4], m = k.Min[part + 4];
            dst[4 + part] = (byte)(k.Scale[part] | s >> 4 << 6);
            dst[8 + part] = (byte)(k.Min[part] | m >> 4 << 6);
            dst[12 + part] = (byte)(s & 15 | (m & 15) << 4);
        }
    }
}
