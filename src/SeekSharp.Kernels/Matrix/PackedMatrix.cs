namespace SeekSharp.Kernels;

/// <summary>
/// A weight matrix [Rows, Cols] in native memory, packed into panels (<see cref="PackedLayout"/>). Nothing is widened: it takes what the file takes, and at most 7% more
/// where small scales become bytes. Immutable after <see cref="Pack"/>; any thread may read it until it is disposed.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private const long SliceBytes = 16 << 20;

    private readonly byte* _memory;
    private readonly float* _scales;
    private readonly NativeBuffer? _own; // null where an arena owns the memory
    private readonly KernelTable _kernels;

    private PackedMatrix(NumberFormat format, NumberFormat stored, int rows, int cols, byte* memory, float* scales, long bytes, NativeBuffer? own, KernelTable kernels)
    {
        Format = format;
        Stored = stored;
        Rows = rows;
        Cols = cols;
        Bytes = bytes;
        _memory = memory;
        _scales = scales;
        _own = own;
        _kernels = kernels;
    }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Cols { get; }

    /// <summary>The format in the file.</summary>
    public NumberFormat Format { get; }

    /// <summary>Bytes in memory.</summary>
    public long Bytes { get; }

    /// <summary>The first byte; for who owns the memory and packs something else into it.</summary>
    internal byte* Memory => _memory;

    /// <summary>The format in memory: the file's, but F32 where an F16 or FP8 matrix holds ∞ or NaN.</summary>
    internal NumberFormat Stored { get; }

    /// <summary>Panels of 32 outputs.</summary>
    internal int Panels => (Rows - 1) / PackedLayout.Width + 1;

    /// <summary>The form in which products want their activations.</summary>
    internal ActivationForm InputForm(Arithmetic arithmetic, KernelTable kernels) => arithmetic == Arithmetic.Exact ? ActivationForm.Floats : Stored switch
    {
        NumberFormat.F32 or NumberFormat.F16 => ActivationForm.Floats,
        NumberFormat.BF16 or NumberFormat.F8E4M3 => kernels.IsAssembled(Stored) ? ActivationForm.BF16 : ActivationForm.RoundedPairs,
        _ when kernels.IsAssembled(Stored) => ActivationForm.Biased,
        _ when kernels.HasDotQuads => ActivationForm.Unsigned,
        NumberFormat.Q8_0 or NumberFormat.IQ4_NL or NumberFormat.IQ4_XS => ActivationForm.Signed,
        _ => PackedLayout.IsCodebook(Stored) ? ActivationForm.Signed : ActivationForm.Unsigned,
    };

    /// <summary>The matrix's part of a kernel's arguments.</summary>
    internal PanelArguments Arguments() => new()
    {
        Panels = _memory,
        PanelBytes = PackedLayout.PanelBytes(Stored, Cols),
        Rows = Rows,
        Cols = Cols,
        BlockScales = _scales,
    };

    /// <summary>Packs a matrix from its bytes as they lie in a checkpoint, rows without gaps.</summary>
    /// <param name="format">How the numbers are stored: F32, F16, BF16, F8E4M3 or an integer format.</param>
    /// <param name="rows">Outputs, 1 and above.</param>
    /// <param name="cols">Inputs, a whole number of the format's blocks.</param>
    /// <param name="source">The first byte.</param>
    /// <param name="fp8Scales">FP8 only: [ceil(rows/128), ceil(cols/128)], row-major; null for ones.</param>
    /// <param name="kernels">The tier to pack for.</param>
    /// <param name="pool">Packs in parallel.</param>
    /// <param name="arena">Where the memory comes from, and who owns it; null for memory of the matrix's own.</param>
    /// <param name="sliceDone">Called with the address and length of each slice of the source (at most 16 MB, or one panel) that will not be read again.</param>
    /// <exception cref="KernelException">A format without products, or sizes that do not fit.</exception>
    public static PackedMatrix Pack(NumberFormat format, long rows, long cols, nint source, float[]? fp8Scales, KernelTable kernels, WorkerPool pool,
        NativeArena? arena = null, Action<nint, long>? sliceDone = null)
    {
        Check(format, rows, cols, fp8Scales);
        // Products know no ∞ and NaN in F16 and FP8. They are looked for while packing, and where one is found the matrix is packed again as F32.
        if (format is not (NumberFormat.F16 or NumberFormat.F8E4M3)) return TryPack(format, format, rows, cols, source, fp8Scales, kernels, pool, arena, sliceDone, out _)!;
        return TryPack(format, format, rows, cols, source, fp8Scales, kernels, pool, arena, sliceDone, out bool regular) is { } matrix && regular ? matrix
            : TryPack(format, NumberFormat.F32, rows, cols, source, fp8Scales, kernels, pool, arena, sliceDone, out _)!;
    }

    /// <summary>
    /// As the other, on the calling thread alone (or on a pool's) and into memory that the caller owns and keeps, aligned to 64 bytes, <see cref="PackedBytes"/> of it. Only a matrix that must become F32
    /// brings memory of its own; disposing frees that.
    /// </summary>
    /// <exception cref="KernelException">A format without products, or sizes that do not fit.</exception>
    public static PackedMatrix PackInto(byte* memory, NumberFormat format, long rows, long cols, nint source, float[]? fp8Scales, KernelTable kernels, WorkerPool? pool = null)
    {
        Check(format, rows, cols, fp8Scales);
        return TryPack(format, format, rows, cols, source, fp8Scales, kernels, pool, null, null, out bool regular, memory) is { } matrix && regular ? matrix
            : TryPack(format, NumberFormat.F32, rows, cols, source, fp8Scales, kernels, pool, null, null, out _)!;
    }

    /// <summary>A matrix that was packed before, in the file's format, and lies in memory that the caller owns and keeps.</summary>
    /// <exception cref="KernelException">A format without products, or sizes that do not fit.</exception>
    public static PackedMatrix Over(byte* memory, NumberFormat format, long rows, long cols, bool fp8Scales, KernelTable kernels)
    {
        Check(format, rows, cols, null);
        long bytes = PanelsBytes(format, rows, cols), scales = fp8Scales ? ScaleCount(rows, cols) * sizeof(float) : 0;
        return new PackedMatrix(format, format, (int)rows, (int)cols, memory, scales == 0 ? null : (float*)(memory + Aligned(bytes)), bytes + scales, null, kernels);
    }

    /// <summary>Bytes that a matrix takes when it is packed in the file's format, with its FP8 scales behind; a multiple of 64.</summary>
    public static long PackedBytes(NumberFormat format, long rows, long cols, bool fp8Scales) =>
        checked(Aligned(PanelsBytes(format, rows, cols)) + (fp8Scales ? Aligned(ScaleCount(rows, cols) * sizeof(float)) : 0));

    private static long PanelsBytes(NumberFormat format, long rows, long cols) => checked((rows + 31) / 32 * PackedLayout.PanelBytes(format, cols));

    private static long ScaleCount(long rows, long cols) => (rows + 127) / 128 * ((cols + 127) / 128);

    private static long Aligned(long bytes) => checked(bytes + 63) & ~63L;

    private static void Check(NumberFormat format, long rows, long cols, float[]? fp8Scales)
    {
        if (!PackedLayout.HasProduct(format)) throw new KernelException($"no matrix products with weights in {format}");
        if (rows is < 1 or > int.MaxValue - 31 || cols is < 1 or > int.MaxValue - 256 || cols % NumberFormats.BlockSize(format) != 0)
            throw new KernelException($"a matrix of {rows} × {cols} cannot be packed in {format} (blocks of {NumberFormats.BlockSize(format)})");
        long scaleCount = ScaleCount(rows, cols);
        if (fp8Scales is not null && (format != NumberFormat.F8E4M3 || fp8Scales.LongLength != scaleCount))
            throw new KernelException($"a matrix of {rows} × {cols} in {format} takes {(format == NumberFormat.F8E4M3 ? scaleCount : 0)} block scales, not {fp8Scales.Length}");
    }

    // Null where a number is not finite and the format in memory does not take it. Memory: given, the arena's, or the matrix's own.
    private static PackedMatrix? TryPack(NumberFormat format, NumberFormat stored, long rows, long cols, nint source, float[]? fp8Scales, KernelTable kernels, WorkerPool? pool,
        NativeArena? arena, Action<nint, long>? sliceDone, out bool regular, byte* memory = null)
    {
        long panelBytes = PackedLayout.PanelBytes(stored, cols), bytes = PanelsBytes(stored, rows, cols), scaleBytes = fp8Scales is null || stored != format ? 0 : fp8Scales.Length * 4L;
        long scalesAt = Aligned(bytes), rowBytes = NumberFormats.ByteCount(format, cols);
        NativeBuffer? own = arena is null && memory == null ? new NativeBuffer(scalesAt + scaleBytes) : null;
        try
        {
            if (memory == null) memory = own is null ? arena!.Take(scalesAt + scaleBytes) : own.Address;
            int irregular = 0;
            fixed (float* blockScales = fp8Scales)
            {
                var work = new PanelPacker
                {
                    Format = format,
                    Stored = stored,
                    Rows = rows,
                    Cols = cols,
                    Source = (byte*)source,
                    Result = memory,
                    PanelBytes = panelBytes,
                    Scales = blockScales,
                    Irregular = stored == format && format is NumberFormat.F16 or NumberFormat.F8E4M3 ? &irregular : null,
                };
                int panels = (int)((rows + 31) / 32), slice = (int)Math.Clamp(SliceBytes / (32 * rowBytes), 1, panels);
                for (int first = 0; first < panels && irregular == 0; first += slice)
                {
                    work.FirstPanel = first;
                    int count = Math.Min(slice, panels - first);
                    if (pool is not null) pool.Run(count, ref work);
                    else
                        for (int p = 0; p < count; p++) work.Run(p, 0);
                    sliceDone?.Invoke(source + (nint)(first * 32 * rowBytes), Math.Min(slice * 32L, rows - first * 32L) * rowBytes);
                }
            }
            regular = irregular == 0;
            if (!regular)
            {
                own?.Dispose();
                return null;
            }
            float* scales = scaleBytes == 0 ? null : (float*)(memory + scalesAt);
            if (scales != null) fp8Scales.CopyTo(new Span<float>(scales, fp8Scales!.Length));
            return new PackedMatrix(format, stored, (int)rows, (int)cols, memory, scales, bytes + scaleBytes, own, kernels);
        }
        catch
        {
            own?.Dispose();
            throw;
        }
    }

    /// <summary>One row as floats, dequantized (embeddings).</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such row.</exception>
    public void DecodeRow(int row, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        PanelArguments a = Arguments();
        float* tile = stackalloc float[(ExactPanel.Chunk + 1) * 32];
        byte* scratch = stackalloc byte[CodebookRecord.Bytes];
        for (int k0 = 0; k0 < Cols; k0 += ExactPanel.Chunk)
        {
            int n = Math.Min(ExactPanel.Chunk, Cols - k0);
            _kernels.Floats(Stored)(&a, row / 32, k0, n, tile, scratch);
            for (int k = 0; k < n; k++) destination[k0 + k] = tile[k * 32 + row % 32];
        }
    }

    public void Dispose() => _own?.Dispose();
}
