using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Elementwise operations and reductions in the vectors of a tier. The end of a row is handled in a padded copy of 16 numbers, so that every number goes through
/// the same instructions wherever it lies; reductions keep 16 partial sums (<see cref="VectorMath.Lanes"/>) whatever the width of a vector.
/// </summary>
internal static unsafe class VectorKernels<S, F, I>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const int Lanes = VectorMath.Lanes;

    /// <summary><see cref="VectorMath.Exp"/>; NaN stays NaN.</summary>
    [MethodImpl(Inline)]
    public static F Exp(F x)
    {
        x = S.Min(S.Set(VectorMath.ExpHigh), S.Max(S.Set(VectorMath.ExpLow), x)); // with NaN the second operand: x
        F n = S.Round(S.Multiply(x, S.Set(VectorMath.Log2E)));
        F r = S.Fma(n, S.Set(-VectorMath.Ln2High), x);
        r = S.Fma(n, S.Set(-VectorMath.Ln2Low), r);
        F p = S.Fma(S.Set(VectorMath.E0), r, S.Set(VectorMath.E1));
        p = S.Fma(p, r, S.Set(VectorMath.E2));
        p = S.Fma(p, r, S.Set(VectorMath.E3));
        p = S.Fma(p, r, S.Set(VectorMath.E4));
        p = S.Fma(p, r, S.Set(VectorMath.E5));
        p = S.Add(S.Fma(p, S.Multiply(r, r), r), S.Set(1f));
        I whole = S.ToInt(n), half = S.ShiftRight(whole, 1);
        F first = S.AsFloat(S.ShiftLeft(S.Add(half, S.Set(127)), 23)), second = S.AsFloat(S.ShiftLeft(S.Add(S.Subtract(whole, half), S.Set(127)), 23));
        return S.Multiply(S.Multiply(p, first), second);
    }

    /// <summary><see cref="VectorMath.Weight"/>; NaN stays NaN.</summary>
    [MethodImpl(Inline)]
    public static F Weight(F x)
    {
        I size = S.And(S.AsInt(x), S.Set(int.MaxValue)), e = S.AsInt(Exp(x)); // sizes of floats are in the order of their bits
        return S.AsFloat(S.IfGreater(size, S.Set(0x7F800000), e, S.IfGreater(size, S.Set(BitConverter.SingleToInt32Bits(-VectorMath.WeightLow)), S.Set(0), e)));
    }

    /// <summary>To bf16, ties to even, as floats; NaN stays NaN.</summary>
    [MethodImpl(Inline)]
    public static F RoundBF16(F x)
    {
        I bits = S.AsInt(x);
        I rounded = S.Add(S.Add(bits, S.Set(0x7FFF)), S.And(S.ShiftRightLogical(bits, 16), S.Set(1)));
        rounded = S.IfGreater(S.And(bits, S.Set(int.MaxValue)), S.Set(0x7F800000), S.Or(bits, S.Set(0x400000)), rounded);
        return S.AsFloat(S.And(rounded, S.Set(unchecked((int)0xFFFF0000))));
    }

    /// <summary>1 / (1 + e^−x) times <paramref name="factor"/>: with x itself, SiLU.</summary>
    [MethodImpl(Inline)]
    private static F OverOnePlusExp(F factor, F x)
        => S.Divide(factor, S.Add(S.Set(1f), Exp(S.AsFloat(S.Add(S.AsInt(x), S.Set(int.MinValue)))))); // −x: the sign bit flipped

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGlu(float* gate, float* up, float* y, int n)
    {
        int i = 0;
        for (; i + Lanes <= n; i += Lanes)
            for (int j = i; j < i + Lanes; j += S.Count)
                S.Store(y + j, S.Multiply(OverOnePlusExp(S.Load(gate + j), S.Load(gate + j)), S.Load(up + j)));
        if (i == n) return;
        float* rest = stackalloc float[3 * Lanes];
        Copy(gate + i, rest, n - i);
        Copy(up + i, rest + Lanes, n - i);
        SwiGlu(rest, rest + Lanes, rest + 2 * Lanes, Lanes);
        for (int j = i; j < n; j++) y[j] = rest[2 * Lanes + j - i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sigmoid(float* x, float* y, int n)
    {
        int i = 0;
        for (; i + Lanes <= n; i += Lanes)
            for (int j = i; j < i + Lanes; j += S.Count) S.Store(y + j, OverOnePlusExp(S.Set(1f), S.Load(x + j)));
        if (i == n) return;
        float* rest = stackalloc float[2 * Lanes];
        Copy(x + i, rest, n - i);
        Sigmoid(rest, rest + Lanes, Lanes);
        for (int j = i; j < n; j++) y[j] = rest[Lanes + j - i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(float* x, float* weight, float* y, int n, float epsilon)
    {
        float* lanes = stackalloc float[2 * Lanes];
        float* rest = lanes + Lanes;
        int whole = n & ~(Lanes - 1);
        Copy(x + whole, rest, n - whole);
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            F sum = S.Set(0f);
            for (int i = lane; i < whole; i += Lanes)
            {
                F v = S.Load(x + i);
                sum = S.Fma(v, v, sum);
            }
            if (whole < n)
            {
                F v = S.Load(rest + lane);
                sum = S.Fma(v, v, sum);
            }
            S.Store(lanes + lane, sum);
        }
        float scale = 1 / MathF.Sqrt(VectorMath.AddLanes(new Span<float>(lanes, Lanes)) / n + epsilon);
        for (int i = 0; i < whole; i += S.Count) S.Store(y + i, S.Multiply(S.Multiply(S.Load(x + i), S.Set(scale)), S.Load(weight + i)));
        for (int i = whole; i < n; i++) y[i] = x[i] * scale * weight[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(float* x, float* y, int n)
    {
        float max = float.NegativeInfinity;
        for (int i = 0; i < n; i++) max = MathF.Max(max, x[i]);
        float* lanes = stackalloc float[2 * Lanes];
        float* rest = lanes + Lanes;
        int whole = n & ~(Lanes - 1);
        if (whole < n)
        {
            for (int i = 0; i < Lanes; i++) rest[i] = whole + i < n ? x[whole + i] : float.NegativeInfinity;
            for (int i = 0; i < Lanes; i += S.Count) S.Store(rest + i, Exp(S.Subtract(S.Load(rest + i), S.Set(max))));
        }
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            F sum = S.Set(0f);
            for (int i = lane; i < whole; i += Lanes)
            {
                F e = Exp(S.Subtract(S.Load(x + i), S.Set(max)));
                S.Store(y + i, e);
                sum = S.Add(sum, e);
            }
            if (whole < n) sum = S.Add(sum, S.Load(rest + lane));
            S.Store(lanes + lane, sum);
        }
        float total = VectorMath.AddLanes(new Span<float>(lanes, Lanes));
        for (int i = 0; i < whole; i += S.Count) S.Store(y + i, S.Divide(S.Load(y + i), S.Set(total)));
        for (int i = whole; i < n; i++) y[i] = rest[i - whole] / total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* x, float* y, int n)
    {
        int i = 0;
        for (; i + S.Count <= n; i += S.Count) S.Store(y + i, S.Add(S.Load(y + i), S.Load(x + i)));
        for (; i < n; i++) y[i] += x[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(float* x, float factor, float* y, int n)
    {
        int i = 0;
        for (; i + S.Count <= n; i += S.Count) S.Store(y + i, S.Fma(S.Set(factor), S.Load(x + i), S.Load(y + i)));
        for (; i < n; i++) y[i] = MathF.FusedMultiplyAdd(factor, x[i], y[i]);
    }

    /// <summary>
    /// One row of scores [64] in two halves: scaled, cut at <paramref name="visible"/> keys, turned into weights e^(s − max) in place. max and sum are those of the
    /// online softmax; returns what the row's sums so far are to be multiplied by. With <paramref name="rounded"/> the weights are rounded to bf16, and so are summed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float OnlineSoftmax(float* low, float* high, float scale, int visible, bool rounded, ref float max, ref float sum)
    {
        float* lanes = stackalloc float[2 * Lanes];
        int* index = (int*)lanes + Lanes;
        for (int i = 0; i < Lanes; i++) index[i] = i;
        F largest = S.Set(float.NegativeInfinity);
        for (int j = 0; j < 64; j += S.Count)
        {
            float* p = (j < 32 ? low : high) + (j & 31);
            F s = S.Multiply(S.Load(p), S.Set(scale));
            s = S.AsFloat(S.IfGreater(S.Set(visible - (j & ~(Lanes - 1))), S.Load(index + (j & (Lanes - 1))), S.AsInt(s), S.AsInt(S.Set(float.NegativeInfinity))));
            S.Store(p, s);
            largest = S.Max(largest, s);
        }
        S.Store(lanes, largest);
        float newMax = max;
        for (int i = 0; i < S.Count; i++) newMax = MathF.Max(newMax, lanes[i]);
        float correction = VectorMath.Exp(max - newMax);
        for (int lane = 0; lane < Lanes; lane += S.Count)
        {
            F total = S.Set(0f);
            for (int j = lane; j < 64; j += Lanes)
            {
                float* p = (j < 32 ? low : high) + (j & 31);
                F e = Weight(S.Subtract(S.Load(p), S.Set(newMax)));
                if (rounded) e = RoundBF16(e);
                S.Store(p, e);
                total = S.Add(total, e);
            }
            S.Store(lanes + lane, total);
        }
        sum = MathF.FusedMultiplyAdd(sum, correction, VectorMath.AddLanes(new Span<float>(lanes, Lanes)));
        max = newMax;
        return correction;
    }

    [MethodImpl(Inline)]
    private static void Copy(float* source, float* target, int count)
    {
        for (int i = 0; i < Lanes; i++) target[i] = i < count ? source[i] : 0;
    }
}
