using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>Where the two numbers of a rotated pair lie; P pairs.</summary>
internal enum RotaryLayout
{
    /// <summary>Pairs (i, i + P).</summary>
    HalfSplit,
    /// <summary>Pairs (2i, 2i + 1).</summary>
    Interleaved,
}

/// <summary>Operations on vectors of activations; n numbers each. Results may overwrite inputs.</summary>
internal static unsafe class Elementwise
{
    /// <summary>y = x / √(mean(x²) + ε) ⊙ w (arXiv 1910.07467).</summary>
    public static void RmsNorm(float* x, float* weight, float* y, int n, float epsilon, KernelTable kernels) => kernels.RmsNorm(x, weight, y, n, epsilon);

    /// <summary>y = silu(gate) ⊙ up (arXiv 2002.05202).</summary>
    public static void SwiGlu(float* gate, float* up, float* y, int n, KernelTable kernels) => kernels.SwiGlu(gate, up, y, n);

    /// <summary>y = 1 / (1 + e^−x).</summary>
    public static void Sigmoid(float* x, float* y, int n, KernelTable kernels) => kernels.Sigmoid(x, y, n);

    /// <summary>y = e^(x − max x) / Σ.</summary>
    public static void Softmax(float* x, float* y, int n, KernelTable kernels) => kernels.Softmax(x, y, n);

    /// <summary>y += x.</summary>
    public static void Add(float* x, float* y, int n, KernelTable kernels) => kernels.Add(x, y, n);

    /// <summary>y += factor · x, fused.</summary>
    public static void AddScaled(float* x, float factor, float* y, int n, KernelTable kernels) => kernels.AddScaled(x, factor, y, n);

    /// <summary>
    /// Rotates the pairs of <paramref name="heads"/> vectors, <paramref name="headStride"/> floats apart, in place (arXiv 2104.09864):
    /// (a, b) ← (a·cos − b·sin, a·sin + b·cos).
    /// </summary>
    /// <param name="x">The first rotated number of the first head.</param>
    /// <param name="heads">How many vectors.</param>
    /// <param name="headStride">From one to the next, in floats.</param>
    /// <param name="cos">[pairs] of this position.</param>
    /// <param name="sin">[pairs] of this position.</param>
    /// <param name="pairs">Half of the rotated numbers of a head.</param>
    /// <param name="layout">Where a pair's numbers lie.</param>
    /// <param name="kernels">The tier.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* x, int heads, int headStride, float* cos, float* sin, int pairs, RotaryLayout layout, KernelTable kernels)
    {
        // Products and sums are rounded one by one, in vectors (of four numbers in every tier) as in what is left over.
        bool interleaved = layout == RotaryLayout.Interleaved;
        int whole = interleaved ? pairs & ~1 : pairs & ~3;
        for (int h = 0; h < heads; h++, x += headStride)
        {
            if (interleaved)
                for (int i = 0; i < whole; i += 2)
                {
                    Vector128<float> v = Vector128.Load(x + 2 * i), c = Twice(cos + i), s = Twice(sin + i) * Vector128.Create(-1f, 1, -1, 1);
                    (v * c + Vector128.Shuffle(v, Vector128.Create(1, 0, 3, 2)) * s).Store(x + 2 * i);
                }
            else
                for (int i = 0; i < whole; i += 4)
                {
                    Vector128<float> a = Vector128.Load(x + i), b = Vector128.Load(x + i + pairs), c = Vector128.Load(cos + i), s = Vector128.Load(sin + i);
                    (a * c - b * s).Store(x + i);
                    (a * s + b * c).Store(x + i + pairs);
                }
            PlainElementwise.Rotate(x, cos, sin, whole, pairs, layout);
        }

        static Vector128<float> Twice(float* p) => Vector128.Create(p[0], p[0], p[1], p[1]);
    }
}
