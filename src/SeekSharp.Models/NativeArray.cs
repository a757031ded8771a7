using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>Scratch memory that grows when more is asked for and is kept for the next time.</summary>
internal sealed unsafe class NativeArray<T> : IDisposable where T : unmanaged
{
    private NativeBuffer? _buffer;

    /// <summary>At least <paramref name="count"/> values; what they hold is undefined, and gone when more is asked for.</summary>
    public T* Get(long count)
    {
        long bytes = checked(count * sizeof(T));
        if (_buffer is null || _buffer.Bytes < bytes)
        {
            _buffer?.Dispose();
            _buffer = null;
            _buffer = new NativeBuffer(bytes);
        }
        return (T*)_buffer.Address;
    }

    public void Dispose() => _buffer?.Dispose();
}
