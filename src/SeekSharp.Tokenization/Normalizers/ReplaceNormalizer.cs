using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Replace: every match of a pattern becomes a text, taken as it is.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    public override string Apply(string text)
    {
        long budget = TextPattern.Budget(text.Length);
        return Apply(text, ref budget);
    }

    public override string Apply(string text, ref long budget) => Replace(pattern, content, text, ref budget);

    public static string Replace(TextPattern pattern, string content, string text, ref long budget)
    {
        if (text.Length == 0) return text;
        TextPattern.Matches matches = new(pattern, text, ref budget);
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
    public override List<string> Apply(List<string> tokens)
    {
        long budget = TextPattern.Budget(tokens.Sum(t => t.Length));
        List<string> result = new(tokens.Count);
        foreach (string token in tokens) result.Add(ReplaceNormalizer.Replace(pattern, content, token, ref budget));
        return result;
    }

    protected override string Rewrite(string token, bool first)
    {
        long budget = TextPattern.Budget(token.Length);
        return ReplaceNormalizer.Replace(pattern, content, token, ref budget);
    }
}
