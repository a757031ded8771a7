namespace SeekSharp.Engine;

/// <summary>What a disk tier did since it was opened.</summary>
/// <param name="Blocks">Held now.</param>
/// <param name="Bytes">Of their files.</param>
/// <param name="Written">Blocks written.</param>
/// <param name="Read">Blocks read.</param>
/// <param name="Skipped">Blocks that were offered and not written: the queue was full, or there was no room.</param>
/// <param name="Evicted">Blocks that made room.</param>
/// <param name="Corrupt">Files that were not what was written; each was dropped.</param>
internal readonly record struct DiskTierStatistics(long Blocks, long Bytes, long Written, long Read, long Skipped, long Evicted, long Corrupt);

/// <summary>
/// The prefix cache's second tier: full blocks of keys and values in a folder, one file each (<see cref="DiskBlockFile"/>), under names that say what they depend on
/// (<see cref="BlockKey"/>). Of bounded size: what was used least recently goes first.
/// <para>
/// It is there to save time and must never cost an answer: writing happens on a thread of its own behind a bounded queue, and what does not fit is skipped. A file
/// is written under another name and renamed when it is whole, so that the process may be killed at any moment; a file whose checksum does not hold (the machine lost power, the disk lies)
/// is dropped when it is read. If the folder cannot be used (another process has it, read-only, no space), the tier says so once and turns itself off.
/// </para>
/// Safe for several threads.
/// </summary>
internal sealed class DiskTier : IDisposable
{
    /// <summary>Blocks that wait to be written take at most so much memory (one always may).</summary>
    internal const long MostQueuedBytes = 128L << 20;
    private const string LockName = "lock", PendingName = "pending.tmp";

    private readonly string _folder;
    private readonly long _capacity;
    private readonly Action<string>? _warn;
    private readonly Lock _gate = new();                      // guards all that follows
    private readonly DiskTierIndex _index = new();
    private readonly Queue<(BlockKey Key, BlockKey Parent, byte[] File)> _queue = [];
    private readonly HashSet<BlockKey> _queued = [], _used = []; // _used: their files' times are to be renewed
    private readonly Stack<byte[]> _spare = [];
    private readonly Thread? _writer;
    private readonly AutoResetEvent _work = new(false);
    private readonly ManualResetEventSlim _idle = new(true);
    private FileStream? _lock;
    private long _queuedBytes, _written, _read, _skipped, _evicted, _corrupt;
    private bool _off, _ending;

    /// <summary>Opens the tier of a folder, which is made if need be. Never fails: a tier that cannot work is off.</summary>
    /// <param name="folder">Belongs to the tier alone; one process at a time.</param>
    /// <param name="capacity">Bytes that its files may take.</param>
    /// <param name="warn">Told once, in one line, if the tier turns itself off.</param>
    public DiskTier(string folder, long capacity, Action<string>? warn = null)
    {
        (_folder, _capacity, _warn) = (folder, capacity, warn);
        try
        {
            Directory.CreateDirectory(folder);
            _lock = new FileStream(Path.Combine(folder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.Delete(Path.Combine(folder, PendingName)); // of a process that was killed
            FindFiles();
            while (_index.Bytes > capacity && _index.Oldest is { } oldest) Evict(oldest);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            TurnOff(e);
            return;
        }
        _writer = new Thread(WriteAll) { IsBackground = true, Name = "SeekSharp disk tier", Priority = ThreadPriority.BelowNormal };
        _writer.Start();
    }

    /// <summary>Called with the name of an operation before it touches the disk; what it throws is treated as the disk's. For tests.</summary>
    internal Action<string>? Fault { get; set; }

    /// <summary>The tier has turned itself off.</summary>
    public bool IsOff
    {
        get { lock (_gate) return _off; }
    }

    public DiskTierStatistics Statistics
    {
        get { lock (_gate) return new(_index.Count, _index.Bytes, _written, _read, _skipped, _evicted, _corrupt); }
    }

    /// <summary>The block is on disk, or will be soon. It may still turn out to be corrupt.</summary>
    public bool Contains(BlockKey key)
    {
        lock (_gate) return !_off && (_index.Contains(key) || _queued.Contains(key));
    }

    /// <summary>Reads a block. False where it is not there or not sound; the memory may then hold anything.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="block">As long as the block.</param>
    public bool TryRead(BlockKey key, Span<byte> block)
    {
        DiskTierIndex.Entry entry;
        lock (_gate)
            if (_off || !_index.TryGet(key, out entry)) return false;
        bool sound = false;
        try
        {
            Fault?.Invoke("read");
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(PathOf(entry), share: FileShare.ReadWrite | FileShare.Delete);
            Span<byte> header = stackalloc byte[DiskBlockFile.HeaderBytes];
            sound = RandomAccess.GetLength(file) == header.Length + (long)block.Length && ReadAll(file, header, 0) && ReadAll(file, block, header.Length)
                && DiskBlockFile.IsSound(header, block, key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // gone, or unreadable: as good as corrupt
        lock (_gate)
        {
            if (sound)
            {
                _read++;
                _index.Use(key);
                if (_used.Add(key)) _idle.Reset();
            }
            else if (_index.TryGet(key, out DiskTierIndex.Entry still) && still == entry) // else it was evicted meanwhile
            {
                _corrupt++;
                _index.Remove(key);
                Delete(PathOf(entry));
            }
        }
        _work.Set();
        return sound;
    }

    /// <summary>Offers a block. It is copied and written later, or skipped; what the tier has already is only marked as used.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="parent">The block before it, which is offered first; null for a chain's first.</param>
    /// <param name="block">Keys and values of all layers.</param>
    public void Offer(BlockKey key, BlockKey? parent, ReadOnlySpan<byte> block)
    {
        byte[] file;
        int length = checked(DiskBlockFile.HeaderBytes + block.Length);
        lock (_gate)
        {
            if (_off || _ending || _queued.Contains(key)) return;
            if (_index.Contains(key))
            {
                _index.Use(key);
                if (_used.Add(key)) _idle.Reset();
                return;
            }
            // Without its parent nobody could get to it.
            bool reachable = parent is not { } before || _index.Contains(before) || _queued.Contains(before);
            if (!reachable || length > _capacity || (_queuedBytes > 0 && _queuedBytes + length > MostQueuedBytes))
            {
                _skipped++;
                return;
            }
            file = _spare.TryPop(out byte[]? spare) && spare.Length == length ? spare : new byte[length];
            block.CopyTo(file.AsSpan(DiskBlockFile.HeaderBytes));
            _queue.Enqueue((key, parent ?? default, file));
            _queued.Add(key);
            _queuedBytes += length;
            _idle.Reset();
        }
        _work.Set();
    }

    /// <summary>Waits until everything that was offered is written.</summary>
    public void Flush()
    {
        _work.Set();
        _idle.Wait();
    }

    /// <summary>Writes what waits, then closes the folder.</summary>
    public void Dispose()
    {
        lock (_gate) _ending = true;
        _work.Set();
        _writer?.Join();
        _lock?.Dispose();
        _lock = null;
        _work.Dispose();
        _idle.Dispose();
    }

    // The writer's thread: blocks first, then the times of files, then it sleeps.
    private void WriteAll()
    {
        while (true)
        {
            (BlockKey Key, BlockKey Parent, byte[] File) next;
            BlockKey[] used = [];
            lock (_gate)
            {
                if (_off) return;
                if (!_queue.TryPeek(out next))
                {
                    used = [.. _used];
                    _used.Clear();
                    if (used.Length == 0)
                    {
                        _idle.Set();
                        if (_ending) return;
                    }
                }
            }
            try
            {
                if (next.File is not null) Write(next.Key, next.Parent, next.File);
                else if (used.Length == 0) _work.WaitOne();
                else
                    foreach (BlockKey key in used) Renew(key);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                TurnOff(e);
            }
        }
    }

    private void Write(BlockKey key, BlockKey parent, byte[] file)
    {
        var entry = new DiskTierIndex.Entry(key, parent, file.Length);
        bool fits = MakeRoom(entry);
        if (fits)
        {
            DiskBlockFile.Seal(file, key);
            string pending = Path.Combine(_folder, PendingName);
            Fault?.Invoke("write");
            using (var stream = new FileStream(pending, FileMode.Create, FileAccess.Write, FileShare.Delete, bufferSize: 0)) stream.Write(file);
            Fault?.Invoke("rename");
            File.Move(pending, PathOf(entry), overwrite: true);
        }
        lock (_gate)
        {
            if (_off) return;
            _queue.Dequeue();
            _queued.Remove(key);
            _queuedBytes -= file.Length;
            if (_spare.Count < 4) _spare.Push(file);
            if (fits)
            {
                _index.Add(entry);
                _written++;
            }
            else _skipped++;
        }
    }

    // The oldest ones go; but not the chain that the block continues: what does not fit is then its end.
    private bool MakeRoom(DiskTierIndex.Entry entry)
    {
        lock (_gate)
        {
            if (entry.Parent != default && !_index.Contains(entry.Parent)) return false;
            _index.Use(entry.Parent);
            while (_index.Bytes + entry.Bytes > _capacity)
            {
                if (_index.Oldest is not { } oldest || oldest.Key == entry.Parent) return false;
                Fault?.Invoke("delete");
                Evict(oldest);
                _evicted++;
            }
            return true;
        }
    }

    private void Evict(DiskTierIndex.Entry entry)
    {
        _index.Remove(entry.Key);
        File.Delete(PathOf(entry));
    }

    // So that the next process knows what was used last.
    private void Renew(BlockKey key)
    {
        string path;
        lock (_gate)
        {
            if (!_index.TryGet(key, out DiskTierIndex.Entry entry)) return;
            path = PathOf(entry);
        }
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (FileNotFoundException) { } // evicted meanwhile
    }

    private void FindFiles()
    {
        var found = new List<(DateTime Time, DiskTierIndex.Entry Entry)>();
        foreach (FileInfo file in new DirectoryInfo(_folder).EnumerateFiles("*.kv"))
        {
            if (DiskBlockFile.TryParseName(file.Name, out BlockKey key, out BlockKey parent)) found.Add((file.LastWriteTimeUtc, new(key, parent, file.Length)));
        }
        found.Sort((a, b) => a.Time.CompareTo(b.Time));
        foreach ((_, DiskTierIndex.Entry entry) in found) _index.Add(entry);
    }

    private void TurnOff(Exception cause)
    {
        lock (_gate)
        {
            if (_off) return;
            _off = true;
            _queue.Clear();
            _queued.Clear();
            _spare.Clear();
            _queuedBytes = 0;
            _index.Clear();
        }
        if (_lock is not null) Delete(Path.Combine(_folder, PendingName)); // half a file on a full disk
        _warn?.Invoke($"{_folder}: the cache on disk is off: {cause.Message}");
        _idle.Set();
    }

    private static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // it is forgotten in any case
    }

    private static bool ReadAll(Microsoft.Win32.SafeHandles.SafeFileHandle file, Span<byte> bytes, long offset)
    {
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(file, bytes, offset);
            if (read == 0) return false;
            bytes = bytes[read..];
            offset += read;
        }
        return true;
    }

    private string PathOf(DiskTierIndex.Entry entry) => Path.Combine(_folder, DiskBlockFile.Name(entry.Key, entry.Parent));
}
