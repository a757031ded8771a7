namespace SeekSharp.Tokenization;

/// <summary>
/// Merges the symbols of one word: always the pair of the lowest rank, the leftmost among equals (Sennrich et al. 2016, as Hugging Face's
/// library orders it). Short words scan for the lowest rank, long ones keep a heap: n·log n, so a megabyte of one letter takes a fraction of a second.
/// One caller at a time.
/// </summary>
internal sealed class BpeMerger(MergeTable merges, bool alwaysHeap = false)
{
    private const int ScanLimit = 48;

    private readonly int[] _ranks = new int[ScanLimit];
    private readonly int[] _news = new int[ScanLimit];
    private int[] _previous = [];
    private int[] _next = [];
    private (ulong Key, int NewId)[] _heap = [];
    private int _heapCount;

    /// <summary>Merges <paramref name="symbols"/> in place and returns how many are left, at its front.</summary>
    public int Merge(Span<int> symbols)
    {
        if (symbols.Length < 2) return symbols.Length;
        return symbols.Length <= ScanLimit && !alwaysHeap ? MergeByScan(symbols) : MergeByHeap(symbols);
    }

    /// <summary>The plain way: look for the lowest rank, merge, repeat.</summary>
    internal int MergeByScan(Span<int> symbols)
    {
        int n = symbols.Length;
        Span<int> ranks = n <= ScanLimit ? _ranks : new int[n];
        Span<int> news = n <= ScanLimit ? _news : new int[n];
        for (int i = 0; i + 1 < n; i++) ranks[i] = merges.Find(symbols[i], symbols[i + 1], out news[i]);
        while (n > 1)
        {
            int best = 0;
            int bestRank = ranks[0];
            for (int i = 1; i < n - 1; i++)
            {
                if (ranks[i] < bestRank)
                {
                    bestRank = ranks[i];
                    best = i;
                }
            }
            if (bestRank == int.MaxValue) break;
            symbols[best] = news[best];
            n--;
            symbols[(best + 2)..(n + 1)].CopyTo(symbols[(best + 1)..]);
            if (best + 1 < n)
            {
                ranks[(best + 1)..n].CopyTo(ranks[best..]);
                news[(best + 1)..n].CopyTo(news[best..]);
                ranks[best] = merges.Find(symbols[best], symbols[best + 1], out news[best]);
            }
            if (best > 0) ranks[best - 1] = merges.Find(symbols[best - 1], symbols[best], out news[best - 1]);
        }
        return n;
    }

    /// <summary>The fast way for long words.</summary>
    internal int MergeByHeap(Span<int> symbols)
    {
        int n = symbols.Length;
        if (_next.Length < n)
        {
            _next = new int[n];
            _previous = new int[n];
        }
        int[] next = _next;
        int[] previous = _previous;
        _heapCount = 0;
        for (int i = 0; i < n; i++)
        {
            next[i] = i + 1 < n ? i + 1 : -1;
            previous[i] = i - 1;
            if (i + 1 < n) Offer(i, symbols[i], symbols[i + 1]);
        }
        while (_heapCount > 0)
        {
            (ulong key, int newId) = Pop();
            int at = (int)(uint)key;
            int right = symbols[at] < 0 ? -1 : next[at];
            if (right < 0) continue;
            // An entry is stale when the pair at its place has become another one since.
            if (merges.Find(symbols[at], symbols[right], out int now) == int.MaxValue || now != newId) continue;
            symbols[at] = newId;
            symbols[right] = -1;
            int after = next[right];
            next[at] = after;
            if (after >= 0) previous[after] = at;
            if (previous[at] >= 0) Offer(previous[at], symbols[previous[at]], newId);
            if (after >= 0) Offer(at, newId, symbols[after]);
        }
        int kept = 0;
        for (int i = 0; i >= 0; i = next[i]) symbols[kept++] = symbols[i];
        if (n > 1 << 20) // An unusually long word: give its memory back.
        {
            _next = _previous = [];
            _heap = [];
        }
        return kept;
    }

    private void Offer(int at, int left, int right)
    {
        int rank = merges.Find(left, right, out int newId);
        if (rank == int.MaxValue) return;
        if (_heapCount == _heap.Length) Array.Resize(ref _heap, Math.Max(64, _heapCount * 2));
        ulong key = (ulong)(uint)rank << 32 | (uint)at;
        int i = _heapCount++;
        while (i > 0)
        {
            int parent = (i - 1) >> 2;
            if (_heap[parent].Key <= key) break;
            _heap[i] = _heap[parent];
            i = parent;
        }
        _heap[i] = (key, newId);
    }

    private (ulong Key, int NewId) Pop()
    {
        (ulong, int) top = _heap[0];
        (ulong Key, int NewId) last = _heap[--_heapCount];
        int i = 0;
        while (true)
        {
            int child = i * 4 + 1;
            if (child >= _heapCount) break;
            int least = child;
            for (int c = child + 1; c < Math.Min(child + 4, _heapCount); c++)
                if (_heap[c].Key < _heap[least].Key) least = c;
            if (_heap[least].Key >= last.Key) break;
            _heap[i] = _heap[least];
            i = least;
        }
        _heap[i] = last;
        return top;
    }
}
