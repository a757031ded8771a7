using System.Runtime.InteropServices;
using SeekSharp.Kernels;

namespace SeekSharp.Benchmarks;

/// <summary>
/// Matrix products by format: <c>dotnet run -c Release --project bench/SeekSharp.Benchmarks -- [formats] [tiers] [rows …]</c>.
/// One thread, measured in the thread's CPU time (what other processes take does not count), best of several rounds. For one row also the bytes
/// of packed weights that pass in a second, the figure to hold against memory bandwidth.
/// </summary>
internal static unsafe partial class Program
{
    private const int Inputs = 2048;
    private static int Outputs = 1024;

    private static void Main(string[] args)
    {
        if (args is ["pack", ..])
        {
            PackingSpeed.Run(args[1..]);
            return;
        }
        if (args is ["formats", ..])
        {
            FormatSpeed.Run(args[1..]);
            return;
        }
        if (args is ["stream", ..])
        {
            Stream(args[1..]);
            return;
        }
        NumberFormat[] formats = args.Length > 0 ? [.. args[0].Split(',').Select(name => Enum.Parse<NumberFormat>(name, true))]
            : [NumberFormat.F32, NumberFormat.F16, NumberFormat.BF16, NumberFormat.F8E4M3, NumberFormat.Q4_0, NumberFormat.Q8_0, NumberFormat.Q4_K, NumberFormat.Q6_K];
        KernelTier[] tiers = args.Length > 1 ? [.. args[1].Split(',').Select(name => Enum.Parse<KernelTier>(name, true))] : [KernelTier.Avx2, KernelTier.Vector512, KernelTier.Assembled];
        int[] rows = args.Length > 2 ? [.. args[2..].Select(int.Parse)] : [1, 4, 64];
        Console.WriteLine($"{MachineProbe.CpuName}; {string.Join(' ', MachineProbe.Features)}; {Outputs} × {Inputs}");
        foreach (KernelTier tier in tiers.Where(KernelTable.IsSupported))
        {
            KernelTable kernels = KernelTable.For(tier);
            using var pool = new WorkerPool(1);
            foreach (NumberFormat format in formats)
            {
                using PackedMatrix matrix = Random(format, kernels, pool);
                string line = $"{kernels.Name,-10} {format,-8}";
                foreach (int m in rows) line += "   " + Measure(matrix, m, kernels, pool);
                Console.WriteLine(line);
            }
        }
    }

    // One row against a matrix that no cache holds, all threads, in wall time: the share of memory bandwidth that decoding can have.
    private static void Stream(string[] args)
    {
        Outputs = 131072;
        KernelTable kernels = KernelTable.Current;
        using var pool = new WorkerPool();
        foreach (string name in args.Length > 0 ? args[0].Split(',') : ["Q4_0", "Q8_0", "Q4_K", "Q6_K", "BF16"])
        {
            using PackedMatrix matrix = Random(Enum.Parse<NumberFormat>(name, true), kernels, pool);
            using var x = new ActivationBuffer(Inputs);
            float* rows = x.Begin(1);
            for (int i = 0; i < Inputs; i++) rows[i] = i % 7 - 3;
            using var y = new NativeBuffer((long)Outputs * sizeof(float));
            var times = new List<double>();
            for (int round = 0; round < 12; round++)
            {
                long start = System.Diagnostics.Stopwatch.GetTimestamp();
                MatrixProduct.Run(matrix, x, 1, (float*)y.Address, Outputs, null, Arithmetic.Default, kernels, pool);
                times.Add(System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
            times.Sort();
            MachineMeasurements limit = MachineProbe.Measure(kernels, pool);
            Console.WriteLine($"{kernels.Name} {name,-8} {matrix.Bytes / times[times.Count / 2] / 1e9,6:F1} GB/s median, {matrix.Bytes / times[0] / 1e9:F1} best; memory {limit.ReadAll.Median:F1}");
        }
    }

    private static string Measure(PackedMatrix matrix, int m, KernelTable kernels, WorkerPool pool)
    {
        using var x = new ActivationBuffer(Inputs);
        float* rows = x.Begin(m);
        var random = new Random(1);
        for (int i = 0; i < m * x.Stride; i++) rows[i] = random.NextSingle() - 0.5f;
        using var y = new NativeBuffer((long)m * Outputs * sizeof(float));
        int calls = Math.Max(1, 40 / m);
        double best = double.MaxValue;
        for (int round = 0; round < 15; round++)
        {
            double start = ThreadSeconds();
            for (int i = 0; i < calls; i++) MatrixProduct.Run(matrix, x, m, (float*)y.Address, Outputs, null, Arithmetic.Default, kernels, pool);
            best = Math.Min(best, (ThreadSeconds() - start) / calls);
        }
        string text = $"m={m}: {2.0 * m * Outputs * Inputs / best / 1e9,6:F1} GOP/s";
        return m == 1 ? text + $" {matrix.Bytes / best / 1e9,5:F1} GB/s" : text;
    }

    // Random codes, scales of one: what a code is does not change the time.
    private static PackedMatrix Random(NumberFormat format, KernelTable kernels, WorkerPool pool)
    {
        long bytes = (long)Outputs * NumberFormats.ByteCount(format, Inputs);
        using var source = new NativeBuffer(bytes);
        for (long i = 0; i < bytes; i += 1 << 20) new Span<byte>(source.Address + i, (int)Math.Min(1 << 20, bytes - i)).Fill(0x3B); // small scales: 0.9 as binary16, 2^-69 as E8M0
        if (!NumberFormats.IsInteger(format))
        {
            // Like weights: no number so small that products would be subnormal.
            var random = new Random(2);
            for (int i = 0; i < Outputs * Inputs; i++)
            {
                float w = (random.NextSingle() - 0.5f) * 0.1f;
                if (format == NumberFormat.F32) ((float*)source.Address)[i] = w;
                else if (format == NumberFormat.F16) ((ushort*)source.Address)[i] = FloatFormats.ToF16(w);
                else if (format == NumberFormat.BF16) ((ushort*)source.Address)[i] = FloatFormats.ToBF16(w);
                else source.Address[i] = FloatFormats.ToE4M3(w);
            }
        }
        return PackedMatrix.Pack(format, Outputs, Inputs, (nint)source.Address, null, kernels, pool);
    }

    internal static double ThreadSeconds()
    {
        const int ThreadCpuTime = 3;
        if (!OperatingSystem.IsLinux()) return System.Diagnostics.Stopwatch.GetTimestamp() / (double)System.Diagnostics.Stopwatch.Frequency;
        long* time = stackalloc long[2];
        _ = clock_gettime(ThreadCpuTime, time);
        return time[0] + time[1] * 1e-9;
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, long* time);
}
