using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Packs one panel number by number: the plain twin of the vectorized packers, and what panels with missing outputs take.</summary>
internal static unsafe class PlainPacker
{
    /// <summary>One panel of a matrix.</summary>
    /// <param name="format">The format in the file.</param>
    /// <param name="stored">The format in memory: the same, or F32.</param>
    /// <param name="cols">K.</param>
    /// <param name="source">The panel's first row.</param>
    /// <param name="outputs">Rows that there are, 1 to 32; the others become zero.</param>
    /// <param name="panel">Where to.</param>
    /// <param name="panelBytes">Its size.</param>
    /// <param name="scales">FP8 that becomes F32: the block scales of these rows; null for ones.</param>
    public static void Pack(NumberFormat format, NumberFormat stored, long cols, byte* source, int outputs, byte* panel, long panelBytes, float* scales)
    {
        for (long done = 0; done < panelBytes; done += 1 << 30) new Span<byte>(panel + done, (int)Math.Min(1 << 30, panelBytes - done)).Clear();
        long rowBytes = NumberFormats.ByteCount(format, cols);
        if (!NumberFormats.IsInteger(format)) PackFloats(format, stored, cols, source, rowBytes, outputs, panel, scales);
        else if (PackedLayout.IsCodebook(format)) CodebookPacker.Pack(format, rowBytes, source, outputs, panel);
        else PackIntegers(format, cols, source, rowBytes, outputs, panel);
    }

    // Pieces of K, so that the panel's lines being written stay in cache while the 32 rows pass.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackFloats(NumberFormat format, NumberFormat stored, long cols, byte* source, long rowBytes, int outputs, byte* panel, float* scales)
    {
        const long Piece = 64;
        for (long k0 = 0; k0 < cols; k0 += Piece)
            for (int o = 0; o < outputs; o++)
            {
                byte* row = source + o * rowBytes;
                long end = Math.Min(cols, k0 + Piece);
                switch (stored)
                {
                    case NumberFormat.F32 when format == NumberFormat.F16:
                        for (long k = k0; k < end; k++) ((float*)panel)[k * 32 + o] = FloatFormats.FromF16(((ushort*)row)[k]);
                        break;
                    case NumberFormat.F32 when format == NumberFormat.F8E4M3:
                        for (long k = k0; k < end; k++) ((float*)panel)[k * 32 + o] = FloatFormats.E4M3[row[k]] * (scales == null ? 1 : scales[k / 128]);
                        break;
                    case NumberFormat.F32:
                        for (long k = k0; k < end; k++) ((float*)panel)[k * 32 + o] = ((float*)row)[k];
                        break;
                    case NumberFormat.F16:
                        for (long k = k0; k < end; k++) ((ushort*)panel)[k * 32 + o] = ((ushort*)row)[k];
                        break;
                    case NumberFormat.BF16:
                        for (long k = k0; k < end; k++) ((ushort*)panel)[((k & ~1) * 32) + 2 * o + (k & 1)] = ((ushort*)row)[k];
                        break;
                    default:
                        for (long k = k0; k < end; k++) panel[((k & ~1) * 32) + 2 * o + (k & 1)] = row[k];
                        break;
                }
            }
    }

    private static void PackIntegers(NumberFormat format, long cols, byte* source, long rowBytes, int outputs, byte* panel)
    {
        PackedLayout layout = PackedLayout.Of(format);
        int blockBytes = NumberFormats.BlockBytes(format), inputs = layout.Blocks * 32;
        long records = cols / inputs;
        var block = new BlockCodes();
        for (long r = 0; r < records; r++, panel += layout.RecordBytes)
            for (int o = 0; o < outputs; o++)
            {
                block.Read(format, source + o * rowBytes + r * blockBytes);
                WriteHeader(format, layout, in block, panel, o);
                WriteCodes(layout, block.Codes, panel + layout.Header, o);
            }
    }

    private static void WriteHeader(NumberFormat format, PackedLayout layout, in BlockCodes block, byte* header, int o)
    {
        if (format == NumberFormat.MXFP4)
        {
            header[o] = (byte)block.D;
            return;
        }
        ((ushort*)header)[o] = block.D;
        if (layout.Mins) ((ushort*)(header + 64))[o] = block.M;
        byte* parts = header + (layout.Mins ? 128 : 64) + o;
        int step = layout.Parts == 8 ? 2 : 1; // BlockCodes has 16
        for (int p = 0; p < layout.Parts; p++)
        {
            int part = p * step;
            if (format == NumberFormat.Q2_K)
            {
                parts[32 * p] = (byte)((byte)block.Sub[part] | block.Min[part] << 4);
                continue;
            }
            parts[32 * p] = (byte)block.Sub[part];
            if (layout.Mins) parts[32 * (layout.Parts + p)] = block.Min[part];
        }
    }

    // The panel is zero at first: each output's bits are added to the words that it shares.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteCodes(PackedLayout layout, byte* codes, byte* target, int o)
    {
        for (int b = 0; b < layout.Blocks; b++, codes += 32)
        {
            var quads = (uint*)codes;
            int shift = 0;
            if (layout.Four)
            {
                uint* plane = (uint*)target + (o & 15);
                int up = o < 16 ? 0 : 4;
                for (int q = 0; q < 8; q++) plane[16 * q] |= (quads[q] & 0x0F0F0F0F) << up;
                target += 512;
                shift = 4;
            }
            if (layout.Six)
            {
                uint* plane = (uint*)target + (o & 15), rest = plane + 128;
                for (int q = 0; q < 8; q++)
                {
                    plane[16 * q] |= o < 16 ? quads[q] : (quads[q] & 0x30303030) << 2;
                    if (o >= 16) rest[16 * (q & 3)] |= (quads[q] & 0x0F0F0F0F) << (q & 4);
                }
                target += 768;
            }
            if (layout.Two)
            {
                uint* plane = (uint*)target + (o & 7);
                for (int q = 0; q < 8; q++) plane[8 * q] |= (quads[q] >> shift & 0x03030303) << 2 * (o >> 3);
                target += 256;
                shift += 2;
            }
            if (layout.One)
            {
                uint* plane = (uint*)target + (o & 3);
                for (int q = 0; q < 8; q++) plane[4 * q] |= (quads[q] >> shift & 0x01010101) << (o >> 2);
                target += 128;
            }
            if (layout.Eight)
            {
                uint* plane = (uint*)target + o;
                for (int q = 0; q < 8; q++) plane[32 * q] = quads[q];
                target += 1024;
            }
        }
    }
}
