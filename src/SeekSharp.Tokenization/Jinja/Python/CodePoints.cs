using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Strings as Python counts them: by code points. A lone surrogate is a code point of its own.</summary>
internal static class CodePoints
{
    private static bool IsPlain(string s) => s.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0;

    /// <summary>The code point at a UTF-16 index, and how many units it has.</summary>
    public static int At(ReadOnlySpan<char> s, int index, out int length)
    {
        char c = s[index];
        if (char.IsHighSurrogate(c) && index + 1 < s.Length && char.IsLowSurrogate(s[index + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(c, s[index + 1]);
        }
        length = 1;
        return c;
    }

    public static int Length(ReadOnlySpan<char> s)
    {
        int count = s.Length;
        int i = s.IndexOfAnyInRange('\uD800', '\uDBFF');
        if (i < 0) return count;
        for (; i + 1 < s.Length; i++)
            if (char.IsHighSurrogate(s[i]) && char.IsLowSurrogate(s[i + 1]))
            {
                count--;
                i++;
            }
        return count;
    }

    /// <summary>The UTF-16 index of a code point's index (which may be the length).</summary>
    public static int ToUnits(string s, int index)
    {
        if (IsPlain(s)) return index;
        int unit = 0;
        for (; index > 0; index--)
        {
            At(s, unit, out int length);
            unit += length;
        }
        return unit;
    }

    /// <summary>The code point's index of a UTF-16 index.</summary>
    public static int FromUnits(string s, int unit) => Length(s.AsSpan(0, unit));

    /// <summary>The characters of a string, each a string.</summary>
    public static IEnumerable<string> Split(string s)
    {
        for (int i = 0; i < s.Length;)
        {
            At(s, i, out int length);
            yield return Single(s, i, length);
            i += length;
        }
    }

    private static readonly string[] Latin = [.. Enumerable.Range(0, 256).Select(c => ((char)c).ToString())];

    private static string Single(string s, int index, int length) => s[index] < 256 ? Latin[s[index]] : s.Substring(index, length);

    /// <summary>The character at a code point's index.</summary>
    public static string CharAt(string s, int index)
    {
        int unit = ToUnits(s, index);
        At(s, unit, out int length);
        return Single(s, unit, length);
    }

    /// <summary>The slice [start:stop:step], bounds already made fit.</summary>
    public static string Slice(string s, long start, long stop, long step, int count)
    {
        if (count == 0) return "";
        if (step == 1)
        {
            int from = ToUnits(s, (int)start);
            int to = IsPlain(s) ? (int)stop : from + ToUnits(s[from..], (int)(stop - start));
            return s[from..to];
        }
        var text = new StringBuilder(count);
        if (IsPlain(s))
        {
            for (long i = start; count > 0; count--, i += step) text.Append(s[(int)i]);
            return text.ToString();
        }
        string[] points = [.. Split(s)];
        for (long i = start; count > 0; count--, i += step) text.Append(points[i]);
        return text.ToString();
    }

    /// <summary>Python's order of strings, by code point: below zero when x comes first.</summary>
    public static int Compare(string x, string y)
    {
        int common = x.AsSpan().CommonPrefixLength(y);
        if (common == x.Length || common == y.Length) return x.Length - y.Length;
        char a = x[common], b = y[common];
        bool high = char.IsSurrogate(a), other = char.IsSurrogate(b);
        return high == other ? a - b : high ? 1 : -1;
    }
}
