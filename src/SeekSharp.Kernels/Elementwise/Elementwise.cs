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
    public static void Rotate(float* x, int heads, int headStride, float* cos, float* sin, int pairs, RotaryLayout layout, KernelTable kernels)
    {
        int step = layout == RotaryLayout.Interleaved ? 2 : 1, distance = layout == RotaryLayout.Interleaved ? 1 : pairs;
        for (int h = 0; h < heads; h++, x += headStride)
            for (int i = 0; i < pairs; i++)
            {
                float a = x[step * i], b = x[step * i + distance];
                x[step * i] = a * cos[i] - b * sin[i];
                x[step * i + distance] = a * sin[i] + b * cos[i];
            }
    }
}
