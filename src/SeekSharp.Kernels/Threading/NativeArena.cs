namespace SeekSharp.Kernels;

/// <summary>
/// Memory for many things that live equally long (a model's weights): slabs of address space that is filled from below, so that small matrices lie side by side in 2 MB pages too, and
/// nothing is touched before it is written. Where a system cannot reserve, each piece is a buffer of its own. For one thread at a time.
/// </summary>
internal sealed unsafe class NativeArena : IDisposable
{
    private const long Slab = 256L << 20;
    private readonly List<NativeBuffer> _buffers = [];
    private NativeBuffer? _slab;
    private long _used;

    /// <summary>Zeroed memory, aligned to 64 bytes, until the arena is disposed.</summary>
    public byte* Take(long bytes)
    {
        long aligned = checked((Math.Max(bytes, 1) + 63) & ~63L);
        if (_slab is null || aligned > _slab.Bytes - _used)
        {
            NativeBuffer? slab = NativeBuffer.Reserve(Math.Max(Slab, aligned));
            if (slab is null)
            {
                _buffers.Add(new NativeBuffer(bytes));
                return _buffers[^1].Address;
            }
            _buffers.Add(slab);
            (_slab, _used) = (slab, 0);
        }
        byte* address = _slab.Address + _used;
        _used += aligned;
        return address;
    }

    public void Dispose()
    {
        foreach (NativeBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
        _slab = null;
    }
}
