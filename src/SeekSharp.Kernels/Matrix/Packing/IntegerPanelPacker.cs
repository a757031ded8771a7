using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Whole panels of the integer formats without codebook, 256 inputs (or fewer at the end) at a time: 1. each row's blocks are taken apart, so that a line of
/// the file is read once; 2. the codes of 32 rows are turned over; 3. they are pressed into planes.
/// </summary>
internal static unsafe class IntegerPanelPacker
{
    private const int Chunk = 256; // inputs

    /// <summary>Packs 32 rows. Twin: <see cref="PlainPacker"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(NumberFormat format, long cols, byte* source, byte* panel)
    {
        PackedLayout layout = PackedLayout.Of(format);
        int blockBytes = NumberFormats.BlockBytes(format), blocks = layout.Blocks, most = 8 / blocks, recordBytes = layout.RecordBytes, codeBytes = layout.CodeBytes, header = layout.Header;
        long rowBytes = NumberFormats.ByteCount(format, cols), records = cols / (blocks * 32);
        byte* codes = stackalloc byte[32 * Chunk];   // [32 outputs][256]
        byte* turned = stackalloc byte[8 * 128];     // [8 quads][32 outputs][4]
        for (long first = 0; first < records; first += most)
        {
            // 1.
            int count = (int)Math.Min(most, records - first);
            byte* record = panel + first * recordBytes, from = source + first * blockBytes;
            for (int o = 0; o < 32; o++) BlockUnpacker.Codes(format, from + o * rowBytes, count, codes + o * Chunk);
            for (int r = 0; r < count; r++) Header(format, layout, from + r * blockBytes, rowBytes, record + r * recordBytes);
            byte* target = record + header;
            for (int b = 0; b < count * blocks; b++)
            {
                // 2.
                for (int o = 0; o < 32; o += 4)
                {
                    Transposition.Words4(codes + o * Chunk + b * 32, Chunk, turned + o * 4, 128);
                    Transposition.Words4(codes + o * Chunk + b * 32 + 16, Chunk, turned + 512 + o * 4, 128);
                }
                // 3.
                Planes(layout, turned, target);
                target += blocks == 1 ? recordBytes : codeBytes;
            }
        }
    }

    // A record's header from one block of each of 32 rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Header(NumberFormat format, PackedLayout layout, byte* blocks, long rowBytes, byte* header)
    {
        if (format == NumberFormat.MXFP4)
        {
            for (int o = 0; o < 32; o++) header[o] = blocks[o * rowBytes];
            return;
        }
        byte* scale = blocks + BlockUnpacker.ScaleOffset(format);
        for (int o = 0; o < 32; o++) ((ushort*)header)[o] = Unsafe.ReadUnaligned<ushort>(scale + o * rowBytes);
        header += 64;
        if (layout.Mins)
        {
            for (int o = 0; o < 32; o++) ((ushort*)header)[o] = Unsafe.ReadUnaligned<ushort>(scale + o * rowBytes + 2);
            header += 64;
        }
        if (layout.Parts == 0) return;
        byte* parts = stackalloc byte[32 * 16]; // [32 outputs][16]
        for (int o = 0; o < 32; o++) BlockUnpacker.Parts(format, blocks + o * rowBytes, parts + o * 16);
        int bytes = (layout.Header - (layout.Mins ? 128 : 64)) / 32;
        for (int p = 0; p < bytes; p++)
            for (int o = 0; o < 32; o++) header[p * 32 + o] = parts[o * 16 + p];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Planes(PackedLayout layout, byte* turned, byte* target)
    {
        if (layout.Eight)
        {
            Unsafe.CopyBlockUnaligned(target, turned, 1024);
            return;
        }
        if (layout.Six)
        {
            Vector128<byte> low = Vector128.Create((byte)0x0F), top = Vector128.Create((byte)0x30);
            for (int q = 0; q < 8; q++)
                for (int i = 0; i < 64; i += 16)
                    (Vector128.Load(turned + q * 128 + i) | ((Vector128.Load(turned + q * 128 + 64 + i) & top) << 2)).Store(target + q * 64 + i);
            for (int q = 0; q < 4; q++)
                for (int i = 64; i < 128; i += 16)
                    ((Vector128.Load(turned + q * 128 + i) & low) | ((Vector128.Load(turned + (q + 4) * 128 + i) & low) << 4)).Store(target + 448 + q * 64 + i);
            return;
        }
        int shift = 0;
        if (layout.Four)
        {
            Vector128<byte> low = Vector128.Create((byte)0x0F);
            for (int q = 0; q < 8; q++)
                for (int i = 0; i < 64; i += 16)
                    ((Vector128.Load(turned + q * 128 + i) & low) | ((Vector128.Load(turned + q * 128 + 64 + i) & low) << 4)).Store(target + q * 64 + i);
            target += 512;
            shift = 4;
        }
        if (layout.Two)
        {
            Vector128<ushort> three = Vector128.Create((ushort)0x0303);
            for (int q = 0; q < 8; q++)
                for (int i = 0; i < 32; i += 16)
                {
                    byte* p = turned + q * 128 + i;
                    Vector128<ushort> a = Shifted(p, shift) & three, b = Shifted(p + 32, shift) & three, c = Shifted(p + 64, shift) & three, d = Shifted(p + 96, shift) & three;
                    (a | (b << 2) | (c << 4) | (d << 6)).AsByte().Store(target + q * 32 + i);
                }
            target += 256;
            shift += 2;
        }
        if (layout.One)
        {
            Vector128<ushort> one = Vector128.Create((ushort)0x0101);
            for (int q = 0; q < 8; q++)
            {
                byte* p = turned + q * 128;
                Vector128<ushort> a = Shifted(p, shift) & one, b = Shifted(p + 16, shift) & one, c = Shifted(p + 32, shift) & one, d = Shifted(p + 48, shift) & one;
                Vector128<ushort> e = Shifted(p + 64, shift) & one, f = Shifted(p + 80, shift) & one, g = Shifted(p + 96, shift) & one, h = Shifted(p + 112, shift) & one;
                (a | (b << 1) | (c << 2) | (d << 3) | (e << 4) | (f << 5) | (g << 6) | (h << 7)).AsByte().Store(target + q * 16);
            }
        }
    }

    // There are no shifts of bytes: the bits that come over from the neighbour are masked by the caller.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Shifted(byte* p, int shift) => Vector128.Load((ushort*)p) >> shift;
}
