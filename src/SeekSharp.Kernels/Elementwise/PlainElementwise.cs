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

    public static void Softmax(float* x, float* y, int n)
    {
        float max = float.NegativeInfinity;
        for (int i = 0; i < n; i++) max = MathF.Max(max, x[i]);
        for (int i = 0; i < n; i++) y[i] = VectorMath.Exp(x[i] - max);
        float sum = VectorMath.Sum(new ReadOnlySpan<float>(y, n));
        for (int i = 0; i < n; i++) y[i] /= sum;
    }
}
