namespace SeekSharp.Planner;

/// <summary>
/// How long kernels take on an accelerator: a roofline with the three things that keep kernels below it. Tiles are dealt to the units in whole waves; the epilogue that
/// writes a tile runs after its sums; and every launch costs a few microseconds to fill and drain the machine. Nothing here knows any model or any training run:
/// the tests compare it with published kernel benchmarks (DeepGEMM, FlashMLA).
/// </summary>
internal sealed class KernelModel
{
    /// <summary>Rows and columns of a tile.</summary>
    private const int Tile = 128;

    /// <summary>Share of the data sheet's memory bandwidth that streaming kernels reach (FlashMLA's README: 3,000 of 3,350 GB/s on H800).</summary>
    public const double StreamShare = 0.9;

    /// <summary>Filling and draining the machine once, in seconds: what DeepGEMM's six smallest products take beyond their bytes, on average (README of 2025-02-26, M = 64).</summary>
    public const double Launch = 3.2e-6;

    /// <summary>Vector operations for a score beside its exponential: scale, mask, running maximum and sum, conversion.</summary>
    private const double VectorOpsPerScore = 6;

    private readonly Gpu _gpu;
    private readonly double _share;

    /// <param name="gpu">The accelerator.</param>
    /// <param name="reservedUnits">Units that move data for the network instead.</param>
    public KernelModel(Gpu gpu, int reservedUnits = 0)
    {
        _gpu = gpu;
        Units = Math.Max(1, gpu.Units - reservedUnits);
        _share = (double)Units / gpu.Units;
    }

    /// <summary>Units that compute.</summary>
    public int Units { get; }

    /// <summary>Bytes a second of streaming kernels.</summary>
    public double Stream => _gpu.Bandwidth * StreamShare;

    /// <summary>[M, K] · [K, N], for <paramref name="groups"/> groups of their own weights with M rows each; the result has <paramref name="outputBytes"/> bytes a number (8: read and added to fp32 sums).</summary>
    public double Product(double m, double n, double k, Precision precision, double outputBytes = 2, double groups = 1)
    {
        double size = precision == Precision.Fp8 && _gpu.PeakFp8 > 0 ? 1 : 2;
        // A gradient of weights has scales along both sides of each block in FP8, and sums in fp32.
        double rate = (outputBytes == 8 ? _gpu.SustainedGradient(precision) : _gpu.Sustained(precision)) * _share;
        double rows = m >= Tile ? Tile : Math.Max(8, Math.Ceiling(m / 8) * 8); // small batches use flatter tiles
        double compute = double.MaxValue;
        foreach (double columns in (double[])[Tile, Tile / 2, Tile / 4]) // narrower ones where there are too few for all units
        {
            double waves = Math.Ceiling(groups * Math.Ceiling(m / Tile) * Math.Ceiling(n / columns) / Units);
            compute = Math.Min(compute, waves * Units * 2 * rows * columns * k / rate);
        }
        double read = groups * (m * k + n * k) * size / Stream, write = groups * m * n * outputBytes / Stream;
        return Math.Max(compute, read) + write + Launch;
    }

    /// <summary>
    /// Attention over <paramref name="scores"/> pairs of query and key in all heads: matrix operations at the sustained rate, then the softmax of each score, which
    /// tensor cores cannot do; reading <paramref name="bytes"/> of keys and values may take longer.
    /// </summary>
    public double Attention(double scores, double flopsPerScore, double bytes)
    {
        double matrix = scores * flopsPerScore / (_gpu.SustainedBf16 * _share);
        double softmax = scores * (1 / (_gpu.ExpPerClock * _gpu.Clock * Units) + VectorOpsPerScore / (_gpu.Vector * _share));
        return Math.Max(matrix + softmax, bytes / Stream) + Launch;
    }

    /// <summary>Passes over memory: norms, activations, conversions.</summary>
    public double Pass(double bytes, double launches = 1) => bytes / Stream + launches * Launch;
}
