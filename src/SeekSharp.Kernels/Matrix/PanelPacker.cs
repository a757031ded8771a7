using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>Packs panels from a checkpoint's bytes (<see cref="PackedLayout"/>); an item is a panel.</summary>
internal unsafe struct PanelPacker : IParallelWork
{
    public NumberFormat Format, Stored;
    public long Rows, Cols;
    public byte* Source, Result;
    public long PanelBytes;
    public float* Scales; // FP8, for what becomes F32

    public readonly void Run(int item, int worker)
    {
        byte* panel = Result + item * PanelBytes;
        long rowBytes = NumberFormats.ByteCount(Format, Cols);
        byte* source = Source + item * 32L * rowBytes;
        float* scales = Scales == null ? null : Scales + item * 32L / 128 * ((Cols + 127) / 128);
        int outputs = (int)Math.Min(32, Rows - item * 32L);
        if (!NumberFormats.IsInteger(Format)) PackFloats(source, rowBytes, outputs, panel, scales);
        else if (PackedLayout.IsCodebook(Format)) PackRaw(source, rowBytes, outputs, panel);
        else PackIntegers(source, rowBytes, outputs, panel);
    }

    /// <summary>Is every number of an F16 or E4M3 matrix finite?</summary>
    public static bool AllFinite(NumberFormat format, byte* numbers, long count, WorkerPool pool)
    {
        int infinite = 0;
        var work = new FiniteWork { Half = format == NumberFormat.F16, Numbers = numbers, Count = count, Infinite = &infinite };
        pool.Run(checked((int)((count + FiniteWork.Piece - 1) / FiniteWork.Piece)), ref work);
        return infinite == 0;
    }

    private struct FiniteWork : IParallelWork
    {
        public const long Piece = 1 << 18;
        public bool Half;
        public byte* Numbers;
        public long Count;
        public int* Infinite;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int item, int worker)
        {
            long start = item * Piece;
            int n = (int)Math.Min(Count - start, Piece);
            int found = Half ? HasInfinite(new ReadOnlySpan<ushort>((ushort*)Numbers + start, n)) : HasNaN(new ReadOnlySpan<byte>(Numbers + start, n));
            if (found != 0) Interlocked.Exchange(ref *Infinite, 1);
        }

        private static int HasInfinite(ReadOnlySpan<ushort> numbers)
        {
            Vector128<ushort> exponent = Vector128.Create((ushort)0x7C00), all = Vector128<ushort>.Zero;
            int i = 0, found = 0;
            for (; i + 8 <= numbers.Length; i += 8) all |= Vector128.Equals(Vector128.Create(numbers[i..]) & exponent, exponent);
            for (; i < numbers.Length; i++) found |= (numbers[i] & 0x7C00) == 0x7C00 ? 1 : 0;
            return all == Vector128<ushort>.Zero ? found : 1;
        }

        private static int HasNaN(ReadOnlySpan<byte> numbers)
        {
            Vector128<byte> magnitude = Vector128.Create((byte)0x7F), all = Vector128<byte>.Zero;
            int i = 0, found = 0;
            for (; i + 16 <= numbers.Length; i += 16) all |= Vector128.Equals(Vector128.Create(numbers[i..]) & magnitude, magnitude);
            for (; i < numbers.Length; i++) found |= (numbers[i] & 0x7F) == 0x7F ? 1 : 0;
            return all == Vector128<byte>.Zero ? found : 1;
        }
    }

    // Pieces of K, so that the panel's lines being written stay in cache while the 32 rows pass.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void PackFloats(byte* source, long rowBytes, int outputs, byte* panel, float* scales)
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
                    case NumberFormat.F32 when Format == NumberFormat.F8E4M3:
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
