using System.Numerics;
using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>The merges of a BPE: a pair of ids, to the pair's rank and the id that it becomes. An open hash table, at most half full.</summary>
internal sealed class MergeTable
{
    private struct Entry
    {
        public ulong Pair;
        public int Rank;
        public int NewId;
    }

    private const ulong Empty = ulong.MaxValue; // ids are below 2^31: no pair is this
    private static readonly ulong Factor = ((ulong)Random.Shared.NextInt64() << 1 | 1) ^ 0x9E3779B97F4A7C14;

    private readonly Entry[] _entries;
    private readonly int _shift;

    public MergeTable(int capacity)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, capacity) * 2);
        _entries = new Entry[size];
        Array.Fill(_entries, new Entry { Pair = Empty });
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    public int Count { get; private set; }

    /// <summary>Adds a merge; the same pair again takes the later rank, as in Hugging Face's library.</summary>
    public void Set(int left, int right, int rank, int newId)
    {
        ulong pair = (ulong)(uint)left << 32 | (uint)right;
        int slot = Slot(pair);
        while (_entries[slot].Pair != Empty && _entries[slot].Pair != pair) slot = (slot + 1) & (_entries.Length - 1);
        if (_entries[slot].Pair == Empty && ++Count * 2 > _entries.Length) throw new InvalidOperationException("more merges than the table was made for");
        _entries[slot] = new Entry { Pair = pair, Rank = rank, NewId = newId };
    }

    /// <summary>Adds a merge unless the pair has one.</summary>
    public void SetIfAbsent(int left, int right, int rank, int newId)
    {
        if (Find(left, right, out _) == int.MaxValue) Set(left, right, rank, newId);
    }

    /// <summary>The pair's rank, or <see cref="int.MaxValue"/> when it has no merge.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(int left, int right, out int newId)
    {
        ulong pair = (ulong)(uint)left << 32 | (uint)right;
        Entry[] entries = _entries;
        for (int slot = Slot(pair); ; slot = (slot + 1) & (entries.Length - 1))
        {
            ref Entry e = ref entries[slot];
            if (e.Pair == pair)
            {
                newId = e.NewId;
                return e.Rank;
            }
            if (e.Pair == Empty)
            {
                newId = -1;
                return int.MaxValue;
            }
        }
    }

    private int Slot(ulong pair) => (int)((pair ^ pair >> 29) * Factor >> _shift);
}
