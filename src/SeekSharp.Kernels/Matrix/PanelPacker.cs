using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Packs panels from a checkpoint's bytes (<see cref="PackedLayout"/>); an item is a panel.</summary>
internal unsafe struct PanelPacker : IParallelWork
{
    public NumberFormat Format, Stored;
    public long Rows, Cols;
    public byte* Source, Result;
    public long PanelBytes;

    public readonly void Run(int item, int worker)
    {
        byte* panel = Result + item * PanelBytes;
        long rowBytes = NumberFormats.ByteCount(Format, Cols);
        byte* source = Source + item * 32L * rowBytes;
        int outputs = (int)Math.Min(32, Rows - item * 32L);
        if (!NumberFormats.IsInteger(Format)) PackFloats(source, rowBytes, outputs, panel);
        else if (PackedLayout.IsCodebook(Format)) PackRaw(source, rowBytes, outputs, panel);
        else PackIntegers(source, rowBytes, outputs, panel);
    }

    /// <summary>Is every binary16 number finite?</summary>
    public static bool AllFinite(ushort* numbers, long count, WorkerPool pool)
    {
        const long Piece = 1 << 20;
        int infinite = 0;
        // No lambda over pointers: the items are few and large.
        var work = new FiniteWork { Numbers = numbers, Count = count, Piece = Piece, Infinite = &infinite };
        pool.Run((int)((count + Piece - 1) / Piece), ref work);
        return infinite == 0;
    }

    private struct FiniteWork : IParallelWork
    {
        public ushort* Numbers;
        public long Count, Piece;
        public int* Infinite;

        public readonly void Run(int item, int worker)
        {
            long end = Math.Min(Count, (item + 1) * Piece);
            for (long i = item * Piece; i < end;)
            {
                int n = (int)Math.Min(end - i, 1 << 16), found = 0;
                for (int j = 0; j < n; j++) found |= (Numbers[i + j] & 0x7C00) + 0x0400 & 0x8000;
                if (found != 0) Interlocked.Exchange(ref *Infinite, 1);
                i += n;
            }
        }
    }

    // Pieces of K, so that the panel's lines being written stay in cache while the 32 rows pass.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackFloats(byte* source, long rowBytes, int outputs, byte* panel)
    {
        const long Piece = 64;
        for (long k0 = 0; k0 < Cols; k0 += Piece)
            for (int o = 0; o < outputs; o++)
            {
                byte* row = source + o * rowBytes;
                long end = Math.Min(Cols, k0 + Piece);
                switch (Stored)
                {
                    case NumberFormat.F32 when Format == NumberFormat.F16:
                        for (long k = k0; k < end; k++) ((float*)panel)[k * 32 + o] = FloatFormats.FromF16(((ushort*)row)[k]);
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

    private readonly void PackRaw(byte* source, long rowBytes, int outputs, byte* panel)
    {
        int blockBytes = NumberFormats.BlockBytes(Format);
        long blocks = rowBytes / blockBytes;
        for (long b = 0; b < blocks; b++)
            for (int o = 0; o < outputs; o++)
                Buffer.MemoryCopy(source + o * rowBytes + b * blockBytes, panel + (b * 32 + o) * blockBytes, blockBytes, blockBytes);
    }

    private readonly void PackIntegers(byte* source, long rowBytes, int outputs, byte* panel)
    {
        PackedLayout layout = PackedLayout.Of(Format);
        int blockBytes = NumberFormats.BlockBytes(Format), inputs = layout.Blocks * 32;
        long records = Cols / inputs;
        var block = new BlockCodes();
        for (long r = 0; r < records; r++, panel += layout.RecordBytes)
            for (int o = 0; o < outputs; o++)
            {
                block.Read(Format, source + o * rowBytes + r * blockBytes);
                WriteHeader(layout, in block, panel, o);
                WriteCodes(layout, block.Codes, panel + layout.Header, o);
            }
    }

    private readonly void WriteHeader(PackedLayout layout, in BlockCodes block, byte* header, int o)
    {
        if (Format == NumberFormat.MXFP4)
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
            if (Format == NumberFormat.Q2_K)
            {
                parts[32 * p] = (byte)((byte)block.Sub[part] | block.Min[part] << 4);
                continue;
            }
            parts[32 * p] = (byte)block.Sub[part];
            if (layout.Mins) parts[32 * (layout.Parts + p)] = block.Min[part];
        }
    }

    // The memory is zero at first: each output's bits are added to the words that it shares.
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
