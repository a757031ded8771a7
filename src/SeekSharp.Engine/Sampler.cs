using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Engine;

/// <summary>
/// Chooses the next token from logits. The vocabulary is never sorted: one pass finds the largest logit of each block (<see cref="LogitBlocks"/>), one gathers the
/// candidates, those whose weight counts at all, by ascending id; top-k and top-p find the value at which a sorted list would be cut (<see cref="Selection"/>)
/// and drop what is below; the draw walks what is left. The draw belongs to the seed and the token's position (<see cref="CounterRandom"/>), so a text is the same alone or in a batch.
/// <see cref="SamplerTwin"/> sorts everything and must agree. Logits that are not numbers count as −∞. Nothing is allocated after the first use of each feature.
/// For one thread at a time.
/// </summary>
internal sealed class Sampler(int vocabularySize)
{
    /// <summary>Weights below e⁻³² of the best token's are dropped: 131,072 of them together are 2e-9 of it, less than half a unit in the last place of a float.</summary>
    internal const double Negligible = -32;
    private const int Chunk = 256;

    private readonly LogitBlocks _blocks = new(vocabularySize);
    private readonly LogitChanges _changes = new(vocabularySize);
    private readonly int[] _id = new int[vocabularySize];            // [n] candidates, ascending
    private readonly double[] _x = new double[vocabularySize + 8];     // [n] their logits, less the largest; then the weights e^(x/T)
    private readonly double[] _scratch = new double[vocabularySize];
    private readonly double[] _chunkMass = new double[(vocabularySize + Chunk - 1) / Chunk];
    private float[] _raw = [];                                         // [V] the model's logits, where log probabilities are asked for

    /// <summary>A sequence's next token: one that is forced, or a draw; its log probability is written down where the request asks for it.</summary>
    /// <param name="sequence">Is not changed but for its log and the forced token.</param>
    /// <param name="logits">[V] after its last token; changed in place.</param>
    /// <exception cref="EngineException">As <see cref="Sample"/>.</exception>
    public int Choose(Sequence sequence, Span<float> logits)
    {
        if (!sequence.TryTakeForced(out int forced))
            return Sample(logits, sequence.Parameters, sequence.Ids, sequence.PromptLength, sequence.Constraint, sequence.LogProbabilities);
        if (sequence.LogProbabilities is { } log) Record(logits, forced, log);
        return forced;
    }

    /// <summary>The next token.</summary>
    /// <param name="logits">[V]; changed in place.</param>
    /// <param name="parameters">Checked parameters.</param>
    /// <param name="ids">The sequence so far; the token's position is its length.</param>
    /// <param name="promptLength">How many of these the sequence began with.</param>
    /// <param name="constraint">What may come; null for anything. It is asked only, and told nothing.</param>
    /// <param name="log">Gets an entry where log probabilities are asked for.</param>
    /// <exception cref="EngineException">No logit is a number above −∞, or the constraint admits none.</exception>
    public int Sample(Span<float> logits, SamplingParams parameters, ReadOnlySpan<int> ids, int promptLength, TokenConstraint? constraint = null, LogProbabilityLog? log = null)
    {
        if (log is not null)
        {
            if (_raw.Length == 0) _raw = new float[vocabularySize];
            logits.CopyTo(_raw);
        }
        _changes.Apply(logits, parameters, ids, promptLength, constraint);
        int chosen = Choose(logits, parameters, ids.Length, constraint is not null);
        if (log is not null) Record(_raw.AsSpan(0, logits.Length), chosen, log);
        return chosen;
    }

    /// <summary>Writes down a token's log probability and the best ones beside it: of the model's own distribution, before penalties, bias, mask and temperature.</summary>
    public void Record(Span<float> logits, int chosen, LogProbabilityLog log)
    {
        int best = _blocks.Fill(logits);
        if (best < 0) throw NotNumbers();
        double logTotal = Math.Log(SumOfExponentials(logits, logits[best]));
        float Of(float logit, float most) => float.IsNaN(logit) ? float.NegativeInfinity : (float)((double)logit - most - logTotal);

        log.Begin(chosen, chosen < logits.Length ? Of(logits[chosen], logits[best]) : float.NegativeInfinity);
        if (log.Top == 0) return;
        float bound = _blocks.BoundOf(log.Top, logits.Length);
        for (int i = 0; i < logits.Length; i++)
            if (logits[i] >= bound && logits[i] > float.NegativeInfinity) log.Offer(i, Of(logits[i], logits[best]));
    }

    private int Choose(Span<float> logits, SamplingParams p, int position, bool constrained)
    {
        int best = _blocks.Fill(logits);
        if (best < 0) throw constrained ? new EngineException(EngineRefusal.Failed, "the grammar admits no token here") : NotNumbers();
        if (p.Temperature == 0 || p.TopK == 1) return best;

        float most = logits[best];
        double lowest = Negligible * p.Temperature; // of logit − most
        bool limited = p.TopK > 0 && p.TopK < logits.Length;
        float bound = limited ? _blocks.BoundOf(p.TopK, logits.Length) : float.NegativeInfinity;
        int n = Gather(logits, most, lowest, bound);
        if (limited && p.TopK < n) n = KeepBest(n, p.TopK);
        Weigh(n, p.Temperature);
        if (p.TopP < 1) n = KeepShare(n, p.TopP);
        if (p.MinP > 0) n = KeepHeavy(n, p.MinP);
        return _id[Draw(n, CounterRandom.Uniform(p.Seed, position))];
    }

    // Candidates: at least `bound`, and at most −`lowest` below the largest.
    private int Gather(ReadOnlySpan<float> logits, float most, double lowest, float bound)
    {
        int n = 0;
        // A vector without any candidate is passed over; the float's rounding errs to the side of looking closer.
        float near = Math.Max(bound, MathF.BitDecrement((float)(most + lowest)));
        Vector256<float> least = Vector256.Create(near);
        ReadOnlySpan<Vector256<float>> wide = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        for (int v = 0; v < wide.Length; v++)
        {
            for (uint some = Vector256.GreaterThanOrEqual(wide[v], least).ExtractMostSignificantBits(); some != 0; some &= some - 1)
                Take(v * Vector256<float>.Count + System.Numerics.BitOperations.TrailingZeroCount(some), logits);
        }
        for (int i = wide.Length * Vector256<float>.Count; i < logits.Length; i++)
            if (logits[i] >= near) Take(i, logits);
        return n;

        void Take(int i, ReadOnlySpan<float> all)
        {
            double x = (double)all[i] - most;
            if (x < lowest || all[i] < bound) return;
            (_id[n], _x[n]) = (i, x);
            n++;
        }
    }

    private int KeepBest(int n, int k)
    {
        _x.AsSpan(0, n).CopyTo(_scratch);
        double last = Selection.Largest(_scratch.AsSpan(0, n), k);
        int above = 0;
        for (int i = 0; i < n; i++)
            if (_x[i] > last) above++;
        return Keep(n, last, k - above);
    }

    private int KeepShare(int n, float share)
    {
        double total = Masses(n), wanted = share * total;
        // The tokens below this weight are together less than what may be dropped, so the cut is above it.
        double enough = (1 - share) / (2.0 * n) * total;
        int m = 0;
        for (int i = 0; i < n; i++)
            if (_x[i] >= enough) _scratch[m++] = _x[i];
        (double last, double above) = Selection.LargestWithSum(_scratch.AsSpan(0, m), wanted);
        double needed = Math.Ceiling((wanted - above) / last); // of the tokens that weigh exactly as much
        return Keep(n, last, (int)Math.Clamp(needed, 1, n));
    }

    private int KeepHeavy(int n, float share)
    {
        int kept = 0;
        for (int i = 0; i < n; i++)
            if (_x[i] >= share) (_id[kept], _x[kept++]) = (_id[i], _x[i]); // the best token's weight is 1
        return kept;
    }

    // Everything above `last`, and of its equals the first ones.
    private int Keep(int n, double last, int equals)
    {
        int kept = 0;
        for (int i = 0; i < n; i++)
        {
            if (_x[i] < last || (_x[i] == last && --equals < 0)) continue;
            (_id[kept], _x[kept]) = (_id[i], _x[i]);
            kept++;
        }
        return kept;
    }

    private void Weigh(int n, float temperature)
    {
        Span<Vector256<double>> wide = MemoryMarshal.Cast<double, Vector256<double>>(_x.AsSpan());
        Vector256<double> t = Vector256.Create((double)temperature);
        for (int v = 0; v < (n + 3) / 4; v++) wide[v] = Vector256.Exp(wide[v] / t); // what lies behind the last is never read
    }

    /// <summary>Fills the chunks' sums and gives their sum.</summary>
    private double Masses(int n)
    {
        double total = 0;
        for (int chunk = 0, start = 0; start < n; chunk++, start += Chunk) total += _chunkMass[chunk] = Sum(_x.AsSpan(start, Math.Min(Chunk, n - start)));
        return total;
    }

    private int Draw(int n, double uniform)
    {
        double target = uniform * Masses(n), mass = 0;
        int chunk = 0;
        for (; (chunk + 1) * Chunk < n && mass + _chunkMass[chunk] <= target; chunk++) mass += _chunkMass[chunk];
        int i = chunk * Chunk;
        for (; i < n - 1; i++)
        {
            mass += _x[i];
            if (mass > target) break;
        }
        return i;
    }

    private static double Sum(ReadOnlySpan<double> x)
    {
        Vector256<double> a = default, b = default;
        ReadOnlySpan<Vector256<double>> wide = MemoryMarshal.Cast<double, Vector256<double>>(x);
        for (int v = 0; v + 1 < wide.Length; v += 2) (a, b) = (a + wide[v], b + wide[v + 1]);
        double sum = Vector256.Sum(a + b);
        foreach (double v in x[(wide.Length / 2 * 8)..]) sum += v;
        return sum;
    }

    private double SumOfExponentials(ReadOnlySpan<float> logits, float most)
    {
        double total = 0;
        for (int start = 0; start < logits.Length; start += 1024)
        {
            int n = Math.Min(1024, logits.Length - start);
            for (int i = 0; i < n; i++)
            {
                double x = (double)logits[start + i] - most;
                _x[i] = x >= 10 * Negligible ? x : 10 * Negligible; // a NaN too
            }
            Weigh(n, 1);
            total += Sum(_x.AsSpan(0, n));
        }
        return total;
    }

    private static EngineException NotNumbers() => new("the model's logits are not numbers: no token can be chosen");
}
