using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// What a terminal that is being read says about the tokens, whatever surrounds it: those that it takes whole, and the nodes of the tree where it may be complete with bytes still to come.
/// </summary>
internal sealed class TextMask
{
    private const int MostListed = 600;
    private const int MostMade = 500_000; // expressions in one look through the vocabulary: seconds

    private readonly uint[]? _bits;
    private readonly int[]? _listed;

    private TextMask(uint[]? bits, int[]? listed, TokenTrie trie, int[] exits) => (_bits, _listed, Trie, Exits) = (bits, listed, trie, exits);

    /// <summary>The tree that <see cref="Exits"/> are nodes of.</summary>
    public TokenTrie Trie { get; }

    public int[] Exits { get; }

    /// <summary>Kilobytes that are kept.</summary>
    public int Weight => 1 + ((_bits?.Length ?? 0) + (_listed?.Length ?? 0) + Exits.Length >> 8);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // long loops that run before the runtime would have found them hot
    public static TextMask Of(ByteRegex text, GrammarVocabulary vocabulary, ByteRegex[] stack, List<int> tokens, List<int> exits)
    {
        tokens.Clear();
        exits.Clear();
        PlainSlice? slice = vocabulary.SliceFor(PlainReach.Of(text));
        TokenTrie trie = slice?.Rest ?? vocabulary.Whole;
        byte[] labels = trie.Labels;
        int[] ends = trie.End, ids = trie.Token;
        ushort[] depths = trie.Depth;
        int made = text.Pool.Made;
        stack[0] = text;
        for (int node = 1; node < labels.Length;)
        {
            int depth = depths[node];
            if (stack[depth - 1].Next(labels[node]) is not { } next)
            {
                node = ends[node];
                continue;
            }
            if (text.Pool.Made - made > MostMade) throw new GrammarException("too costly: an expression has too many states to look through the vocabulary");
            stack[depth] = next;
            if (ids[node] >= 0) tokens.Add(ids[node]);
            if (next.Nullable && ends[node] > node + 1) exits.Add(node);
            node++;
        }
        if (slice is null && tokens.Count <= MostListed) return new TextMask(null, [.. tokens], trie, [.. exits]);
        uint[] bits = new uint[vocabulary.MaskLength];
        slice?.Bits.CopyTo(bits, 0);
        foreach (int token in tokens) trie.Mark(bits, token);
        return new TextMask(bits, null, trie, [.. exits]);
    }

    /// <summary>Adds the tokens that are taken whole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddTo(Span<uint> bits)
    {
        if (_bits is not null)
            for (int i = 0; i < bits.Length; i++) bits[i] |= _bits[i];
        else
            foreach (int token in _listed!) Trie.Mark(bits, token);
    }
}
