namespace SeekSharp.Checkpoints;

/// <summary>
/// Rotary embedding from <c>config.json</c>: the published form (<c>rope_theta</c> and <c>rope_scaling</c> side by
/// side) and the newer one (<c>rope_parameters</c> with both). Rules and defaults as in Transformers'
/// <c>modeling_rope_utils.py</c>.
/// </summary>
internal static class HuggingFaceRope
{
    private const double DefaultTheta = 10000;

    /// <summary>Resolves all keys.</summary>
    /// <param name="config">The model's config.</param>
    /// <param name="headDim">Size of the part of a head that is rotated.</param>
    /// <param name="maxPositions"><c>max_position_embeddings</c>, where no length before scaling is given.</param>
    /// <param name="latent">DeepSeek: the softmax scale takes mscale_all_dim's mscale².</param>
    public static RopeConfig Read(ConfigObject config, int headDim, int maxPositions, bool latent)
    {
        // Transformers 5 prefers rope_scaling where a file has both.
        ConfigObject? keys = NotEmpty(config.Child("rope_scaling")) ?? NotEmpty(config.Child("rope_parameters"));
        double theta = keys?.Number("rope_theta", ConfigLimits.LeastTheta, ConfigLimits.MostTheta)
            ?? config.Number("rope_theta", ConfigLimits.LeastTheta, ConfigLimits.MostTheta) ?? DefaultTheta;
        double part = latent ? 1 : keys?.Number("partial_rotary_factor", 0, 1) ?? config.Number("partial_rotary_factor", 0, 1) ?? 1;
        var plain = new RopeConfig { Theta = (float)theta, Dims = (int)(headDim * part) };
        if (keys is null) return plain;

        string kind = keys.Text("rope_type") ?? keys.Text("type") ?? "default";
        return kind switch
        {
            "default" => plain,
            "linear" => plain with { Kind = RopeKind.Linear, Factor = Factor(keys), ScoreScale = ScoreScale(keys, latent, Factor(keys)) },
            "llama3" => Llama3(keys, plain),
            "yarn" => Yarn(keys, plain, maxPositions, latent),
            _ => throw new CheckpointException($"{keys.Place}: rope_type {Checkpoint.Show(kind)} is not supported (default, linear, yarn, llama3 are)"),
        };
    }

    private static RopeConfig Llama3(ConfigObject keys, RopeConfig plain)
    {
        double low = keys.RequiredNumber("low_freq_factor", ConfigLimits.LeastFactor, ConfigLimits.MostFactor);
        double high = keys.RequiredNumber("high_freq_factor", ConfigLimits.LeastFactor, ConfigLimits.MostFactor);
        if (high <= low) throw new CheckpointException(FormattableString.Invariant($"{keys.Place}: high_freq_factor: expected more than low_freq_factor, which is {low}, found {high}"));
        return plain with
        {
            Kind = RopeKind.Llama3,
            Factor = Factor(keys),
            LowFreqFactor = (float)low,
            HighFreqFactor = (float)high,
            OriginalMaxPositionEmbeddings = keys.RequiredWhole("original_max_position_embeddings", 1, ConfigLimits.Context),
        };
    }

    private static RopeConfig Yarn(ConfigObject keys, RopeConfig plain, int maxPositions, bool latent)
    {
        int original = keys.Whole("original_max_position_embeddings", 1, ConfigLimits.Context) ?? maxPositions;
        double factor = keys.Number("factor", ConfigLimits.LeastFactor, ConfigLimits.MostFactor) ?? (double)maxPositions / original;
        double? mscale = keys.Number("mscale", 0, ConfigLimits.MostScale), mscaleAllDim = keys.Number("mscale_all_dim", 0, ConfigLimits.MostScale);
        // A zero counts as missing ("if mscale and mscale_all_dim").
        double attention = keys.Number("attention_factor", 0, ConfigLimits.MostScale)
            ?? (mscale is > 0 && mscaleAllDim is > 0
                ? YarnScaling.Mscale(factor, mscale.Value) / YarnScaling.Mscale(factor, mscaleAllDim.Value)
                : YarnScaling.Mscale(factor));
        return plain with
        {
            Kind = RopeKind.Yarn,
            Factor = (float)factor,
            OriginalMaxPositionEmbeddings = original,
            BetaFast = Beta(keys, "beta_fast", 32),
            BetaSlow = Beta(keys, "beta_slow", 1),
            Truncate = keys.Flag("truncate", true),
            CosSinScale = (float)attention,
            ScoreScale = ScoreScale(keys, latent, factor),
        };
    }

    // DeepSeek: whatever the kind of scaling, attention scores grow by mscale(factor, mscale_all_dim)².
    private static float ScoreScale(ConfigObject keys, bool latent, double factor)
    {
        if (!latent || keys.Number("mscale_all_dim", 0, ConfigLimits.MostScale) is not double all) return 1;
        double m = YarnScaling.Mscale(factor, all);
        return (float)(m * m);
    }

    private static float Factor(ConfigObject keys) => (float)keys.RequiredNumber("factor", ConfigLimits.LeastFactor, ConfigLimits.MostFactor);

    private static float Beta(ConfigObject keys, string key, float otherwise) =>
        keys.Number(key, 0, ConfigLimits.MostScale) is double b and > 0 ? (float)b : otherwise; // "or": zero counts as missing

    private static ConfigObject? NotEmpty(ConfigObject? o) => o is not null && o.Json.EnumerateObject().MoveNext() ? o : null;
}
