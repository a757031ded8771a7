using System.Diagnostics;
using System.Text.Json;
using SeekSharp.Kernels;

namespace SeekSharp.Benchmarks;

/// <summary>
/// Every format on random blocks, one row of activations: <c>dotnet run -c Release --project bench/SeekSharp.Benchmarks -- formats [formats|all] [file.json] [MB]</c>. All threads, in wall time, in turn: against a matrix of
/// 1,300 MB (four times the last cache of the machine it was written on), plain reading of the same bytes, and against a matrix that each core's second-level cache holds: what unpacking allows. The lesser of the last two is the limit.
/// </summary>
internal static unsafe class FormatSpeed
{
    private const int Inputs = 2048, Rounds = 11, Passes = 16;
    private const long CacheBytes = 1 << 20, Piece = 1 << 20;

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    private sealed record Result(string Format, string Tier, int Threads, long Bytes, double Gbs, double MemoryGbs, double UnpackingGbs, double ShareOfMemory, double ShareOfLimit, string Limit);

    public static void Run(string[] args)
    {
        NumberFormat[] formats = args.Length > 0 && args[0] != "all" ? [.. args[0].Split(',').Select(name => Enum.Parse<NumberFormat>(name, true))] : [.. Enum.GetValues<NumberFormat>().Where(PackedLayout.HasProduct)];
        long bytes = (args.Length > 2 ? long.Parse(args[2]) : 1300) * 1_000_000;
        KernelTable kernels = KernelTable.Current;
        using var pool = new WorkerPool();
        var results = new List<Result>();
        Console.WriteLine($"{MachineProbe.CpuName}; tier {kernels.Name}, {pool.Threads} threads, one row; GB/s of packed bytes");
        Console.WriteLine("| format | from memory | reading | share | in cache, all threads | limit | share of it |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (NumberFormat format in formats)
        {
            (double gbs, double memory, double unpacking, long size) = Measure(format, bytes, kernels, pool);
            double limit = Math.Min(memory, unpacking);
            var result = new Result(format.ToString(), kernels.Name, pool.Threads, size, Round(gbs), Round(memory), Round(unpacking), Round(gbs / memory), Round(gbs / limit), unpacking < memory ? "unpacking" : "memory");
            results.Add(result);
            Console.WriteLine($"| {format} | {gbs:F1} | {memory:F1} | {gbs / memory:P0} | {unpacking:F1} | {result.Limit} | {gbs / limit:P0} |");
        }
        if (args.Length > 1) File.WriteAllText(args[1], JsonSerializer.Serialize(new { MachineProbe.CpuName, MachineProbe.Features, Date = DateTime.UtcNow.ToString("yyyy-MM-dd"), Results = results }, Json) + "\n");
    }

    private static double Round(double x) => Math.Round(x, 3);

    // Medians of all three, in turn: a machine that others use is slower at times, and then for all three.
    private static (double Gbs, double MemoryGbs, double UnpackingGbs, long Bytes) Measure(NumberFormat format, long bytes, KernelTable kernels, WorkerPool pool)
    {
        using PackedMatrix matrix = Random(format, bytes, kernels, pool), small = Random(format, CacheBytes, kernels, pool);
        using var x = Activations();
        using var y = new NativeBuffer((long)matrix.Rows * sizeof(float));
        using var z = new NativeBuffer((long)Passes * small.Rows * sizeof(float));
        var read = new ReadWork { Address = matrix.Arguments().Panels, Kernel = kernels.ReadMemory };
        var again = new ProductJob[Passes]; // one region: threads do not wait for each other between
        for (int i = 0; i < Passes; i++) again[i] = new ProductJob { Weights = small, Input = x, Count = 1, Output = (float*)z.Address + (long)i * small.Rows, OutputStride = small.Rows };
        var products = new List<double>();
        var reads = new List<double>();
        var cached = new List<double>();
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            MatrixProduct.Run(matrix, x, 1, (float*)y.Address, matrix.Rows, null, Arithmetic.Default, kernels, pool);
            products.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            start = Stopwatch.GetTimestamp();
            pool.Run((int)(matrix.Bytes / Piece), ref read);
            reads.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            MatrixProduct.Run(small, x, 1, (float*)y.Address, small.Rows, null, Arithmetic.Default, kernels, pool); // into the caches
            start = Stopwatch.GetTimestamp();
            MatrixProduct.Run(again, Arithmetic.Default, kernels, pool);
            cached.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        products.Sort();
        reads.Sort();
        cached.Sort();
        return (matrix.Bytes / products[Rounds / 2] / 1e9, matrix.Bytes / Piece * Piece / reads[Rounds / 2] / 1e9, (double)Passes * small.Bytes / cached[Rounds / 2] / 1e9, matrix.Bytes);
    }

    private static ActivationBuffer Activations()
    {
        var x = new ActivationBuffer(Inputs);
        float* row = x.Begin(1);
        var random = new Random(1);
        for (int i = 0; i < Inputs; i++) row[i] = random.NextSingle() - 0.5f;
        return x;
    }

    // 256 rows of random blocks with scales like weights', over and over: more than a core's nearer caches hold.
    private static PackedMatrix Random(NumberFormat format, long bytes, KernelTable kernels, WorkerPool pool)
    {
        const int Distinct = 256;
        long rowBytes = NumberFormats.ByteCount(format, Inputs);
        int rows = (int)(bytes / rowBytes / 32 * 32), blockBytes = NumberFormats.BlockBytes(format);
        var some = new byte[Distinct * rowBytes];
        var random = new Random(2);
        random.NextBytes(some);
        fixed (byte* p = some)
            for (byte* block = p; block < p + some.Length; block += blockBytes) Scale(format, block, random);
        using var source = new NativeBuffer(rows * rowBytes);
        for (long at = 0; at < source.Bytes; at += some.Length) some.AsSpan(0, (int)Math.Min(some.Length, source.Bytes - at)).CopyTo(new Span<byte>(source.Address + at, some.Length));
        return PackedMatrix.Pack(format, rows, Inputs, (nint)source.Address, null, kernels, pool);
    }

    private static void Scale(NumberFormat format, byte* block, Random random)
    {
        float w = (random.NextSingle() + 0.1f) * 0.01f;
        ushort half = FloatFormats.ToF16(w);
        switch (format)
        {
            case NumberFormat.F32: *(float*)block = w; break;
            case NumberFormat.F16: *(ushort*)block = half; break;
            case NumberFormat.BF16: *(ushort*)block = FloatFormats.ToBF16(w); break;
            case NumberFormat.F8E4M3: *block = FloatFormats.ToE4M3(w * 100); break;
            case NumberFormat.MXFP4: *block = 120; break;
            case NumberFormat.IQ1_M:
                for (int i = 0; i < 4; i++) ((ushort*)(block + 48))[i] = (ushort)(((ushort*)(block + 48))[i] & 0x0FFF | (half >> 4 * i & 15) << 12);
                break;
            case >= NumberFormat.IQ1_S and <= NumberFormat.IQ3_S: *(ushort*)block = half; break;
            default:
                byte* d = block + BlockUnpacker.ScaleOffset(format);
                *(ushort*)d = half;
                if (format is NumberFormat.Q4_1 or NumberFormat.Q5_1 or NumberFormat.Q2_K or NumberFormat.Q4_K or NumberFormat.Q5_K) *(ushort*)(d + 2) = half;
                break;
        }
    }

    private struct ReadWork : IParallelWork
    {
        public byte* Address;
        public delegate*<byte*, long, int> Kernel;
        public readonly void Run(int item, int worker) => Kernel(Address + item * Piece, Piece);
    }
}
