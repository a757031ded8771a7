namespace SeekSharp.Engine;

/// <summary>Finds where a sorted list would be cut, without sorting: the quickselect of Hoare ("Algorithm 65: Find", 1961), partitioned in three for ties. Values are changed in order only.</summary>
internal static class Selection
{
    private const int MostRounds = 64; // a list made to be hard gets sorted after so many

    /// <summary>The k-th largest value, 1 ≤ k ≤ length.</summary>
    public static double Largest(Span<double> values, int k)
    {
        for (int round = 0; ; round++)
        {
            if (values.Length <= 8 || round == MostRounds)
            {
                values.Sort();
                return values[^k];
            }
            double pivot = Pivot(values);
            (int above, int equal) = Partition(values, pivot);
            if (k <= above) values = values[..above];
            else if (k <= above + equal) return pivot;
            else
            {
                values = values[(above + equal)..];
                k -= above + equal;
            }
        }
    }

    /// <summary>
    /// The smallest value that is needed so that the values from the largest down to it add up to <paramref name="wanted"/> (of several equal ones perhaps not all);
    /// and what those above it add up to. Where all together are not enough: the smallest value.
    /// </summary>
    public static (double Value, double Above) LargestWithSum(Span<double> values, double wanted)
    {
        double sum = 0; // of values that are larger than all in the span
        for (int round = 0; ; round++)
        {
            if (values.Length <= 8 || round == MostRounds)
            {
                values.Sort();
                int i = values.Length - 1;
                double value = values[i], above = sum;
                for (; i >= 0 && sum < wanted; sum += values[i--])
                    if (values[i] != value) (value, above) = (values[i], sum);
                return (value, above);
            }
            double pivot = Pivot(values);
            (int aboveCount, int equal) = Partition(values, pivot);
            double more = sum;
            for (int i = 0; i < aboveCount; i++) more += values[i];
            if (more >= wanted && aboveCount > 0) values = values[..aboveCount];
            else if (more + equal * pivot >= wanted || aboveCount + equal == values.Length) return (pivot, more);
            else
            {
                values = values[(aboveCount + equal)..];
                sum = more + equal * pivot;
            }
        }
    }

    private static double Pivot(ReadOnlySpan<double> values)
    {
        double a = values[0], b = values[values.Length / 2], c = values[^1];
        return Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
    }

    // Larger ones to the front, then those equal to the pivot (Dijkstra's Dutch national flag).
    private static (int Above, int Equal) Partition(Span<double> values, double pivot)
    {
        int above = 0, i = 0, below = values.Length;
        while (i < below)
        {
            double v = values[i];
            if (v > pivot)
            {
                values[i++] = values[above];
                values[above++] = v;
            }
            else if (v < pivot)
            {
                values[i] = values[--below];
                values[below] = v;
            }
            else i++;
        }
        return (above, below - above);
    }
}
