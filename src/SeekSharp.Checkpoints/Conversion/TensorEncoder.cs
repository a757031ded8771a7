using System.Runtime.InteropServices;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Reads planned tensors, encodes them on all threads and appends them to a file, in slabs of a fixed number of values:
/// memory does not grow with the model. What a slab holds does not depend on the number of threads.
/// </summary>
internal sealed unsafe class TensorEncoder : IDisposable
{
    private const long SlabValues = 1 << 19; // of each thread: 2 MiB of floats

    private readonly int threads;
    private float* floats;
    private byte* bytes;
    private long room;

    /// <param name="threads">Threads to use; 0 for all cores.</param>
    public TensorEncoder(int threads) => this.threads = threads > 0 ? threads : Environment.ProcessorCount;

    /// <summary>Appends one tensor.</summary>
    /// <param name="tensor">Where its rows come from, and the format to write.</param>
    /// <param name="write">Takes the bytes, in order.</param>
    /// <param name="cancellation">Ends the work between slabs.</param>
    public void Encode(PlannedTensor tensor, Action<nint, int> write, CancellationToken cancellation)
    {
        TensorRows rows = tensor.Rows;
        if (rows.Rows == 0 || rows.Cols == 0) return;
        long rowBytes = NumberFormats.ByteCount(tensor.Format, rows.Cols);
        if (rows.Stored(tensor.Format) is var stored and not 0)
        {
            for (long at = 0, left = rows.Rows * rowBytes; left > 0;)
            {
                cancellation.ThrowIfCancellationRequested();
                int n = (int)Math.Min(left, 1 << 24);
                write(stored + (nint)at, n);
                at += n;
                left -= n;
            }
            return;
        }
        long slabRows = Math.Max(1, SlabValues / rows.Cols), batchRows = Math.Min(rows.Rows, slabRows * threads);
        Reserve(checked(batchRows * rows.Cols));
        for (long first = 0; first < rows.Rows; first += batchRows)
        {
            cancellation.ThrowIfCancellationRequested();
            long start = first, count = Math.Min(batchRows, rows.Rows - first);
            int slabs = (int)((count + slabRows - 1) / slabRows);
            Parallel.For(0, slabs, new ParallelOptions { MaxDegreeOfParallelism = threads }, slab =>
            {
                long from = slab * slabRows, n = Math.Min(slabRows, count - from);
                rows.Read(start + from, n, floats + from * rows.Cols);
                BlockEncoder.Encode(tensor.Format, floats + from * rows.Cols, bytes + from * rowBytes, n * rows.Cols);
            });
            for (long at = 0, left = count * rowBytes; left > 0;)
            {
                int n = (int)Math.Min(left, 1 << 30);
                write((nint)(bytes + at), n);
                at += n;
                left -= n;
            }
        }
    }

    /// <summary>Frees the buffers.</summary>
    public void Dispose()
    {
        NativeMemory.Free(floats);
        NativeMemory.Free(bytes);
        floats = null;
        bytes = null;
    }

    private void Reserve(long values)
    {
        if (values <= room) return;
        Dispose();
        room = 0;
        floats = (float*)NativeMemory.Alloc(checked((nuint)values), sizeof(float));
        bytes = (byte*)NativeMemory.Alloc(checked((nuint)values), sizeof(float)); // no format takes more
        room = values;
    }
}
