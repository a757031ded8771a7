namespace SeekSharp.Tokenization;

/// <summary>A piece of text: a stretch of a string, and whether it begins where the whole input begins.</summary>
internal readonly struct Piece(string source, int start, int length, bool first)
{
    public readonly string Source = source;
    public readonly int Start = start;
    public readonly int Length = length;
    public readonly bool First = first;

    public ReadOnlySpan<char> Span => Source.AsSpan(Start, Length);
}

/// <summary>A growing list of pieces.</summary>
internal sealed class PieceList
{
    private Piece[] _items = new Piece[16];

    public int Count { get; private set; }

    /// <summary>What the patterns that cut may still cost, <see cref="TextPattern.Budget"/> for the whole text.</summary>
    public long Budget;

    public ref readonly Piece this[int i] => ref _items[i];

    public void Add(string source, int start, int length, bool first)
    {
        if (length == 0) return; // What is empty is dropped.
        if (Count == _items.Length) Array.Resize(ref _items, Count * 2);
        _items[Count++] = new Piece(source, start, length, first);
    }

    public void Add(string text, bool first) => Add(text, 0, text.Length, first);

    public void Clear()
    {
        if (_items.Length > 1 << 16) _items = new Piece[16];
        else Array.Clear(_items, 0, Count);
        Count = 0;
    }
}
