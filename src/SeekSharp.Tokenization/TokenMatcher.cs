using System.Buffers;
using System.Runtime.InteropServices;

namespace SeekSharp.Tokenization;

/// <summary>Finds strings in a text: the leftmost, and of those that start there the longest. A trie, with a vectorized search for first letters.</summary>
internal sealed class TokenMatcher
{
    private readonly Dictionary<ulong, int> _edges = []; // node << 16 | letter → node
    private readonly List<int> _ids = [-1];              // of the token that ends at a node
    private readonly SearchValues<char> _first;

    private TokenMatcher(IEnumerable<(string Text, int Id)> tokens)
    {
        HashSet<char> first = [];
        foreach ((string text, int id) in tokens)
        {
            int node = 0;
            foreach (char c in text)
            {
                ref int next = ref CollectionsMarshal.GetValueRefOrAddDefault(_edges, (ulong)(uint)node << 16 | c, out bool known);
                if (!known)
                {
                    next = _ids.Count;
                    _ids.Add(-1);
                }
                node = next;
            }
            _ids[node] = id;
            first.Add(text[0]);
        }
        _first = SearchValues.Create(first.ToArray());
    }

    public static TokenMatcher? Create(IEnumerable<(string Text, int Id)> tokens)
    {
        TokenMatcher matcher = new(tokens);
        return matcher._ids.Count == 1 ? null : matcher;
    }

    /// <summary>The next match at or behind <paramref name="from"/>. <paramref name="budget"/> bounds the steps of a whole text.</summary>
    public bool Find(ReadOnlySpan<char> text, int from, ref long budget, out int start, out int length, out int id)
    {
        for (start = from; start < text.Length; start++)
        {
            int skip = text[start..].IndexOfAny(_first);
            if (skip < 0) break;
            start += skip;
            if (LongestAt(text, start, ref budget, out length, out id)) return true;
        }
        length = 0;
        id = -1;
        return false;
    }

    /// <summary>All tokens that begin at a place, the shortest first.</summary>
    public void AllAt(ReadOnlySpan<char> text, int start, ref long budget, List<(int Length, int Id)> found)
    {
        int node = 0;
        for (int i = start; i < text.Length && _edges.TryGetValue((ulong)(uint)node << 16 | text[i], out node); i++)
        {
            Spend(ref budget);
            if (_ids[node] >= 0) found.Add((i + 1 - start, _ids[node]));
        }
    }

    /// <summary>The first place at or behind <paramref name="from"/> where a token may begin, or -1.</summary>
    public int NextCandidate(ReadOnlySpan<char> text, int from)
    {
        int skip = text[from..].IndexOfAny(_first);
        return skip < 0 ? -1 : from + skip;
    }

    /// <summary>What a text may cost: enough for any tokens that people use, and bounded for those that are made to hurt.</summary>
    public static long Budget(int textLength) => 5_000_000 + 64L * textLength;

    private bool LongestAt(ReadOnlySpan<char> text, int start, ref long budget, out int length, out int id)
    {
        length = 0;
        id = -1;
        int node = 0;
        for (int i = start; i < text.Length && _edges.TryGetValue((ulong)(uint)node << 16 | text[i], out node); i++)
        {
            Spend(ref budget);
            if (_ids[node] < 0) continue;
            length = i + 1 - start;
            id = _ids[node];
        }
        return id >= 0;
    }

    private static void Spend(ref long budget)
    {
        if (--budget < 0) throw new TokenizerException("added_tokens: looking for these tokens in this text takes too long");
    }
}
