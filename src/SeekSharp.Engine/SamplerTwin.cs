namespace SeekSharp.Engine;

/// <summary>What <see cref="Sampler"/> computes, in the obvious way: change, sort, cut, draw.</summary>
internal static class SamplerTwin
{
    public static int Sample(float[] logits, SamplingParams p, int[] ids, int promptLength, Func<int, bool>? admits = null)
    {
        float Changed(int id)
        {
            float l = float.IsPositiveInfinity(logits[id]) ? float.MaxValue : logits[id];
            if (ids.Contains(id)) l = LogitChanges.Penalized(logits[id], ids.Skip(promptLength).Count(i => i == id), p);
            l += p.LogitBias.Where(b => b.Id == id).Sum(b => b.Bias);
            return admits is null || admits(id) ? float.IsPositiveInfinity(l) ? float.MaxValue : l : float.NaN;
        }
        var order = Enumerable.Range(0, logits.Length).Select(id => (Id: id, L: Changed(id))).Where(c => c.L > float.NegativeInfinity)
            .OrderByDescending(c => c.L).ThenBy(c => c.Id).ToList();
        if (p.Temperature == 0) return order[0].Id;
        var weighed = order.Select(c => (c.Id, Weight: Math.Exp(((double)c.L - order[0].L) / p.Temperature))).Where(c => c.Weight >= Math.Exp(Sampler.Negligible)).ToList();
        if (p.TopK > 0) weighed = weighed.Take(p.TopK).ToList();
        double wanted = p.TopP * weighed.Sum(c => c.Weight), sum = 0;
        if (p.TopP < 1) weighed = weighed.TakeWhile(c => sum < wanted && (sum += c.Weight) > 0).ToList();
        var byId = weighed.Where(c => c.Weight >= p.MinP).OrderBy(c => c.Id).ToList();
        double target = CounterRandom.Uniform(p.Seed, ids.Length) * byId.Sum(c => c.Weight), mass = 0;
        return byId.FirstOrDefault(c => (mass += c.Weight) > target, byId[^1]).Id;
    }
}
