using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Splits that ask of single code points whether they match: Digits, Punctuation, WhitespaceSplit, CharDelimiterSplit, and Metaspace's own.</summary>
internal sealed class CharacterSplit(Func<int, bool> matches, SplitBehavior behavior) : PreTokenizer
{
    public override void Split(in Piece piece, PieceList output)
    {
        ReadOnlySpan<char> text = piece.Span;
        SplitSink sink = new(piece, behavior, invert: false, output);
        int done = 0;
        for (int i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text[i..], out Rune rune, out int length);
            if (matches(rune.Value))
            {
                if (done < i) sink.Add(done, i, match: false);
                sink.Add(i, i + length, match: true);
                done = i + length;
            }
            i += length;
        }
        if (done < text.Length) sink.Add(done, text.Length, match: false);
        sink.Finish();
    }
}

/// <summary>Metaspace: writes spaces as another character, puts one in front, and cuts before each.</summary>
internal sealed class MetaspaceSplit(string replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    private readonly CharacterSplit _split = new(char.ConvertToUtf32(replacement, 0).Equals, SplitBehavior.MergedWithNext);

    public override void Split(in Piece piece, PieceList output)
    {
        string text = piece.Span.ToString().Replace(" ", replacement, StringComparison.Ordinal);
        bool wanted = scheme == PrependScheme.Always || scheme == PrependScheme.First && piece.First;
        if (wanted && !text.StartsWith(replacement, StringComparison.Ordinal)) text = replacement + text;
        Piece whole = new(text, 0, text.Length, piece.First);
        if (split) _split.Split(whole, output);
        else output.Add(text, piece.First);
    }
}

/// <summary>When Metaspace puts its character in front.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>The part of ByteLevel that puts a space in front of a piece that has none.</summary>
internal sealed class SpacePrefix : PreTokenizer
{
    public override void Split(in Piece piece, PieceList output)
    {
        if (piece.Length > 0 && piece.Span[0] != ' ') output.Add(string.Concat(" ", piece.Span), piece.First);
        else output.Add(piece.Source, piece.Start, piece.Length, piece.First);
    }
}

/// <summary>The part of ByteLevel that writes bytes as letters, for the rare chain that goes on behind it.</summary>
internal sealed class ByteLetters : PreTokenizer
{
    public override void Split(in Piece piece, PieceList output) => output.Add(ByteLevelNormalizer.Letters(piece.Span), piece.First);
}
