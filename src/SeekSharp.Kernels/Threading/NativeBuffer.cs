using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Native memory aligned to 64 bytes, zeroed, with an owner. Large ones are aligned to 2 MB and ask for 2 MB pages, which
/// saves most of the page-table walks of a pass over the weights.
/// </summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const long HugePage = 2 << 20;

    [ThreadStatic]
    private static long _allocatedByThread;

    private byte* _address;

    /// <summary>Bytes that the calling thread has ever allocated here, as <see cref="GC.GetAllocatedBytesForCurrentThread"/> has it for managed memory.</summary>
    internal static long AllocatedByThread => _allocatedByThread;

    /// <summary>Allocates; <see cref="OutOfMemoryException"/> where the system refuses.</summary>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        bool large = bytes >= 4 * HugePage;
        _address = (byte*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, 64)), large ? (nuint)HugePage : 64);
        if (large) HugePages.Advise(_address, bytes);
        NativeMemory.Clear(_address, (nuint)bytes);
        _allocatedByThread += bytes;
        GC.AddMemoryPressure(Math.Max(bytes, 64));
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
        NativeMemory.AlignedFree(address);
        GC.RemoveMemoryPressure(Math.Max(Bytes, 64));
    }
}

/// <summary>Asks Linux for 2 MB pages; elsewhere, and where the call is refused, nothing happens.</summary>
internal static unsafe partial class HugePages
{
    private const int MadvHugePage = 14;

    public static void Advise(byte* address, long bytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = madvise(address, (nuint)bytes, MadvHugePage); // advice: a refusal changes nothing
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // musl names its library differently on some distributions: small pages then
        }
    }

    [LibraryImport("libc")]
    private static partial int madvise(byte* address, nuint length, int advice);
}
