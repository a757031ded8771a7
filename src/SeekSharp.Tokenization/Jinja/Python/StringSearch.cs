namespace SeekSharp.Tokenization;

/// <summary>Finding one string in another in time that grows with their lengths only, never with the product.</summary>
internal static class StringSearch
{
    private const int Short = 24;

    /// <summary>The first UTF-16 index at or behind <paramref name="from"/>, -1 for none.</summary>
    public static int IndexOf(Budget budget, string text, string needle, int from)
    {
        int found = needle.Length <= Short ? text.IndexOf(needle, from, StringComparison.Ordinal) : Linear(budget, text, needle, from);
        budget.Step(((found < 0 ? text.Length : found) - from >> 5) + 1);
        return found;
    }

    /// <summary>The last UTF-16 index of a place wholly within the first <paramref name="end"/> units, -1 for none.</summary>
    public static int LastIndexOf(Budget budget, string text, string needle, int end)
    {
        budget.Step((end >> 4) + 1);
        if (needle.Length > end) return -1;
        if (needle.Length <= Short) return text.AsSpan(0, end).LastIndexOf(needle, StringComparison.Ordinal);
        budget.Allocate(end);
        int found = Linear(budget, Reverse(text.AsSpan(0, end)), Reverse(needle), 0);
        return found < 0 ? -1 : end - found - needle.Length;
    }

    private static string Reverse(ReadOnlySpan<char> s)
    {
        char[] reversed = s.ToArray();
        Array.Reverse(reversed);
        return new string(reversed);
    }

    // Knuth, Morris and Pratt: the needle's borders tell how far a mismatch lets it move.
    private static int Linear(Budget budget, string text, string needle, int from)
    {
        if (needle.Length > text.Length - from) return -1;
        budget.Allocate(needle.Length * 2);
        int[] border = new int[needle.Length];
        for (int i = 1, k = 0; i < needle.Length; i++)
        {
            while (k > 0 && needle[i] != needle[k]) k = border[k - 1];
            if (needle[i] == needle[k]) k++;
            border[i] = k;
        }
        for (int i = from, k = 0; i < text.Length; i++)
        {
            while (k > 0 && text[i] != needle[k]) k = border[k - 1];
            if (text[i] == needle[k] && ++k == needle.Length) return i - k + 1;
        }
        return -1;
    }
}
