namespace SeekSharp.Tokenization;

/// <summary>
/// A tokenizer's tokens as grammars see them: bytes in a tree, and which of them are plain text. Made once per tokenizer (about half a second for 128,000 tokens) and shared by all grammars.
/// Special tokens (control tokens, BOS, tool markers) are never allowed by a grammar, whatever their text; end tokens are when it can end. Immutable and thread-safe.
/// </summary>
public sealed class GrammarVocabulary
{
    private const int MostTokenBytes = ushort.MaxValue;

    // Tokens of plain text up to so many characters are allowed as a whole; the last is without end.
    private static readonly int[] Lengths = [3, 6, 11, PlainReach.Most, int.MaxValue];

    private readonly byte[]?[] _bytes;
    private readonly (byte[] Bytes, int Id)[] _sorted;
    private readonly int[] _characters; // of plain tokens by place in _sorted; 0: not plain
    private readonly PlainSlice[] _slices;

    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="endTokens">Ids that end an answer (EOS, end of turn), each 0 to <see cref="Size"/> - 1.</param>
    /// <param name="size">The number of a mask's bits, at least the tokenizer's: a model may have more outputs than its tokenizer has tokens. 0: the tokenizer's.</param>
    /// <exception cref="GrammarException">An end token is not in the vocabulary, or the size is below the tokenizer's.</exception>
    public GrammarVocabulary(Tokenizer tokenizer, IEnumerable<int> endTokens, int size = 0)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(endTokens);
        Size = size == 0 ? tokenizer.VocabularySize : size;
        if (Size < tokenizer.VocabularySize) throw new GrammarException($"a mask of {Size} bits is too small: the tokenizer has {tokenizer.VocabularySize} tokens");
        EndTokens = [.. endTokens.Distinct().Order()];
        foreach (int id in EndTokens)
            if (id < 0 || id >= Size) throw new GrammarException($"end token {id}: expected an id of 0 to {Size - 1}");
        _bytes = new byte[]?[Size];
        List<(byte[] Bytes, int Id)> all = new(Size);
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            if (tokenizer.IsSpecial(id) || Array.BinarySearch(EndTokens, id) >= 0) continue;
            byte[] bytes = tokenizer.TokenBytes(id);
            if (bytes.Length is 0 or > MostTokenBytes) continue;
            _bytes[id] = bytes;
            all.Add((bytes, id));
        }
        _sorted = [.. all];
        Array.Sort(_sorted, static (a, b) => a.Bytes.AsSpan().SequenceCompareTo(b.Bytes) is var order and not 0 ? order : a.Id.CompareTo(b.Id));
        _characters = [.. _sorted.Select(t => PlainReach.IsPlain(t.Bytes) ? Characters(t.Bytes) : 0)];
        Whole = new TokenTrie(_sorted);
        Deepest = Whole.Depth.Max();
        _slices = new PlainSlice[Lengths.Length];
        Parallel.For(0, Lengths.Length, i => _slices[i] = Slice(Lengths[i]));
    }

    /// <summary>The number of a mask's bits.</summary>
    public int Size { get; }

    /// <summary>The number of 32-bit words of a mask.</summary>
    public int MaskLength => (Size + 31) >> 5;

    internal int[] EndTokens { get; }

    /// <summary>The bytes of the longest token.</summary>
    internal int Deepest { get; }

    /// <summary>All tokens.</summary>
    internal TokenTrie Whole { get; }

    /// <summary>The bytes of a token; null for one that no grammar allows.</summary>
    internal byte[]? Bytes(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : null;

    /// <summary>The largest slice of plain tokens that a state allows whole; null when it allows none.</summary>
    internal PlainSlice? SliceFor(int reach)
    {
        if (reach == PlainReach.Endless) return _slices[^1];
        for (int i = Lengths.Length - 2; i >= 0; i--)
            if (Lengths[i] <= reach) return _slices[i];
        return null;
    }

    private PlainSlice Slice(int length)
    {
        uint[] bits = new uint[MaskLength];
        List<(byte[], int)> rest = [];
        for (int i = 0; i < _sorted.Length; i++)
        {
            if (_characters[i] is > 0 and var count && count <= length) bits[_sorted[i].Id >> 5] |= 1u << _sorted[i].Id;
            else rest.Add(_sorted[i]);
        }
        return new PlainSlice(bits, new TokenTrie(rest));
    }

    private static int Characters(ReadOnlySpan<byte> utf8)
    {
        int count = 0;
        foreach (byte b in utf8)
            if ((b & 0xC0) != 0x80) count++;
        return count;
    }
}

/// <summary>The tokens of plain text up to some length, as a mask, and all the others.</summary>
internal sealed record PlainSlice(uint[] Bits, TokenTrie Rest);
