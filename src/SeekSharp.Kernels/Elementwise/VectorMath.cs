namespace SeekSharp.Kernels;

/// <summary>
/// Scalar forms of what the kernels compute in vectors, with the same bits: every operation is an exactly rounded one, in a
/// fixed order, so that it does not matter in which lane a value lies or whether it lies in a vector at all.
/// </summary>
internal static class VectorMath
{
    /// <summary>Lanes of every sum: 16 partial sums (element i goes to i mod 16), then halves are added, 8, 4, 2, 1.</summary>
    public const int Lanes = 16;

    // exp(x) = 2^n · exp(r), n = round(x / ln 2), |r| ≤ ln 2 / 2; polynomial by S. Moshier (Cephes, expf).
    internal const float ExpLow = -106, ExpHigh = 89, Log2E = 1.44269504088896341f, Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f;
    internal const float E0 = 1.9875691500E-4f, E1 = 1.3981999507E-3f, E2 = 8.3334519073E-3f, E3 = 4.1665795894E-2f, E4 = 1.6666665459E-1f, E5 = 5.0000001201E-1f;

    /// <summary>e^x within 2 units in the last place; 0 below −104, ∞ above 88.8, subnormals between; exp(0) = 1.</summary>
    public static float Exp(float x)
    {
        if (float.IsNaN(x)) return x;
        x = MathF.Min(MathF.Max(x, ExpLow), ExpHigh);
        float n = MathF.Round(x * Log2E);
        float r = MathF.FusedMultiplyAdd(n, -Ln2High, x);
        r = MathF.FusedMultiplyAdd(n, -Ln2Low, r);
        float p = MathF.FusedMultiplyAdd(E0, r, E1);
        p = MathF.FusedMultiplyAdd(p, r, E2);
        p = MathF.FusedMultiplyAdd(p, r, E3);
        p = MathF.FusedMultiplyAdd(p, r, E4);
        p = MathF.FusedMultiplyAdd(p, r, E5);
        p = MathF.FusedMultiplyAdd(p, r * r, r) + 1;
        int whole = (int)n, half = whole >> 1; // in two steps: 2^n alone may be out of range
        return p * BitConverter.Int32BitsToSingle(half + 127 << 23) * BitConverter.Int32BitsToSingle(whole - half + 127 << 23);
    }

    /// <summary>The least exponent of a <see cref="Weight"/> that is not zero.</summary>
    internal const float WeightLow = -64;

    /// <summary>
    /// A weight of attention, e^x for x ≤ 0, and 0 below −64 (1.6e-28 of the largest): far below a sum's last place, and on the way to subnormal numbers, whose products cost some CPUs a hundred
    /// times as much.
    /// </summary>
    public static float Weight(float x) => x < WeightLow ? 0 : Exp(x);

    /// <summary>1 / (1 + e^−x).</summary>
    public static float Sigmoid(float x) => 1 / (1 + Exp(-x));

    /// <summary>x · sigmoid(x), as x / (1 + e^−x).</summary>
    public static float Silu(float x) => x / (1 + Exp(-x));

    /// <summary>Adds 16 partial sums: halves are added, 8, 4, 2, 1. They are overwritten.</summary>
    public static float AddLanes(Span<float> lanes)
    {
        for (int half = Lanes / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
        return lanes[0];
    }

    /// <summary>The sum in the order that all kernels keep.</summary>
    public static float Sum(ReadOnlySpan<float> x)
    {
        Span<float> lanes = stackalloc float[Lanes];
        lanes.Clear();
        for (int i = 0; i < x.Length; i++) lanes[i % Lanes] += x[i];
        return AddLanes(lanes);
    }

    /// <summary>The sum of squares in the order that all kernels keep.</summary>
    public static float SumOfSquares(ReadOnlySpan<float> x)
    {
        Span<float> lanes = stackalloc float[Lanes];
        lanes.Clear();
        for (int i = 0; i < x.Length; i++) lanes[i % Lanes] = MathF.FusedMultiplyAdd(x[i], x[i], lanes[i % Lanes]);
        return AddLanes(lanes);
    }
}
