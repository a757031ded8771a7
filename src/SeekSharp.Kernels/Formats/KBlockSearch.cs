using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Finds the numbers of a K block, 256 values in parts of 16 or 32, so that the squared error is small. Two kinds:
/// <c>d·s·q − dmin·m</c> with q ≥ 0 (Q2_K, Q4_K, Q5_K), and <c>d·s·q</c> with signed q (Q3_K, Q6_K).
/// <para>
/// 1. each part alone: try quantization steps around the one that spans its range, solve least squares for each;
/// 2. d and dmin from the largest scale and minimum;
/// 3. for each part the best integers s, m around what step 1 found, with the q that follow;
/// 4. with q, s, m fixed, least squares for d and dmin; when that lessens the error, 3 and 4 again.
/// </para>
/// </summary>
internal unsafe struct KBlockSearch
{
    private const int Values = 256;

    /// <summary>The block's scale and minimum factor, representable in binary16.</summary>
    public float D, DMin;
    /// <summary>Scale of each part.</summary>
    public fixed int Scale[16];
    /// <summary>Minimum of each part.</summary>
    public fixed int Min[16];
    /// <summary>The numbers: from 0 in the first kind, from −top in the second.</summary>
    public fixed float Q[Values];

    /// <summary>First kind: q in 0…top, s and m in 0…scaleTop.</summary>
    public void Affine(float* x, int parts, int top, int scaleTop)
    {
        int n = Values / parts;
        float* s = stackalloc float[parts];
        float* m = stackalloc float[parts];
        float largestScale = 0, largestMin = 0;
        for (int p = 0; p < parts; p++) // 1
        {
            FitAffine(x + p * n, n, top, out s[p], out m[p]);
            largestScale = MathF.Max(largestScale, s[p]);
            largestMin = MathF.Max(largestMin, m[p]);
        }
        float d = Representable(largestScale / scaleTop), min = Representable(largestMin / scaleTop); // 2
        KBlockSearch attempt = default;
        double least = double.PositiveInfinity;
        for (int round = 0; round < 3; round++)
        {
            attempt.D = d;
            attempt.DMin = min;
            double error = 0;
            for (int p = 0; p < parts; p++) error += attempt.ChooseAffine(x + p * n, n, p, top, scaleTop, s[p], m[p]); // 3
            if (round > 0 && !(error < least)) break; // the first stands even where NaN among the values hides the error
            least = error;
            this = attempt;
            if (!attempt.RefitAffine(x, parts, out d, out min)) break; // 4
        }
    }

    /// <summary>Second kind: q in −top…top−1, s in −scaleTop…scaleTop−1, 16 parts.</summary>
    public void Symmetric(float* x, int top, int scaleTop)
    {
        const int parts = 16, n = Values / parts;
        float* s = stackalloc float[parts];
        float extreme = 0;
        for (int p = 0; p < parts; p++) // 1
        {
            FitSymmetric(x + p * n, n, top, out s[p]);
            if (MathF.Abs(s[p]) > MathF.Abs(extreme)) extreme = s[p];
        }
        float d = Representable(extreme / -scaleTop); // 2: the range of s reaches one further below zero
        KBlockSearch attempt = default;
        double least = double.PositiveInfinity;
        for (int round = 0; round < 3; round++)
        {
            attempt.D = d;
            double error = 0;
            for (int p = 0; p < parts; p++) error += attempt.ChooseSymmetric(x + p * n, n, p, top, scaleTop, s[p]); // 3
            if (round > 0 && !(error < least)) break; // the first stands even where NaN among the values hides the error
            least = error;
            this = attempt;
            if (!attempt.RefitSymmetric(x, out d)) break; // 4
        }
    }

    /// <summary>Rounded to binary16; what would round to zero becomes the smallest subnormal, what would overflow the largest value.</summary>
    private static float Representable(float value)
    {
        if (value == 0 || float.IsNaN(value)) return 0;
        float rounded = FloatFormats.RoundF16(Math.Clamp(value, -65504f, 65504f));
        return rounded == 0 ? MathF.CopySign(MathF.ScaleB(1, -24), value) : rounded;
    }

    private static void FitAffine(float* x, int n, int top, out float bestScale, out float bestMin)
    {
        Vector256<float> low = Vector256.Load(x), high = low, sum = low;
        for (int i = 8; i < n; i += 8)
        {
            Vector256<float> v = Vector256.Load(x + i);
            low = Vector256.Min(low, v);
            high = Vector256.Max(high, v);
            sum += v;
        }
        float min = 0, max = float.NegativeInfinity, sumX = Vector256.Sum(sum); // the minimum is stored as its negative and cannot lie above zero
        for (int i = 0; i < 8; i++)
        {
            min = MathF.Min(min, low[i]);
            max = MathF.Max(max, high[i]);
        }
        bestScale = 0;
        bestMin = -min;
        if (!(max > min)) return;
        double least = double.PositiveInfinity;
        Vector256<float> tops = Vector256.Create((float)top), mins = Vector256.Create(min);
        for (int step = 0; step <= 20; step++)
        {
            // Spans of top − 1 … top + 1 steps: a shorter one may clip an outlier and serve all others better.
            Vector256<float> inverse = Vector256.Create((top - 1 + 0.1f * step) / (max - min));
            Vector256<float> q1 = default, q2 = default, qx = default;
            for (int i = 0; i < n; i += 8)
            {
                Vector256<float> v = Vector256.Load(x + i);
                Vector256<float> q = Vector256.Min(Vector256.Round(inverse * (v - mins)), tops);
                q1 += q;
                q2 += q * q;
                qx += q * v;
            }
            double sq = Vector256.Sum(q1), sqq = Vector256.Sum(q2), sqx = Vector256.Sum(qx), determinant = n * sqq - sq * sq;
            if (!(determinant > 0)) continue;
            double scale = (n * sqx - sq * sumX) / determinant, offset = (sqq * sumX - sq * sqx) / determinant;
            if (offset > 0) (offset, scale) = (0, sqx / sqq);
            Vector256<float> scales = Vector256.Create((float)scale), offsets = Vector256.Create((float)offset), errors = default;
            for (int i = 0; i < n; i += 8)
            {
                Vector256<float> v = Vector256.Load(x + i);
                Vector256<float> e = Vector256.Min(Vector256.Round(inverse * (v - mins)), tops) * scales + offsets - v;
                errors += e * e;
            }
            float error = Vector256.Sum(errors);
            if (error < least) (least, bestScale, bestMin) = (error, (float)scale, (float)-offset);
        }
        if (least == double.PositiveInfinity) (bestScale, bestMin) = ((max - min) / top, -min);
    }

    private static void FitSymmetric(float* x, int n, int top, out float bestScale)
    {
        float extreme = 0;
        for (int i = 0; i < n; i++)
            if (MathF.Abs(x[i]) > MathF.Abs(extreme)) extreme = x[i];
        bestScale = 0;
        if (extreme == 0) return;
        float most = -1;
        Vector256<float> low = Vector256.Create((float)-top), high = Vector256.Create(top - 1f);
        for (int i = 0; i < 19; i++) // 0, −1, 1, −2 …: among equals the step that uses the whole range
        {
            int step = (i & 1) == 0 ? i / 2 : -(i + 1) / 2;
            Vector256<float> inverse = Vector256.Create(-(top + 0.1f * step) / extreme);
            Vector256<float> q2 = default, qx = default;
            for (int k = 0; k < n; k += 8)
            {
                Vector256<float> v = Vector256.Load(x + k);
                Vector256<float> q = Vector256.Min(Vector256.Max(Vector256.Round(inverse * v), low), high);
                q2 += q * q;
                qx += q * v;
            }
            float sqq = Vector256.Sum(q2), sqx = Vector256.Sum(qx);
            if (!(sqq > 0)) continue;
            float gain = sqx * (sqx / sqq); // Σx² less the error that is left
            if (gain > most * 1.000001f) (most, bestScale) = (gain, sqx / sqq);
        }
    }

    private double ChooseAffine(float* x, int n, int part, int top, int scaleTop, float s, float m)
    {
        int scale = D == 0 ? 0 : (int)MathF.Min(MathF.Round(s / D), scaleTop), min = DMin == 0 ? 0 : (int)MathF.Min(MathF.Round(m / DMin), scaleTop);
        float least = float.PositiveInfinity;
        int bestScale = 0, bestMin = 0;
        for (int i = Math.Max(scale - 1, 0); i <= Math.Min(scale + 1, scaleTop); i++)
            for (int j = Math.Max(min - 1, 0); j <= Math.Min(min + 1, scaleTop); j++)
            {
                float error = Quantize(x, n, D * i, DMin * j, 0, top, null);
                if (error < least) (least, bestScale, bestMin) = (error, i, j);
            }
        Scale[part] = bestScale;
        Min[part] = bestMin;
        fixed (float* q = Q) return Quantize(x, n, D * bestScale, DMin * bestMin, 0, top, q + part * n);
    }

    private double ChooseSymmetric(float* x, int n, int part, int top, int scaleTop, float s)
    {
        int scale = D == 0 ? 0 : (int)Math.Clamp(MathF.Round(s / D), -scaleTop, scaleTop - 1);
        float least = float.PositiveInfinity;
        int best = 0;
        for (int i = Math.Max(scale - 1, -scaleTop); i <= Math.Min(scale + 1, scaleTop - 1); i++)
        {
            float error = Quantize(x, n, D * i, 0, -top, top - 1, null);
            if (error < least) (least, best) = (error, i);
        }
        Scale[part] = best;
        fixed (float* q = Q) return Quantize(x, n, D * best, 0, -top, top - 1, q + part * n);
    }

    /// <summary>The nearest q in low…high for scale·q − min, and the squared error.</summary>
    private static float Quantize(float* x, int n, float scale, float min, int low, int high, float* q)
    {
        Vector256<float> inverse = Vector256.Create(scale == 0 ? 0 : 1 / scale), scales = Vector256.Create(scale), mins = Vector256.Create(min);
        Vector256<float> lows = Vector256.Create((float)low), highs = Vector256.Create((float)high), errors = default;
        for (int i = 0; i < n; i += 8)
        {
            Vector256<float> v = Vector256.Load(x + i);
            Vector256<float> k = Vector256.Min(Vector256.Max(Vector256.Round((v + mins) * inverse), lows), highs);
            if (q is not null) k.Store(q + i);
            Vector256<float> e = scales * k - mins - v;
            errors += e * e;
        }
        return Vector256.Sum(errors);
    }

    /// <summary>Least squares for d and dmin over all parts; false where there is nothing to solve.</summary>
    private bool RefitAffine(float* x, int parts, out float d, out float min)
    {
        int n = Values / parts;
        double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0; // x ≈ d·a − dmin·b
        for (int p = 0; p < parts; p++)
        {
            double q1 = 0, q2 = 0, qx = 0, x1 = 0;
            for (int i = p * n; i < (p + 1) * n; i++)
            {
                q1 += Q[i];
                q2 += (double)Q[i] * Q[i];
                qx += (double)Q[i] * x[i];
                x1 += x[i];
            }
            double s = Scale[p], m = -Min[p];
            aa += s * s * q2;
            ab += s * m * q1;
            bb += m * m * n;
            ax += s * qx;
            bx += m * x1;
        }
        double determinant = aa * bb - ab * ab;
        (d, min) = determinant > 1e-12 * aa * bb
            ? ((float)((ax * bb - bx * ab) / determinant), (float)((bx * aa - ax * ab) / determinant))
            : (aa > 0 ? (float)(ax / aa) : D, DMin);
        d = Representable(d);
        min = Representable(min);
        return d > 0 && min >= 0 && (d != D || min != DMin);
    }

    private bool RefitSymmetric(float* x, out float d)
    {
        double aa = 0, ax = 0;
        for (int i = 0; i < Values; i++)
        {
            double a = (double)Scale[i >> 4] * Q[i];
            aa += a * a;
            ax += a * x[i];
        }
        d = aa > 0 ? Representable((float)(ax / aa)) : D;
        return d != D;
    }
}
