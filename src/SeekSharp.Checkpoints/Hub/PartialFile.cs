using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace SeekSharp.Checkpoints;

/// <summary>
/// A file on its way: its bytes so far under a temporary name, and beside them what is known of it and how many bytes of each chunk are there, so that a later pull
/// goes on where this one was cut.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private readonly string _path, _statePath;
    private readonly HubFile _file;
    private readonly string? _identity;
    private readonly long[] _done;
    private readonly Lock _lock = new();
    private SafeFileHandle? _handle;
    private long _unsaved;

    private PartialFile(string path, HubFile file, string? identity, long chunkBytes, long[] done, SafeFileHandle handle) =>
        (_path, _statePath, _file, _identity, ChunkBytes, _done, _handle) = (path, path + ".json", file, identity, chunkBytes, done, handle);

    public long ChunkBytes { get; }

    public int Chunks => _done.Length;

    public long Size => _file.Size!.Value;

    /// <summary>Bytes that are there.</summary>
    public long Done => _done.Sum();

    /// <summary>The chunk's first byte that is missing, and its end.</summary>
    public (long Start, long End) Missing(int chunk) => (chunk * ChunkBytes + _done[chunk], Math.Min(Size, (chunk + 1) * ChunkBytes));

    /// <summary>Opens the file's part, a new one unless an earlier one is of the same content.</summary>
    public static PartialFile Open(string folder, HubFile file, long chunkBytes)
    {
        string parts = Path.Combine(folder, SafePath.OwnFolder, "parts");
        SafePath.RefuseLink(parts);
        Directory.CreateDirectory(parts);
        string name = file.Path[(file.Path.LastIndexOf('/') + 1)..];
        string path = Path.Combine(parts, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(file.Path)))[..16] + "-" + (name.Length > 80 ? name[..80] : name));
        SafePath.RefuseLink(path);
        SafePath.RefuseLink(path + ".json");

        string? identity = file.Sha256 ?? file.ETag;
        long[]? done = identity is null ? null : ReadState(path, file.Size!.Value, identity, ref chunkBytes);
        if (done is null)
        {
            File.Delete(path + ".json");
            File.Delete(path);
            done = new long[Math.Max(1, (file.Size!.Value + chunkBytes - 1) / chunkBytes)];
        }
        SafeFileHandle handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            if (RandomAccess.GetLength(handle) != file.Size) RandomAccess.SetLength(handle, file.Size!.Value);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
        return new PartialFile(path, file, identity, chunkBytes, done, handle);
    }

    /// <summary>Writes the chunk's next bytes.</summary>
    public void Write(int chunk, ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_handle!, bytes, chunk * ChunkBytes + _done[chunk]);
        lock (_lock)
        {
            _done[chunk] += bytes.Length;
            _unsaved += bytes.Length;
            if (_unsaved >= 8 << 20) SaveState();
        }
    }

    /// <summary>Forgets all bytes, or those of one chunk. Gives how many those were.</summary>
    public long Forget(int? chunk = null)
    {
        lock (_lock)
        {
            long forgotten = chunk is { } one ? _done[one] : _done.Sum();
            if (chunk is { } index) _done[index] = 0;
            else Array.Clear(_done);
            return forgotten;
        }
    }

    /// <summary>The SHA-256 of all bytes, in lower-case hex.</summary>
    public string Hash(CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        for (long at = 0; at < Size;)
        {
            cancellation.ThrowIfCancellationRequested();
            int n = RandomAccess.Read(_handle!, buffer, at);
            if (n == 0) throw new IOException($"{_path}: ends before its {Size} bytes");
            hash.AppendData(buffer, 0, n);
            at += n;
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Moves the complete file to its place.</summary>
    public void MoveTo(string target)
    {
        RandomAccess.FlushToDisk(_handle!);
        _handle!.Dispose();
        _handle = null;
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Move(_path, target, overwrite: true);
        File.Delete(_statePath);
    }

    /// <summary>Throws all away.</summary>
    public void Delete()
    {
        _handle?.Dispose();
        _handle = null;
        File.Delete(_statePath);
        File.Delete(_path);
    }

    /// <summary>Closes the file; what is there stays for the next pull.</summary>
    public void Dispose()
    {
        if (_handle is null) return;
        try
        {
            lock (_lock) SaveState();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next pull begins anew; what went wrong before is what the user must see.
        }
        _handle.Dispose();
        _handle = null;
    }

    private void SaveState()
    {
        _unsaved = 0;
        if (_identity is null) return;
        AtomicFile.Write(_statePath, json =>
        {
            json.WriteString("path", _file.Path);
            json.WriteNumber("size", Size);
            json.WriteString("identity", _identity);
            json.WriteNumber("chunk", ChunkBytes);
            json.WriteStartArray("done");
            foreach (long bytes in _done) json.WriteNumberValue(bytes);
            json.WriteEndArray();
        });
    }

    private static long[]? ReadState(string path, long size, string identity, ref long chunkBytes)
    {
        try
        {
            if (new FileInfo(path + ".json") is not { Exists: true, Length: < 1 << 20 } || new FileInfo(path) is not { Exists: true } part || part.Length != size) return null;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path + ".json"));
            JsonElement root = document.RootElement;
            long chunk = root.GetProperty("chunk").GetInt64();
            if (root.GetProperty("size").GetInt64() != size || root.GetProperty("identity").GetString() != identity || chunk <= 0) return null;
            long[] done = [.. root.GetProperty("done").EnumerateArray().Select(e => e.GetInt64())];
            if (done.Length != Math.Max(1, (size - 1) / chunk + 1)) return null;
            for (int i = 0; i < done.Length; i++)
                if (done[i] < 0 || done[i] > Math.Min(chunk, size - i * chunk)) return null;
            chunkBytes = chunk;
            return done;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
