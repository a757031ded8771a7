namespace SeekSharp.Engine;

/// <summary>
/// Chooses the next token from logits. Every filter (top-k, top-p, min-p) keeps the first part of one order: by logit, the lower id first
/// where logits are equal. So a filter is one cut in this order, found by counting weights into buckets and sorting only the bucket in which the cut lies;
/// the draw then walks the kept tokens by ascending id. <see cref="SamplerTwin"/> sorts everything and must agree.
/// Logits that are not numbers count as −∞; it allocates nothing after its construction.
/// </summary>
internal sealed class Sampler(int vocabularySize)
{
    /// <summary>Exponents below −40 are weights below 4e-18 of the best token's: as good as nothing even for 2¹⁷ tokens together.</summary>
    internal const double Negligible = -40;
    private const int Buckets = 512;

    private readonly double[] _x = new double[vocabularySize];        // [n] (l − max)/T of the candidates, ascending by id
    private readonly double[] _weight = new double[vocabularySize];   // [n] e^x
    private readonly int[] _id = new int[vocabularySize];             // [n]
    private readonly ushort[] _bucket = new ushort[vocabularySize];   // [n]
    private readonly int[] _inBucket = new int[vocabularySize];       // candidates of the bucket that a cut goes through
    private readonly double[] _bucketMass = new double[Buckets];
    private readonly int[] _bucketCount = new int[Buckets];
    private Comparison<int>? _descending;

    /// <summary>The next token.</summary>
    /// <param name="logits">[V]; changed in place.</param>
    /// <param name="parameters">Checked parameters.</param>
    /// <param name="seen">Bit set of the ids that the sequence holds, for the repetition penalty; empty without one.</param>
    /// <param name="position">Position at which the token will stand in its sequence.</param>
    /// <exception cref="EngineException">No logit is a number above −∞.</exception>
    public int Sample(Span<float> logits, SamplingParams parameters, ReadOnlySpan<ulong> seen, long position)
    {
        if (parameters.RepeatPenalty != 1) Penalize(logits, seen, parameters.RepeatPenalty);
        int best = Best(logits);
        if (parameters.Temperature == 0 || parameters.TopK == 1) return best;

        int n = Weigh(logits, logits[best], parameters.Temperature);
        Cut cut = Cut.None;
        if (parameters.TopK > 0 && parameters.TopK < n) cut = CutByCount(n, parameters.TopK);
        if (parameters.TopP < 1) cut = CutByMass(n, parameters.TopP, cut);
        double least = parameters.MinP; // the best token's weight is 1

        double total = 0;
        for (int i = 0; i < n; i++)
            if (cut.Keeps(_x[i], _id[i]) && _weight[i] >= least) total += _weight[i];
        double target = CounterRandom.Uniform(parameters.Seed, position) * total, mass = 0;
        int chosen = best;
        for (int i = 0; i < n; i++)
        {
            if (!cut.Keeps(_x[i], _id[i]) || _weight[i] < least) continue;
            chosen = _id[i];
            mass += _weight[i];
            if (mass > target) break;
        }
        return chosen;
    }

    /// <summary>The last token that a filter keeps, in the order by descending x, then ascending id.</summary>
    private readonly record struct Cut(double X, int Id)
    {
        public static Cut None => new(double.NegativeInfinity, int.MaxValue);
        public bool Keeps(double x, int id) => x > X || (x == X && id <= Id);
    }

    internal static void Penalize(Span<float> logits, ReadOnlySpan<ulong> seen, float penalty)
    {
        for (int w = 0; w < seen.Length; w++)
        {
            for (ulong bits = seen[w]; bits != 0; bits &= bits - 1)
            {
                int id = w * 64 + System.Numerics.BitOperations.TrailingZeroCount(bits);
                if (id < logits.Length) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
            }
        }
    }

    /// <summary>Index of the largest logit, the lowest where several are; +∞ becomes the largest float, so that differences stay numbers.</summary>
    internal static int Best(Span<float> logits)
    {
        int best = -1;
        float largest = float.NegativeInfinity;
        for (int i = 0; i < logits.Length; i++)
        {
            if (!(logits[i] > largest)) continue; // also where it is NaN
            if (float.IsPositiveInfinity(logits[i])) logits[i] = float.MaxValue;
            if (!(logits[i] > largest)) continue;
            (best, largest) = (i, logits[i]);
        }
        return best >= 0 ? best : throw new EngineException("the model's logits are not numbers: no token can be chosen");
    }

    /// <summary>Fills candidates, their weights and buckets; gives the number of candidates.</summary>
    private int Weigh(ReadOnlySpan<float> logits, float max, float temperature)
    {
        int n = 0;
        double lowest = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            double x = ((double)logits[i] - max) / temperature;
            if (!(x >= Negligible)) continue;
            (_x[n], _id[n]) = (x, i);
            n++;
            if (x < lowest) lowest = x;
        }
        Array.Clear(_bucketMass);
        Array.Clear(_bucketCount);
        double perUnit = lowest < 0 ? -(Buckets - 1) / lowest : 0;
        for (int i = 0; i < n; i++)
        {
            double x = _x[i], weight = Math.Exp(x);
            int bucket = Math.Min(Buckets - 1, (int)(-x * perUnit));
            _weight[i] = weight;
            _bucket[i] = (ushort)bucket;
            _bucketMass[bucket] += weight;
            _bucketCount[bucket]++;
        }
        return n;
    }

    private Cut CutByCount(int n, int k)
    {
        int bucket = 0;
        for (; _bucketCount[bucket] < k; bucket++) k -= _bucketCount[bucket];
        SortBucket(n, bucket);
        int last = _inBucket[k - 1];
        return new Cut(_x[last], _id[last]);
    }

    private Cut CutByMass(int n, float share, Cut within)
    {
        // Masses of the part that top-k left: its last bucket may be cut.
        double total = 0;
        if (within != Cut.None)
        {
            Array.Clear(_bucketMass);
            for (int i = 0; i < n; i++)
                if (within.Keeps(_x[i], _id[i])) _bucketMass[_bucket[i]] += _weight[i];
        }
        foreach (double mass in _bucketMass) total += mass;
        double wanted = share * total, sum = 0;
        int bucket = 0;
        while (bucket < Buckets - 1 && sum + _bucketMass[bucket] < wanted) sum += _bucketMass[bucket++];
        int members = SortBucket(n, bucket);
        for (int m = 0; m < members; m++)
        {
            int i = _inBucket[m];
            if (!within.Keeps(_x[i], _id[i])) break;
            sum += _weight[i];
            if (sum >= wanted) return new Cut(_x[i], _id[i]);
        }
        return within; // rounding: all of it
    }

    private int SortBucket(int n, int bucket)
    {
        int members = 0;
        for (int i = 0; i < n; i++)
            if (_bucket[i] == bucket) _inBucket[members++] = i;
        // Candidates stand by ascending id, so the candidate's index decides among equals as its id would.
        _descending ??= (a, b) => _x[a] != _x[b] ? _x[b].CompareTo(_x[a]) : a.CompareTo(b);
        _inBucket.AsSpan(0, members).Sort(_descending);
        return members;
    }
}
