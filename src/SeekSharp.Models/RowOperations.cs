using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>Operations on every row of a chunk, the rows shared out among the threads. T rows, n numbers each.</summary>
internal static unsafe class RowOperations
{
    /// <summary>y[t] = RMSNorm(x[t]) for T rows; each row may hold several vectors of n (heads), one after the other.</summary>
    public static void RmsNorm(float* x, int xStride, WeightVector weight, float epsilon, float* y, int yStride, int rows, Workspace w, int vectors = 1)
    {
        var work = new NormWork { X = x, XStride = xStride, Weight = weight.Pointer, N = weight.Length, Epsilon = epsilon, Y = y, YStride = yStride, Vectors = vectors, Kernels = w.Kernels };
        w.Pool.Run(rows, ref work);
    }

    /// <summary>y[t] += x[t].</summary>
    public static void Add(float* x, int xStride, float* y, int yStride, int n, int rows, Workspace w)
    {
        var work = new AddWork { X = x, XStride = xStride, Y = y, YStride = yStride, N = n, Kernels = w.Kernels };
        w.Pool.Run(rows, ref work);
    }

    /// <summary>y[t] = silu(gate[t]) ⊙ up[t].</summary>
    public static void SwiGlu(float* gate, float* up, int stride, float* y, int yStride, int n, int rows, Workspace w)
    {
        var work = new SwiGluWork { Gate = gate, Up = up, Stride = stride, Y = y, YStride = yStride, N = n, Kernels = w.Kernels };
        w.Pool.Run(rows, ref work);
    }

    private struct NormWork : IParallelWork
    {
        public float* X, Weight, Y;
        public int XStride, YStride, N, Vectors;
        public float Epsilon;
        public KernelTable Kernels;

        public readonly void Run(int item, int worker)
        {
            float* x = X + (long)item * XStride, y = Y + (long)item * YStride;
            for (int v = 0; v < Vectors; v++) Elementwise.RmsNorm(x + (long)v * N, Weight, y + (long)v * N, N, Epsilon, Kernels);
        }
    }

    private struct AddWork : IParallelWork
    {
        public float* X, Y;
        public int XStride, YStride, N;
        public KernelTable Kernels;

        public readonly void Run(int item, int worker) => Elementwise.Add(X + (long)item * XStride, Y + (long)item * YStride, N, Kernels);
    }

    private struct SwiGluWork : IParallelWork
    {
        public float* Gate, Up, Y;
        public int Stride, YStride, N;
        public KernelTable Kernels;

        public readonly void Run(int item, int worker)
            => Elementwise.SwiGlu(Gate + (long)item * Stride, Up + (long)item * Stride, Y + (long)item * YStride, N, Kernels);
    }
}
