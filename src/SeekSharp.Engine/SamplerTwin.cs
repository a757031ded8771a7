namespace SeekSharp.Engine;

/// <summary>What <see cref="Sampler"/> computes, in the obvious way: sort, cut, draw.</summary>
internal static class SamplerTwin
{
    public static int Sample(float[] logits, SamplingParams p, ReadOnlySpan<ulong> seen, long position)
    {
        if (p.RepeatPenalty != 1) Sampler.Penalize(logits, seen, p.RepeatPenalty);
        int best = Sampler.Best(logits);
        if (p.Temperature == 0) return best;
        var order = Enumerable.Range(0, logits.Length)
            .Select(id => (Id: id, X: ((double)logits[id] - logits[best]) / p.Temperature))
            .Where(c => c.X >= Sampler.Negligible)
            .Select(c => (c.Id, c.X, Weight: Math.Exp(c.X)))
            .OrderByDescending(c => c.X).ThenBy(c => c.Id).ToList();
        if (p.TopK > 0) order = order.Take(p.TopK).ToList();
        double wanted = p.TopP * order.Sum(c => c.Weight), sum = 0;
        int kept = 0;
        while (kept < order.Count && (kept == 0 || sum < wanted)) sum += order[kept++].Weight;
        if (p.TopP < 1) order = order.Take(kept).ToList();
        var byId = order.Where(c => c.Weight >= p.MinP).OrderBy(c => c.Id).ToList();
        double target = CounterRandom.Uniform(p.Seed, position) * byId.Sum(c => c.Weight), mass = 0;
        foreach ((int id, _, double weight) in byId)
        {
            mass += weight;
            if (mass > target) return id;
        }
        return byId[^1].Id;
    }
}
