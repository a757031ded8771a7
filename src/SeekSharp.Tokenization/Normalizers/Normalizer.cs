using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Rewrites a text before it is cut and encoded: an entry of tokenizer.json's <c>normalizer</c>, Sequences flattened.</summary>
internal abstract class Normalizer
{
    public abstract string Apply(string text);

    /// <summary>The same for normalizers with a pattern, which pay for their searches from <paramref name="budget"/>.</summary>
    public virtual string Apply(string text, ref long budget) => Apply(text);

    /// <summary>
    /// The text after all normalizers. It may not grow without bound: thirty replacements that multiply by ten are refused. <paramref name="budget"/> is that of
    /// <see cref="TextPattern.Budget"/>, one for everything that belongs together.
    /// </summary>
    public static string ApplyAll(Normalizer[] normalizers, string text, ref long budget)
    {
        if (normalizers.Length == 0) return text;
        long limit = Limit(text.Length);
        foreach (Normalizer n in normalizers)
        {
            text = n.Apply(text, ref budget);
            if (text.Length > limit) throw TooLong();
        }
        return text;
    }

    /// <summary>The longest that a text may become on its way; one step may multiply it once more.</summary>
    internal static long Limit(int length) => (1 << 18) + 64L * length;

    internal static TokenizerException TooLong() => new("normalizer: the text grows more than 64-fold");
}

/// <summary>Prepend: puts a text in front of one that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override string Apply(string text) => text.Length == 0 ? text : prefix + text;
}

/// <summary>Strip: takes white space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override string Apply(string text)
    {
        int start = 0;
        int end = text.Length;
        while (left && start < end && UnicodeData.IsWhiteSpace(text[start])) start++;
        while (right && start < end && UnicodeData.IsWhiteSpace(text[end - 1])) end--;
        return text[start..end];
    }
}

/// <summary>Lowercase: letter by letter, so that Σ is σ at a word's end too and İ becomes two code points.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    public override string Apply(string text)
    {
        StringBuilder? result = null;
        int done = 0;
        for (int i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(i), out Rune rune, out int length);
            Rune lower = Rune.ToLowerInvariant(rune);
            if (lower != rune || rune.Value == 0x130)
            {
                result ??= new StringBuilder(text.Length);
                result.Append(text, done, i - done);
                if (rune.Value == 0x130) result.Append("i\u0307");
                else result.Append(lower.ToString());
                done = i + length;
            }
            i += length;
        }
        return result is null ? text : result.Append(text, done, text.Length - done).ToString();
    }
}

/// <summary>StripAccents: takes out every combining mark that stands by itself (after NFD: every accent).</summary>
internal sealed class StripAccentsNormalizer : Normalizer
{
    public override string Apply(string text)
    {
        StringBuilder? result = null;
        int done = 0;
        for (int i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(i), out Rune rune, out int length);
            if (UnicodeData.IsMark(rune.Value))
            {
                result ??= new StringBuilder(text.Length);
                result.Append(text, done, i - done);
                done = i + length;
            }
            i += length;
        }
        return result is null ? text : result.Append(text, done, text.Length - done).ToString();
    }
}

/// <summary>ByteLevel: writes every byte of the UTF-8 as its letter of <see cref="ByteAlphabet"/>.</summary>
internal sealed class ByteLevelNormalizer : Normalizer
{
    public override string Apply(string text) => Letters(text);

    public static string Letters(ReadOnlySpan<char> text)
    {
        byte[] utf8 = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, utf8);
        return string.Create(utf8.Length, utf8, (chars, bytes) =>
        {
            for (int i = 0; i < bytes.Length; i++) chars[i] = ByteAlphabet.CharOf(bytes[i]);
        });
    }
}
