namespace SeekSharp.Checkpoints;

/// <summary>
/// Largest values that a config may hold: far above every published model, and small enough that no product of two
/// overflows and nothing absurd is allocated before the tensors' shapes have been compared with them.
/// </summary>
internal static class ConfigLimits
{
    public const int Vocabulary = 1 << 24;
    public const int Hidden = 1 << 20;
    public const int Layers = 1 << 12;
    public const int Heads = 1 << 12;
    public const int HeadDim = 1 << 14;
    public const int Rank = 1 << 16;
    public const int Intermediate = 1 << 24;
    public const int Context = 1 << 30;
    public const int Experts = 1 << 14;

    /// <summary>ε of RMSNorm.</summary>
    public const double LeastEps = 1e-20, MostEps = 1;

    /// <summary>Rotary base; published models have 10,000 to some 10⁸.</summary>
    public const double LeastTheta = 1.001, MostTheta = 1e12;

    /// <summary>Rotary scaling factors.</summary>
    public const double LeastFactor = 1e-3, MostFactor = 1e6;

    /// <summary>Factors on scores and sums.</summary>
    public const double MostScale = 1e6;

    /// <summary>Checks that the parts of a config fit together.</summary>
    /// <param name="c">The config.</param>
    /// <param name="place">The file, for messages.</param>
    /// <param name="name">Gives the name of a key in this kind of file.</param>
    public static ModelConfig Check(ModelConfig c, string place, Func<string, string> name)
    {
        if (!c.IsLatentAttention && c.NumAttentionHeads % c.NumKeyValueHeads != 0)
            throw Bad("num_key_value_heads", $"expected a divisor of the {c.NumAttentionHeads} attention heads", c.NumKeyValueHeads);
        int head = c.IsLatentAttention ? c.QkRopeHeadDim : c.HeadDim;
        if (c.Rope.Dims <= 0 || c.Rope.Dims % 2 != 0 || c.Rope.Dims > head)
            throw new CheckpointException($"{place}: {c.Rope.Dims} rotated numbers of a head of {head}: expected an even number from 2 to {head}");
        if (c.NRoutedExperts == 0) return c;

        if (c.NumExpertsPerTok > c.NRoutedExperts) throw Bad("num_experts_per_tok", $"expected at most the {c.NRoutedExperts} experts", c.NumExpertsPerTok);
        if (c.NRoutedExperts % c.NGroup != 0) throw Bad("n_group", $"expected a divisor of the {c.NRoutedExperts} experts", c.NGroup);
        if (c.TopkGroup > c.NGroup) throw Bad("topk_group", $"expected at most the {c.NGroup} groups", c.TopkGroup);
        int group = c.NRoutedExperts / c.NGroup;
        // A group's score is the sum of its two best: it needs two.
        if (c.TopkMethod == TopkMethod.NoAuxTc && c.NGroup > 1 && group < 2) throw Bad("n_group", "expected groups of at least two experts", c.NGroup);
        if (c.NumExpertsPerTok > c.TopkGroup * group)
            throw Bad("num_experts_per_tok", $"expected at most the {c.TopkGroup * group} experts of {c.TopkGroup} groups", c.NumExpertsPerTok);
        return c;

        CheckpointException Bad(string key, string expected, int found) => new($"{place}: {name(key)}: {expected}, found {found}");
    }
}
