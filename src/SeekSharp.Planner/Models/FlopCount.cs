namespace SeekSharp.Planner;

/// <summary>
/// Floating-point operations of one token. Forward: 2 for every parameter that it is multiplied by, and attention's scores and sums; training: three times that
/// (gradients of inputs and of weights). Recomputation does not count.
/// </summary>
internal static class FlopCount
{
    /// <summary>Attention of one token that sees <paramref name="seen"/> keys, in all layers: 2 · heads · (qk + v) · seen; V3.2 sees no more than its indexer chooses, and its indexer looks at all.</summary>
    public static double Attention(ModelShape m, double seen)
    {
        double chosen = m.Config.IndexTopk is int most ? Math.Min(seen, most) : seen;
        double core = 2.0 * m.Heads * (m.QkDim + m.VDim) * chosen;
        double indexer = m.Config.IndexNHeads is int heads && m.Config.IndexHeadDim is int dim ? 2.0 * heads * dim * seen : 0;
        return m.Layers.Count * (core + indexer);
    }

    /// <summary>The same with the up-projections absorbed (decoding): every head meets the latent itself, of rank + rope and of rank numbers.</summary>
    public static double AbsorbedAttention(ModelShape m, double seen) =>
        m.Config.IsLatentAttention
            ? m.Layers.Count * 2.0 * m.Heads * (2.0 * m.Config.KvLoraRank + m.Config.QkRopeHeadDim) * (m.Config.IndexTopk is int most ? Math.Min(seen, most) : seen)
            : Attention(m, seen);

    /// <summary>Matrix products of one token's forward pass.</summary>
    public static double Products(ModelShape m) => m.Layers.Sum(l => l.Flops) + m.Output.Flops;

    /// <summary>A training token in sequences of <paramref name="context"/>: causal attention sees half of it on average; without <paramref name="causal"/>, all of it.</summary>
    public static double Training(ModelShape m, double context, bool causal = true) => 3 * (Products(m) + Attention(m, causal ? context / 2 : context));
}
