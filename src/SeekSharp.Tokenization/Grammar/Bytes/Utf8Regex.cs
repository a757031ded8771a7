namespace SeekSharp.Tokenization;

/// <summary>Sets of code points as expressions over the bytes of UTF-8 (RFC 3629: shortest forms only, no surrogates).</summary>
internal static class Utf8Regex
{
    private static readonly CodePointSet Scalars = CodePointSet.Of((0, 0xD7FF), (0xE000, 0x10FFFF));

    public static ByteRegex Of(ByteRegexPool pool, CodePointSet set)
    {
        CodePointSet points = set.Intersect(Scalars);
        if (points.Ranges is [var (one, same)] && one == same) return pool.Literal(System.Text.Encoding.UTF8.GetBytes(char.ConvertFromUtf32(one)));
        List<ByteRegex> ways = [];
        ByteSet ascii = default;
        foreach ((int first, int last) in points.Ranges)
            if (first < 128) ascii |= ByteSet.Range(first, Math.Min(last, 127));
        ways.Add(pool.Set(ascii));
        if (points.IsEmpty || points.Ranges[^1].Last < 128) return pool.Set(ascii);
        ways.Add(Lead(pool, points, 0xC2, 0xDF, 0x1F, 1));
        ways.Add(Lead(pool, points, 0xE0, 0xEF, 0x0F, 2));
        ways.Add(Lead(pool, points, 0xF0, 0xF4, 0x07, 3));
        return pool.Or([.. ways]);
    }

    /// <summary>Sequences whose first byte is in a range; bytes with the same continuation are one set.</summary>
    private static ByteRegex Lead(ByteRegexPool pool, CodePointSet points, int from, int to, int bits, int level)
    {
        Dictionary<ByteRegex, ByteSet> ways = [];
        for (int lead = from; lead <= to; lead++) Add(ways, Rest(pool, points, (lead & bits) << (6 * level), level), lead);
        return Sum(pool, ways);
    }

    /// <summary>The continuation bytes of the 64^level code points from first on that are in the set.</summary>
    private static ByteRegex Rest(ByteRegexPool pool, CodePointSet points, int first, int level)
    {
        int last = first + (1 << (6 * level)) - 1;
        // Shortest forms: E0 80… would be two bytes' work, F0 80… three's.
        int least = level == 1 ? 0 : level == 2 ? 0x800 : 0x10000;
        (bool any, bool all) = Cover(points, first, last);
        if (!any) return pool.None;
        if (all && first >= least)
        {
            return level == 1 ? pool.Tail : pool.Concat(pool.Tail, level == 2 ? pool.Tail : pool.Concat(pool.Tail, pool.Tail));
        }
        if (level == 1)
        {
            ByteSet tails = default;
            for (int i = 0; i < 64; i++)
                if (points.Contains(first + i)) tails |= ByteSet.Of(0x80 + i);
            return pool.Set(tails);
        }
        Dictionary<ByteRegex, ByteSet> ways = [];
        int step = 1 << (6 * (level - 1));
        for (int i = 0; i < 64; i++)
        {
            int start = first + i * step;
            if (start + step - 1 < least) continue;
            Add(ways, Rest(pool, points, start, level - 1), 0x80 + i);
        }
        return Sum(pool, ways);
    }

    private static void Add(Dictionary<ByteRegex, ByteSet> ways, ByteRegex rest, int b)
    {
        if (rest.Kind == ByteRegexKind.None) return;
        ways[rest] = ways.GetValueOrDefault(rest) | ByteSet.Of(b);
    }

    private static ByteRegex Sum(ByteRegexPool pool, Dictionary<ByteRegex, ByteSet> ways) => pool.Or([.. ways.Select(w => pool.Concat(pool.Set(w.Value), w.Key))]);

    private static (bool Any, bool All) Cover(CodePointSet points, int first, int last)
    {
        ReadOnlySpan<(int First, int Last)> ranges = points.Ranges;
        int low = 0, high = ranges.Length;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (ranges[middle].Last < first) low = middle + 1;
            else high = middle;
        }
        if (low == ranges.Length || ranges[low].First > last) return (false, false);
        return (true, ranges[low].First <= first && ranges[low].Last >= last);
    }
}
