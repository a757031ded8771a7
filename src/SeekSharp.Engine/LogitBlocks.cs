using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Engine;

/// <summary>
/// The largest logit of every 64. One pass over the vocabulary makes them; then the best token is found by looking at few, and the k-th largest of
/// them is a bound: at least k logits are as large, so that whoever wants the best k need not look at anything below.
/// What is not a number counts as −∞.
/// </summary>
internal sealed class LogitBlocks(int vocabularySize)
{
    private const int Block = 64;

    private readonly float[] _largest = new float[(vocabularySize + Block - 1) / Block];
    private readonly double[] _scratch = new double[(vocabularySize + Block - 1) / Block];

    /// <summary>Finds the blocks' maxima and gives the best token, the lowest id where several are; −1 where no logit is above −∞. +∞ becomes the largest float, so that differences stay numbers.</summary>
    public int Fill(Span<float> logits)
    {
        float best = float.NegativeInfinity;
        for (int b = 0, start = 0; start < logits.Length; b++, start += Block)
        {
            float largest = Largest(logits.Slice(start, Math.Min(Block, logits.Length - start)));
            _largest[b] = largest;
            if (largest > best) best = largest;
        }
        if (float.IsNegativeInfinity(best)) return -1;
        if (float.IsPositiveInfinity(best))
        {
            for (int i = 0; i < logits.Length; i++)
                if (float.IsPositiveInfinity(logits[i])) logits[i] = float.MaxValue;
            return Fill(logits);
        }
        int first = _largest.AsSpan().IndexOf(best) * Block;
        return first + logits[first..].IndexOf(best);
    }

    /// <summary>At least <paramref name="k"/> logits are this large; −∞ where the blocks cannot tell.</summary>
    public float BoundOf(int k, int count)
    {
        int blocks = (count + Block - 1) / Block;
        if (k >= blocks) return float.NegativeInfinity;
        for (int b = 0; b < blocks; b++) _scratch[b] = _largest[b];
        return (float)Selection.Largest(_scratch.AsSpan(0, blocks), k);
    }

    private static float Largest(ReadOnlySpan<float> x)
    {
        float largest = float.NegativeInfinity;
        ReadOnlySpan<Vector256<float>> wide = MemoryMarshal.Cast<float, Vector256<float>>(x);
        if (wide.Length > 0)
        {
            Vector256<float> most = Vector256.Create(float.NegativeInfinity);
            foreach (Vector256<float> v in wide) most = Vector256.ConditionalSelect(Vector256.GreaterThan(v, most), v, most); // not Max: it hands a NaN on
            for (int i = 0; i < Vector256<float>.Count; i++) largest = Math.Max(largest, most[i]);
        }
        foreach (float v in x[(wide.Length * Vector256<float>.Count)..])
            if (v > largest) largest = v;
        return largest;
    }
}
