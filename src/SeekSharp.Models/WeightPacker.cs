using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// Takes matrices from the mapped file into packed memory, one after the other and each on all threads, checks every shape
/// against the config (the kernels trust it), and tells how far it is. It owns what it packed. What is next in the file is read
/// ahead while the threads pack, and what has been packed is given back, slice by slice.
/// <para>
/// When new weights come (<see cref="BeginUpdate"/>), the same layers are built in the same order: the n-th matrix takes the n-th one's memory, or is the n-th one where its values stay.
/// </para>
/// </summary>
internal sealed unsafe class WeightPacker(KernelTable kernels, WorkerPool pool, bool exact, long totalBytes, IProgress<double>? progress, SourcePages? pages = null) : IDisposable
{
    private readonly NativeArena _arena = new();
    private readonly SourcePages _pages = pages ?? new SourcePages([]);
    private readonly List<PackedMatrix> _packed = [];
    private readonly List<Place> _places = [];     // of _packed
    private readonly Dictionary<(nint, string), Linear> _shared = [];
    private Func<MatrixSource, bool>? _isNew;      // while the weights change
    private int _next;                             // the matrix that is due then
    private long _done, _bytes;

    // Where a matrix lies, and how much room there is; a buffer of its own where the arena's place was too small.
    private readonly record struct Place(nint Memory, long Room, NativeBuffer? Own);

    /// <summary>Nothing may be rounded that the file holds in full.</summary>
    public bool Exact { get; } = exact;

    /// <summary>Where experts are read from as they are needed; null where they are packed like everything else.</summary>
    public ExpertStore? Experts { get; init; }

    /// <summary>Threads that pack.</summary>
    public WorkerPool Pool => pool;

    /// <summary>Bytes in memory.</summary>
    public long Bytes => Volatile.Read(ref _bytes) + (Experts?.Bytes ?? 0);

    /// <summary>From now on matrices take the places of those that were packed before, in the same order.</summary>
    /// <param name="isNew">Whether a matrix has new values; the others are not even read.</param>
    public void BeginUpdate(Func<MatrixSource, bool> isNew)
    {
        _shared.Clear();
        (_isNew, _next) = (isNew, 0);
    }

    /// <summary>The new weights are complete.</summary>
    public void EndUpdate()
    {
        if (_next != _packed.Count) throw new InvalidOperationException($"{_next} matrices were packed again, of {_packed.Count}");
        _isNew = null;
    }

    /// <summary>While the weights change: does this matrix stay as it is? Then it is had from <see cref="Keep"/>.</summary>
    public bool Keeps(MatrixSource source) => _isNew?.Invoke(source) == false;

    /// <summary>The matrix that is due, as it is.</summary>
    public Linear Keep(WeightVector? bias = null) => new(_packed[_next++], bias);

    /// <summary>Packs a matrix [rows, cols].</summary>
    /// <exception cref="CheckpointException">Another shape, or a format that no product takes.</exception>
    public Linear Pack(MatrixSource source, long rows, long cols, float[]? bias = null)
    {
        Require(source, rows, cols);
        WeightVector? vector = bias is null ? null : Vector(bias, rows, source.Name + " (bias)");
        if (Keeps(source)) return Keep(vector);
        var linear = new Linear(Pack(source.Name, source.Format, rows, cols, source.Address, source.Scales), vector);
        Advance(source.ByteLength);
        return linear;
    }

    /// <summary>As <see cref="Pack(MatrixSource, long, long, float[])"/>, once for a matrix that several places use (a tied output).</summary>
    public Linear PackShared(MatrixSource source, long rows, long cols)
    {
        if (!_shared.TryGetValue((source.Address, source.Name), out Linear? linear)) _shared[(source.Address, source.Name)] = linear = Pack(source, rows, cols);
        return linear;
    }

    /// <summary>Packs a matrix that was computed here, encoded in a format that holds it.</summary>
    public Linear PackEncoded(string name, ReadOnlySpan<byte> values, int rows, int cols, NumberFormat format)
    {
        fixed (byte* p = values) return new Linear(Pack(name, format, rows, cols, (nint)p, null), null);
    }

    /// <summary>A vector of weights, its length checked.</summary>
    public static WeightVector Vector(float[] values, long length, string name)
        => values.Length == length ? new WeightVector(values) : throw new CheckpointException($"{name}: expected {length} values, found {values.Length}");

    /// <summary>Throws unless the source has this shape.</summary>
    public static void Require(MatrixSource source, long rows, long cols)
    {
        if (source.Rows != rows || source.Cols != cols)
            throw new CheckpointException($"{source.Name}: expected [{rows}, {cols}], found [{source.Rows}, {source.Cols}]");
        long scales = checked((rows + 127) / 128 * ((cols + 127) / 128));
        if (source.Scales is not null && source.Scales.Length != scales)
            throw new CheckpointException($"{source.Name}: expected {scales} block scales, found {source.Scales.Length}");
    }

    /// <summary>Gives a source's pages back that was read in another way than by packing it.</summary>
    public void Forget(MatrixSource source) => _pages.Done(source.Address, source.ByteLength);

    /// <summary>Counts bytes of the file as done.</summary>
    public void Advance(long bytes)
    {
        if (_isNew is not null) return;
        _done += bytes;
        progress?.Report(totalBytes == 0 ? 1 : Math.Min(1, (double)_done / totalBytes));
    }

    private PackedMatrix Pack(string name, NumberFormat format, long rows, long cols, nint address, float[]? scales)
    {
        try
        {
            if (_isNew is not null) return Replace(_next++, format, rows, cols, address, scales);
            _pages.ReadAhead(address);
            PackedMatrix matrix = PackedMatrix.Pack(format, rows, cols, address, scales, kernels, pool, _arena, _pages.Done);
            _packed.Add(matrix);
            _places.Add(new Place((nint)matrix.Memory, PackedMatrix.PackedBytes(matrix.Stored, rows, cols, scales is not null && matrix.Stored == format), null));
            _bytes += matrix.Bytes;
            return matrix;
        }
        catch (KernelException e)
        {
            throw new CheckpointException($"{name}: {e.Message}", e);
        }
    }

    private PackedMatrix Replace(int index, NumberFormat format, long rows, long cols, nint address, float[]? scales)
    {
        PackedMatrix old = _packed[index];
        if (old.Rows != rows || old.Cols != cols) throw new InvalidOperationException($"matrix {index} was [{old.Rows}, {old.Cols}] and is [{rows}, {cols}]");
        Place place = _places[index];
        long bytes = PackedMatrix.PackedBytes(format, rows, cols, scales is not null);
        if (bytes > place.Room)
        {
            var own = new NativeBuffer(bytes);
            place.Own?.Dispose();
            _places[index] = place = new Place((nint)own.Address, bytes, own);
        }
        PackedMatrix matrix = PackedMatrix.PackInto((byte*)place.Memory, format, rows, cols, address, scales, kernels, pool);
        old.Dispose(); // what it had beside its place
        _packed[index] = matrix;
        _bytes += matrix.Bytes - old.Bytes;
        return matrix;
    }

    public void Dispose()
    {
        Experts?.Dispose();
        foreach (PackedMatrix matrix in _packed) matrix.Dispose();
        foreach (Place place in _places) place.Own?.Dispose();
        _places.Clear();
        _packed.Clear();
        _arena.Dispose();
    }
}
