using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>Rows of a matrix as floats, straight from the mapped file: embeddings, and what must be rearranged before it is packed.</summary>
internal static unsafe class DecodedRows
{
    /// <summary>Decodes <paramref name="count"/> rows from <paramref name="first"/> on into [count, Cols].</summary>
    public static void Decode(MatrixSource source, long first, int count, Span<float> destination)
    {
        fixed (float* d = destination[..checked((int)(count * source.Cols))]) Decode(source, first, count, d);
    }

    /// <summary>As the other; the caller vouches for the room.</summary>
    public static void Decode(MatrixSource source, long first, int count, float* destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, source.Rows);
        BlockDecoder.Decode(source.Format, (byte*)source.Address + first * source.RowBytes, destination, count * source.Cols);
        if (source.Scales is not { } scales) return;
        long blocks = (source.Cols + 127) / 128; // the last block of a row or column may be partial
        for (int i = 0; i < count; i++)
            for (long j = 0; j < source.Cols; j++) destination[i * source.Cols + j] *= scales[(first + i) / 128 * blocks + j / 128];
    }
}
