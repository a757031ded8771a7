namespace SeekSharp.Tokenization;

/// <summary>What is to be done when a symbol has been read: go on at a place, in the context of another node.</summary>
/// <param name="Place">The place behind the symbol; -1: the whole text is complete.</param>
/// <param name="Count">The items of a repetition that have been read.</param>
/// <param name="Parent">Where the rule itself returns to.</param>
internal readonly record struct StackEdge(int Place, int Count, StackNode? Parent);

/// <summary>
/// A node of the graph-structured stack (Tomita, 1985): everything that can follow a symbol that is being read. All who wait for the same symbol since the same byte share one node,
/// so that ambiguity costs no copies of the stack; nodes of equal content are one object.
/// </summary>
internal sealed class StackNode(int id, StackEdge[] edges)
{
    public int Id { get; } = id;

    public StackEdge[] Edges { get; } = edges;

    /// <summary>The state when the symbol has just been read, once it was asked for.</summary>
    public ParserState? After { get; set; }
}

/// <summary>A terminal that is being read, and what follows it.</summary>
internal readonly record struct ParserItem(ByteRegex Text, StackNode Node);

/// <summary>
/// Everywhere that a text may be in its grammar: a state of the lazily made automaton. Never changes, but for what it remembers of its successors and mask.
/// </summary>
internal sealed class ParserState(ParserItem[] items, bool canEnd)
{
    private ByteSet? _first;

    public ParserItem[] Items { get; } = items;

    /// <summary>The text so far is complete.</summary>
    public bool CanEnd { get; } = canEnd;

    /// <summary>Successors by byte, as far as they are known.</summary>
    public ParserState?[]? Next { get; set; }

    /// <summary>The mask over a vocabulary's tokens, and the vocabulary.</summary>
    public CachedMask? Mask { get; set; }

    /// <summary>The bytes that may come.</summary>
    public ByteSet First
    {
        get
        {
            if (_first is { } known) return known;
            ByteSet first = default;
            foreach (ParserItem item in Items)
                foreach ((ByteSet set, _) in item.Text.Live) first |= set;
            _first = first;
            return first;
        }
    }
}

/// <summary>A mask that was computed for a state.</summary>
internal sealed record CachedMask(GrammarVocabulary Vocabulary, uint[] Bits);
