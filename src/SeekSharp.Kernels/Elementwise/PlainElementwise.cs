namespace SeekSharp.Kernels;

/// <summary>The plain twins of <see cref="Elementwise"/>.</summary>
internal static unsafe class PlainElementwise
{
    public static void RmsNorm(float* x, float* weight, float* y, int n, float epsilon)
    {
        float scale = 1 / MathF.Sqrt(VectorMath.SumOfSquares(new ReadOnlySpan<float>(x, n)) / n + epsilon);
        for (int i = 0; i < n; i++) y[i] = x[i] * scale * weight[i];
    }

    public static void SwiGlu(float* gate, float* up, float* y, int n)
    {
        for (int i = 0; i < n; i++) y[i] = VectorMath.Silu(gate[i]) * up[i];
    }

    public static void Sigmoid(float* x, float* y, int n)
    {
        for (int i = 0; i < n; i++) y[i] = VectorMath.Sigmoid(x[i]);
    }

    /// <summary>Pairs <paramref name="first"/> … <paramref name="pairs"/> − 1 of one head.</summary>
    public static void Rotate(float* x, float* cos, float* sin, int first, int pairs, RotaryLayout layout)
    {
        int step = layout == RotaryLayout.Interleaved ? 2 : 1, distance = layout == RotaryLayout.Interleaved ? 1 : pairs;
        for (int i = first; i < pairs; i++)
        {
            float a = x[step * i], b = x[step * i + distance];
            x[step * i] = a * cos[i] - b * sin[i];
            x[step * i + distance] = a * sin[i] + b * cos[i];
        }
    }

    public static void Softmax(float* x, float* y, int n)
    {
        float max = float.NegativeInfinity;
        for (int i = 0; i < n; i++) max = MathF.Max(max, x[i]);
        for (int i = 0; i < n; i++) y[i] = VectorMath.Exp(x[i] - max);
        float sum = VectorMath.Sum(new ReadOnlySpan<float>(y, n));
        for (int i = 0; i < n; i++) y[i] /= sum;
    }
}
