using SeekSharp.Checkpoints;

namespace SeekSharp.Models;

/// <summary>
/// The angles of the rotary position embedding (arXiv 2104.09864): pair p of a head at position m turns by m · f(p), with
/// f(p) = θ^(−2p/d) changed as <see cref="RopeKind"/> says. Frequencies and angles are computed in double: at position
/// 100,000 an angle in float would be off by a hundredth of a radian. P pairs (half of <see cref="RopeConfig.Dims"/>), T tokens.
/// </summary>
internal sealed class RotaryEmbedding
{
    private readonly double[] _frequencies; // [P]
    private readonly float _scale;

    /// <param name="rope">Every variant resolved.</param>
    /// <param name="factors">GGUF's <c>rope_freqs.weight</c> [P]: each frequency is divided by its factor. Null without.</param>
    public RotaryEmbedding(RopeConfig rope, float[]? factors)
    {
        if (factors is not null && factors.Length != rope.Dims / 2)
            throw new CheckpointException($"rope_freqs.weight: expected {rope.Dims / 2} factors, found {factors.Length}");
        _scale = rope.CosSinScale;
        _frequencies = new double[rope.Dims / 2];
        for (int p = 0; p < _frequencies.Length; p++)
            _frequencies[p] = Scaled(rope, p, Math.Pow(rope.Theta, -2.0 * p / rope.Dims) / (factors?[p] ?? 1f));
    }

    /// <summary>Pairs.</summary>
    public int Pairs => _frequencies.Length;

    /// <summary>Radians a position, by pair.</summary>
    public ReadOnlySpan<double> Frequencies => _frequencies;

    /// <summary>Cosines and sines of the positions first, first + 1, …, times <see cref="RopeConfig.CosSinScale"/>.</summary>
    /// <param name="first">The first position.</param>
    /// <param name="cos">[T, P]</param>
    /// <param name="sin">[T, P]</param>
    public void Fill(int first, Span<float> cos, Span<float> sin)
    {
        for (int i = 0; i < cos.Length; i++)
        {
            (double s, double c) = Math.SinCos((first + i / Pairs) * _frequencies[i % Pairs]);
            cos[i] = (float)c * _scale;
            sin[i] = (float)s * _scale;
        }
    }

    private static double Scaled(RopeConfig rope, int pair, double f) => rope.Kind switch
    {
        RopeKind.Linear => f / rope.Factor,
        RopeKind.Yarn => f / rope.Factor + (f - f / rope.Factor) * YarnScaling.Share(rope, pair),
        RopeKind.Llama3 => Llama3(rope, f),
        _ => f,
    };

    // Llama 3.1: waves longer than the original context / low_freq_factor are slowed by the factor, those shorter than
    // context / high_freq_factor are kept, and between the two the frequency is interpolated.
    private static double Llama3(RopeConfig rope, double f)
    {
        double turns = rope.OriginalMaxPositionEmbeddings * f / (2 * Math.PI); // turns within the original context
        if (turns < rope.LowFreqFactor) return f / rope.Factor;
        if (turns > rope.HighFreqFactor) return f;
        double smooth = (turns - rope.LowFreqFactor) / (rope.HighFreqFactor - rope.LowFreqFactor);
        return (1 - smooth) * f / rope.Factor + smooth * f;
    }
}
