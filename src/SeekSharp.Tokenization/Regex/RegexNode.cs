namespace SeekSharp.Tokenization;

/// <summary>A regular expression as a tree.</summary>
internal abstract record RegexNode
{
    /// <summary>One code point of a set.</summary>
    public sealed record Set(CodePointSet Points) : RegexNode;

    /// <summary>One after the other; none: the empty text.</summary>
    public sealed record Sequence(IReadOnlyList<RegexNode> Items) : RegexNode;

    /// <summary>The first that leads to a match.</summary>
    public sealed record Choice(IReadOnlyList<RegexNode> Items) : RegexNode;

    /// <summary>Min to max times (max -1: without end), as many or as few as possible.</summary>
    public sealed record Repeat(RegexNode Item, int Min, int Max, bool Greedy) : RegexNode;

    /// <summary>What follows (or precedes) matches or does not, and nothing is consumed.</summary>
    public sealed record Look(RegexNode Item, bool Behind, bool Negative) : RegexNode;

    /// <summary>The first match of the item, and no other one.</summary>
    public sealed record Atomic(RegexNode Item) : RegexNode;

    /// <summary>A group that a back reference may name.</summary>
    public sealed record Capture(RegexNode Item, int Index) : RegexNode;

    /// <summary>The text of a group again.</summary>
    public sealed record BackReference(int Index, bool IgnoreCase) : RegexNode;

    /// <summary>A place in the text: begin, end or edge of a word, told by the code points before and after it.</summary>
    public sealed record Place(PlaceKind Kind) : RegexNode;

    public static readonly RegexNode Nothing = new Sequence([]);
}

/// <summary>Kinds of <see cref="RegexNode.Place"/>.</summary>
internal enum PlaceKind
{
    /// <summary><c>^</c></summary>
    LineStart,

    /// <summary><c>$</c></summary>
    LineEnd,

    /// <summary><c>\A</c></summary>
    TextStart,

    /// <summary><c>\z</c></summary>
    TextEnd,

    /// <summary><c>\b</c></summary>
    WordEdge,

    /// <summary><c>\B</c></summary>
    NoWordEdge,
}
