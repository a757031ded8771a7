using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Text to ids: the side of a tokenizer in which tokenizer.json and the two GGUF kinds differ.</summary>
internal abstract class TextEncoder
{
    /// <summary>Text to ids, as <see cref="Tokenizer.Encode"/>.</summary>
    public abstract int[] Encode(string text, bool addSpecialTokens, bool parseSpecial);

    /// <summary>What <c>addSpecialTokens</c> puts in front of a text: BOS, or nothing.</summary>
    public abstract int[] LeadingIds { get; }

    /// <summary>Whether encoding may give an id that the vocabulary does not have (a template may name any).</summary>
    public virtual bool MayAdd(int id) => false;

    /// <summary>The text with U+FFFD for each unpaired surrogate: from here on every text is well formed.</summary>
    protected static string WellFormed(string text)
    {
        ReadOnlySpan<char> rest = text;
        int at = 0;
        while (true)
        {
            int next = rest[at..].IndexOfAnyInRange('\ud800', '\udfff');
            if (next < 0) return text;
            at += next;
            if (at + 1 >= rest.Length || !char.IsSurrogatePair(rest[at], rest[at + 1])) break;
            at += 2;
        }
        StringBuilder fixedText = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) fixedText.Append(rune.ToString());
        return fixedText.ToString();
    }
}
