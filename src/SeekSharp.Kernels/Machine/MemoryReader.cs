using System.Diagnostics;

namespace SeekSharp.Kernels;

/// <summary>
/// Reads memory where it lies, and times it: each time the next piece of a buffer that the last cache holds a quarter of, so that what is read has left the cache since it was read before. The
/// buffer takes an eighth of what memory is available at most.
/// </summary>
internal sealed unsafe class MemoryReader : IDisposable
{
    private const long RoundBytes = 256L << 20;
    private const int TimesCache = 4;

    private readonly KernelTable _kernels;
    private readonly WorkerPool _pool;
    private readonly NativeBuffer _memory;
    private long _at;

    public MemoryReader(KernelTable kernels, WorkerPool pool)
    {
        _kernels = kernels;
        _pool = pool;
        _memory = new NativeBuffer(BufferBytes(MachineProbe.LastCacheBytes(), MachineMemory.Available()));
        byte* memory = _memory.Address;
        pool.Run((int)(_memory.Bytes >> 20), (item, _) => new Span<byte>(memory + ((long)item << 20), 1 << 20).Fill(1)); // pages that nobody wrote are one page of zeros
    }

    /// <summary>10⁹ bytes a second that one thread reads.</summary>
    public double ReadByOne() => Read(false);

    /// <summary>The same by all threads of the pool.</summary>
    public double ReadByAll() => Read(_pool.Threads > 1);

    private double Read(bool all)
    {
        // Parts of 4 MB, taken by whoever is free.
        var work = new ReadWork { Address = _memory.Address + _at, Part = 4 << 20, Kernel = _kernels.ReadMemory };
        _at = (_at + RoundBytes) % _memory.Bytes;
        int items = (int)(RoundBytes / work.Part);
        long start = Stopwatch.GetTimestamp();
        if (all)
            _pool.Run(items, ref work);
        else
            for (int i = 0; i < items; i++) work.Run(i, 0);
        return RoundBytes / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
    }

    /// <summary>Bytes to read in turn: whole pieces, one at least.</summary>
    internal static long BufferBytes(long cacheBytes, long availableBytes)
    {
        long pieces = (TimesCache * cacheBytes + RoundBytes - 1) / RoundBytes, room = availableBytes / 8 / RoundBytes;
        return Math.Max(1, Math.Min(pieces, room)) * RoundBytes;
    }

    public void Dispose() => _memory.Dispose();

    private struct ReadWork : IParallelWork
    {
        public byte* Address;
        public long Part;
        public delegate*<byte*, long, int> Kernel;
        public readonly void Run(int item, int worker) => Kernel(Address + item * Part, Part);
    }
}
