using System.Runtime.InteropServices;
using SeekSharp.Kernels;

namespace SeekSharp.Tests.Kernels;

/// <summary>A matrix of random blocks with finite scales, as a file would hold it, pinned.</summary>
internal sealed unsafe class TestMatrix : IDisposable
{
    public readonly NumberFormat Format;
    public readonly int Rows, Cols;
    public readonly float[]? Scales;
    private readonly byte* _bytes;

    public TestMatrix(NumberFormat format, int rows, int cols, int seed)
    {
        (Format, Rows, Cols) = (format, rows, cols);
        var random = new Random(seed);
        long count = rows * RowBytes;
        _bytes = (byte*)NativeMemory.Alloc((nuint)count);
        random.NextBytes(new Span<byte>(_bytes, checked((int)count)));
        int blockBytes = NumberFormats.BlockBytes(format);
        for (byte* block = _bytes; block < _bytes + count; block += blockBytes) MakeFinite(random, block);
        if (format == NumberFormat.F8E4M3)
        {
            Scales = new float[(rows + 127) / 128 * ((cols + 127) / 128)];
            for (int i = 0; i < Scales.Length; i++) Scales[i] = random.NextSingle() * 0.01f;
        }
    }

    public static IEnumerable<NumberFormat> Formats => Enum.GetValues<NumberFormat>().Where(PackedLayout.HasProduct);

    public long RowBytes => NumberFormats.ByteCount(Format, Cols);

    public byte* Row(int row) => _bytes + row * RowBytes;

    public PackedMatrix Pack(KernelTable kernels, WorkerPool pool) => PackedMatrix.Pack(Format, Rows, Cols, (nint)_bytes, Scales, kernels, pool);

    public float Twin(int row, float* x, Arithmetic arithmetic)
    {
        fixed (float* scales = Scales)
            return PlainProduct.Dot(Format, Row(row), x, Cols, scales == null ? null : scales + row / 128 * ((Cols + 127) / 128), arithmetic);
    }

    /// <summary>Σ |x · w|: what rounding errors of a sum are measured by.</summary>
    public float Magnitude(int row, float* x)
    {
        var weights = new float[Cols];
        BlockDecoder.Decode(Format, new ReadOnlySpan<byte>(Row(row), (int)RowBytes), weights);
        double sum = 0;
        for (int k = 0; k < Cols; k++) sum += Math.Abs((double)x[k] * weights[k] * (Scales is null ? 1 : Scales[row / 128 * ((Cols + 127) / 128) + k / 128]));
        return (float)sum;
    }

    public void Dispose() => NativeMemory.Free(_bytes);

    private void MakeFinite(Random random, byte* block)
    {
        float Small() => (random.NextSingle() - 0.5f) * 0.01f;
        void Half(int offset) => *(ushort*)(block + offset) = FloatFormats.ToF16(Small());
        switch (Format)
        {
            case NumberFormat.F32: *(float*)block = Small(); break;
            case NumberFormat.F16: *(ushort*)block = FloatFormats.ToF16(random.Next(8) == 0 ? Small() * 1e-3f : Small()); break; // some subnormal
            case NumberFormat.BF16: *(ushort*)block = FloatFormats.ToBF16(Small()); break;
            case NumberFormat.F8E4M3: if ((*block & 0x7F) == 0x7F) *block = 0x31; break;
            case NumberFormat.MXFP4: *block = (byte)random.Next(108, 124); break;
            case NumberFormat.IQ1_M:
                ushort d = FloatFormats.ToF16(Small());
                for (int i = 0; i < 4; i++) ((ushort*)(block + 48))[i] = (ushort)(((ushort*)(block + 48))[i] & 0xFFF | (d >> 4 * i & 15) << 12);
                break;
            case NumberFormat.Q2_K: Half(80); Half(82); break;
            case NumberFormat.Q3_K: Half(108); break;
            case NumberFormat.Q6_K: Half(208); break;
            case NumberFormat.Q4_1 or NumberFormat.Q5_1 or NumberFormat.Q4_K or NumberFormat.Q5_K: Half(0); Half(2); break;
            default: Half(0); break;
        }
    }
}
