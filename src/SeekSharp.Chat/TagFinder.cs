using System.Text;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>Finds a tag in a text that arrives token by token. The tag begins with <c>&lt;</c>, has no other one, and ends with <c>&gt;</c>, which stands nowhere else in it. Immutable.</summary>
internal sealed class TagFinder
{
    private readonly byte[] _tag;

    public TagFinder(string tag, Tokenizer tokenizer)
    {
        _tag = Encoding.UTF8.GetBytes(tag);
        var found = new List<int>[_tag.Length];
        for (int m = 0; m < found.Length; m++) found[m] = [];
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            ReadOnlySpan<byte> bytes = tokenizer.TokenBytes(id);
            int end = bytes.IndexOf((byte)'>');
            if (end < 0 || bytes[(end + 1)..].Trim(" \t\r\n"u8).IsEmpty) continue;
            for (int m = 0; m < found.Length; m++)
                if (IsWhole(Follow(m, bytes[..(end + 1)]))) found[m].Add(id);
        }
        FinishesAndGoesOn = [.. found.Select(ids => ids.ToArray())];
    }

    /// <summary>By the number of bytes of the tag that stand already: tokens that finish it and go on with more than white space, which no grammar would see.</summary>
    public IReadOnlyList<int[]> FinishesAndGoesOn { get; }

    /// <summary>Bytes of the tag at the end of a text that had <paramref name="matched"/> of them and goes on with these; all where it has come.</summary>
    public int Follow(int matched, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (matched == _tag.Length) break;
            matched = b == _tag[matched] ? matched + 1 : b == '<' ? 1 : 0;
        }
        return matched;
    }

    public bool IsWhole(int matched) => matched == _tag.Length;
}
