namespace SeekSharp.Kernels;

/// <summary>A weight matrix [Rows, Cols] in native memory, packed for the kernels. Immutable after <see cref="Pack"/>.</summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _memory;

    private PackedMatrix(NumberFormat format, int rows, int cols, NativeBuffer memory, float[]? scales)
        => (Format, Rows, Cols, _memory, Scales) = (format, rows, cols, memory, scales);

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Cols { get; }

    /// <summary>The format in the file.</summary>
    public NumberFormat Format { get; }

    /// <summary>Bytes in memory.</summary>
    public long Bytes => _memory.Bytes;

    internal float[]? Scales { get; }
    internal byte* Data => _memory.Address;

    /// <summary>Packs a matrix from its bytes as they lie in a checkpoint, rows without gaps.</summary>
    /// <param name="format">How the numbers are stored.</param>
    /// <param name="rows">Outputs, 1 and above.</param>
    /// <param name="cols">Inputs, a whole number of the format's blocks.</param>
    /// <param name="source">The first byte.</param>
    /// <param name="fp8Scales">FP8 only: [ceil(rows/128), ceil(cols/128)], row-major; null for ones.</param>
    /// <param name="kernels">The tier to pack for.</param>
    /// <param name="pool">Packs in parallel.</param>
    /// <exception cref="KernelException">A format without products, or sizes that do not fit.</exception>
    public static PackedMatrix Pack(NumberFormat format, long rows, long cols, nint source, float[]? fp8Scales, KernelTable kernels, WorkerPool pool)
    {
        long bytes = checked(rows * NumberFormats.ByteCount(format, cols));
        var memory = new NativeBuffer(bytes);
        Buffer.MemoryCopy((void*)source, memory.Address, bytes, bytes);
        return new PackedMatrix(format, checked((int)rows), checked((int)cols), memory, fp8Scales);
    }

    /// <summary>One row as floats, dequantized (embeddings).</summary>
    public void DecodeRow(int row, Span<float> destination)
    {
        long rowBytes = NumberFormats.ByteCount(Format, Cols);
        fixed (float* d = destination) BlockDecoder.Decode(Format, Data + row * rowBytes, d, Cols);
        if (Scales is not null)
            for (int k = 0; k < Cols; k++) destination[k] *= Scales[row / 128 * ((Cols + 127) / 128) + k / 128];
    }

    public void Dispose() => _memory.Dispose();
}
