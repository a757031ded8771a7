using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Takes tensors of known shapes out of a checkpoint: matrices as views, vectors as floats. Everything that is missing
/// or of another shape is reported with its name, what was expected and what was found.
/// </summary>
internal sealed class WeightReader(Checkpoint checkpoint, string place, bool fp8NeedsScales = false)
{
    /// <summary>Side of the blocks that share one scale in FP8 checkpoints (<c>weight_block_size</c>).</summary>
    private const int ScaleBlock = 128;

    public bool Has(string name) => checkpoint.Tensors.ContainsKey(name);

    /// <summary>A matrix [rows, cols] of any format that products understand.</summary>
    public MatrixSource Matrix(string name, long rows, long cols)
    {
        CheckpointTensor t = Tensor(name, rows, cols);
        return new MatrixSource(name, Multipliable(t), rows, cols, t.Address, Scales(t, rows, cols));
    }

    /// <summary>The slices [rows, cols] of a tensor [count, rows, cols].</summary>
    public MatrixSource[] Stack(string name, int count, long rows, long cols)
    {
        CheckpointTensor t = Tensor(name, count, rows, cols);
        NumberFormat format = Multipliable(t);
        var slices = new MatrixSource[count];
        float[][]? scales = StackedScales(t, count, rows, cols);
        for (int i = 0; i < count; i++)
        {
            nint at = t.Address + checked((nint)(i * rows * NumberFormats.ByteCount(format, cols)));
            slices[i] = new MatrixSource($"{name}[{i}]", format, rows, cols, at, scales?[i]);
        }
        return slices;
    }

    /// <summary>Splits matrices into their first and their following rows (fused gate and up).</summary>
    public (MatrixSource Upper, MatrixSource Lower) SplitRows(MatrixSource m, long rows)
    {
        if (m.Scales is null)
            return (m with { Rows = rows }, m with { Rows = m.Rows - rows, Address = m.Address + checked((nint)(rows * m.RowBytes)) });
        if (rows % ScaleBlock != 0) throw new CheckpointException($"{place}: tensor {Checkpoint.Show(m.Name)}: {rows} rows of fused FP8 experts are no whole number of {ScaleBlock}×{ScaleBlock} blocks");
        int cut = checked((int)(rows / ScaleBlock * Blocks(m.Cols)));
        return (m with { Rows = rows, Scales = m.Scales[..cut] },
            m with { Rows = m.Rows - rows, Address = m.Address + checked((nint)(rows * m.RowBytes)), Scales = m.Scales[cut..] });
    }

    /// <summary>A vector as floats; any float format.</summary>
    public float[] Vector(string name, long length) => Floats(Tensor(name, length));

    /// <summary>A vector that may be missing.</summary>
    public float[]? OptionalVector(string name, long length) => Has(name) ? Vector(name, length) : null;

    /// <summary>A tensor of exactly this shape.</summary>
    public CheckpointTensor Tensor(string name, params ReadOnlySpan<long> shape)
    {
        if (!checkpoint.Tensors.TryGetValue(name, out CheckpointTensor? t))
            throw new CheckpointException($"{place}: tensor {Checkpoint.Show(name)} is missing, expected {Checkpoint.Show(shape)}");
        if (!shape.SequenceEqual(t.Shape))
            throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(name)}: expected {Checkpoint.Show(shape)}, found {Checkpoint.Show(t.Shape)}");
        return t;
    }

    private static NumberFormat Multipliable(CheckpointTensor t) => t.Format is NumberFormat.I8 or NumberFormat.U8 or NumberFormat.I16 or NumberFormat.I32 or NumberFormat.I64 or NumberFormat.F64 or NumberFormat.F8E8M0
        ? throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(t.Name)}: expected weights (F32, F16, BF16, 8-bit floats or GGML blocks), found {t.Format}")
        : t.Format;

    private static long Blocks(long n) => (n + ScaleBlock - 1) / ScaleBlock;

    // NAME_scale_inv: one factor for each 128×128 block, the last ones partial.
    private float[]? Scales(CheckpointTensor t, long rows, long cols)
    {
        return ScalesOf(t) is string name ? Floats(Tensor(name, Blocks(rows), Blocks(cols))) : null;
    }

    // Where the config says that weights are quantized, scales that are missing would give wrong answers in silence.
    private string? ScalesOf(CheckpointTensor t)
    {
        string name = t.Name + "_scale_inv";
        return t.Format is NumberFormat.F8E4M3 or NumberFormat.F8E5M2 && (fp8NeedsScales || Has(name)) ? name : null;
    }

    private float[][]? StackedScales(CheckpointTensor t, int count, long rows, long cols)
    {
        if (ScalesOf(t) is not string name) return null;
        float[] all = Floats(Tensor(name, count, Blocks(rows), Blocks(cols)));
        return [.. all.Chunk(all.Length / count)];
    }

    private static unsafe float[] Floats(CheckpointTensor t)
    {
        if (t.Format is NumberFormat.I8 or NumberFormat.U8 or NumberFormat.I16 or NumberFormat.I32 or NumberFormat.I64)
            throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(t.Name)}: expected floats, found {t.Format}");
        if (t.ByteLength > int.MaxValue || t.Count > Array.MaxLength)
            throw new CheckpointException($"{t.File}: tensor {Checkpoint.Show(t.Name)} is too large for a vector: {t.ByteLength} bytes");
        var values = new float[(int)t.Count];
        BlockDecoder.Decode(t.Format, new ReadOnlySpan<byte>((byte*)t.Address, (int)t.ByteLength), values);
        return values;
    }
}
