namespace SeekSharp.Checkpoints;

/// <summary>
/// Rotary embedding from GGUF metadata, by llama.cpp's rules (measured: goldens/gguf/README.md). With
/// f = 1 + 0.1·ln factor, a = <c>rope.scaling.attn_factor</c> (1) and m = 1 + 10·multiplier·0.1·ln factor for DeepSeek's
/// <c>yarn_log_multiplier</c>:
/// <code>
///                              cos and sin    scores (deepseek2 only)
/// yarn, multiplier             a              (a·m)²
/// yarn, none                   a·f            (a·f)²
/// linear, multiplier           a              (a·f·m)²
/// linear, none                 a              (a·f)²
/// </code>
/// The betas and the extrapolation factor of the file are ignored there, and so here: always 32, 1 and 1.
/// </summary>
internal static class GgufRope
{
    public static RopeConfig Read(GgufKeys keys, int headDim, int context, bool latent)
    {
        double theta = keys.Number("rope.freq_base", ConfigLimits.LeastTheta, ConfigLimits.MostTheta) ?? 10000;
        int dims = keys.Whole("rope.dimension_count", 2, ConfigLimits.HeadDim) ?? headDim;
        double factor = Factor(keys), attention = keys.Number("rope.scaling.attn_factor", 0, ConfigLimits.MostScale) ?? 1;
        double multiplier = keys.Number("rope.scaling.yarn_log_multiplier", -ConfigLimits.MostScale, ConfigLimits.MostScale) ?? 0;
        int original = keys.Whole("rope.scaling.original_context_length", 1, ConfigLimits.Context) ?? context;

        string kind = keys.Text("rope.scaling.type") ?? "linear"; // a factor alone means linear
        if (kind is not ("none" or "linear" or "yarn"))
            throw new CheckpointException($"{keys.File}: {keys.Name("rope.scaling.type")} {Checkpoint.Show(kind)} is not supported (none, linear, yarn are)");
        if (kind == "none") factor = 1;

        // DeepSeek's multiplier is written as 0.1 × mscale_all_dim.
        double f = YarnScaling.Mscale(factor), m = latent ? YarnScaling.Mscale(factor, 10 * multiplier) : 1;
        bool ratioIsOne = latent && multiplier != 0; // mscale = mscale_all_dim, so cos and sin keep their size
        double cosSin = kind == "yarn" && !ratioIsOne ? attention * f : attention;
        double scores = kind == "yarn" && ratioIsOne ? attention * m : attention * f * m;
        return new RopeConfig
        {
            Kind = factor == 1 ? RopeKind.Default : kind == "yarn" ? RopeKind.Yarn : RopeKind.Linear,
            Theta = (float)theta,
            Dims = dims,
            Factor = (float)factor,
            OriginalMaxPositionEmbeddings = original,
            CosSinScale = (float)cosSin,
            ScoreScale = latent ? (float)(scores * scores) : 1,
        };
    }

    private static double Factor(GgufKeys keys)
    {
        // Old files have rope.scale_linear. Zero counts as none.
        string key = keys.Has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
        double factor = keys.Number(key, 0, ConfigLimits.MostFactor) ?? 1;
        if (factor == 0) return 1;
        return factor >= ConfigLimits.LeastFactor ? factor : throw keys.Wrong(key, FormattableString.Invariant($"at least {ConfigLimits.LeastFactor}"), FormattableString.Invariant($"{factor}"));
    }
}
