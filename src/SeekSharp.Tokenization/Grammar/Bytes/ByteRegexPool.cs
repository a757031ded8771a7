using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// Makes <see cref="ByteRegex"/> objects, equal ones once, in a normal form that keeps the number of derivatives finite. Not thread-safe: who shares a pool locks it.
/// Its table forgets when it has grown large, which costs only that equal states may then be there twice.
/// </summary>
internal sealed class ByteRegexPool
{
    private const int MostKnown = 100_000;
    private const int MostDerivations = 30_000; // in one search for a match
    private const int MostItems = 4_000;

    private readonly HashSet<ByteRegex> _known = new(400, new Same());
    private readonly Dictionary<CodePointSet, ByteRegex> _utf8 = [];
    private readonly Dictionary<CodePointSet, ByteRegex> _json = [];
    private int _ids;

    public ByteRegexPool()
    {
        None = Keep(new ByteRegex(this, ByteRegexKind.None) { Finite = true });
        Empty = Keep(new ByteRegex(this, ByteRegexKind.Empty) { Nullable = true, Finite = true });
        All = Keep(new ByteRegex(this, ByteRegexKind.Not) { Left = None, Nullable = true });
        AnyByte = Set(ByteSet.All);
        Tail = Set(ByteSet.Range(0x80, 0xBF));
    }

    public ByteRegex None { get; }

    public ByteRegex Empty { get; }

    /// <summary>Every text.</summary>
    public ByteRegex All { get; }

    public ByteRegex AnyByte { get; }

    /// <summary>A byte of UTF-8 that continues a character.</summary>
    public ByteRegex Tail { get; }

    /// <summary>Expressions made so far: what a bound on the work of compiling counts.</summary>
    public int Made => _ids;

    /// <summary>Held while a grammar's automata grow.</summary>
    public Lock Lock { get; } = new();

    public ByteRegex Set(ByteSet set) => set.IsEmpty ? None : Keep(new ByteRegex(this, ByteRegexKind.Set) { Set = set, Finite = true });

    public ByteRegex Byte(int b) => Set(ByteSet.Of(b));

    public ByteRegex Literal(ReadOnlySpan<byte> bytes)
    {
        ByteRegex result = Empty;
        for (int i = bytes.Length - 1; i >= 0; i--) result = Concat(Byte(bytes[i]), result);
        return result;
    }

    /// <summary>UTF-8 of one code point of the set; surrogates have none.</summary>
    public ByteRegex Utf8(CodePointSet set) => Memo(_utf8, set, s => Utf8Regex.Of(this, s));

    /// <summary>One code point of the set as it stands in a JSON string, in its one canonical form: see <see cref="JsonPieces"/>.</summary>
    public ByteRegex Json(CodePointSet set) => Memo(_json, set, s => JsonPieces.Canonical(this, s));

    private static ByteRegex Memo(Dictionary<CodePointSet, ByteRegex> known, CodePointSet set, Func<CodePointSet, ByteRegex> make)
    {
        if (!known.TryGetValue(set, out ByteRegex? regex)) known[set] = regex = make(set);
        return regex;
    }

    public ByteRegex Concat(params ReadOnlySpan<ByteRegex> items)
    {
        ByteRegex result = Empty;
        for (int i = items.Length - 1; i >= 0; i--) result = Concat(items[i], result);
        return result;
    }

    public ByteRegex Concat(ByteRegex left, ByteRegex right)
    {
        if (left == None || right == None) return None;
        if (left == Empty) return right;
        if (right == Empty) return left;
        if (left.Kind == ByteRegexKind.Concat)
        {
            // To the right, always; with a loop, for a literal may be long.
            List<ByteRegex> parts = [];
            for (; left.Kind == ByteRegexKind.Concat; left = left.Right!) parts.Add(left.Left!);
            right = Concat(left, right);
            for (int i = parts.Count - 1; i >= 0; i--) right = Concat(parts[i], right);
            return right;
        }
        return Keep(new ByteRegex(this, ByteRegexKind.Concat)
        {
            Left = left,
            Right = right,
            Nullable = left.Nullable && right.Nullable,
            Doubtful = left.Doubtful || right.Doubtful,
            Finite = left.Finite && right.Finite,
        });
    }

    public ByteRegex Optional(ByteRegex item) => Or(item, Empty);

    public ByteRegex Star(ByteRegex item) => Repeat(item, 0, -1);

    public ByteRegex Plus(ByteRegex item) => Repeat(item, 1, -1);

    public ByteRegex Repeat(ByteRegex item, int min, int max)
    {
        if (max == 0 || item == Empty) return Empty;
        if (item == None) return min == 0 ? Empty : None;
        if (item.Nullable) min = 0;
        if (min == 1 && max == 1) return item;
        if (min == 0 && max == 1) return Or(item, Empty);
        if (item.Kind == ByteRegexKind.Repeat && item.Min == 0 && item.Max == -1) return item;
        return Keep(new ByteRegex(this, ByteRegexKind.Repeat)
        {
            Left = item,
            Min = min,
            Max = max,
            Nullable = min == 0,
            Doubtful = item.Doubtful && min > 0,
            Finite = item.Finite && max >= 0,
        });
    }

    public ByteRegex Not(ByteRegex item)
    {
        if (item.Kind == ByteRegexKind.Not) return item.Left!;
        return item == None ? All : Keep(new ByteRegex(this, ByteRegexKind.Not) { Left = item, Nullable = !item.Nullable, Doubtful = true });
    }

    public ByteRegex Or(params ReadOnlySpan<ByteRegex> items)
    {
        List<ByteRegex> all = [];
        ByteSet bytes = default;
        bool nullable = false;
        foreach (ByteRegex item in items)
        {
            if (item.Kind == ByteRegexKind.Or)
                foreach (ByteRegex inner in item.Items) Take(inner);
            else Take(item);
        }
        if (all.Contains(All)) return All;
        if (!bytes.IsEmpty) all.Add(Set(bytes));
        Normalize(all);
        if (nullable && !all.Exists(i => i.Nullable))
        {
            all.Add(Empty);
            all.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        }
        if (all.Count == 0) return None;
        if (all.Count == 1) return all[0];
        if (all.Count > MostItems) throw new GrammarException($"an expression has more than {MostItems} alternatives at one place");
        return Keep(new ByteRegex(this, ByteRegexKind.Or)
        {
            Items = [.. all],
            Nullable = all.Exists(i => i.Nullable),
            Doubtful = all.TrueForAll(i => i.Doubtful || i == Empty) && !nullable,
            Finite = all.TrueForAll(i => i.Finite),
        });

        void Take(ByteRegex item)
        {
            if (item.Kind == ByteRegexKind.Set) bytes |= item.Set;
            else if (item == Empty) nullable = true;
            else if (item != None) all.Add(item);
        }
    }

    public ByteRegex And(params ReadOnlySpan<ByteRegex> items)
    {
        List<ByteRegex> all = [];
        ByteSet bytes = ByteSet.All;
        bool one = false;
        foreach (ByteRegex item in items)
        {
            if (item.Kind == ByteRegexKind.And)
                foreach (ByteRegex inner in item.Items) Take(inner);
            else Take(item);
        }
        if (one) all.Add(Set(bytes));
        Normalize(all);
        if (all.Contains(None)) return None;
        if (all.Contains(Empty)) return all.TrueForAll(i => i.Nullable) ? Empty : None;
        if (all.Count == 0) return All;
        if (all.Count == 1) return all[0];
        if (all.Count > MostItems) throw new GrammarException($"an expression has more than {MostItems} conditions at one place");
        return Keep(new ByteRegex(this, ByteRegexKind.And)
        {
            Items = [.. all],
            Nullable = all.TrueForAll(i => i.Nullable),
            Doubtful = true,
            Finite = all.Exists(i => i.Finite),
        });

        void Take(ByteRegex item)
        {
            if (item.Kind == ByteRegexKind.Set)
            {
                bytes &= item.Set;
                one = true;
            }
            else if (item != All) all.Add(item);
        }
    }

    /// <summary>
    /// Any of the literals, shared beginnings written once: its derivatives stay small however many there are.
    /// </summary>
    public ByteRegex AnyOf(IReadOnlyCollection<byte[]> literals)
    {
        List<byte[]> sorted = [.. literals];
        sorted.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return Part(0, sorted.Count, 0);

        ByteRegex Part(int from, int to, int depth)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            int shared = depth; // an unbranched stretch, so that long literals do not recurse
            while (shared < sorted[from].Length && shared < sorted[to - 1].Length && sorted[from][shared] == sorted[to - 1][shared]) shared++;
            List<ByteRegex> ways = [];
            int i = from;
            while (i < to && sorted[i].Length == shared) i++;
            if (i > from) ways.Add(Empty);
            while (i < to)
            {
                int end = i;
                while (end < to && sorted[end][shared] == sorted[i][shared]) end++;
                ways.Add(Concat(Byte(sorted[i][shared]), Part(i, end, shared + 1)));
                i = end;
            }
            return Concat(Literal(sorted[from].AsSpan(depth, shared - depth)), Or(CollectionsMarshal.AsSpan(ways)));
        }
    }

    /// <summary>
    /// Numbers <c>-?digits(.digits)?</c> that are a multiple of modulus · 10^-scale, exactly. It checks nothing else of the form: intersect it with that.
    /// </summary>
    public ByteRegex Multiple(int modulus, int scale) => Multiple(modulus, scale, 0, -1);

    private ByteRegex Multiple(int modulus, int scale, int remainder, int fraction)
    {
        // The value, times 10^scale, is what has been read times the powers of ten that are still to come.
        long value = remainder;
        for (int i = Math.Max(fraction, 0); i < scale; i++) value = value * 10 % modulus;
        return Keep(new ByteRegex(this, ByteRegexKind.Multiple)
        {
            Modulus = modulus,
            Scale = scale,
            Min = remainder,
            Max = fraction,
            Nullable = value == 0,
            Doubtful = true,
        });
    }

    /// <summary>The derivatives of an expression by all bytes: disjoint sets; bytes in none of them lead to <see cref="None"/>.</summary>
    public (ByteSet Set, ByteRegex Next)[] Derive(ByteRegex e)
    {
        if (e.Raw is { } known) return known;
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return e.Raw = e.Kind switch
        {
            ByteRegexKind.None or ByteRegexKind.Empty => [],
            ByteRegexKind.Set => [(e.Set, Empty)],
            ByteRegexKind.Concat when e.Left!.Nullable => Union([Map(Derive(e.Left), e.Right!), Derive(e.Right!)]),
            ByteRegexKind.Concat => Map(Derive(e.Left!), e.Right!),
            ByteRegexKind.Or => Union([.. e.Items.Select(Derive)]),
            ByteRegexKind.And => Intersection(e.Items),
            ByteRegexKind.Not => Complement(Derive(e.Left!)),
            ByteRegexKind.Repeat => Map(Derive(e.Left!), Repeat(e.Left!, Math.Max(e.Min - 1, 0), e.Max < 0 ? -1 : e.Max - 1)),
            _ => Digits(e),
        };
    }

    private (ByteSet Set, ByteRegex Next)[] Map((ByteSet Set, ByteRegex Next)[] ways, ByteRegex behind)
    {
        if (behind == Empty) return ways;
        var result = new (ByteSet Set, ByteRegex Next)[ways.Length];
        for (int i = 0; i < ways.Length; i++) result[i] = (ways[i].Set, Concat(ways[i].Next, behind));
        return result;
    }

    private (ByteSet Set, ByteRegex Next)[] Union((ByteSet Set, ByteRegex Next)[][] parts)
    {
        List<(ByteSet Set, List<ByteRegex> Next)> all = [];
        foreach ((ByteSet Set, ByteRegex Next)[] part in parts)
        {
            foreach ((ByteSet set, ByteRegex next) in part)
            {
                ByteSet left = set;
                int count = all.Count;
                for (int i = 0; i < count && !left.IsEmpty; i++)
                {
                    ByteSet both = all[i].Set & left;
                    if (both.IsEmpty) continue;
                    if (both != all[i].Set)
                    {
                        all.Add((all[i].Set & ~both, [.. all[i].Next]));
                        all[i] = (both, all[i].Next);
                    }
                    all[i].Next.Add(next);
                    left &= ~both;
                }
                if (!left.IsEmpty) all.Add((left, [next]));
            }
        }
        return Merge(all.Select(a => (a.Set, a.Next.Count == 1 ? a.Next[0] : Or(CollectionsMarshal.AsSpan(a.Next)))));
    }

    private (ByteSet Set, ByteRegex Next)[] Intersection(ByteRegex[] items)
    {
        List<(ByteSet Set, List<ByteRegex> Next)> all = [(ByteSet.All, [])];
        foreach (ByteRegex item in items)
        {
            List<(ByteSet Set, List<ByteRegex> Next)> narrowed = [];
            foreach ((ByteSet set, ByteRegex next) in Derive(item))
            {
                foreach ((ByteSet before, List<ByteRegex> conditions) in all)
                {
                    ByteSet both = before & set;
                    if (!both.IsEmpty) narrowed.Add((both, [.. conditions, next]));
                }
            }
            all = narrowed;
        }
        return Merge(all.Select(a => (a.Set, And(CollectionsMarshal.AsSpan(a.Next)))));
    }

    private (ByteSet Set, ByteRegex Next)[] Complement((ByteSet Set, ByteRegex Next)[] ways)
    {
        ByteSet rest = ByteSet.All;
        foreach ((ByteSet set, _) in ways) rest &= ~set;
        IEnumerable<(ByteSet, ByteRegex)> all = ways.Select(w => (w.Set, Not(w.Next)));
        return Merge(rest.IsEmpty ? all : all.Append((rest, All)));
    }

    private (ByteSet Set, ByteRegex Next)[] Digits(ByteRegex e)
    {
        List<(ByteSet, ByteRegex)> ways = [];
        // Digits behind the last place that counts are nought.
        if (e.Max >= e.Scale && e.Max >= 0) return [(ByteSet.Of('0'), e)];
        for (int d = 0; d < 10; d++)
            ways.Add((ByteSet.Of('0' + d), Multiple(e.Modulus, e.Scale, (int)((e.Min * 10L + d) % e.Modulus), e.Max < 0 ? -1 : e.Max + 1)));
        if (e.Max < 0)
        {
            ways.Add((ByteSet.Of('-'), e));
            ways.Add((ByteSet.Of('.'), Multiple(e.Modulus, e.Scale, e.Min, 0)));
        }
        return Merge(ways);
    }

    /// <summary>Drops what leads nowhere and joins the sets that lead to one state.</summary>
    private (ByteSet Set, ByteRegex Next)[] Merge(IEnumerable<(ByteSet Set, ByteRegex Next)> ways)
    {
        List<(ByteSet Set, ByteRegex Next)> result = [];
        foreach ((ByteSet set, ByteRegex next) in ways)
        {
            if (next == None) continue;
            int i = result.FindIndex(r => ReferenceEquals(r.Next, next));
            if (i < 0) result.Add((set, next));
            else result[i] = (result[i].Set | set, next);
        }
        return [.. result];
    }

    /// <summary>Whether any text matches.</summary>
    /// <exception cref="GrammarException">That takes too long to find out.</exception>
    public bool Matches(ByteRegex e)
    {
        if (e.NonEmpty is bool known) return known;
        if (e.Nullable || !e.Doubtful)
        {
            e.NonEmpty = e != None;
            return e.NonEmpty.Value;
        }
        // Depth first: most expressions have a short way to a match, and every state on it is settled with it.
        Dictionary<ByteRegex, ByteRegex?> from = new() { [e] = null };
        Stack<ByteRegex> todo = new([e]);
        while (todo.TryPop(out ByteRegex? at))
        {
            foreach ((_, ByteRegex next) in Derive(at))
            {
                if (next.NonEmpty == false || !from.TryAdd(next, at)) continue;
                if (next.Nullable || next.NonEmpty == true || !next.Doubtful && next != None)
                {
                    for (ByteRegex? settled = next; settled is not null; settled = from[settled]) settled.NonEmpty = true;
                    return true;
                }
                todo.Push(next);
            }
            if (from.Count > MostDerivations) throw new GrammarException("too costly: it takes too long to find out whether an expression can match");
        }
        foreach (ByteRegex settled in from.Keys) settled.NonEmpty = false;
        return false;
    }

    private static void Normalize(List<ByteRegex> items)
    {
        items.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        int kept = 0;
        for (int i = 0; i < items.Count; i++)
            if (i == 0 || !ReferenceEquals(items[i], items[i - 1])) items[kept++] = items[i];
        items.RemoveRange(kept, items.Count - kept);
    }

    private ByteRegex Keep(ByteRegex made)
    {
        if (_known.TryGetValue(made, out ByteRegex? known)) return known;
        if (_known.Count >= MostKnown)
        {
            _known.Clear();
            foreach (ByteRegex constant in (ReadOnlySpan<ByteRegex>)[None, Empty, All, AnyByte, Tail]) _known.Add(constant);
        }
        made.Id = _ids++;
        _known.Add(made);
        return made;
    }

    /// <summary>Equal in structure, parts compared as objects.</summary>
    private sealed class Same : IEqualityComparer<ByteRegex>
    {
        public bool Equals(ByteRegex? x, ByteRegex? y) =>
            x!.Kind == y!.Kind && ReferenceEquals(x.Left, y.Left) && ReferenceEquals(x.Right, y.Right) && x.Min == y.Min && x.Max == y.Max && x.Set == y.Set
            && x.Modulus == y.Modulus && x.Scale == y.Scale && x.Items.AsSpan().SequenceEqual(y.Items);

        public int GetHashCode([DisallowNull] ByteRegex e)
        {
            uint hash = (uint)e.Kind * 2654435761u;
            hash = (hash ^ (uint)(e.Left?.Id ?? -1)) * 2246822519u;
            hash = (hash ^ (uint)(e.Right?.Id ?? -1)) * 3266489917u;
            hash = (hash ^ (uint)e.Min) * 668265263u;
            hash = (hash ^ (uint)e.Max) * 374761393u;
            hash ^= (uint)e.Modulus * 31;
            if (e.Kind == ByteRegexKind.Set) hash ^= (uint)e.Set.GetHashCode();
            foreach (ByteRegex item in e.Items) hash = (hash ^ (uint)item.Id) * 2246822519u;
            return (int)(hash ^ hash >> 15);
        }
    }
}
