using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Tests.Models;

/// <summary>Random matrices in native memory, as a checkpoint would give them, and the plainest arithmetic on them.</summary>
internal sealed unsafe class RandomWeights(int seed) : IDisposable
{
    private readonly Random _random = new(seed);
    private readonly List<nint> _memory = [];

    /// <summary>Normal numbers whose sums over a row stay near 1.</summary>
    public float[] Vector(int length, double mean = 0, double deviation = 1)
        => [.. Enumerable.Range(0, length).Select(_ => (float)(mean + deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble())))];

    public MatrixSource Matrix(int rows, int cols) => Matrix(rows, cols, Vector(rows * cols, 0, 1 / Math.Sqrt(cols)));

    public MatrixSource Matrix(int rows, int cols, float[] values)
    {
        var p = (float*)NativeMemory.Alloc((nuint)values.Length, sizeof(float));
        _memory.Add((nint)p);
        values.CopyTo(new Span<float>(p, values.Length));
        return new MatrixSource($"random [{rows}, {cols}]", NumberFormat.F32, rows, cols, (nint)p);
    }

    public SwiGluWeights SwiGlu(int hidden, int width) => new() { Gate = Matrix(width, hidden), Up = Matrix(width, hidden), Down = Matrix(hidden, width) };

    /// <summary>W·x in double.</summary>
    public static double[] Multiply(MatrixSource matrix, double[] x)
    {
        float* w = (float*)matrix.Address;
        return [.. Enumerable.Range(0, (int)matrix.Rows).Select(r => Enumerable.Range(0, x.Length).Sum(c => w[r * x.Length + c] * x[c]))];
    }

    /// <summary>down(silu(gate x) ⊙ up x) in double.</summary>
    public static double[] SwiGlu(SwiGluWeights weights, double[] x)
    {
        double[] gate = Multiply(weights.Gate, x), up = Multiply(weights.Up, x);
        return Multiply(weights.Down, [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
    }

    public static double[] RmsNorm(double[] x, float[] weight, double epsilon)
    {
        double scale = 1 / Math.Sqrt(x.Average(v => v * v) + epsilon);
        return [.. x.Zip(weight, (v, w) => v * scale * w)];
    }

    public void Dispose()
    {
        foreach (nint p in _memory) NativeMemory.Free((void*)p);
    }
}
