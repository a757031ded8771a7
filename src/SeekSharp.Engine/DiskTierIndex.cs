namespace SeekSharp.Engine;

/// <summary>
/// What the disk tier holds, from the least to the most recently used. Using a block uses its ancestors too, after it: so a block is never older
/// than what hangs on it, and the oldest one is always the end of a chain. Not safe for several threads.
/// </summary>
internal sealed class DiskTierIndex
{
    private readonly Dictionary<BlockKey, LinkedListNode<Entry>> _byKey = [];
    private readonly LinkedList<Entry> _byAge = []; // the oldest first

    /// <summary>A block's file.</summary>
    /// <param name="Key">The block.</param>
    /// <param name="Parent">The block before it; default for a chain's first.</param>
    /// <param name="Bytes">Of its file.</param>
    internal readonly record struct Entry(BlockKey Key, BlockKey Parent, long Bytes);

    public long Bytes { get; private set; }
    public int Count => _byKey.Count;
    public Entry? Oldest => _byAge.First?.Value;

    public bool Contains(BlockKey key) => _byKey.ContainsKey(key);

    public bool TryGet(BlockKey key, out Entry entry)
    {
        bool found = _byKey.TryGetValue(key, out LinkedListNode<Entry>? node);
        entry = found ? node!.Value : default;
        return found;
    }

    /// <summary>Adds an entry, or replaces it, as the most recently used but for its ancestors.</summary>
    public void Add(Entry entry)
    {
        Remove(entry.Key);
        _byKey[entry.Key] = _byAge.AddLast(entry);
        Bytes += entry.Bytes;
        Use(entry.Parent);
    }

    public void Use(BlockKey key)
    {
        // Each step moves one node to the end; a ring of parents (a folder that somebody forged) ends after as many steps as there are entries.
        for (int steps = _byKey.Count; steps > 0 && _byKey.TryGetValue(key, out LinkedListNode<Entry>? node); steps--)
        {
            _byAge.Remove(node);
            _byAge.AddLast(node);
            key = node.Value.Parent;
        }
    }

    public void Remove(BlockKey key)
    {
        if (!_byKey.Remove(key, out LinkedListNode<Entry>? node)) return;
        _byAge.Remove(node);
        Bytes -= node.Value.Bytes;
    }

    public void Clear()
    {
        _byKey.Clear();
        _byAge.Clear();
        Bytes = 0;
    }
}
