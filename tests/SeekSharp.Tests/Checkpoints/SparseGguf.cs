using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>
/// A GGUF file of any apparent size that takes little disk: its tensors are holes, which read as zeros (as blocks: scales and codes of zero), but for the numbers that a test writes.
/// </summary>
internal sealed class SparseGguf
{
    private readonly GgufBytes _bytes = new();
    private readonly Dictionary<string, (ulong Offset, NumberFormat Format, long[] Shape)> _tensors = [];
    private ulong _size;
    private string? _path;
    private long _dataAt;

    /// <summary>Keys.</summary>
    public GgufBytes Keys => _bytes;

    /// <summary>Bytes of all tensors.</summary>
    public long TensorBytes => (long)_size;

    /// <summary>Values of all tensors.</summary>
    public long Parameters { get; private set; }

    /// <summary>A tensor, dimensions outermost first.</summary>
    public SparseGguf Tensor(string name, NumberFormat format, params long[] shape)
    {
        _tensors.Add(name, (_size, format, shape));
        _bytes.Tensor(name, [.. shape.Reverse().Select(d => (ulong)d)], GgufTypes.IdOf(format)!.Value, _size);
        long count = shape.Aggregate(1L, (a, b) => a * b);
        Parameters += count;
        _size += ((ulong)NumberFormats.ByteCount(format, count) + 31) / 32 * 32;
        return this;
    }

    /// <summary>Makes the file.</summary>
    public SparseGguf Create(string path)
    {
        byte[] header = _bytes.ToArray();
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        file.Write(header);
        file.SetLength(header.Length + (long)_size);
        (_path, _dataAt) = (path, header.Length);
        return this;
    }

    /// <summary>Writes bytes of a tensor, in place of zeros; several pieces at once.</summary>
    public void Write(string name, IEnumerable<(long Offset, byte[] Bytes)> pieces)
    {
        using var file = new FileStream(_path!, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 1);
        foreach ((long offset, byte[] bytes) in pieces)
        {
            file.Position = _dataAt + (long)_tensors[name].Offset + offset;
            file.Write(bytes);
        }
    }

    /// <summary>Writes floats of an F32 tensor from an index on.</summary>
    public void Write(string name, long index, params float[] values) => Write(name, [(index * 4, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray())]);
}
