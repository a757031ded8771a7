using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Whole panels of floats: squares of rows and inputs turned over. BF16 and FP8 move in pairs of inputs, which stay together.</summary>
internal static unsafe class FloatPanelPacker
{
    /// <summary>Packs 32 rows. Twin: <see cref="PlainPacker"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(NumberFormat format, long cols, byte* source, byte* panel)
    {
        int bytes = NumberFormats.BlockBytes(format), together = format is NumberFormat.BF16 or NumberFormat.F8E4M3 ? 2 : 1;
        int unit = bytes * together;                                           // what moves as one: 4 or 2 bytes
        int lineUnits = 64 / unit;                                             // a cache line of a row at a time: 32 rows a power of two apart share few lines of cache
        long rowBytes = cols * bytes, units = cols / together, whole = units / lineUnits * lineUnits;
        if (unit == 4)
            for (long u = 0; u < whole; u += lineUnits)
                for (int o = 0; o < 32; o += 4)
                    for (int i = 0; i < lineUnits; i += 4)
                        Transposition.Words4(source + o * rowBytes + (u + i) * 4, rowBytes, panel + ((u + i) * 32 + o) * 4, 128);
        else
            for (long u = 0; u < whole; u += lineUnits)
                for (int o = 0; o < 32; o += 8)
                    for (int i = 0; i < lineUnits; i += 8)
                        Transposition.Halfwords8(source + o * rowBytes + (u + i) * 2, rowBytes, panel + ((u + i) * 32 + o) * 2, 64);

        for (long u = whole; u < units; u++)
            for (int o = 0; o < 32; o++)
                if (unit == 4) ((uint*)panel)[u * 32 + o] = Unsafe.ReadUnaligned<uint>(source + o * rowBytes + u * 4);
                else ((ushort*)panel)[u * 32 + o] = Unsafe.ReadUnaligned<ushort>(source + o * rowBytes + u * 2);
        if (cols % 2 == 0) return;

        // K is filled up to an even number: the last pair's second number, or the last row of numbers that stand alone, is zero.
        if (together == 1) Unsafe.InitBlockUnaligned(panel + cols * 32 * bytes, 0, (uint)(32 * bytes));
        else
            for (int o = 0; o < 32; o++)
            {
                byte* pair = panel + (units * 32 + o) * unit;
                for (int i = 0; i < bytes; i++) (pair[i], pair[bytes + i]) = (source[o * rowBytes + (cols - 1) * bytes + i], 0);
            }
    }
}
