namespace SeekSharp.Tokenization;

/// <summary>A growing list of ids whose memory may be written directly.</summary>
internal sealed class IdList
{
    private int[] _items = new int[64];

    public int Count { get; private set; }

    public int this[int i] => _items[i];

    public ReadOnlySpan<int> Span => _items.AsSpan(0, Count);

    public void Add(int id)
    {
        if (Count == _items.Length) Array.Resize(ref _items, Count * 2);
        _items[Count++] = id;
    }

    public void AddRange(ReadOnlySpan<int> ids)
    {
        if (Count + ids.Length > _items.Length) Array.Resize(ref _items, Math.Max(_items.Length * 2, Count + ids.Length));
        ids.CopyTo(_items.AsSpan(Count));
        Count += ids.Length;
    }

    /// <summary>Empties the list; the memory of an unusually long text is given back.</summary>
    public void Clear()
    {
        Count = 0;
        if (_items.Length > 1 << 20) _items = new int[64];
    }

    public int[] ToArray() => Span.ToArray();
}
