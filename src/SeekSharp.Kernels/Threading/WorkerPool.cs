using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Threads for parallel regions. Between regions a worker spins briefly, since the next region of a forward pass is
/// microseconds away, and then sleeps: an idle program uses no CPU. A forward pass keeps them awake (<see cref="StayAwake"/>) and so wakes them once. The caller is worker 0 and takes part. Items are taken
/// from one counter, a share of those left at a time (guided self-scheduling, Polychronopoulos and Kuck 1987): long runs of memory at first, single items in the end, when
/// threads should finish together. Who computes an item never changes its result. Nothing is allocated by a region.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000; // 50 µs

    // Kept awake, a worker spins so long, and from 50 µs on lets others have its core at every turn.
    private static readonly long AwakeTicks = Stopwatch.Frequency / 10; // 100 ms

    // A thread takes the remaining items' share of one in so many turns of all threads.
    private const int Turns = 2;

    // One cache line for each word that threads write.
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Shared
    {
        [FieldOffset(64)] public int Next;        // the next item
        [FieldOffset(128)] public int Active;     // workers within the region
        [FieldOffset(192)] public int Generation; // counts regions: what idle workers watch
        [FieldOffset(256)] public int Open;       // 1 while a region runs
        [FieldOffset(320)] public int Sleepers;
        [FieldOffset(324)] public int Awake;      // scopes that keep workers awake
    }

    private readonly NativeBuffer _sharedMemory = new(sizeof(Shared));
    private readonly Shared* _shared;
    private readonly Thread[] _threads;
    private readonly NativeBuffer?[] _scratch;
    private readonly Lock _regions = new();
    private readonly object _sleep = new();
    private delegate*<void*, int, int, void> _body;
    private void* _context;
    private int _items;
    private bool _inRegion;
    private volatile bool _stop;
    private ExceptionDispatchInfo? _failure;

    /// <param name="threads">1 and above; 0 for one per core.</param>
    public WorkerPool(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Threads = threads == 0 ? Environment.ProcessorCount : threads;
        _shared = (Shared*)_sharedMemory.Address;
        _scratch = new NativeBuffer?[Threads];
        _threads = new Thread[Threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => WorkerLoop(worker)) { IsBackground = true, Name = $"SeekSharp worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads that compute, the caller among them.</summary>
    public int Threads { get; }

    /// <summary>Workers that sleep now.</summary>
    internal int Sleepers => Volatile.Read(ref _shared->Sleepers);

    /// <summary>How often a region found workers asleep and woke them.</summary>
    internal long WakeUps { get; private set; }

    /// <summary>What products have taken so far: <see cref="MatrixProduct"/> counts.</summary>
    internal ProductTally Products;

    /// <summary>Workers that a region has woken stay awake from one region to the next until the result is disposed. For passes of many regions with little in between.</summary>
    public AwakeScope StayAwake()
    {
        Interlocked.Increment(ref _shared->Awake);
        return new AwakeScope(this);
    }

    /// <summary>Ends what <see cref="StayAwake"/> began; default does nothing.</summary>
    public readonly ref struct AwakeScope(WorkerPool pool)
    {
        public void Dispose()
        {
            if (pool is not null) Interlocked.Decrement(ref pool._shared->Awake);
        }
    }

    /// <summary>
    /// At least <paramref name="bytes"/> bytes of the worker's own, aligned to 64; only within a region and only by that
    /// worker. What it holds is undefined, and gone when the worker asks again for more.
    /// </summary>
    public byte* Scratch(int worker, long bytes)
    {
        NativeBuffer? buffer = _scratch[worker];
        if (buffer is null || buffer.Bytes < bytes)
        {
            buffer?.Dispose();
            _scratch[worker] = buffer = new NativeBuffer(Math.Max(bytes, 256 << 10));
        }
        return buffer.Address;
    }

    /// <summary>Runs items 0 … items − 1 and returns when all are done. The first exception of an item is thrown here.</summary>
    /// <exception cref="InvalidOperationException">Called from within a region.</exception>
    public void Run<T>(int items, ref T work) where T : struct, IParallelWork
    {
        if (items <= 0) return;
        // The struct lies in the caller's frame (or object) for the whole region; as a ref parameter it may move only
        // if it is part of a heap object, so work on a copy of our own that does not.
        T local = work;
        Region(items, &Invoke<T>, Unsafe.AsPointer(ref local));
        work = local;
    }

    /// <summary>As the other, for code that is not on a hot path.</summary>
    public void Run(int items, Action<int, int> body)
    {
        var work = new DelegateWork { Body = body };
        Run(items, ref work);
    }

    public void Dispose()
    {
        lock (_regions)
        {
            if (_stop) return;
            _stop = true;
            lock (_sleep)
            {
                Interlocked.Increment(ref _shared->Generation);
                Monitor.PulseAll(_sleep);
            }
            foreach (Thread thread in _threads) thread.Join();
            foreach (NativeBuffer? buffer in _scratch) buffer?.Dispose();
            _sharedMemory.Dispose();
        }
    }

    private struct DelegateWork : IParallelWork
    {
        public Action<int, int> Body;
        public readonly void Run(int item, int worker) => Body(item, worker);
    }

    private static void Invoke<T>(void* context, int item, int worker) where T : struct, IParallelWork
        => Unsafe.AsRef<T>(context).Run(item, worker);

    private void Region(int items, delegate*<void*, int, int, void> body, void* context)
    {
        lock (_regions)
        {
            ObjectDisposedException.ThrowIf(_stop, this);
            if (_inRegion) throw new InvalidOperationException("a parallel region within a parallel region");
            _inRegion = true;
            try
            {
                _body = body;
                _context = context;
                _items = items;
                if (Threads == 1 || items == 1)
                {
                    for (int i = 0; i < items; i++) body(context, i, 0);
                    return;
                }
                Volatile.Write(ref _shared->Next, 0);
                Volatile.Write(ref _shared->Open, 1);
                Interlocked.Increment(ref _shared->Generation);
                // A worker counts itself among the sleepers before it looks at the generation a last time: one of the
                // two sides always sees the other.
                if (Volatile.Read(ref _shared->Sleepers) > 0)
                {
                    WakeUps++;
                    lock (_sleep) Monitor.PulseAll(_sleep);
                }
                TakeItems(0);
                // Close, then wait for those inside. A worker that wakes late enters, finds it closed and leaves.
                Interlocked.Exchange(ref _shared->Open, 0);
                WaitForActive();
                ExceptionDispatchInfo? failure = _failure;
                _failure = null;
                failure?.Throw();
            }
            finally
            {
                _inRegion = false;
            }
        }
    }

    private void TakeItems(int worker)
    {
        try
        {
            int next;
            while ((next = Volatile.Read(ref _shared->Next)) < _items)
            {
                int end = next + Math.Max(1, (_items - next) / (Turns * Threads));
                if (Interlocked.CompareExchange(ref _shared->Next, end, next) != next) continue;
                for (int item = next; item < end; item++) _body(_context, item, worker);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            Volatile.Write(ref _shared->Next, int.MaxValue / 2); // the items left are pointless
        }
    }

    private void WaitForActive()
    {
        long start = 0;
        while (Volatile.Read(ref _shared->Active) != 0)
        {
            Thread.SpinWait(4);
            long now = Stopwatch.GetTimestamp();
            if (start == 0) start = now;
            else if (now - start > SpinTicks) Thread.Yield(); // more threads than free cores: let the last worker run
        }
    }

    private void WorkerLoop(int worker)
    {
        int seen = 0;
        while (true)
        {
            seen = WaitForRegion(seen);
            if (_stop) return;
            Interlocked.Increment(ref _shared->Active);
            if (Volatile.Read(ref _shared->Open) != 0) TakeItems(worker);
            Interlocked.Decrement(ref _shared->Active);
        }
    }

    private int WaitForRegion(int seen)
    {
        long start = Stopwatch.GetTimestamp();
        int generation;
        while ((generation = Volatile.Read(ref _shared->Generation)) == seen)
        {
            Thread.SpinWait(4);
            long waited = Stopwatch.GetTimestamp() - start;
            if (waited < SpinTicks) continue;
            if (Volatile.Read(ref _shared->Awake) != 0 && waited < AwakeTicks)
            {
                Thread.Yield();
                continue;
            }
            lock (_sleep)
            {
                Interlocked.Increment(ref _shared->Sleepers);
                while (Volatile.Read(ref _shared->Generation) == seen) Monitor.Wait(_sleep);
                Interlocked.Decrement(ref _shared->Sleepers);
            }
        }
        return generation;
    }
}
