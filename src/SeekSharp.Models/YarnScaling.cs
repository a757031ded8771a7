using SeekSharp.Checkpoints;

namespace SeekSharp.Models;

/// <summary>
/// YaRN (arXiv 2309.00071, section 3.2, "NTK-by-parts"): pairs that turn often within the original context keep their
/// frequency, pairs that turn less than once are slowed by the factor, and a ramp lies between. The other half of YaRN, the
/// attention's temperature, is in <see cref="RopeConfig.CosSinScale"/> and <see cref="RopeConfig.ScoreScale"/>.
/// </summary>
internal static class YarnScaling
{
    /// <summary>The share of its own frequency that pair <paramref name="pair"/> keeps: 1 unscaled, 0 divided by the factor.</summary>
    public static double Share(RopeConfig rope, int pair)
    {
        double low = PairThatTurns(rope, rope.BetaFast), high = PairThatTurns(rope, rope.BetaSlow);
        if (rope.Truncate) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, rope.Dims - 1);
        double ramp = (pair - low) / (high == low ? 0.001 : high - low);
        return 1 - Math.Clamp(ramp, 0, 1);
    }

    // The (fractional) pair whose angle makes `turns` full turns over the original context: solves
    // context · θ^(−2p/d) = 2π · turns for p.
    private static double PairThatTurns(RopeConfig rope, double turns)
        => rope.Dims * Math.Log(rope.OriginalMaxPositionEmbeddings / (turns * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));
}
