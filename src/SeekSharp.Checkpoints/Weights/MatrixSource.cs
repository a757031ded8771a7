using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// A matrix [Rows, Cols] (outputs × inputs) as it lies in a mapped checkpoint: a whole tensor, or a slice of one
/// (one expert of a stacked tensor, one head of <c>attn_k_b</c>). Rows follow each other without gaps.
/// </summary>
/// <param name="Name">The tensor's name in the file (with the slice), for messages.</param>
/// <param name="Format">How the numbers are stored.</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Cols">Inputs.</param>
/// <param name="Address">Address of the first byte.</param>
/// <param name="Scales">FP8 only: the scales of 128×128 blocks, [ceil(Rows/128), ceil(Cols/128)], row-major, as floats; null without.</param>
internal sealed record MatrixSource(string Name, NumberFormat Format, long Rows, long Cols, nint Address, float[]? Scales = null)
{
    /// <summary>Bytes of one row.</summary>
    public long RowBytes => NumberFormats.ByteCount(Format, Cols);

    /// <summary>Bytes of the whole matrix.</summary>
    public long ByteLength => checked(Rows * RowBytes);
}
