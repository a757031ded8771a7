namespace SeekSharp.Tokenization;

/// <summary>A set of code points, as sorted ranges that neither touch nor overlap.</summary>
internal sealed class CodePointSet
{
    public static readonly CodePointSet Empty = new([]);
    public static readonly CodePointSet All = new([(0, UnicodeData.MaxCodePoint)]);

    private readonly (int First, int Last)[] _ranges;
    private readonly UInt128 _ascii;

    private CodePointSet((int First, int Last)[] ranges)
    {
        _ranges = ranges;
        foreach ((int first, int last) in ranges)
            for (int c = first; c <= Math.Min(last, 127); c++) _ascii |= UInt128.One << c;
    }

    public ReadOnlySpan<(int First, int Last)> Ranges => _ranges;

    public bool IsEmpty => _ranges.Length == 0;

    public static CodePointSet Of(params ReadOnlySpan<(int First, int Last)> ranges) => From(ranges.ToArray());

    public static CodePointSet Of(int codePoint) => new([(codePoint, codePoint)]);

    /// <summary>Takes ranges in any order.</summary>
    public static CodePointSet From(IEnumerable<(int First, int Last)> ranges)
    {
        List<(int First, int Last)> sorted = [.. ranges];
        sorted.Sort();
        List<(int First, int Last)> merged = [];
        foreach ((int first, int last) in sorted)
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1) merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            else merged.Add((first, last));
        }
        return new([.. merged]);
    }

    public bool Contains(int c)
    {
        if ((uint)c < 128) return (_ascii >> c & 1) != 0;
        int low = 0;
        int high = _ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            if (c < _ranges[middle].First) high = middle - 1;
            else if (c > _ranges[middle].Last) low = middle + 1;
            else return true;
        }
        return false;
    }

    public CodePointSet Union(CodePointSet other) => From(_ranges.Concat(other._ranges));

    public CodePointSet Negate()
    {
        List<(int, int)> gaps = [];
        int from = 0;
        foreach ((int first, int last) in _ranges)
        {
            if (first > from) gaps.Add((from, first - 1));
            from = last + 1;
        }
        if (from <= UnicodeData.MaxCodePoint) gaps.Add((from, UnicodeData.MaxCodePoint));
        return new([.. gaps]);
    }

    public CodePointSet Intersect(CodePointSet other)
    {
        List<(int, int)> both = [];
        for (int i = 0, j = 0; i < _ranges.Length && j < other._ranges.Length;)
        {
            int first = Math.Max(_ranges[i].First, other._ranges[j].First), last = Math.Min(_ranges[i].Last, other._ranges[j].Last);
            if (first <= last) both.Add((first, last));
            if (_ranges[i].Last < other._ranges[j].Last) i++;
            else j++;
        }
        return new([.. both]);
    }

    public bool SetEquals(CodePointSet other) => _ranges.AsSpan().SequenceEqual(other._ranges);

    /// <summary>The set with every code point that differs from one of its own only in case.</summary>
    public CodePointSet CaseClosure()
    {
        List<(int, int)> more = [.. _ranges];
        foreach (int[] alike in UnicodeTables.CaseClasses)
            if (alike.Any(Contains)) more.AddRange(alike.Select(c => (c, c)));
        return From(more);
    }
}
