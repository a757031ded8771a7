using System.Diagnostics;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

public sealed class WorkerPoolTests
{
    private struct Count : IParallelWork
    {
        public int[] Hits;
        public readonly void Run(int item, int worker) => Interlocked.Increment(ref Hits[item]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_item_is_done_once_in_every_region(int threads)
    {
        using var pool = new WorkerPool(threads);
        for (int items = 0; items < 300; items++)
        {
            var work = new Count { Hits = new int[items] };
            pool.Run(items, ref work);
            Assert.All(work.Hits, hits => Assert.Equal(1, hits));
            if (items % 50 == 0) Thread.Sleep(2); // workers fall asleep and must wake
        }
    }

    [Fact]
    public void Regions_leave_their_results_in_the_callers_struct()
    {
        using var pool = new WorkerPool(1);
        var work = new Sum();
        pool.Run(10, ref work);
        Assert.Equal(45, work.Total);
    }

    private struct Sum : IParallelWork
    {
        public int Total;
        public void Run(int item, int worker) => Total += item;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_items_exception_reaches_the_caller_and_the_pool_lives_on(int threads)
    {
        using var pool = new WorkerPool(threads);
        for (int round = 0; round < 20; round++)
        {
            var e = Assert.Throws<InvalidDataException>(() => pool.Run(50, (item, _) =>
            {
                if (item == 31) throw new InvalidDataException("item 31");
            }));
            Assert.Equal("item 31", e.Message);
        }
        int done = 0;
        pool.Run(50, (_, _) => Interlocked.Increment(ref done));
        Assert.Equal(50, done);
    }

    [Fact]
    public void A_region_within_a_region_is_refused()
    {
        using var pool = new WorkerPool(1);
        Assert.Throws<InvalidOperationException>(() => pool.Run(1, (_, _) => pool.Run(1, (_, _) => { })));
    }

    [Fact]
    public void A_region_allocates_nothing()
    {
        using var pool = new WorkerPool(3);
        var work = new Count { Hits = new int[64] };
        for (int i = 0; i < 100; i++) pool.Run(64, ref work);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) pool.Run(64, ref work);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Idle_workers_sleep()
    {
        using var pool = new WorkerPool(4);
        var work = new Count { Hits = new int[64] };
        pool.Run(64, ref work);
        Assert.True(SpinWait.SpinUntil(() => pool.Sleepers == 3, 5000), $"{pool.Sleepers} of 3 workers asleep");
        Thread.Sleep(20);
        Assert.Equal(3, pool.Sleepers); // and they stay asleep
    }

    [Fact]
    public void Scratch_is_aligned_and_grows()
    {
        using var pool = new WorkerPool(2);
        pool.Run(8, (_, worker) =>
        {
            unsafe
            {
                byte* small = pool.Scratch(worker, 100), large = pool.Scratch(worker, 1 << 20);
                Assert.Equal(0, (nint)small % 64);
                large[(1 << 20) - 1] = 1;
            }
        });
    }

    [Fact]
    public void Workers_kept_awake_are_woken_once()
    {
        using var pool = new WorkerPool(3);
        Assert.True(SpinWait.SpinUntil(() => pool.Sleepers == 2, 5000));
        long before = pool.WakeUps;
        using (pool.StayAwake())
        {
            pool.Run(3, (_, _) => Thread.Sleep(1)); // long enough for both to have come
            Assert.True(SpinWait.SpinUntil(() => pool.Sleepers == 0, 5000));
            for (int region = 0; region < 20; region++)
            {
                long start = Stopwatch.GetTimestamp();
                while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < 0.2) Thread.SpinWait(10); // four times what they wait otherwise
                pool.Run(3, (_, _) => { });
            }
            Assert.Equal(before + 1, pool.WakeUps);
        }
        Assert.True(SpinWait.SpinUntil(() => pool.Sleepers == 2, 5000), "awake after the scope's end");
        pool.Run(3, (_, _) => { });
        Assert.Equal(before + 2, pool.WakeUps);
    }
}
