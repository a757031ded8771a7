using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// What Linux can be told about pages: reserve them without touching them, prefer 2 MB, read ahead, give back. Elsewhere, and where a call is refused, nothing happens
/// (<see cref="Reserve"/> then gives null).
/// </summary>
internal static unsafe partial class MemoryPages
{
    /// <summary>The size of a large page.</summary>
    public const long Large = 2 << 20;

    private const int ReadWrite = 1 | 2, PrivateAnonymous = 0x02 | 0x20; // x64 and Arm64 have the same values
    private const int MadvWillNeed = 3, MadvDontNeed = 4, MadvHugePage = 14;
    private static bool _missing = !OperatingSystem.IsLinux();

    /// <summary>
    /// Zeroed memory at a multiple of 2 MB whose pages come when they are first touched, by whichever thread; whole large pages are asked for. Null where that is not to be had.
    /// </summary>
    /// <param name="bytes">1 and above.</param>
    /// <param name="mapped">What <see cref="Release"/> wants back.</param>
    /// <param name="mappedBytes">And its size.</param>
    public static byte* Reserve(long bytes, out byte* mapped, out long mappedBytes)
    {
        mapped = null;
        mappedBytes = 0;
        if (_missing) return null;
        try
        {
            mappedBytes = checked(bytes + Large);
            mapped = mmap(null, (nuint)mappedBytes, ReadWrite, PrivateAnonymous, -1, 0);
            if (mapped == (byte*)-1) throw new OutOfMemoryException();
            byte* aligned = (byte*)(((nint)mapped + (nint)Large - 1) & ~((nint)Large - 1));
            if (bytes >= Large) _ = madvise(aligned, (nuint)(bytes / Large * Large), MadvHugePage); // advice: a refusal changes nothing
            return aligned;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            _missing = true; // musl names its library differently on some distributions
            return null;
        }
    }

    /// <summary>Gives reserved memory back.</summary>
    public static void Release(byte* mapped, long mappedBytes) => _ = munmap(mapped, (nuint)mappedBytes);

    /// <summary>Asks for a stretch of a mapped file to be read in soon.</summary>
    public static void WillNeed(nint address, long bytes) => Advise(address, bytes, MadvWillNeed);

    /// <summary>Takes a stretch of a mapped file out of the process; it comes back from the page cache or the disk when it is touched again. Never for memory that is not a file's: it would be lost.</summary>
    public static void Forget(nint address, long bytes) => Advise(address, bytes, MadvDontNeed);

    private static void Advise(nint address, long bytes, int advice)
    {
        if (_missing || bytes <= 0) return;
        nint page = Environment.SystemPageSize, start = address & -page;
        try
        {
            _ = madvise((byte*)start, (nuint)(address + (nint)bytes - start), advice);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            _missing = true;
        }
    }

    [LibraryImport("libc")]
    private static partial byte* mmap(byte* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int munmap(byte* address, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(byte* address, nuint length, int advice);
}
