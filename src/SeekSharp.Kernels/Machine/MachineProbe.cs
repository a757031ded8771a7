using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>A rate, as several short rounds found it, 10⁹ a second.</summary>
/// <param name="Best">What the machine can do when nothing else runs.</param>
/// <param name="Median">What longer work gets.</param>
internal readonly record struct MeasuredRate(double Best, double Median)
{
    /// <param name="rounds">Sorted by this call.</param>
    public static MeasuredRate Of(double[] rounds)
    {
        Array.Sort(rounds);
        return new MeasuredRate(rounds[^1], rounds[rounds.Length / 2]);
    }
}

/// <summary>What a machine can do, as measured: the limits that kernels are judged by.</summary>
/// <param name="Threads">Threads that measured.</param>
/// <param name="ReadOne">Bytes read from memory by one thread.</param>
/// <param name="ReadAll">The same by all threads.</param>
/// <param name="Fp32">Multiplications and additions of the fp32 tile of the tier in the first-level cache, all threads.</param>
/// <param name="Int8">The same of the int8 tile (4-bit weights expanded, scales included).</param>
internal sealed record MachineMeasurements(int Threads, MeasuredRate ReadOne, MeasuredRate ReadAll, MeasuredRate Fp32, MeasuredRate Int8);

/// <summary>Names and measures the machine, in about two seconds.</summary>
internal static unsafe class MachineProbe
{
    /// <summary>The processor as the system names it.</summary>
    public static string CpuName { get; } = FindCpuName();

    /// <summary>Cores that this process may use.</summary>
    public static int Cores => Environment.ProcessorCount;

    /// <summary>Instruction sets that matter to kernels and that .NET sees.</summary>
    public static IReadOnlyList<string> Features { get; } = FindFeatures();

    /// <summary>Measures with the pool's threads; what else runs on the machine takes its share.</summary>
    public static MachineMeasurements Measure(KernelTable kernels, WorkerPool pool)
    {
        using var memory = new MemoryReader(kernels, pool);
        const int Rounds = 7;
        var rates = new double[4][];
        for (int i = 0; i < rates.Length; i++) rates[i] = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            rates[0][round] = memory.ReadByOne();
            rates[1][round] = memory.ReadByAll();
            rates[2][round] = Peak(kernels.PeakFp32, pool);
            rates[3][round] = Peak(kernels.PeakInt8, pool);
        }
        MeasuredRate[] of = [.. rates.Select(MeasuredRate.Of)];
        return new MachineMeasurements(pool.Threads, of[0], of[1], of[2], of[3]);
    }

    /// <summary>The largest cache that a core reads through; 64 MB where the system does not say.</summary>
    internal static long LastCacheBytes()
    {
        const long Unknown = 64 << 20;
        if (!OperatingSystem.IsLinux()) return Unknown;
        try
        {
            long largest = 0;
            foreach (string cache in Directory.GetDirectories("/sys/devices/system/cpu/cpu0/cache", "index*"))
            {
                string size = File.ReadAllText(Path.Combine(cache, "size")).Trim(); // 307200K
                if (size.EndsWith('K') && long.TryParse(size.AsSpan(0, size.Length - 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long kilobytes)) largest = Math.Max(largest, kilobytes << 10);
            }
            return largest > 0 ? largest : Unknown;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unknown; // a system without this folder
        }
    }

    private static double Peak(delegate*<int, byte*, double> kernel, WorkerPool pool)
    {
        const int Calls = 4000;
        var work = new PeakWork { Pool = pool, Kernel = kernel, Calls = Calls };
        long start = Stopwatch.GetTimestamp();
        pool.Run(pool.Threads * 4, ref work); // several each: a thread that another process disturbs does fewer
        double operations = kernel(0, null) * Calls * pool.Threads * 4;
        return operations / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
    }

    private struct PeakWork : IParallelWork
    {
        public WorkerPool Pool;
        public delegate*<int, byte*, double> Kernel;
        public int Calls;
        public readonly void Run(int item, int worker) => Kernel(Calls, Pool.Scratch(worker, PeakScratch));
    }

    internal const long PeakScratch = 64 << 10;

    private static string FindCpuName()
    {
        try
        {
            if (OperatingSystem.IsLinux())
                foreach (string line in File.ReadLines("/proc/cpuinfo"))
                    if (line.StartsWith("model name", StringComparison.Ordinal) || line.StartsWith("Model", StringComparison.Ordinal))
                        return line[(line.IndexOf(':') + 1)..].Trim();
            if (OperatingSystem.IsMacOS())
            {
                using Process? process = Process.Start(new ProcessStartInfo("sysctl", "-n machdep.cpu.brand_string") { RedirectStandardOutput = true });
                if (process?.StandardOutput.ReadLine() is { Length: > 0 } name) return name.Trim();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            // the system keeps its name to itself: the architecture serves
        }
        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static List<string> FindFeatures()
    {
        (string Name, bool Has)[] features =
        [
            ("avx2", Avx2.IsSupported), ("fma", Fma.IsSupported), ("avx-vnni", AvxVnni.IsSupported), ("avx512f", Avx512F.IsSupported), ("avx512bw", Avx512BW.IsSupported),
            ("avx512vbmi", Avx512Vbmi.IsSupported), ("avx512-vnni", HasLeaf7(2, 11)), ("avx512-bf16", HasLeaf7Sub1(5)), ("amx-bf16", HasMatrixUnit), ("neon", AdvSimd.IsSupported), ("dotprod", Dp.IsSupported),
        ];
        return [.. features.Where(f => f.Has).Select(f => f.Name)];
    }

    /// <summary>AVX512-VNNI and AVX512-BF16.</summary>
    internal static bool HasVnniAndBF16 => HasLeaf7(2, 11) && HasLeaf7Sub1(5);

    /// <summary>AMX with bf16; whether the system lets a process use it is another question (<see cref="MatrixUnit"/>).</summary>
    internal static bool HasMatrixUnit => HasLeaf7(3, 24) && HasLeaf7(3, 22);

    /// <summary><c>vdpbf16ps</c> does two products in the time of one: so on AMD, while Intel's cores of 2023 take longer than for two fused multiply-adds.</summary>
    internal static bool HasFastBF16 => HasVnniAndBF16 && X86Base.CpuId(0, 0).Ebx == 0x68747541; // "Auth", of AuthenticAMD

    // What .NET has no intrinsics for, asked of the processor itself: CPUID leaf 7, register 0 … 3 (EAX, EBX, ECX, EDX).
    private static bool HasLeaf7(int register, int bit)
    {
        if (!Avx512F.IsSupported || !X86Base.IsSupported) return false;
        (int Eax, int Ebx, int Ecx, int Edx) id = X86Base.CpuId(7, 0);
        return ((register switch { 0 => id.Eax, 1 => id.Ebx, 2 => id.Ecx, _ => id.Edx }) >> bit & 1) != 0;
    }

    private static bool HasLeaf7Sub1(int bit) => Avx512F.IsSupported && X86Base.IsSupported && (X86Base.CpuId(7, 1).Eax >> bit & 1) != 0;
}
