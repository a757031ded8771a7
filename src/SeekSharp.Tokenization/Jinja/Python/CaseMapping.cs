using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// Upper, lower and title case as Python has them: the full mappings of Unicode's SpecialCasing.txt, where one character may become
/// several, and the final sigma; for all others .NET's simple mapping.
/// </summary>
internal static class CaseMapping
{
    // Character, its upper case, its title case; for each character whose upper case is longer, and for the digraphs with a title case of their own.
    private const string Special =
        "\u00df \u0053\u0053 \u0053\u0073 \u0149 \u02bc\u004e \u02bc\u004e \u01c4 \u01c4 \u01c5 \u01c5 \u01c4 \u01c5 \u01c6 \u01c4 \u01c5 \u01c7 \u01c7 \u01c8 " +
        "\u01c8 \u01c7 \u01c8 \u01c9 \u01c7 \u01c8 \u01ca \u01ca \u01cb \u01cb \u01ca \u01cb \u01cc \u01ca \u01cb \u01f0 \u004a\u030c \u004a\u030c " +
        "\u01f1 \u01f1 \u01f2 \u01f2 \u01f1 \u01f2 \u01f3 \u01f1 \u01f2 \u0390 \u0399\u0308\u0301 \u0399\u0308\u0301 " +
        "\u03b0 \u03a5\u0308\u0301 \u03a5\u0308\u0301 \u0587 \u0535\u0552 \u0535\u0582 \u1e96 \u0048\u0331 \u0048\u0331 \u1e97 \u0054\u0308 \u0054\u0308 " +
        "\u1e98 \u0057\u030a \u0057\u030a \u1e99 \u0059\u030a \u0059\u030a \u1e9a \u0041\u02be \u0041\u02be \u1f50 \u03a5\u0313 \u03a5\u0313 " +
        "\u1f52 \u03a5\u0313\u0300 \u03a5\u0313\u0300 \u1f54 \u03a5\u0313\u0301 \u03a5\u0313\u0301 \u1f56 \u03a5\u0313\u0342 \u03a5\u0313\u0342 " +
        "\u1f80 \u1f08\u0399 \u1f88 \u1f81 \u1f09\u0399 \u1f89 \u1f82 \u1f0a\u0399 \u1f8a \u1f83 \u1f0b\u0399 \u1f8b \u1f84 \u1f0c\u0399 \u1f8c " +
        "\u1f85 \u1f0d\u0399 \u1f8d \u1f86 \u1f0e\u0399 \u1f8e \u1f87 \u1f0f\u0399 \u1f8f \u1f88 \u1f08\u0399 \u1f88 \u1f89 \u1f09\u0399 \u1f89 " +
        "\u1f8a \u1f0a\u0399 \u1f8a \u1f8b \u1f0b\u0399 \u1f8b \u1f8c \u1f0c\u0399 \u1f8c \u1f8d \u1f0d\u0399 \u1f8d \u1f8e \u1f0e\u0399 \u1f8e " +
        "\u1f8f \u1f0f\u0399 \u1f8f \u1f90 \u1f28\u0399 \u1f98 \u1f91 \u1f29\u0399 \u1f99 \u1f92 \u1f2a\u0399 \u1f9a \u1f93 \u1f2b\u0399 \u1f9b " +
        "\u1f94 \u1f2c\u0399 \u1f9c \u1f95 \u1f2d\u0399 \u1f9d \u1f96 \u1f2e\u0399 \u1f9e \u1f97 \u1f2f\u0399 \u1f9f \u1f98 \u1f28\u0399 \u1f98 " +
        "\u1f99 \u1f29\u0399 \u1f99 \u1f9a \u1f2a\u0399 \u1f9a \u1f9b \u1f2b\u0399 \u1f9b \u1f9c \u1f2c\u0399 \u1f9c \u1f9d \u1f2d\u0399 \u1f9d " +
        "\u1f9e \u1f2e\u0399 \u1f9e \u1f9f \u1f2f\u0399 \u1f9f \u1fa0 \u1f68\u0399 \u1fa8 \u1fa1 \u1f69\u0399 \u1fa9 \u1fa2 \u1f6a\u0399 \u1faa " +
        "\u1fa3 \u1f6b\u0399 \u1fab \u1fa4 \u1f6c\u0399 \u1fac \u1fa5 \u1f6d\u0399 \u1fad \u1fa6 \u1f6e\u0399 \u1fae \u1fa7 \u1f6f\u0399 \u1faf " +
        "\u1fa8 \u1f68\u0399 \u1fa8 \u1fa9 \u1f69\u0399 \u1fa9 \u1faa \u1f6a\u0399 \u1faa \u1fab \u1f6b\u0399 \u1fab \u1fac \u1f6c\u0399 \u1fac " +
        "\u1fad \u1f6d\u0399 \u1fad \u1fae \u1f6e\u0399 \u1fae \u1faf \u1f6f\u0399 \u1faf \u1fb2 \u1fba\u0399 \u1fba\u0345 \u1fb3 \u0391\u0399 \u1fbc " +
        "\u1fb4 \u0386\u0399 \u0386\u0345 \u1fb6 \u0391\u0342 \u0391\u0342 \u1fb7 \u0391\u0342\u0399 \u0391\u0342\u0345 \u1fbc \u0391\u0399 \u1fbc " +
        "\u1fc2 \u1fca\u0399 \u1fca\u0345 \u1fc3 \u0397\u0399 \u1fcc \u1fc4 \u0389\u0399 \u0389\u0345 \u1fc6 \u0397\u0342 \u0397\u0342 " +
        "\u1fc7 \u0397\u0342\u0399 \u0397\u0342\u0345 \u1fcc \u0397\u0399 \u1fcc \u1fd2 \u0399\u0308\u0300 \u0399\u0308\u0300 " +
        "\u1fd3 \u0399\u0308\u0301 \u0399\u0308\u0301 \u1fd6 \u0399\u0342 \u0399\u0342 \u1fd7 \u0399\u0308\u0342 \u0399\u0308\u0342 " +
        "\u1fe2 \u03a5\u0308\u0300 \u03a5\u0308\u0300 \u1fe3 \u03a5\u0308\u0301 \u03a5\u0308\u0301 \u1fe4 \u03a1\u0313 \u03a1\u0313 " +
        "\u1fe6 \u03a5\u0342 \u03a5\u0342 \u1fe7 \u03a5\u0308\u0342 \u03a5\u0308\u0342 \u1ff2 \u1ffa\u0399 \u1ffa\u0345 \u1ff3 \u03a9\u0399 \u1ffc " +
        "\u1ff4 \u038f\u0399 \u038f\u0345 \u1ff6 \u03a9\u0342 \u03a9\u0342 \u1ff7 \u03a9\u0342\u0399 \u03a9\u0342\u0345 \u1ffc \u03a9\u0399 \u1ffc " +
        "\ufb00 \u0046\u0046 \u0046\u0066 \ufb01 \u0046\u0049 \u0046\u0069 \ufb02 \u0046\u004c \u0046\u006c \ufb03 \u0046\u0046\u0049 \u0046\u0066\u0069 " +
        "\ufb04 \u0046\u0046\u004c \u0046\u0066\u006c \ufb05 \u0053\u0054 \u0053\u0074 \ufb06 \u0053\u0054 \u0053\u0074 \ufb13 \u0544\u0546 \u0544\u0576 " +
        "\ufb14 \u0544\u0535 \u0544\u0565 \ufb15 \u0544\u053b \u0544\u056b \ufb16 \u054e\u0546 \u054e\u0576 \ufb17 \u0544\u053d \u0544\u056d ";

    private static readonly Dictionary<char, (string Upper, string Title)> Table = MakeTable();

    private static Dictionary<char, (string Upper, string Title)> MakeTable()
    {
        string[] words = Special.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var table = new Dictionary<char, (string, string)>();
        for (int i = 0; i < words.Length; i += 3) table[words[i][0]] = (words[i + 1], words[i + 2]);
        return table;
    }

    public static string Upper(string s)
    {
        if (System.Text.Ascii.IsValid(s)) return s.ToUpperInvariant();
        var text = new StringBuilder(s.Length);
        for (int i = 0; i < s.Length; i++)
        {
            if (Table.TryGetValue(s[i], out (string Upper, string Title) special)) text.Append(special.Upper);
            else AppendUpper(text, s, ref i);
        }
        return text.ToString();
    }

    private static void AppendUpper(StringBuilder text, string s, ref int i)
    {
        CodePoints.At(s, i, out int length);
        // .NET leaves these two alone, because their upper case is ASCII.
        if (s[i] is '\u0131' or '\u017f') text.Append(s[i] == '\u0131' ? 'I' : 'S');
        else text.Append(length == 1 ? char.ToUpperInvariant(s[i]).ToString() : s.Substring(i, 2).ToUpperInvariant());
        i += length - 1;
    }

    public static string Lower(string s)
    {
        if (System.Text.Ascii.IsValid(s)) return s.ToLowerInvariant();
        if (!s.Contains('\u03a3') && !s.Contains('\u0130')) return s.ToLowerInvariant();
        var text = new StringBuilder(s.Length);
        for (int i = 0; i < s.Length; i++) AppendLower(text, s, ref i);
        return text.ToString();
    }

    private static void AppendLower(StringBuilder text, string s, ref int i)
    {
        if (s[i] == '\u0130') text.Append("i\u0307");
        else if (s[i] == '\u03a3') text.Append(IsFinalSigma(s, i) ? '\u03c2' : '\u03c3');
        else
        {
            CodePoints.At(s, i, out int length);
            text.Append(length == 1 ? char.ToLowerInvariant(s[i]).ToString() : s.Substring(i, 2).ToLowerInvariant());
            i += length - 1;
        }
    }

    // Unicode's Final_Sigma: a cased letter before and none after, whatever case-ignorable characters lie between.
    private static bool IsFinalSigma(string s, int at)
    {
        const int look = 64;
        bool before = false, after = false;
        for (int i = at - 1; i >= Math.Max(0, at - look); i--)
        {
            if (Characters.IsCaseIgnorable(s[i])) continue;
            before = Characters.IsCased(s[i]);
            break;
        }
        for (int i = at + 1; i < Math.Min(s.Length, at + look); i++)
        {
            if (Characters.IsCaseIgnorable(s[i])) continue;
            after = Characters.IsCased(s[i]);
            break;
        }
        return before && !after;
    }

    /// <summary>Python's <c>str.capitalize</c>.</summary>
    public static string Capitalize(string s)
    {
        var text = new StringBuilder(s.Length);
        for (int i = 0; i < s.Length; i++)
        {
            if (i == 0) AppendTitle(text, s, ref i);
            else AppendLower(text, s, ref i);
        }
        return text.ToString();
    }

    /// <summary>Python's <c>str.title</c>: a new word starts behind everything that has no case.</summary>
    public static string Title(string s)
    {
        var text = new StringBuilder(s.Length);
        bool inside = false;
        for (int i = 0; i < s.Length; i++)
        {
            int point = CodePoints.At(s, i, out _);
            if (inside) AppendLower(text, s, ref i);
            else AppendTitle(text, s, ref i);
            inside = Characters.IsCased(point);
        }
        return text.ToString();
    }

    private static void AppendTitle(StringBuilder text, string s, ref int i)
    {
        char c = s[i];
        if (Table.TryGetValue(c, out (string Upper, string Title) special)) text.Append(special.Title);
        else if (c is >= '\u10d0' and <= '\u10ff') text.Append(c);
        else AppendUpper(text, s, ref i);
    }

    /// <summary>Python's <c>str.swapcase</c>.</summary>
    public static string Swap(string s)
    {
        var text = new StringBuilder(s.Length);
        for (int i = 0; i < s.Length; i++)
        {
            int point = CodePoints.At(s, i, out int length);
            if (Characters.IsUpper(point)) AppendLower(text, s, ref i);
            else if (!Characters.IsLower(point))
            {
                text.Append(s, i, length);
                i += length - 1;
            }
            else if (Table.TryGetValue(s[i], out (string Upper, string Title) special)) text.Append(special.Upper);
            else AppendUpper(text, s, ref i);
        }
        return text.ToString();
    }

    /// <summary>Python's <c>str.casefold</c>, by way of upper case.</summary>
    public static string Fold(string s) => Upper(s).ToLowerInvariant().Replace('\u03c2', '\u03c3');
}
