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
        Assert.InRange(found.ReadOneGbs, 0.1, 1000);
        Assert.InRange(found.ReadAllGbs, 0.1, 10000);
        Assert.InRange(found.Fp32Gflops, 0.1, 1e6);
        Assert.InRange(found.Int8Gops, 0.1, 1e6);
    }
}
