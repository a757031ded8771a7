using SeekSharp.Engine;

namespace SeekSharp.Tests.Soak;

/// <summary>
/// A folder of a disk tier, and what can go wrong with it: an operation that fails, a full disk, files that are torn, changed or gone, a folder that cannot be written. A tier that turned
/// itself off is opened again by and by.
/// </summary>
internal sealed class DiskTrouble : IDisposable
{
    private const long Capacity = 3L << 20;

    private readonly TemporaryFolder _folder = new();
    private readonly Lock _gate = new();
    private readonly Random _random, _faults; // the second is guarded by the gate
    private int _warnings, _opened;
    private DiskTierStatistics _before; // of the tiers that are closed
    private DateTime _offSince;

    public DiskTrouble(int seed)
    {
        (_random, _faults) = (new Random(seed), new Random(~seed));
        Tier = Open(_folder.Path);
    }

    /// <summary>The tier of now.</summary>
    public DiskTier Tier { get; private set; }

    /// <summary>How often each thing was done to it.</summary>
    public SortedDictionary<string, int> Done { get; } = [];

    public int Warnings => Volatile.Read(ref _warnings);

    public int Opened => _opened;

    /// <summary>Of all tiers so far.</summary>
    public DiskTierStatistics Statistics
    {
        get
        {
            DiskTierStatistics now = Tier.Statistics;
            return new(now.Blocks, now.Bytes, _before.Written + now.Written, _before.Read + now.Read, _before.Skipped + now.Skipped, _before.Evicted + now.Evicted, _before.Corrupt + now.Corrupt);
        }
    }

    /// <summary>Something goes wrong now.</summary>
    public void Cause()
    {
        string[] files = Directory.GetFiles(_folder.Path, "*.kv");
        string? file = files.Length == 0 ? null : files[_random.Next(files.Length)];
        try
        {
            switch (_random.Next(30))
            {
                case < 10 when file is not null:
                    using (FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
                    {
                        if (stream.Length == 0) return;
                        stream.Position = _random.NextInt64(stream.Length);
                        int was = stream.ReadByte();
                        stream.Position--;
                        stream.WriteByte((byte)(was ^ 1 << _random.Next(8)));
                    }
                    Count("bits changed in a file");
                    break;
                case < 18 when file is not null:
                    using (FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete)) stream.SetLength(_random.NextInt64(stream.Length + 1));
                    Count("files torn");
                    break;
                case < 24 when file is not null:
                    File.Delete(file);
                    Count("files taken away");
                    break;
                case < 26 when file is not null && files.Length > 1:
                    File.Copy(files[_random.Next(files.Length)], file, overwrite: true);
                    Count("files in another's place");
                    break;
                case < 28 when File.Exists("/dev/full"):
                    File.CreateSymbolicLink(_folder["pending.tmp"], "/dev/full");
                    Count("disks full");
                    break;
            }
        }
        catch (IOException) { } // the tier was quicker
    }

    /// <summary>A new tier in the place of one that is off since a second. Between two steps of its engine, whose prefix cache it then gets.</summary>
    public bool Reopen()
    {
        if (!Tier.IsOff)
        {
            _offSince = default;
            return false;
        }
        if (_offSince == default) _offSince = DateTime.UtcNow;
        if (DateTime.UtcNow - _offSince < TimeSpan.FromSeconds(1)) return false;
        Close();
        bool unusable = OperatingSystem.IsLinux() && _random.Next(4) == 0;
        if (unusable) Count("folders that nobody may write");
        Tier = Open(unusable ? "/proc/seeksharp" : _folder.Path);
        _offSince = default;
        return true;
    }

    private DiskTier Open(string folder)
    {
        _opened++;
        return new DiskTier(folder, Capacity, _ => Interlocked.Increment(ref _warnings)) { Fault = MayFail };
    }

    private void MayFail(string operation)
    {
        lock (_gate)
        {
            if (_faults.Next(operation == "read" ? 50 : 2000) != 0) return;
            Count($"failures to {operation}");
        }
        throw new IOException("injected");
    }

    private void Count(string what)
    {
        lock (_gate) Done[what] = Done.GetValueOrDefault(what) + 1;
    }

    private void Close()
    {
        Tier.Dispose();
        _before = Statistics with { Blocks = 0, Bytes = 0 };
    }

    public void Dispose()
    {
        Tier.Dispose();
        _folder.Dispose();
    }
}
