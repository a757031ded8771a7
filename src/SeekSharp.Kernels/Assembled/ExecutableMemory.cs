using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Memory for machine code: written first and made executable after, never both at once. Code stays for the life of the process, as the function pointers to it do.
/// </summary>
internal static unsafe partial class ExecutableMemory
{
    private const int ProtRead = 1, ProtWrite = 2, ProtExec = 4, MapPrivate = 2;
    private const int Page = 16384; // of any system that this runs on

    /// <summary>Copies code to memory of its own that can be run; null where the system refuses.</summary>
    public static nint Commit(ReadOnlySpan<byte> code)
    {
        nuint bytes = (nuint)((code.Length + Page - 1) / Page * Page);
        void* memory = Map(bytes);
        if (memory == null) return 0;
        code.CopyTo(new Span<byte>(memory, code.Length));
        new Span<byte>((byte*)memory + code.Length, (int)bytes - code.Length).Fill(0xCC); // int3
        if (mprotect(memory, bytes, ProtRead | ProtExec) == 0) return (nint)memory;
        _ = munmap(memory, bytes);
        return 0;
    }

    private static void* Map(nuint bytes)
    {
        int anonymous = OperatingSystem.IsMacOS() ? 0x1000 : 0x20;
        try
        {
            void* memory = mmap(null, bytes, ProtRead | ProtWrite, MapPrivate | anonymous, -1, 0);
            return (nint)memory == -1 ? null : memory;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    [LibraryImport("libc")]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc")]
    private static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc")]
    private static partial int munmap(void* address, nuint length);
}
