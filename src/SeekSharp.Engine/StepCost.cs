namespace SeekSharp.Engine;

/// <summary>
/// How long a step will take, learned from those that were: time ≈ a + b·n + c·s, where n is the number of tokens and s the sum over them of how many tokens each
/// looks back on. a is the reading of the weights, b a token's products, c attention. A measurement stands in a bin of its n and s, so that
/// a thousand steps of decoding do not drown what was learned from a prompt; the three numbers are the best fit (least squares of relative errors, none below zero) to the bins.
/// Nothing is allocated.
/// </summary>
internal sealed class StepCost
{
    private const int Sizes = 12, Depths = 12;
    private const double Fresh = 0.25; // a new measurement's weight in its bin

    private struct Bin
    {
        public double Tokens, Work, Seconds;
        public bool Used;
    }

    private readonly Bin[] _bins = new Bin[Sizes * Depths];
    private double _a, _b = 4e-3, _c; // before anything is known: 250 tokens a second

    /// <summary>Most tokens that a step has had.</summary>
    public int LargestStep { get; private set; }

    /// <summary>Seconds.</summary>
    /// <param name="tokens">n</param>
    /// <param name="work">s</param>
    public double Predict(double tokens, double work) => _a + _b * tokens + _c * work;

    /// <summary>What tokens add to a step that has others already, in seconds.</summary>
    public double Added(double tokens, double work) => _b * tokens + _c * work;

    /// <summary>s for <paramref name="count"/> tokens of a sequence from position <paramref name="start"/> on.</summary>
    public static double Work(int start, int count) => count * (start + (count + 1) / 2.0);

    /// <summary>How many tokens of a sequence, from position <paramref name="start"/> on, add at most so many seconds to a step. May be 0 or less.</summary>
    public int Within(double seconds, int start)
    {
        // c/2·n² + (b + c·start)·n = seconds
        double linear = _b + _c * start;
        if (seconds <= 0 || linear <= 0) return seconds > 0 ? int.MaxValue : 0;
        double n = _c > 0 && 2 * _c * seconds > 1e-9 * linear * linear ? (Math.Sqrt(linear * linear + 2 * _c * seconds) - linear) / _c : seconds / linear;
        return (int)Math.Min(n, int.MaxValue);
    }

    /// <summary>A step took so long.</summary>
    public void Learn(int tokens, double work, double seconds)
    {
        if (tokens < 1 || !(seconds > 0)) return;
        LargestStep = Math.Max(LargestStep, tokens);
        ref Bin bin = ref _bins[Math.Min(Sizes - 1, (int)Math.Log2(tokens)) * Depths + Math.Clamp((int)Math.Log2(work / tokens + 1) - 4, 0, Depths - 1)];
        double weight = bin.Used ? Fresh : 1;
        bin.Used = true;
        bin.Tokens += weight * (tokens - bin.Tokens);
        bin.Work += weight * (work - bin.Work);
        bin.Seconds += weight * (seconds - bin.Seconds);
        Fit();
    }

    // Among the seven ways to leave numbers out (0), the best fit that has none below zero.
    private void Fit()
    {
        // Sums of x_i·x_j and x_i·y, in units of the relative error: every bin divided by its seconds.
        Span<double> xx = stackalloc double[9], xy = stackalloc double[3], x = stackalloc double[3], solution = stackalloc double[3], best = stackalloc double[3];
        xx.Clear();
        xy.Clear();
        int bins = 0;
        foreach (ref readonly Bin bin in _bins.AsSpan())
        {
            if (!bin.Used) continue;
            bins++;
            (x[0], x[1], x[2]) = (1e-2 / bin.Seconds, bin.Tokens * 1e-4 / bin.Seconds, bin.Work * 1e-8 / bin.Seconds); // of comparable size
            for (int i = 0; i < 3; i++)
            {
                xy[i] += x[i];
                for (int j = 0; j < 3; j++) xx[3 * i + j] += x[i] * x[j];
            }
        }
        double least = double.PositiveInfinity;
        for (int set = 1; set < 8; set++)
        {
            if (!Solve(xx, xy, set, solution)) continue;
            double error = bins; // Σ (1 − x·k)² = Σ1 − 2·xy·k + k·xx·k
            for (int i = 0; i < 3; i++)
            {
                error -= 2 * xy[i] * solution[i];
                for (int j = 0; j < 3; j++) error += solution[i] * xx[3 * i + j] * solution[j];
            }
            if (error >= least - 1e-12) continue;
            least = error;
            solution.CopyTo(best);
        }
        if (double.IsPositiveInfinity(least)) return;
        (_a, _b, _c) = (best[0] * 1e-2, best[1] * 1e-4, best[2] * 1e-8);
        if (_b <= 0 && _c <= 0) _b = _a / Math.Max(32, LargestStep); // one measurement says nothing of the share of a token: guess with caution
    }

    // Gauss on the chosen rows and columns; a hair on the diagonal keeps what cannot be told apart small. False where a number is below zero.
    private static bool Solve(ReadOnlySpan<double> xx, ReadOnlySpan<double> xy, int set, Span<double> k)
    {
        Span<double> m = stackalloc double[12];
        for (int i = 0; i < 3; i++)
        {
            bool on = (set >> i & 1) == 1;
            for (int j = 0; j < 3; j++) m[4 * i + j] = on && (set >> j & 1) == 1 ? xx[3 * i + j] : 0;
            m[4 * i + i] = on ? m[4 * i + i] * (1 + 1e-9) + 1e-12 : 1;
            m[4 * i + 3] = on ? xy[i] : 0;
        }
        for (int p = 0; p < 3; p++)
        {
            if (!(Math.Abs(m[5 * p]) > 1e-300)) return false;
            for (int i = 0; i < 3; i++)
            {
                if (i == p) continue;
                double f = m[4 * i + p] / m[5 * p];
                for (int j = p; j < 4; j++) m[4 * i + j] -= f * m[4 * p + j];
            }
        }
        for (int i = 0; i < 3; i++)
        {
            k[i] = m[4 * i + 3] / m[5 * i];
            if (!(k[i] >= 0)) return false;
        }
        return true;
    }
}
