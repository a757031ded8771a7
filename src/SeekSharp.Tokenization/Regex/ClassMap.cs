using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// Numbers the classes into which a number of sets part the code points: two code points of one class are in the same sets.
/// A table of 256-entry pages, equal pages shared.
/// </summary>
internal sealed class ClassMap
{
    private readonly ushort[] _pageOf = new ushort[(UnicodeData.MaxCodePoint >> 8) + 1];
    private readonly byte[] _pages;

    private ClassMap(int[] starts, byte[] classes, int count)
    {
        Count = count;
        Dictionary<string, ushort> known = [];
        List<byte> pages = [];
        char[] page = new char[256];
        int interval = 0;
        for (int p = 0; p < _pageOf.Length; p++)
        {
            for (int i = 0; i < 256; i++)
            {
                int c = p << 8 | i;
                while (interval + 1 < starts.Length && starts[interval + 1] <= c) interval++;
                page[i] = (char)classes[interval];
            }
            string key = new(page);
            if (!known.TryGetValue(key, out ushort index))
            {
                known[key] = index = (ushort)(pages.Count >> 8);
                foreach (char c in page) pages.Add((byte)c);
            }
            _pageOf[p] = index;
        }
        _pages = [.. pages];
    }

    /// <summary>The number of classes, at most 250.</summary>
    public int Count { get; }

    /// <summary>Null when there would be over 250 classes. <paramref name="members"/>: [set][class], whether the class is in the set.</summary>
    public static ClassMap? Create(IReadOnlyList<CodePointSet> sets, out bool[][] members)
    {
        members = [];
        SortedSet<int> edges = [0];
        foreach (CodePointSet set in sets)
        {
            foreach ((int first, int last) in set.Ranges)
            {
                edges.Add(first);
                if (last < UnicodeData.MaxCodePoint) edges.Add(last + 1);
            }
        }
        int[] starts = [.. edges];
        int[] classOf = new int[starts.Length];
        int count = 1;
        foreach (CodePointSet set in sets)
        {
            Dictionary<(int, bool), int> parts = [];
            int range = 0;
            for (int i = 0; i < starts.Length; i++)
            {
                while (range < set.Ranges.Length && set.Ranges[range].Last < starts[i]) range++;
                bool inside = range < set.Ranges.Length && set.Ranges[range].First <= starts[i];
                if (!parts.TryGetValue((classOf[i], inside), out int part)) parts[(classOf[i], inside)] = part = parts.Count;
                classOf[i] = part;
            }
            count = parts.Count;
            if (count > 250) return null;
        }
        members = new bool[sets.Count][];
        for (int s = 0; s < sets.Count; s++)
        {
            members[s] = new bool[count];
            for (int i = 0; i < starts.Length; i++) members[s][classOf[i]] = sets[s].Contains(starts[i]);
        }
        return new ClassMap(starts, [.. classOf.Select(c => (byte)c)], count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Of(int codePoint) => _pages[_pageOf[codePoint >> 8] << 8 | codePoint & 255];

    /// <summary>The classes of the first 128 code points.</summary>
    public byte[] Ascii()
    {
        byte[] ascii = new byte[128];
        for (int i = 0; i < 128; i++) ascii[i] = (byte)Of(i);
        return ascii;
    }
}
