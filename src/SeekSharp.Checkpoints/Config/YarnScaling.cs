namespace SeekSharp.Checkpoints;

/// <summary>The magnitude that goes with YaRN's stretched positions.</summary>
internal static class YarnScaling
{
    /// <summary>
    /// 1 + 0.1 · multiplier · ln factor (arXiv 2309.00071, equation 22; <c>yarn_get_mscale</c> in DeepSeek's and
    /// Transformers' code); 1 where nothing is stretched.
    /// </summary>
    public static double Mscale(double factor, double multiplier = 1) => factor <= 1 ? 1 : 0.1 * multiplier * Math.Log(factor) + 1;
}
