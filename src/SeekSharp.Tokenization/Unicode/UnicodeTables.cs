using System.Globalization;
using System.Reflection;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>What <c>unicode.bin</c> holds (its format: <c>generate.py</c>), and the sets of the general categories. Read on first use.</summary>
internal static class UnicodeTables
{
    private static readonly Lazy<Contents> Loaded = new(() => new Contents());
    private static readonly Lazy<CodePointSet[]> CategorySets = new(MakeCategories);
    private static readonly Lazy<int[][]> Cases = new(MakeCaseClasses);

    /// <summary>Scripts by their names without underscores, in lower case.</summary>
    public static IReadOnlyDictionary<string, CodePointSet> Scripts => Loaded.Value.Scripts;

    /// <summary>Code points that have a script, but none in the older table that Hugging Face's UnicodeScripts uses.</summary>
    public static CodePointSet NewerScripts => Loaded.Value.NewerScripts;

    public static CodePointSet Alphabetic => Loaded.Value.Alphabetic;

    public static CodePointSet Lowercase => Loaded.Value.Lowercase;

    public static CodePointSet Uppercase => Loaded.Value.Uppercase;

    /// <summary>All sets of code points that fold to one, each of two or more.</summary>
    public static int[][] CaseClasses => Cases.Value;

    /// <summary>Code point to canonical combining class; absent: 0.</summary>
    public static Dictionary<int, byte> CombiningClasses => Loaded.Value.Classes;

    /// <summary>Code point to what it decomposes to in one step.</summary>
    public static Dictionary<int, (DecompositionKind Kind, int[] Parts)> Decompositions => Loaded.Value.Decompositions;

    public static CodePointSet Of(UnicodeCategory category) => CategorySets.Value[(int)category];

    private static CodePointSet[] MakeCategories()
    {
        List<(int, int)>[] ranges = new List<(int, int)>[30];
        for (int i = 0; i < ranges.Length; i++) ranges[i] = [];
        int from = 0;
        UnicodeCategory current = UnicodeData.Category(0);
        for (int c = 1; c <= UnicodeData.MaxCodePoint + 1; c++)
        {
            UnicodeCategory next = c <= UnicodeData.MaxCodePoint ? UnicodeData.Category(c) : (UnicodeCategory)(-1);
            if (next == current) continue;
            ranges[(int)current].Add((from, c - 1));
            from = c;
            current = next;
        }
        return [.. ranges.Select(CodePointSet.From)];
    }

    private static int[][] MakeCaseClasses()
    {
        Dictionary<int, List<int>> byFold = [];
        foreach ((int c, int to) in Loaded.Value.Folds)
        {
            if (!byFold.TryGetValue(to, out List<int>? alike)) byFold[to] = alike = [to];
            alike.Add(c);
        }
        return [.. byFold.Values.Select(l => l.ToArray())];
    }

    private sealed class Contents
    {
        private readonly byte[] _data;
        private int _at;

        public Contents()
        {
            using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("unicode.bin")!;
            _data = new byte[stream.Length];
            stream.ReadExactly(_data);

            for (int n = Number(); n > 0; n--)
            {
                int length = Number();
                string name = Encoding.ASCII.GetString(_data, _at, length);
                _at += length;
                Scripts[name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant()] = Ranges();
            }
            NewerScripts = Ranges();
            Alphabetic = Ranges();
            Lowercase = Ranges();
            Uppercase = Ranges();
            int at = 0;
            for (int n = Number(); n > 0; n--)
            {
                at += Number();
                int z = Number();
                Folds.Add((at, at + ((z & 1) == 0 ? z >> 1 : -((z + 1) >> 1))));
            }
            for (int n = Number(); n > 0; n--)
            {
                byte value = (byte)Number();
                foreach ((int first, int last) in Ranges().Ranges)
                    for (int c = first; c <= last; c++) Classes[c] = value;
            }
            at = 0;
            for (int n = Number(); n > 0; n--)
            {
                at += Number();
                int head = Number();
                int[] parts = new int[head >> 2];
                for (int i = 0; i < parts.Length; i++) parts[i] = Number();
                Decompositions[at] = ((DecompositionKind)(head & 3), parts);
            }
        }

        public Dictionary<string, CodePointSet> Scripts { get; } = [];
        public CodePointSet NewerScripts { get; }
        public CodePointSet Alphabetic { get; }
        public CodePointSet Lowercase { get; }
        public CodePointSet Uppercase { get; }
        public List<(int From, int To)> Folds { get; } = [];
        public Dictionary<int, byte> Classes { get; } = [];
        public Dictionary<int, (DecompositionKind, int[])> Decompositions { get; } = [];

        private int Number()
        {
            int value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = _data[_at++];
                value |= (b & 0x7F) << shift;
                if (b < 0x80) return value;
            }
        }

        private CodePointSet Ranges()
        {
            (int, int)[] ranges = new (int, int)[Number()];
            int at = 0;
            for (int i = 0; i < ranges.Length; i++)
            {
                int first = at + Number();
                int last = first + Number();
                ranges[i] = (first, last);
                at = last + 1;
            }
            return CodePointSet.From(ranges);
        }
    }
}

/// <summary>What a decomposition is good for.</summary>
internal enum DecompositionKind
{
    /// <summary>Canonical, and its parts compose again.</summary>
    Composes = 0,

    /// <summary>Canonical, one way only (composition exclusions, singletons).</summary>
    OneWay = 1,

    /// <summary>A compatibility decomposition.</summary>
    Compatibility = 2,
}
