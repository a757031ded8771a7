using System.Diagnostics;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Planner;

namespace SeekSharp.Cli;

/// <summary>Measures this machine for the planner: memory, one matrix product in a model's number format, attention in its shape, a parallel region. Three seconds.</summary>
internal static unsafe class CpuProbe
{
    // A dense layer's matrix, and a small expert's.
    private const int Large = 2048, ExpertInputs = 512, ExpertOutputs = 1024;

    /// <param name="format">Of the product's weights.</param>
    /// <param name="shape">Of the model whose attention it is.</param>
    public static CpuMachine Measure(NumberFormat format, ModelShape shape)
    {
        KernelTable kernels = KernelTable.Current;
        using var pool = new WorkerPool(0);
        MachineMeasurements limits = MachineProbe.Measure(kernels, pool);
        using PackedMatrix matrix = Weights(format, Large, Large, kernels, pool), expert = Weights(format, ExpertOutputs, ExpertInputs, kernels, pool);
        return new CpuMachine($"{MachineProbe.CpuName}, {kernels.Name}, {limits.Threads} threads", limits.Threads, limits.ReadAll.Best * 1e9,
            Product(matrix, 256, Large, Large, kernels, pool), Product(expert, 32, ExpertOutputs, ExpertInputs, kernels, pool), AttentionRate(shape, kernels, pool), Region(pool), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
    }

    /// <summary>The format of most of a model's bytes; Q8_0 stands in for a config without weights.</summary>
    public static NumberFormat FormatOf(string model)
    {
        if (!File.Exists(model) && !Directory.Exists(model) || model.EndsWith(".json", StringComparison.OrdinalIgnoreCase)) return NumberFormat.Q8_0;
        using ModelFolder folder = ModelFolder.Open(model);
        return folder.Checkpoint?.Tensors.Values.GroupBy(t => t.Format).MaxBy(g => g.Sum(t => t.ByteLength))?.Key ?? NumberFormat.Q8_0;
    }

    private static double Product(PackedMatrix matrix, int rows, int outputs, int inputs, KernelTable kernels, WorkerPool pool)
    {
        using var x = new ActivationBuffer(inputs);
        using var y = new NativeBuffer((long)rows * outputs * sizeof(float));
        double best = double.MaxValue;
        for (int round = 0; round < 40; round++)
        {
            float* values = x.Begin(rows);
            for (int i = 0; i < rows * x.Stride; i++) values[i] = i % 7 - 3;
            long start = Stopwatch.GetTimestamp();
            MatrixProduct.Run(matrix, x, rows, (float*)y.Address, outputs, null, Arithmetic.Default, kernels, pool);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return 2.0 * rows * outputs * inputs / best;
    }

    // One layer: the last of 512 tokens, as many as make 1,024 rows.
    private static double AttentionRate(ModelShape m, KernelTable kernels, WorkerPool pool)
    {
        const int Depth = 512;
        ModelConfig c = m.Config;
        int heads = c.NumAttentionHeads, tokens = Math.Clamp(1024 / heads, 1, Depth), position = Depth - tokens;
        int queryDim = c.IsLatentAttention ? c.KvLoraRank + c.QkRopeHeadDim : m.QkDim, resultDim = c.IsLatentAttention ? c.KvLoraRank : m.VDim;
        long block = c.IsLatentAttention ? LatentBlock.Bytes(KvFormat.BF16, c.KvLoraRank, c.QkRopeHeadDim)
            : Math.Max(KvBlock.KeyBytes(KvFormat.BF16, c.NumKeyValueHeads, m.QkDim), KvBlock.ValueBytes(KvFormat.BF16, c.NumKeyValueHeads, m.VDim));
        using NativeBuffer query = new((long)tokens * heads * queryDim * sizeof(float)), result = new((long)tokens * heads * resultDim * sizeof(float)), cache = new(2 * block * Depth / KvBlock.Tokens);
        new Span<float>((float*)query.Address, tokens * heads * queryDim).Fill(0.1f);
        new Span<byte>(cache.Address, checked((int)cache.Bytes)).Fill(0x3B);
        byte** keys = stackalloc byte*[Depth / KvBlock.Tokens], values = stackalloc byte*[Depth / KvBlock.Tokens];
        for (int i = 0; i < Depth / KvBlock.Tokens; i++)
        {
            keys[i] = cache.Address + 2 * i * block;
            values[i] = keys[i] + block;
        }
        double best = double.MaxValue;
        for (int round = 0; round < 20; round++)
        {
            long start = Stopwatch.GetTimestamp();
            if (c.IsLatentAttention)
                Attention.Latent(new LatentArguments
                {
                    Query = (float*)query.Address,
                    QueryStride = heads * queryDim,
                    Blocks = keys,
                    Format = KvFormat.BF16,
                    Tokens = tokens,
                    Heads = heads,
                    LatentDim = c.KvLoraRank,
                    RopeDim = c.QkRopeHeadDim,
                    Position = position,
                    Scale = 0.1f,
                    Output = (float*)result.Address,
                    OutputStride = heads * resultDim,
                }, kernels, pool);
            else
                Attention.GroupedQuery(new GroupedQueryArguments
                {
                    Query = (float*)query.Address,
                    QueryStride = heads * queryDim,
                    KeyBlocks = keys,
                    ValueBlocks = values,
                    Format = KvFormat.BF16,
                    Tokens = tokens,
                    Heads = heads,
                    KvHeads = c.NumKeyValueHeads,
                    KeyDim = m.QkDim,
                    ValueDim = m.VDim,
                    Position = position,
                    Scale = 0.1f,
                    Output = (float*)result.Address,
                    OutputStride = heads * resultDim,
                }, kernels, pool);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return 2.0 * heads * (queryDim + resultDim) * tokens * (position + (tokens + 1) / 2.0) / best;
    }

    private static double Region(WorkerPool pool)
    {
        double best = double.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            const int Regions = 400;
            var work = new Nothing();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Regions; i++) pool.Run(pool.Threads * 2, ref work);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds / Regions);
        }
        return best;
    }

    // Bytes that are small scales and codes in every format: what a code is does not change the time.
    private static PackedMatrix Weights(NumberFormat format, int outputs, int inputs, KernelTable kernels, WorkerPool pool)
    {
        long bytes = (long)outputs * NumberFormats.ByteCount(format, inputs);
        using var source = new NativeBuffer(bytes);
        new Span<byte>(source.Address, (int)bytes).Fill(0x3B);
        return PackedMatrix.Pack(format, outputs, inputs, (nint)source.Address, null, kernels, pool);
    }

    private struct Nothing : IParallelWork
    {
        public readonly void Run(int item, int worker) { }
    }
}
