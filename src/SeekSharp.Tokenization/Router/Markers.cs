namespace SeekSharp.Tokenization;

/// <summary>The texts that part a model's output, and how they are sought in text that is still arriving.</summary>
internal static class Markers
{
    public const string ThinkOpen = "<think>", ThinkClose = "</think>";
    public const string SectionBegin = "<｜tool▁calls▁begin｜>", SectionEnd = "<｜tool▁calls▁end｜>";
    public const string CallBegin = "<｜tool▁call▁begin｜>", CallSeparator = "<｜tool▁sep｜>", CallEnd = "<｜tool▁call▁end｜>";
    public const string QwenBegin = "<tool_call>", QwenEnd = "</tool_call>";
    public const string PythonTag = "<|python_tag|>";

    /// <summary>What counts as white space: space, tab, CR, LF, and nothing of Unicode's.</summary>
    public const string WhiteSpace = " \t\r\n";

    /// <summary>The first place from <paramref name="at"/> on that is not white space.</summary>
    public static int SkipSpace(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && text[at] is ' ' or '\t' or '\r' or '\n') at++;
        return at;
    }

    /// <summary>Whether the rest of the text from <paramref name="at"/> on, possibly empty, is a beginning of the marker, or all of it.</summary>
    public static bool IsCut(ReadOnlySpan<char> text, int at, string marker) => marker.AsSpan().StartsWith(text[at..]);

    /// <summary>Whether the marker stands at <paramref name="at"/>.</summary>
    public static bool StandsAt(ReadOnlySpan<char> text, int at, string marker) => text[at..].StartsWith(marker);

    /// <summary>
    /// Seeks the first of several markers, all of which begin with <c>&lt;</c>. Returns where it stands and which it is
    /// (<paramref name="which"/>), or the place from which more text is needed (−1): before it there is no marker for certain.
    /// </summary>
    public static int Find(ReadOnlySpan<char> text, int at, ReadOnlySpan<string> markers, bool isFinal, out int which)
    {
        for (; (uint)at < (uint)text.Length; at++)
        {
            int next = text[at..].IndexOf('<');
            if (next < 0) break;
            at += next;
            for (which = 0; which < markers.Length; which++)
            {
                if (StandsAt(text, at, markers[which])) return at;
                if (!isFinal && IsCut(text, at, markers[which]))
                {
                    which = -1;
                    return at;
                }
            }
        }
        which = -1;
        return text.Length;
    }
}

/// <summary>Finds one text again and again from places that only grow; all searches together read the text once.</summary>
internal sealed class Finder(string marker)
{
    private int _found = -1;
    private int _scanned;

    /// <summary>Its first place at or after <paramref name="from"/>, or −1 if there is none so far.</summary>
    public int Next(ReadOnlySpan<char> text, int from)
    {
        if (_found >= from) return _found;
        int start = Math.Max(from, _scanned);
        int index = start < text.Length ? text[start..].IndexOf(marker) : -1;
        _found = index < 0 ? -1 : start + index;
        _scanned = Math.Max(start, index < 0 ? text.Length - marker.Length + 1 : _found);
        return _found;
    }

    /// <summary>The text lost its first <paramref name="count"/> characters.</summary>
    public void Shift(int count)
    {
        _found = _found < count ? -1 : _found - count;
        _scanned = Math.Max(0, _scanned - count);
    }
}
