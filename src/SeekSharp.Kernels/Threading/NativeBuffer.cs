using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Native memory aligned to 64 bytes, zeroed, with an owner. Large ones are aligned to 2 MB and ask for 2 MB pages, which
/// saves most of the page-table walks of a pass over the weights.
/// </summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    [ThreadStatic]
    private static long _allocatedByThread;

    private readonly byte* _mapped; // null where the memory is malloc's
    private readonly long _mappedBytes, _pressure;
    private byte* _address;

    /// <summary>Bytes that the calling thread has ever allocated here, as <see cref="GC.GetAllocatedBytesForCurrentThread"/> has it for managed memory.</summary>
    internal static long AllocatedByThread => _allocatedByThread;

    /// <summary>Allocates; <see cref="OutOfMemoryException"/> where the system refuses.</summary>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        if (bytes >= 4 * MemoryPages.Large) _address = MemoryPages.Reserve(bytes, out _mapped, out _mappedBytes);
        if (_address == null)
        {
            _address = (byte*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, 64)), 64);
            NativeMemory.Clear(_address, (nuint)bytes);
        }
        _allocatedByThread += bytes;
        _pressure = Math.Max(bytes, 64);
        GC.AddMemoryPressure(_pressure);
    }

    private NativeBuffer(long bytes, byte* address, byte* mapped, long mappedBytes)
    {
        Bytes = bytes;
        _address = address;
        _mapped = mapped;
        _mappedBytes = mappedBytes;
    }

    /// <summary>Address space whose pages become memory when they are touched; null on systems without.</summary>
    /// <exception cref="OutOfMemoryException">The system refuses.</exception>
    public static NativeBuffer? Reserve(long bytes)
    {
        byte* address = MemoryPages.Reserve(bytes, out byte* mapped, out long mappedBytes);
        return address == null ? null : new NativeBuffer(bytes, address, mapped, mappedBytes);
    }

    /// <summary>Size in bytes.</summary>
    public long Bytes { get; }

    /// <summary>The first byte; null after <see cref="Dispose"/>.</summary>
    public byte* Address => _address;

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    ~NativeBuffer() => Free();

    private void Free()
    {
        byte* address = _address;
        if (address == null) return;
        _address = null;
        if (_mapped != null) MemoryPages.Release(_mapped, _mappedBytes);
        else NativeMemory.AlignedFree(address);
        if (_pressure > 0) GC.RemoveMemoryPressure(_pressure);
    }
}
