namespace SeekSharp.Kernels;

/// <summary>
/// A weight matrix [Rows, Cols] in native memory, packed into panels (<see cref="PackedLayout"/>). Nothing is widened: it takes what the file takes, and at most 7% more
/// where small scales become bytes. Immutable after <see cref="Pack"/>; any thread may read it until it is disposed.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _memory;
    private readonly KernelTable _kernels;
    private readonly NativeBuffer? _scales;

    private PackedMatrix(NumberFormat format, NumberFormat stored, int rows, int cols, NativeBuffer memory, NativeBuffer? scales, KernelTable kernels)
    {
        Format = format;
        Stored = stored;
        Rows = rows;
        Cols = cols;
        _memory = memory;
        _scales = scales;
        _kernels = kernels;
    }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Cols { get; }

    /// <summary>The format in the file.</summary>
    public NumberFormat Format { get; }

    /// <summary>Bytes in memory.</summary>
    public long Bytes => _memory.Bytes + (_scales?.Bytes ?? 0);

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
        NumberFormat.Q8_0 or NumberFormat.IQ4_NL or NumberFormat.IQ4_XS => ActivationForm.Signed,
        _ => PackedLayout.IsCodebook(Stored) ? ActivationForm.Signed : ActivationForm.Unsigned,
    };

    /// <summary>The matrix's part of a kernel's arguments.</summary>
    internal PanelArguments Arguments() => new()
    {
        Panels = _memory.Address,
        PanelBytes = PackedLayout.PanelBytes(Stored, Cols),
        Rows = Rows,
        Cols = Cols,
        BlockScales = _scales == null ? null : (float*)_scales.Address,
    };

    /// <summary>Packs a matrix from its bytes as they lie in a checkpoint, rows without gaps.</summary>
    /// <param name="format">How the numbers are stored: F32, F16, BF16, F8E4M3 or an integer format.</param>
    /// <param name="rows">Outputs, 1 and above.</param>
    /// <param name="cols">Inputs, a whole number of the format's blocks.</param>
    /// <param name="source">The first byte.</param>
    /// <param name="fp8Scales">FP8 only: [ceil(rows/128), ceil(cols/128)], row-major; null for ones.</param>
    /// <param name="kernels">The tier to pack for.</param>
    /// <param name="pool">Packs in parallel.</param>
    /// <exception cref="KernelException">A format without products, or sizes that do not fit.</exception>
    public static PackedMatrix Pack(NumberFormat format, long rows, long cols, nint source, float[]? fp8Scales, KernelTable kernels, WorkerPool pool)
    {
        if (!PackedLayout.HasProduct(format)) throw new KernelException($"no matrix products with weights in {format}");
        if (rows is < 1 or > int.MaxValue - 31 || cols is < 1 or > int.MaxValue - 256 || cols % NumberFormats.BlockSize(format) != 0)
            throw new KernelException($"a matrix of {rows} × {cols} cannot be packed in {format} (blocks of {NumberFormats.BlockSize(format)})");
        long scaleCount = (rows + 127) / 128 * ((cols + 127) / 128);
        if (fp8Scales is not null && (format != NumberFormat.F8E4M3 || fp8Scales.LongLength != scaleCount))
            throw new KernelException($"a matrix of {rows} × {cols} in {format} takes {(format == NumberFormat.F8E4M3 ? scaleCount : 0)} block scales, not {fp8Scales.Length}");

        bool regular = format is not (NumberFormat.F16 or NumberFormat.F8E4M3) || PanelPacker.AllFinite(format, (byte*)source, rows * cols, pool);
        NumberFormat stored = regular ? format : NumberFormat.F32;
        long panelBytes = PackedLayout.PanelBytes(stored, cols), panels = (rows + 31) / 32;
        var memory = new NativeBuffer(checked(panels * panelBytes));
        try
        {
            fixed (float* blockScales = fp8Scales)
            {
                var work = new PanelPacker
                {
                    Format = format,
                    Stored = stored,
                    Rows = rows,
                    Cols = cols,
                    Source = (byte*)source,
                    Result = memory.Address,
                    PanelBytes = panelBytes,
                    Scales = blockScales,
                };
                pool.Run((int)panels, ref work);
            }
            NativeBuffer? scales = null;
            if (fp8Scales is not null && regular)
            {
                scales = new NativeBuffer(scaleCount * sizeof(float));
                fp8Scales.CopyTo(new Span<float>(scales.Address, fp8Scales.Length));
            }
            return new PackedMatrix(format, stored, (int)rows, (int)cols, memory, scales, kernels);
        }
        catch
        {
            memory.Dispose();
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

    public void Dispose()
    {
        _memory.Dispose();
        _scales?.Dispose();
    }
}
