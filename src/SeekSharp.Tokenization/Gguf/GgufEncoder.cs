namespace SeekSharp.Tokenization;

/// <summary>
/// Text to ids as llama.cpp does it: (1) special tokens are cut out, longer ones before shorter ones wherever they stand, not the leftmost first;
/// (2) the rest is encoded, fragment by fragment; (3) BOS and EOS go around it.
/// User-defined tokens are always found; control and unknown tokens only with parse_special.
/// </summary>
internal sealed class GgufEncoder(AddedTokens added, GgufEncoder.WordEncoder words, int[] leading, int[] trailing) : TextEncoder
{
    /// <summary>Encodes text without special tokens. One caller at a time.</summary>
    internal abstract class WordEncoder
    {
        /// <summary>Appends the ids of a fragment; <paramref name="behindSpecial"/>: it is the first, or a special token stands before it.</summary>
        public abstract void Encode(string text, int start, int length, bool behindSpecial, IdList output);

        /// <summary>Another one of the same vocabulary, for another caller.</summary>
        public abstract WordEncoder Fork();
    }

    private WordEncoder? _idle;

    public override int[] LeadingIds => leading;

    public override int[] Encode(string text, bool addSpecialTokens, bool parseSpecial)
    {
        text = WellFormed(text);
        WordEncoder encoder = Interlocked.Exchange(ref _idle, null) ?? words.Fork();
        IdList ids = new();
        if (addSpecialTokens) ids.AddRange(leading);
        int done = 0;
        bool behindSpecial = true;
        foreach ((int start, int length, int id) in Specials(text, parseSpecial)) // (1)
        {
            if (done < start) encoder.Encode(text, done, start - done, behindSpecial, ids); // (2)
            ids.Add(id);
            behindSpecial = true;
            done = start + length;
        }
        if (done < text.Length) encoder.Encode(text, done, text.Length - done, behindSpecial, ids);
        if (addSpecialTokens) ids.AddRange(trailing); // (3)
        _idle = encoder;
        return ids.ToArray();
    }

    private List<(int Start, int Length, int Id)> Specials(string text, bool parseSpecial)
    {
        List<(int Start, int Length, int Id)> found = [];
        if (added.Raw is not TokenMatcher matcher) return found;
        long budget = TokenMatcher.Budget(text.Length);
        List<(int Length, int Id)> here = [];
        for (int at = matcher.NextCandidate(text, 0); at >= 0; at = matcher.NextCandidate(text, at + 1))
        {
            here.Clear();
            matcher.AllAt(text, at, ref budget, here);
            foreach ((int length, int id) in here)
                if (parseSpecial || !(added.TryGet(id, out AddedToken token) && token.Special)) found.Add((at, length, id));
        }
        if (found.Count < 2) return found;
        // Longer tokens (in bytes) take their places first, each from left to right.
        List<(int Bytes, int Start, int Length, int Id)> byLength = [.. found.Select(f => (System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(f.Start, f.Length)), f.Start, f.Length, f.Id))];
        byLength.Sort((a, b) => a.Bytes != b.Bytes ? b.Bytes.CompareTo(a.Bytes) : a.Id != b.Id ? a.Id.CompareTo(b.Id) : a.Start.CompareTo(b.Start));
        bool[] taken = new bool[text.Length];
        found.Clear();
        foreach ((_, int start, int length, int id) in byLength)
        {
            Span<bool> place = taken.AsSpan(start, length);
            if (place.Contains(true)) continue;
            place.Fill(true);
            found.Add((start, length, id));
        }
        found.Sort();
        return found;
    }
}
