using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>One tensor of an opened checkpoint: where its bytes lie in the mapped file, and what they are.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Format">How its numbers are stored.</param>
/// <param name="Shape">Dimensions, outermost first (row-major; a matrix is [out, in]), also for GGUF, which lists them the other way round.</param>
/// <param name="File">The file it lies in, for messages.</param>
/// <param name="Address">Address of the first byte in the mapping; valid until the checkpoint is disposed.</param>
/// <param name="ByteLength">Bytes of its data, checked against the file's size.</param>
internal sealed record CheckpointTensor(string Name, NumberFormat Format, long[] Shape, string File, nint Address, long ByteLength)
{
    /// <summary>Number of values (the product of <see cref="Shape"/>, checked when the file was opened).</summary>
    public long Count
    {
        get
        {
            long n = 1;
            foreach (long d in Shape) n = checked(n * d);
            return n;
        }
    }
}
