using System.IO.MemoryMappedFiles;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// The bytes of one file, mapped into memory and never copied: weights are read from here by address. A view over
/// memory that somebody else owns serves tests which would otherwise write a hundred thousand files.
/// </summary>
internal sealed unsafe class FileImage : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private bool _released;

    private FileImage(string path, nint address, long length, MemoryMappedFile? file, MemoryMappedViewAccessor? view)
    {
        Path = path;
        Address = address;
        Length = length;
        _file = file;
        _view = view;
    }

    /// <summary>The file's path as it was given, for messages.</summary>
    public string Path { get; }

    /// <summary>The file's name, for messages.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Address of byte 0.</summary>
    public nint Address { get; }

    /// <summary>Bytes in the file.</summary>
    public long Length { get; }

    /// <summary>When the file was last written, UTC; the least time for memory that is no file.</summary>
    public DateTime Modified { get; private init; }

    /// <summary>Maps a file of at least one byte.</summary>
    /// <exception cref="CheckpointException">It is missing, empty, a folder, or cannot be read.</exception>
    public static FileImage Open(string path)
    {
        MemoryMappedFile? file = null;
        MemoryMappedViewAccessor? view = null;
        try
        {
            if (!File.Exists(path)) throw new CheckpointException($"{path}: no such file");
            // What has no length may be a pipe, and opening that would wait for somebody who writes.
            if ((File.ResolveLinkTarget(path, returnFinalTarget: true) ?? new FileInfo(path)) is FileInfo { Length: 0 }) throw new CheckpointException($"{path}: the file is empty, or no ordinary file");
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            long length = RandomAccess.GetLength(handle); // of what a symbolic link leads to; the hub's cache is made of them
            DateTime modified = File.GetLastWriteTimeUtc(handle);
            file = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* pointer = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            return new FileImage(path, (nint)(pointer + view.PointerOffset), length, file, view) { Modified = modified };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            view?.Dispose();
            file?.Dispose();
            throw new CheckpointException($"{path}: cannot be read ({OneLine(e.Message)})", e);
        }
    }

    /// <summary>A view over memory that the caller keeps alive and in place.</summary>
    public static FileImage OfMemory(string path, nint address, long length)
    {
        if (length == 0) throw new CheckpointException($"{path}: the file is empty");
        return new FileImage(path, address, length, null, null);
    }

    /// <summary>A stretch of the file; the caller has checked that it lies within.</summary>
    public ReadOnlySpan<byte> Span(long offset, int count) => new((byte*)Address + offset, count);

    /// <summary>Does the address lie in this mapping? False for memory that somebody else owns.</summary>
    public bool Maps(nint address) => _view is not null && address >= Address && address - Address < Length;

    /// <summary>Asks for a stretch to be read ahead; what lies outside the file is ignored.</summary>
    public void WillNeed(nint address, long bytes) => MemoryPages.WillNeed(address, Math.Min(bytes, Length - (address - Address)));

    /// <summary>
    /// Gives a stretch's pages back: mapped pages count as the process's memory. With whole 64 kB around it, which a page fault brings along; they come back when they are read again.
    /// </summary>
    public void Forget(nint address, long bytes)
    {
        const long Around = 64 << 10;
        if (!Maps(address)) return;
        long start = (address - Address) / Around * Around, end = Math.Min(Length, (address - Address + bytes + Around - 1) / Around * Around);
        MemoryPages.Forget(Address + (nint)start, end - start);
    }

    public void Dispose()
    {
        if (_released) return;
        _released = true;
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _file?.Dispose();
    }

    private static string OneLine(string message) => message.ReplaceLineEndings(" ");
}
