using System.Runtime.InteropServices;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// Tokens and their ids. The texts lie end to end as UTF-8 in one buffer and are found by an open hash table over it: a vocabulary of
/// 150,000 tokens costs a few megabytes, not one string each, and a file of hostile ids (4,000,000,000 in a vocabulary of nine)
/// costs no table of that size.
/// </summary>
internal sealed class TokenTable
{
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64() | 1;

    private byte[] _pool;
    private int[] _ends;      // end of entry i in the pool; it starts where the one before ends
    private int[] _ids;
    private int[] _slots;     // entry + 1, or 0; a power of two long, at most half full
    private int[]? _entryOfId; // entry + 1, for ids close together
    private Dictionary<int, int>? _sparse;
    private int _highestId = -1;

    public TokenTable(int expectedCount, int expectedBytes)
    {
        _pool = new byte[Math.Max(16, expectedBytes)];
        _ends = new int[Math.Max(4, expectedCount)];
        _ids = new int[_ends.Length];
        _slots = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)_ends.Length * 2)];
    }

    /// <summary>The number of different tokens.</summary>
    public int Count { get; private set; }

    /// <summary>The highest id, or -1.</summary>
    public int HighestId => _highestId;

    public ReadOnlySpan<byte> TextOf(int entry)
    {
        int start = entry == 0 ? 0 : _ends[entry - 1];
        return _pool.AsSpan(start, _ends[entry] - start);
    }

    public int IdOf(int entry) => _ids[entry];

    /// <summary>Adds a token, or gives one that is there another id.</summary>
    public void Set(ReadOnlySpan<byte> text, int id)
    {
        int slot = Find(text);
        if (_slots[slot] != 0)
        {
            _ids[_slots[slot] - 1] = id;
        }
        else
        {
            int start = Count == 0 ? 0 : _ends[Count - 1];
            if (start > int.MaxValue / 2 - text.Length) throw new TokenizerException("vocabulary: its texts take over 1 GiB");
            if (start + text.Length > _pool.Length) Array.Resize(ref _pool, Math.Max(_pool.Length * 2, start + text.Length));
            if (Count == _ends.Length)
            {
                Array.Resize(ref _ends, Count * 2);
                Array.Resize(ref _ids, Count * 2);
            }
            text.CopyTo(_pool.AsSpan(start));
            _ends[Count] = start + text.Length;
            _ids[Count] = id;
            _slots[slot] = ++Count;
            if (Count * 2 > _slots.Length) Rehash();
        }
        _highestId = Math.Max(_highestId, id);
        _entryOfId = null;
        _sparse = null;
    }

    public bool TryGetId(ReadOnlySpan<byte> text, out int id)
    {
        int entry = _slots[Find(text)] - 1;
        id = entry < 0 ? -1 : _ids[entry];
        return entry >= 0;
    }

    public bool TryGetId(string text, out int id)
    {
        Span<byte> small = stackalloc byte[256];
        if (text.Length <= 80) return TryGetId(small[..Encoding.UTF8.GetBytes(text, small)], out id);
        return TryGetId(Encoding.UTF8.GetBytes(text), out id);
    }

    /// <summary>The text of an id; false if no token has it.</summary>
    public bool TryGetText(int id, out ReadOnlySpan<byte> text)
    {
        if (_entryOfId is null && _sparse is null) IndexIds();
        int entry = -1;
        if (_entryOfId is not null)
        {
            if ((uint)id < (uint)_entryOfId.Length) entry = _entryOfId[id] - 1;
        }
        else if (_sparse!.TryGetValue(id, out int found))
        {
            entry = found;
        }
        text = entry < 0 ? default : TextOf(entry);
        return entry >= 0;
    }

    /// <summary>Builds what <see cref="TryGetText"/> needs; called once after loading, so that lookups from several threads only read.</summary>
    public void IndexIds()
    {
        if (_highestId < 4L * Count + 1024)
        {
            int[] map = new int[_highestId + 1];
            for (int i = 0; i < Count; i++) map[_ids[i]] = i + 1;
            _entryOfId = map;
        }
        else
        {
            Dictionary<int, int> map = new(Count);
            for (int i = 0; i < Count; i++) map[_ids[i]] = i;
            _sparse = map;
        }
    }

    private int Find(ReadOnlySpan<byte> text)
    {
        int mask = _slots.Length - 1;
        int slot = (int)(Hash(text) >> 32) & mask;
        for (; ; slot = (slot + 1) & mask)
        {
            int entry = _slots[slot];
            if (entry == 0 || TextOf(entry - 1).SequenceEqual(text)) return slot;
        }
    }

    private void Rehash()
    {
        _slots = new int[_slots.Length * 2];
        int mask = _slots.Length - 1;
        for (int i = 0; i < Count; i++)
        {
            int slot = (int)(Hash(TextOf(i)) >> 32) & mask;
            while (_slots[slot] != 0) slot = (slot + 1) & mask;
            _slots[slot] = i + 1;
        }
    }

    // Seeded per process: nobody can write a vocabulary whose tokens all fall into one slot.
    private static ulong Hash(ReadOnlySpan<byte> text)
    {
        ulong h = Seed ^ (ulong)text.Length * 0x9E3779B97F4A7C15;
        while (text.Length >= 8)
        {
            h = Mix(h ^ MemoryMarshal.Read<ulong>(text));
            text = text[8..];
        }
        ulong tail = 0;
        for (int i = 0; i < text.Length; i++) tail |= (ulong)text[i] << (8 * i);
        return Mix(h ^ tail);
    }

    private static ulong Mix(ulong x)
    {
        ulong high = Math.BigMul(x, 0xD6E8FEB86659FD93 ^ Seed, out ulong low);
        return high ^ low;
    }
}
