namespace SeekSharp.Tokenization;

/// <summary>
/// Turns a parsed pattern into an expression over bytes. What follows an expression is given to it as a function, so that anchors and looks ahead, which say something about
/// what follows, become intersections with it.
/// </summary>
/// <param name="pool">Where expressions are made.</param>
/// <param name="character">How one code point of a set is written: plain UTF-8, or as in a JSON string.</param>
internal sealed class PatternRegex(ByteRegexPool pool, Func<CodePointSet, ByteRegex> character)
{
    private readonly ByteRegex _any = pool.Star(character(CodePointSet.All));

    /// <summary>Texts that the pattern matches from end to end.</summary>
    public ByteRegex Whole(RegexNode node) => Build(node, true, _ => pool.Empty);

    /// <summary>Texts in which the pattern matches somewhere: what JSON Schema asks of <c>pattern</c>.</summary>
    public ByteRegex Search(RegexNode node)
    {
        if (IsPlain(node)) return pool.Concat(_any, Plain(node), _any);
        return pool.Or(Build(node, true, _ => _any), pool.Concat(pool.Plus(character(CodePointSet.All)), Build(node, false, _ => _any)));
    }

    /// <summary>No anchors and no looks inside.</summary>
    private static bool IsPlain(RegexNode node) => node switch
    {
        RegexNode.Set => true,
        RegexNode.Sequence s => s.Items.All(IsPlain),
        RegexNode.Choice c => c.Items.All(IsPlain),
        RegexNode.Repeat r => IsPlain(r.Item),
        _ => false,
    };

    private ByteRegex Plain(RegexNode node) => node switch
    {
        RegexNode.Set s => character(s.Points),
        RegexNode.Sequence s => pool.Concat([.. s.Items.Select(Plain)]),
        RegexNode.Choice c => pool.Or([.. c.Items.Select(Plain)]),
        RegexNode.Repeat r => pool.Repeat(Plain(r.Item), r.Min, r.Max),
        _ => throw new InvalidOperationException(node.GetType().Name),
    };

    /// <param name="node">The pattern.</param>
    /// <param name="start">The text begins here.</param>
    /// <param name="next">What follows, told whether the text begins there still.</param>
    private ByteRegex Build(RegexNode node, bool start, Func<bool, ByteRegex> next)
    {
        if (IsPlain(node))
        {
            ByteRegex plain = Plain(node);
            ByteRegex behind = next(false);
            if (!start || !plain.Nullable || ReferenceEquals(behind, next(true))) return pool.Concat(plain, behind);
            return pool.Or(next(true), pool.Concat(pool.And(plain, pool.Plus(pool.AnyByte)), behind));
        }
        switch (node)
        {
            case RegexNode.Place { Kind: PlaceKind.TextStart }: return start ? next(true) : pool.None;
            case RegexNode.Place: return next(start).Nullable ? pool.Empty : pool.None;
            case RegexNode.Sequence s: return Sequence(s.Items, 0, start, next);
            case RegexNode.Choice c:
                next = Once(next);
                return pool.Or([.. c.Items.Select(i => Build(i, start, next))]);
            case RegexNode.Look look:
                ByteRegex ahead = Build(look.Item, start, _ => _any);
                return pool.And(look.Negative ? pool.Not(ahead) : ahead, next(start));
            case RegexNode.Repeat { Min: 1, Max: 1 } one: return Build(one.Item, start, next);
            case RegexNode.Repeat { Min: 0, Max: 1 } one:
                next = Once(next);
                return pool.Or(next(start), Build(one.Item, start, next));
            default: throw new GrammarException("regular expression: ^, $ or a look ahead inside a repetition is not supported");
        }
    }

    private ByteRegex Sequence(IReadOnlyList<RegexNode> items, int at, bool start, Func<bool, ByteRegex> next) =>
        at == items.Count ? next(start) : Build(items[at], start, Once(s => Sequence(items, at + 1, s, next)));

    /// <summary>Asked twice, computed once.</summary>
    private static Func<bool, ByteRegex> Once(Func<bool, ByteRegex> next)
    {
        ByteRegex? atStart = null, later = null;
        return start => start ? atStart ??= next(true) : later ??= next(false);
    }
}
