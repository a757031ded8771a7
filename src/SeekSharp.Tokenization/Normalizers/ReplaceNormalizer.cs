using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Replace: every match of a pattern becomes a text, taken as it is.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    public override string Apply(string text) => Replace(pattern, content, text);

    public static string Replace(TextPattern pattern, string content, string text)
    {
        if (text.Length == 0) return text;
        TextPattern.Matches matches = new(pattern, text);
        StringBuilder? result = null;
        int done = 0;
        while (matches.Next())
        {
            result ??= new StringBuilder(text.Length);
            result.Append(text, done, matches.Start - done).Append(content);
            done = matches.End;
            if (result.Length > Limit(text.Length)) throw TooLong();
        }
        return result is null ? text : result.Append(text, done, text.Length - done).ToString();
    }
}

/// <summary>The same as a decoder.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : TokenStep
{
    protected override string Rewrite(string token, bool first) => ReplaceNormalizer.Replace(pattern, content, token);
}
