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
}
