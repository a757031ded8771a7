namespace SeekSharp.Kernels;

/// <summary>Choosing the largest; ties go to the lowest index, NaN is below everything.</summary>
internal static class Choice
{
    /// <summary>Index of the largest value; 0 where all are NaN or −∞.</summary>
    public static int ArgMax(ReadOnlySpan<float> x)
    {
        int best = 0;
        float max = float.NegativeInfinity;
        for (int i = 0; i < x.Length; i++)
            if (x[i] > max) (best, max) = (i, x[i]);
        return best;
    }

    /// <summary>
    /// Indexes of the <c>chosen.Length</c> largest values, largest first. Insertion into a short sorted list: what routers need
    /// (8 of 256).
    /// </summary>
    /// <exception cref="ArgumentException">More are asked for than there are.</exception>
    public static void TopK(ReadOnlySpan<float> x, Span<int> chosen)
    {
        if (chosen.Length > x.Length) throw new ArgumentException($"top {chosen.Length} of {x.Length} values");
        int count = 0;
        for (int i = 0; i < x.Length; i++)
        {
            if (count == chosen.Length && (count == 0 || !Above(x[i], x[chosen[count - 1]]))) continue;
            int at = count < chosen.Length ? count++ : count - 1;
            for (; at > 0 && Above(x[i], x[chosen[at - 1]]); at--) chosen[at] = chosen[at - 1];
            chosen[at] = i;
        }
    }

    private static bool Above(float a, float b) => a > b || (float.IsNaN(b) && !float.IsNaN(a));
}
