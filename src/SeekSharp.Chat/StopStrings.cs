namespace SeekSharp.Chat;

/// <summary>
/// Finds the first stop string in a text that arrives in pieces, and gives out everything before it as soon as it cannot be part of one:
/// no stop string is ever shown, not even its beginning. Knuth, Morris and Pratt's automaton for each string: linear in the text, whatever the strings.
/// </summary>
internal sealed class StopStrings
{
    private readonly (string Text, int[] Failure)[] _stops;
    private readonly int[] _matched; // letters of each stop string that the end of the text matches
    private readonly System.Text.StringBuilder _held = new();

    /// <param name="stops">Empty strings are left out.</param>
    public StopStrings(IEnumerable<string> stops)
    {
        _stops = [.. stops.Where(s => s.Length > 0).Distinct(StringComparer.Ordinal).Select(s => (s, Failure(s)))];
        _matched = new int[_stops.Length];
    }

    /// <summary>The stop string that ended the text; null while there is none.</summary>
    public string? Found { get; private set; }

    /// <summary>Takes the next piece and gives what is certain to stand before any stop string. After one was found, nothing more comes.</summary>
    public string Push(string piece)
    {
        if (Found is not null) return "";
        if (_stops.Length == 0) return piece;
        foreach (char letter in piece)
        {
            _held.Append(letter);
            int longest = 0; // of the strings that end here, the one that began first
            for (int s = 0; s < _stops.Length; s++)
            {
                (string stop, int[] failure) = _stops[s];
                int matched = _matched[s];
                while (matched > 0 && stop[matched] != letter) matched = failure[matched - 1];
                if (stop[matched] == letter) matched++;
                if (matched == stop.Length && stop.Length > longest) (longest, Found) = (stop.Length, stop);
                _matched[s] = matched == stop.Length ? failure[^1] : matched;
            }
            if (Found is null) continue;
            _held.Length -= longest;
            return Flush();
        }
        int open = _matched.Max();
        string certain = _held.ToString(0, _held.Length - open);
        _held.Remove(0, certain.Length);
        return certain;
    }

    /// <summary>The text has ended: gives what was held back.</summary>
    public string Flush()
    {
        string rest = _held.ToString();
        _held.Clear();
        return rest;
    }

    /// <summary>For each letter the length of the longest beginning of the string that ends there, the whole left out.</summary>
    private static int[] Failure(string stop)
    {
        var failure = new int[stop.Length];
        for (int i = 1, matched = 0; i < stop.Length; i++)
        {
            while (matched > 0 && stop[matched] != stop[i]) matched = failure[matched - 1];
            if (stop[matched] == stop[i]) matched++;
            failure[i] = matched;
        }
        return failure;
    }
}
