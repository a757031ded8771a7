namespace SeekSharp.Tokenization;

/// <summary>
/// Compiles a schema to rules. A rule belongs to a conjunction of schemas that one value must satisfy; the same conjunction has one rule wherever it is met, which is what ends
/// recursion. Members come in the order in which the schema names them, others behind them.
/// </summary>
internal sealed class SchemaCompiler
{
    private readonly ByteRegexPool _pool = new();
    private readonly GrammarRules _rules;
    private readonly JsonPieces _json;
    private readonly SchemaReader _reader;
    private readonly SchemaNormalizer _normal;
    private readonly ScalarRegex _scalars;
    private readonly ObjectRules _objects;
    private readonly Dictionary<string, Symbol> _values = [];
    private readonly Queue<(int Rule, List<SchemaShape> Shapes)> _todo = [];

    private SchemaCompiler(string schema, out SchemaNode root)
    {
        _rules = new GrammarRules(_pool);
        _json = new JsonPieces(_pool);
        (_reader, root) = SchemaReader.Open(schema, _pool);
        _normal = new SchemaNormalizer(_reader, _pool) { IsImpossible = IsImpossible };
        _scalars = new ScalarRegex(_pool, _json);
        _objects = new ObjectRules(_rules, _json, _normal, _scalars, Value);
    }

    public static GrammarRules Compile(string schema)
    {
        var compiler = new SchemaCompiler(schema, out SchemaNode root);
        Symbol start = compiler.Value([new SchemaLiteral(root, true)]);
        while (compiler._todo.TryDequeue(out (int Rule, List<SchemaShape> Shapes) next)) compiler.Fill(next.Rule, next.Shapes);
        compiler._rules.Close(start);
        return compiler._rules;
    }

    /// <summary>The symbol of values that satisfy all literals.</summary>
    private Symbol Value(List<SchemaLiteral> goal)
    {
        string key = SchemaNormalizer.Key(goal);
        if (_values.TryGetValue(key, out Symbol known)) return known;
        List<SchemaShape> shapes = _normal.Expand(goal);
        if (shapes.TrueForAll(s => s.Enum is not null || (s.Types & ~JsonTypes.Scalar) == 0)) return _values[key] = Symbol.Of(Texts(shapes));
        int rule = _rules.Add(goal.Count > 0 ? goal[0].Node.Place : "#");
        _todo.Enqueue((rule, shapes));
        return _values[key] = Symbol.Of(rule);
    }

    private void Fill(int rule, List<SchemaShape> shapes)
    {
        List<Symbol[]> choices = _rules[rule].Choices;
        ByteRegex texts = Texts(shapes);
        if (texts != _pool.None) choices.Add([Symbol.Of(texts)]);
        foreach (SchemaShape shape in shapes)
        {
            if (shape.Enum is not null) continue;
            string name = _rules[rule].Name;
            if ((shape.Types & JsonTypes.Array) != 0) choices.AddRange(Array(name, shape));
            if ((shape.Types & JsonTypes.Object) != 0) choices.AddRange(_objects.Of(name, shape));
        }
    }

    /// <summary>All that needs no rules: scalars and enumerated values.</summary>
    private ByteRegex Texts(List<SchemaShape> shapes) => _pool.Or([.. shapes.Select(s => s.Enum is { } values ? _scalars.Literals(values) : _scalars.Of(s))]);

    private static List<SchemaLiteral> Item(SchemaShape shape, int index)
    {
        List<SchemaLiteral> goal = [];
        foreach (ArrayPart part in shape.Arrays)
        {
            SchemaLiteral? literal = index < part.First.Count ? part.First[index] : part.Rest;
            if (literal is { } l && !goal.Contains(l)) goal.Add(l);
        }
        return goal;
    }

    private IEnumerable<Symbol[]> Array(string name, SchemaShape shape)
    {
        (int min, int max) = (shape.MinItems, shape.MaxItems);
        ByteRegex open = _json.Mark('[', before: false, after: true), comma = _json.Mark(',', true, true), close = _json.Mark(']', true, false);
        if (min == 0) yield return [Symbol.Of(_pool.Concat(open, _pool.Byte(']')))];
        if (max == 0) yield break;
        int named = 1; // the places with an item of their own
        foreach (ArrayPart part in shape.Arrays) named = Math.Max(named, part.First.Count);
        if (max >= 0) named = Math.Min(named, max);

        // From the last place to the first: what may follow the item there.
        Symbol? next = null;
        if (max < 0 || max > named)
        {
            int pair = _rules.Sequence(name, Symbol.Of(comma), Value(Item(shape, named)));
            int rest = _rules.Repeat(name, Symbol.Of(pair), Math.Max(0, min - named), max < 0 ? -1 : max - named);
            next = Symbol.Of(_rules.Sequence(name, Symbol.Of(rest), Symbol.Of(close)));
        }
        else if (min <= named)
        {
            next = Symbol.Of(close);
        }
        for (int i = named - 1; i >= 1; i--)
        {
            int tail = _rules.Add(name);
            if (next is { } behind) _rules[tail].Choices.Add([Symbol.Of(comma), Value(Item(shape, i)), behind]);
            if (min <= i) _rules[tail].Choices.Add([Symbol.Of(close)]);
            next = Symbol.Of(tail);
        }
        if (next is { } all) yield return [Symbol.Of(open), Value(Item(shape, 0)), all];
    }

    /// <summary>Whether certainly no value has the shape, looking so many levels into it.</summary>
    private bool IsImpossible(SchemaShape shape, int depth)
    {
        if (shape.Enum is { } values) return values.Count == 0;
        if ((shape.Types & (JsonTypes.Null | JsonTypes.True | JsonTypes.False)) != 0) return false;
        if (_pool.Matches(_scalars.Of(shape))) return false;
        if ((shape.Types & JsonTypes.Array) != 0)
        {
            if (shape.MaxItems < 0 || shape.MinItems <= shape.MaxItems)
            {
                bool possible = true;
                for (int i = 0; i < Math.Min(shape.MinItems, 16) && possible; i++) possible = !IsImpossible(Item(shape, i), depth);
                if (possible) return false;
            }
        }
        return (shape.Types & JsonTypes.Object) == 0 || _objects.IsImpossible(shape, goal => IsImpossible(goal, depth));
    }

    private bool IsImpossible(List<SchemaLiteral> goal, int depth)
    {
        if (goal.Count == 0) return false;
        foreach (SchemaLiteral literal in goal)
            if (literal.Node.Constant is bool constant && constant != literal.Holds) return true;
        if (depth == 0 || _normal.IsExpanding(goal)) return false;
        return _normal.Expand(goal).TrueForAll(s => IsImpossible(s, depth - 1));
    }
}
