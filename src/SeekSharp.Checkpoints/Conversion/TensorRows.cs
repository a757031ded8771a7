using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// A tensor to be written, as rows of floats made when they are asked for: [Rows, Cols], all outer dimensions folded into
/// the first. Reading is safe from several threads.
/// </summary>
internal abstract unsafe class TensorRows(long rows, long cols)
{
    public long Rows { get; } = rows;

    public long Cols { get; } = cols;

    /// <summary>Writes <paramref name="count"/> rows from <paramref name="first"/> on to <paramref name="dst"/>.</summary>
    public abstract void Read(long first, long count, float* dst);

    /// <summary>
    /// Where these rows lie as they are, in <paramref name="format"/>, one after the other; zero where they have to be
    /// computed. A tensor that keeps its format is copied from here, bit for bit.
    /// </summary>
    public virtual nint Stored(NumberFormat format) => 0;
}

/// <summary>Floats in memory.</summary>
internal sealed unsafe class FloatRows(float[] values, long cols) : TensorRows(values.LongLength / cols, cols)
{
    public override void Read(long first, long count, float* dst) =>
        values.AsSpan(checked((int)(first * Cols)), checked((int)(count * Cols))).CopyTo(new Span<float>(dst, (int)(count * Cols)));
}

/// <summary>A matrix of a mapped file; FP8 is multiplied by the scales of its 128×128 blocks.</summary>
internal sealed unsafe class MatrixRows(MatrixSource matrix) : TensorRows(matrix.Rows, matrix.Cols)
{
    private const int ScaleBlock = 128;

    public override void Read(long first, long count, float* dst)
    {
        BlockDecoder.Decode(matrix.Format, (byte*)matrix.Address + first * matrix.RowBytes, dst, count * Cols);
        if (matrix.Scales is null) return;
        long blocks = (Cols + ScaleBlock - 1) / ScaleBlock;
        for (long row = first; row < first + count; row++, dst += Cols)
            for (long col = 0; col < Cols; col++) dst[col] *= matrix.Scales[row / ScaleBlock * blocks + col / ScaleBlock];
    }

    public override nint Stored(NumberFormat format) => matrix.Scales is null && matrix.Format == format ? matrix.Address : 0;
}

/// <summary>Several matrices of one width, one after the other: the experts of a layer, the heads of a projection.</summary>
internal sealed unsafe class StackedRows(TensorRows[] parts) : TensorRows(parts.Sum(p => p.Rows), parts[0].Cols)
{
    public override void Read(long first, long count, float* dst)
    {
        foreach (TensorRows part in parts)
        {
            long n = Math.Min(count, part.Rows - first);
            if (n > 0)
            {
                part.Read(first, n, dst);
                dst += n * Cols;
                count -= n;
                first = 0;
            }
            else first -= part.Rows;
            if (count == 0) return;
        }
    }
}

/// <summary>Rows of another matrix in another order: row i here is row <c>source(i)</c> there.</summary>
internal sealed unsafe class ReorderedRows(TensorRows inner, long rows, Func<long, long> source) : TensorRows(rows, inner.Cols)
{
    public override void Read(long first, long count, float* dst)
    {
        for (long row = first; row < first + count; row++, dst += Cols) inner.Read(source(row), 1, dst);
    }
}

/// <summary>
/// The key half of <c>kv_b_proj</c> [N·(nope+v), kv_lora], transposed head by head to [N, kv_lora, nope]: the form in
/// which absorption multiplies by it (<c>attn_k_b</c>).
/// </summary>
internal sealed unsafe class TransposedKeyRows(TensorRows keyValue, int heads, int nope, int value)
    : TensorRows(heads * keyValue.Cols, nope)
{
    public override void Read(long first, long count, float* dst)
    {
        long rank = keyValue.Cols;
        float[] head = new float[nope * rank];
        fixed (float* source = head)
            while (count > 0)
            {
                long n = first / rank, from = first % rank, to = Math.Min(rank, from + count);
                keyValue.Read(n * (nope + value), nope, source);
                for (long r = from; r < to; r++)
                    for (int j = 0; j < nope; j++) *dst++ = source[j * rank + r];
                count -= to - from;
                first += to - from;
            }
    }
}
