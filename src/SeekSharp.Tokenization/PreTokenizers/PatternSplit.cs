namespace SeekSharp.Tokenization;

/// <summary>Split: cuts at the matches of a pattern. Also Whitespace, and the pattern of ByteLevel.</summary>
internal sealed class PatternSplit(TextPattern pattern, SplitBehavior behavior, bool invert = false) : PreTokenizer
{
    public override void Split(in Piece piece, PieceList output)
    {
        ReadOnlySpan<char> text = piece.Span;
        if (text.IsEmpty) return;
        SplitSink sink = new(piece, behavior, invert, output);
        TextPattern.Matches matches = new(pattern, text, ref output.Budget);
        int done = 0;
        while (matches.Next())
        {
            if (done < matches.Start) sink.Add(done, matches.Start, match: false);
            sink.Add(matches.Start, matches.End, match: true);
            done = matches.End;
        }
        if (done < text.Length) sink.Add(done, text.Length, match: false);
        sink.Finish();
    }
}

/// <summary>
/// UnicodeScripts: cuts where the script changes. Hiragana, Katakana and the long vowel sign count as Han; a space, and whatever has no script in the table of
/// Hugging Face's library, goes with anything. What stands before the first letter with a script is lost: so the library does it.
/// </summary>
internal sealed class ScriptSplit : PreTokenizer
{
    private const int None = -1; // "goes with anything"

    private static readonly Lazy<(CodePointSet Set, int Script)[]> Sets = new(() =>
        [.. UnicodeTables.Scripts.Select((s, i) => (s.Value, s.Key is "hiragana" or "katakana" ? UnicodeTables.Scripts.Keys.ToList().IndexOf("han") : i))]);

    public override void Split(in Piece piece, PieceList output)
    {
        ReadOnlySpan<char> text = piece.Span;
        int last = int.MinValue; // no letter yet
        int start = -1;
        for (int i = 0; i < text.Length;)
        {
            System.Text.Rune.DecodeFromUtf16(text[i..], out System.Text.Rune rune, out int length);
            int script = ScriptOf(rune.Value);
            if (script != None)
            {
                if (last != script)
                {
                    if (start >= 0) output.Add(piece.Source, piece.Start + start, i - start, piece.First && start == 0);
                    start = i;
                }
                last = script;
            }
            i += length;
        }
        if (start >= 0) output.Add(piece.Source, piece.Start + start, text.Length - start, piece.First && start == 0);
    }

    private static int ScriptOf(int c)
    {
        if (c == ' ' || UnicodeTables.NewerScripts.Contains(c)) return None;
        // Four code points have moved to another script since that table was made.
        string? moved = c switch { 0x30FC => "han", 0x589 or 0x61C => "common", 0x953 or 0x954 => "devanagari", _ => null };
        if (moved is not null) return Sets.Value.First(s => s.Set == UnicodeTables.Scripts[moved]).Script;
        foreach ((CodePointSet set, int script) in Sets.Value)
            if (set.Contains(c)) return script;
        return None;
    }
}
