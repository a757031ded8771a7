using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Packs panels of the codebook formats (<see cref="CodebookLayout"/>) from blocks as in the file (Iq1Blocks, Iq2Blocks, Iq3Blocks).</summary>
internal static unsafe class CodebookPacker
{
    /// <summary>Packs up to 32 rows; missing ones become zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(NumberFormat format, long rowBytes, byte* source, int outputs, byte* panel)
    {
        CodebookLayout layout = CodebookLayout.Of(format);
        int blockBytes = NumberFormats.BlockBytes(format), recordBytes = layout.RecordBytes;
        long blocks = rowBytes / blockBytes;
        byte* signs7 = (byte*)Unsafe.AsPointer(ref Codebooks.Signs[0]); // pinned
        for (long b = 0; b < blocks; b++, panel += recordBytes)
        {
            new Span<byte>(panel, recordBytes).Clear();
            for (int o = 0; o < outputs; o++) Block(format, layout, source + o * rowBytes + b * blockBytes, panel, o, signs7);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block(NumberFormat format, CodebookLayout layout, byte* src, byte* record, int o, byte* signs7)
    {
        byte* high = record + layout.HighOffset, index = record + layout.IndexOffset + o, signs = record + layout.SignOffset + o;
        byte* scales = record + CodebookLayout.ScaleOffset + (o & 15), ninth = high + (o >> 3);
        int nibble = o < 16 ? 0 : 4, bit = o & 7;
        ((ushort*)record)[o] = *(ushort*)src; // but for IQ1_M
        switch (format)
        {
            case NumberFormat.IQ1_S:
                for (int part = 0; part < 8; part++) ((ushort*)high)[32 * part + o] = ((ushort*)(src + 34))[part];
                for (int e = 0; e < 32; e++) index[32 * e] = src[2 + e];
                break;
            case NumberFormat.IQ1_M:
                var words = (ushort*)(src + 48);
                ((ushort*)record)[o] = (ushort)(words[0] >> 12 | words[1] >> 8 & 0x00F0 | words[2] >> 4 & 0x0F00 | words[3] & 0xF000);
                for (int part = 0; part < 16; part++) scales[16 * part] |= (byte)((words[part >> 2] >> 3 * (part & 3) & 7) << nibble);
                for (int e = 0; e < 32; e++)
                {
                    index[32 * e] = src[e];
                    high[16 * e + (o & 15)] |= (byte)((src[32 + (e >> 1)] >> 4 * (e & 1) & 15) << nibble);
                }
                break;
            case NumberFormat.IQ2_XXS:
                for (int part = 0; part < 8; part++)
                {
                    byte* p = src + 2 + 8 * part;
                    uint word = Unsafe.ReadUnaligned<uint>(p + 4);
                    scales[16 * part] |= (byte)(word >> 28 << nibble);
                    for (int l = 0; l < 4; l++)
                    {
                        index[32 * (4 * part + l)] = p[l];
                        signs[32 * (4 * part + l)] = signs7[word >> 7 * l & 127];
                    }
                }
                break;
            case NumberFormat.IQ2_XS:
                for (int part = 0; part < 16; part++) scales[16 * part] |= (byte)((src[66 + (part >> 1)] >> 4 * (part & 1) & 15) << nibble);
                for (int e = 0; e < 32; e++)
                {
                    int word = ((ushort*)(src + 2))[e];
                    index[32 * e] = (byte)word;
                    ninth[4 * e] |= (byte)((word >> 8 & 1) << bit);
                    signs[32 * e] = signs7[word >> 9];
                }
                break;
            case NumberFormat.IQ2_S:
                for (int part = 0; part < 16; part++) scales[16 * part] |= (byte)((src[74 + (part >> 1)] >> 4 * (part & 1) & 15) << nibble);
                for (int part = 0; part < 8; part++) high[32 * part + o] = src[66 + part];
                for (int e = 0; e < 32; e++)
                {
                    index[32 * e] = src[2 + e];
                    signs[32 * e] = src[34 + e];
                }
                break;
            case NumberFormat.IQ3_XXS:
                for (int part = 0; part < 8; part++)
                {
                    uint word = Unsafe.ReadUnaligned<uint>(src + 66 + 4 * part);
                    scales[16 * part] |= (byte)(word >> 28 << nibble);
                    for (int l = 0; l < 4; l++) TwoFours(4 * part + l, signs7[word >> 7 * l & 127]);
                }
                break;
            case NumberFormat.IQ3_S:
                for (int part = 0; part < 8; part++) scales[16 * part] |= (byte)((src[106 + (part >> 1)] >> 4 * (part & 1) & 15) << nibble);
                for (int e = 0; e < 32; e++)
                {
                    int two = src[66 + (e >> 2)] >> 2 * (e & 3);
                    ninth[8 * e] |= (byte)((two & 1) << bit);
                    ninth[8 * e + 4] |= (byte)((two >> 1 & 1) << bit);
                    TwoFours(e, src[74 + e]);
                }
                break;
        }

        void TwoFours(int e, int sign)
        {
            byte* to = record + layout.SignOffset + 32 * e + (o >> 1);
            int shift = 4 * (o & 1);
            index[64 * e] = src[2 + 2 * e];
            index[64 * e + 32] = src[3 + 2 * e];
            to[0] |= (byte)((sign & 15) << shift);
            to[16] |= (byte)(sign >> 4 << shift);
        }
    }
}
