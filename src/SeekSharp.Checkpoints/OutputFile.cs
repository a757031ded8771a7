namespace SeekSharp.Checkpoints;

/// <summary>
/// A file that appears whole or not at all: written beside its place under a temporary name, and moved there by
/// <see cref="Complete"/>. Disposed without that, it is deleted. Bytes go through one buffer of fixed size.
/// </summary>
internal sealed class OutputFile : IDisposable
{
    private readonly string path, temporary;
    private readonly FileStream stream;
    private bool completed;

    /// <summary>Starts the file.</summary>
    /// <exception cref="CheckpointException">The place cannot be written to.</exception>
    public OutputFile(string path)
    {
        this.path = Path.GetFullPath(path);
        temporary = $"{this.path}.{Guid.NewGuid().ToString("N")[..8]}.partial";
        if (Directory.Exists(this.path)) throw new CheckpointException($"cannot write {path}: it is a folder");
        stream = Guard(() => new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20));
    }

    /// <summary>Bytes written so far.</summary>
    public long Position { get; private set; }

    /// <summary>Appends bytes.</summary>
    /// <exception cref="CheckpointException">The disk is full, or the like.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            stream.Write(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"cannot write {path}: {e.Message}", e);
        }
        Position += bytes.Length;
    }

    /// <summary>Appends zeros up to the next multiple of <paramref name="alignment"/>.</summary>
    public void Pad(int alignment)
    {
        ReadOnlySpan<byte> zeros = stackalloc byte[64];
        for (long rest = (alignment - Position % alignment) % alignment; rest > 0;)
        {
            int n = (int)Math.Min(rest, zeros.Length);
            Write(zeros[..n]);
            rest -= n;
        }
    }

    /// <summary>Closes the file and gives it its name, in place of a file that had it.</summary>
    /// <exception cref="CheckpointException">The last bytes or the name cannot be written.</exception>
    public void Complete()
    {
        Guard(() =>
        {
            stream.Dispose();
            File.Move(temporary, path, overwrite: true);
            return true;
        });
        completed = true;
    }

    public void Dispose()
    {
        if (completed) return;
        completed = true;
        try
        {
            stream.Dispose();
        }
        catch (IOException)
        {
            // The buffer's rest did not fit on the disk; what matters is that the file goes.
        }
        File.Delete(temporary);
    }

    private T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CheckpointException($"cannot write {path}: {e.Message}", e);
        }
    }
}
