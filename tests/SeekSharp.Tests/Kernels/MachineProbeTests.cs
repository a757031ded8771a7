using System.Diagnostics;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

public sealed class MachineProbeTests
{
    [Fact]
    public void A_machine_has_a_name_and_measured_limits()
    {
        Assert.NotEmpty(MachineProbe.CpuName);
        Assert.InRange(MachineProbe.Cores, 1, 4096);
        if (KernelTable.Best >= KernelTier.Avx2) Assert.Contains("avx2", MachineProbe.Features);
        using var pool = new WorkerPool(2);
        long start = Stopwatch.GetTimestamp();
        MachineMeasurements found = MachineProbe.Measure(KernelTable.Current, pool);
        TestContext.Current.TestOutputHelper?.WriteLine($"{found} in {Stopwatch.GetElapsedTime(start)}; {string.Join(' ', MachineProbe.Features)}");
        (MeasuredRate Rate, double Most)[] rates = [(found.ReadOne, 1000), (found.ReadAll, 10000), (found.Fp32, 1e6), (found.Int8, 1e6)];
        Assert.All(rates, r =>
        {
            Assert.InRange(r.Rate.Median, 0.1, r.Most);
            Assert.InRange(r.Rate.Best, r.Rate.Median, r.Most);
        });
    }

    // What would fit into the last cache says nothing about memory.
    [Theory]
    [InlineData(32 << 20, 16L << 30, 256L << 20)]
    [InlineData(300 << 20, 16L << 30, 1280L << 20)]
    [InlineData(300 << 20, 4L << 30, 512L << 20)] // as much as there is room for
    [InlineData(300 << 20, 0, 256L << 20)]
    [InlineData(int.MaxValue, 1L << 40, 8192L << 20)]
    public void Memory_is_read_in_turns_longer_than_the_last_cache(int cache, long available, long bytes) => Assert.Equal(bytes, MemoryReader.BufferBytes(cache, available));

    [Fact]
    public void The_last_cache_has_a_size() => Assert.InRange(MachineProbe.LastCacheBytes(), 64 << 10, 4L << 30);
}
