using System.Numerics;
using System.Runtime.InteropServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// Words seen and their ids: a table in which each short word has one place, and a newer word takes it over. Bounded, and nothing to evict.
/// One caller at a time.
/// </summary>
internal sealed class WordCache
{
    /// <summary>The longest word kept, in UTF-16 units.</summary>
    public const int MaxLength = 16;

    /// <summary>The most ids kept for a word.</summary>
    public const int MaxIds = 6;

    private const int SmallSize = 1 << 9;
    private const int FullSize = 1 << 15;

    [System.Runtime.CompilerServices.InlineArray(MaxIds)]
    private struct Ids
    {
        private int _first;
    }

    private struct Entry
    {
        public ulong A, B, C, D; // the word's 16-bit units, zero behind its end
        public short Length;     // 0: a free place
        public short IdCount;
        public Ids Ids;
    }

    private Entry[] _entries = new Entry[SmallSize];
    private int _misses;

    /// <summary>Appends the word's ids; false when it is not known.</summary>
    public bool TryGet(ReadOnlySpan<char> word, IdList output)
    {
        if (word.Length > MaxLength) return false;
        (ulong a, ulong b, ulong c, ulong d) = Key(word);
        ref Entry e = ref _entries[Slot(a, b, c, d, _entries.Length)];
        if (e.A != a || e.B != b || e.C != c || e.D != d || e.Length != word.Length) return false;
        output.AddRange(((ReadOnlySpan<int>)e.Ids)[..e.IdCount]);
        return true;
    }

    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length > MaxLength || ids.Length > MaxIds) return;
        if (_entries.Length < FullSize && ++_misses > SmallSize / 2) _entries = new Entry[FullSize]; // a text, not a word or two
        (ulong a, ulong b, ulong c, ulong d) = Key(word);
        ref Entry e = ref _entries[Slot(a, b, c, d, _entries.Length)];
        e.A = a;
        e.B = b;
        e.C = c;
        e.D = d;
        e.Length = (short)word.Length;
        e.IdCount = (short)ids.Length;
        ids.CopyTo(e.Ids);
    }

    private static (ulong A, ulong B, ulong C, ulong D) Key(ReadOnlySpan<char> word)
    {
        if (word.Length <= 4) return (Load(word), 0, 0, 0);
        if (word.Length <= 8) return (MemoryMarshal.Read<ulong>(MemoryMarshal.AsBytes(word)), Load(word[4..]), 0, 0);
        ReadOnlySpan<ulong> whole = MemoryMarshal.Cast<char, ulong>(word);
        if (word.Length <= 12) return (whole[0], whole[1], Load(word[8..]), 0);
        return (whole[0], whole[1], whole[2], Load(word[12..]));
    }

    private static ulong Load(ReadOnlySpan<char> word)
    {
        ulong x = 0;
        for (int i = 0; i < word.Length; i++) x |= (ulong)word[i] << (16 * i);
        return x;
    }

    private static int Slot(ulong a, ulong b, ulong c, ulong d, int size)
    {
        ulong h = a * 0x9E3779B97F4A7C15;
        h = (BitOperations.RotateLeft(h, 29) ^ b) * 0xD6E8FEB86659FD93;
        h = (BitOperations.RotateLeft(h, 29) ^ c ^ d * 0xA0761D6478BD642F) * 0xE7037ED1A0B428DB;
        return (int)(h >> 40) & (size - 1);
    }
}
