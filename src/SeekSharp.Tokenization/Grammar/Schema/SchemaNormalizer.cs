using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// Turns conjunctions of schemas, negated or not, into their disjunctive normal form, one level deep: what members and items must satisfy stays a conjunction of schemas. All of
/// <c>allOf anyOf oneOf not if dependent… $ref</c> dissolve here, exactly; a negation that would have to say "some member" is refused.
/// </summary>
internal sealed class SchemaNormalizer(SchemaReader reader, ByteRegexPool pool)
{
    private const int MostShapes = 256;
    private const int MostWork = 60_000;
    private const int MostDepth = 200;

    private readonly Dictionary<string, List<SchemaShape>> _known = [];
    private readonly HashSet<string> _expanding = [];
    private HashSet<SchemaLiteral> _path = []; // what is being dissolved for the value at hand
    private int _work;

    /// <summary>Tells whether a shape can have no value; wired by the compiler, which knows the expressions.</summary>
    public Func<SchemaShape, int, bool> IsImpossible { get; set; } = (_, _) => false;

    public static string Key(IEnumerable<SchemaLiteral> goal) => string.Join(',', goal.Select(l => l.Holds ? l.Node.Id : ~l.Node.Id));

    /// <summary>Whether the goal is on its way already: a schema is asked about while it is dissolved.</summary>
    public bool IsExpanding(IEnumerable<SchemaLiteral> goal) => _expanding.Contains(Key(goal));

    /// <summary>The alternatives of values that satisfy all literals.</summary>
    public List<SchemaShape> Expand(IReadOnlyList<SchemaLiteral> goal)
    {
        string key = Key(goal);
        if (_known.TryGetValue(key, out List<SchemaShape>? known)) return known;
        if (!_expanding.Add(key)) throw new GrammarException($"{goal[0].Node.Place}: it recurses for ever without a value in between");
        (HashSet<SchemaLiteral> path, _path) = (_path, []);
        // Enumerated values first: they are checked one by one, and nothing else needs to be dissolved.
        HashSet<SchemaNode> seen = [];
        List<JsonElement>? values = null;
        foreach (SchemaLiteral literal in goal)
            if (literal.Holds) values ??= Enumerated(literal.Node, seen);
        List<SchemaShape> shapes = [new SchemaShape { Enum = values }];
        foreach (SchemaLiteral literal in goal) shapes = Apply(shapes, literal);
        shapes.RemoveAll(s => IsImpossible(s, 2));
        _expanding.Remove(key);
        _path = path;
        return _known[key] = shapes;
    }

    private List<JsonElement>? Enumerated(SchemaNode node, HashSet<SchemaNode> seen)
    {
        if (!seen.Add(node)) return null;
        if (node.Enum is not null) return node.Enum;
        if (node.Reference is not null && Enumerated(reader.Resolve(node), seen) is { } behind) return behind;
        foreach (SchemaNode part in node.AllOf)
            if (Enumerated(part, seen) is { } values) return values;
        return null;
    }

    private List<SchemaShape> Apply(List<SchemaShape> shapes, SchemaLiteral literal)
    {
        List<SchemaShape> result = [];
        foreach (SchemaShape shape in shapes) result.AddRange(Apply(shape, literal));
        return result.Count <= MostShapes ? result : throw TooMany(literal.Node);
    }

    private static GrammarException TooMany(SchemaNode node) => new($"{node.Place}: too complex: over {MostShapes} alternatives for one value");

    /// <summary>The shape, and the literal besides. The shape may be changed.</summary>
    private List<SchemaShape> Apply(SchemaShape shape, SchemaLiteral literal)
    {
        SchemaNode node = literal.Node;
        if (++_work > MostWork) throw new GrammarException($"{node.Place}: too complex: it takes too long to dissolve");
        if (shape.Enum is not null)
        {
            var validator = new SchemaValidator(reader);
            shape.Enum = [.. shape.Enum.Where(v => validator.Validate(v, node) == literal.Holds)];
            return shape.Enum.Count == 0 ? [] : [shape];
        }
        if (node.Constant is bool constant) return constant == literal.Holds ? [shape] : [];
        if (!_path.Add(literal) || _path.Count > MostDepth) throw new GrammarException($"{node.Place}: it recurses for ever without a value in between");
        List<SchemaShape> result = literal.Holds ? Assert(shape, node) : Deny(shape, node);
        _path.Remove(literal);
        result.RemoveAll(s => s.Types == JsonTypes.None);
        return result;
    }

    private List<SchemaShape> Assert(SchemaShape shape, SchemaNode node)
    {
        shape.Types &= node.Types;
        shape.Applied.Add(new SchemaLiteral(node, true));
        if (node.Enum is not null)
        {
            var validator = new SchemaValidator(reader);
            shape.Enum = [.. node.Enum.Where(v => shape.Applied.TrueForAll(l => validator.Validate(v, l.Node) == l.Holds))];
            return shape.Enum.Count == 0 ? [] : [shape];
        }
        shape.IntegerOnly |= node.IntegerOnly;
        if (node.Minimum is { } least) shape.Bounds.Add((least, false, false));
        if (node.ExclusiveMinimum is { } above) shape.Bounds.Add((above, true, false));
        if (node.Maximum is { } most) shape.Bounds.Add((most, false, true));
        if (node.ExclusiveMaximum is { } below) shape.Bounds.Add((below, true, true));
        if (node.MultipleOf is { } step) shape.Steps.Add((step, true));
        shape.Length(node.MinLength, node.MaxLength);
        foreach (ByteRegex? content in (ReadOnlySpan<ByteRegex?>)[node.Pattern, node.Format])
            if (content is not null) (shape.Canonical, _) = (true, Add(shape.Contents, content));
        shape.ItemCount(node.MinItems, node.MaxItems);
        if (node.PrefixItems.Count > 0 || node.Items is not null)
            shape.Arrays.Add(new ArrayPart([.. node.PrefixItems.Select(Yes)], node.Items is null ? null : Yes(node.Items)));
        if (node.HasObjectParts)
        {
            shape.Objects.Add(new ObjectPart(
                [.. node.Properties.Select(p => (p.Name, Yes(p.Schema)))],
                [.. node.PatternProperties.Select(p => (p.Pattern, p.Regex, Yes(p.Schema)))],
                node.AdditionalProperties is null ? null : Yes(node.AdditionalProperties)));
        }
        foreach (string name in node.Required) shape.Require(name);
        if (node.PropertyNames is not null) shape.Names.Add(Yes(node.PropertyNames));
        shape.PropertyCount(node.MinProperties, node.MaxProperties);

        List<SchemaShape> shapes = [shape];
        if (node.Reference is not null) shapes = Apply(shapes, Yes(reader.Resolve(node)));
        foreach (SchemaNode part in node.AllOf) shapes = Apply(shapes, Yes(part));
        if (node.AnyOf.Count > 0) shapes = Any(shapes, node.AnyOf.Select(s => new[] { Yes(s) }));
        if (node.OneOf.Count > 0) shapes = One(shapes, node.OneOf);
        if (node.Not is { } denied) shapes = Apply(shapes, No(denied));
        if (node.If is { } condition && (node.Then ?? node.Else) is not null) shapes = Any(shapes, Branches(condition, node.Then, node.Else));
        foreach ((string name, List<string> required) in node.DependentRequired)
        {
            shapes = Either(shapes, s => Forbid(s, name), s =>
            {
                s.Require(name);
                foreach (string r in required) s.Require(r);
                return [s];
            });
        }
        foreach ((string name, SchemaNode schema) in node.DependentSchemas) shapes = Either(shapes, s => Forbid(s, name), s => Apply(Has(s, name), Yes(schema)));
        return shapes;
    }

    /// <summary>Values for which at least one keyword of the schema does not hold.</summary>
    private List<SchemaShape> Deny(SchemaShape shape, SchemaNode node)
    {
        List<SchemaShape> result = [];
        void Or(JsonTypes types, Action<SchemaShape> change)
        {
            SchemaShape other = shape.Clone();
            other.Types &= types;
            other.Applied.Add(new SchemaLiteral(node, false));
            if (other.Types == JsonTypes.None) return;
            change(other);
            result.Add(other);
        }
        void OrAll(IEnumerable<SchemaLiteral> literals)
        {
            List<SchemaShape> shapes = [shape.Clone()];
            foreach (SchemaLiteral literal in literals) shapes = Apply(shapes, literal);
            result.AddRange(shapes);
        }
        if (node.Types != JsonTypes.All) Or(~node.Types, _ => { });
        if (node.IntegerOnly) Or(JsonTypes.Number, s => s.NoInteger = true);
        if (node.Enum is { } values) Exclude(shape, node, values, Or);
        if (node.Minimum is { } least) Or(JsonTypes.Number, s => s.Bounds.Add((least, true, true)));
        if (node.ExclusiveMinimum is { } above) Or(JsonTypes.Number, s => s.Bounds.Add((above, false, true)));
        if (node.Maximum is { } most) Or(JsonTypes.Number, s => s.Bounds.Add((most, true, false)));
        if (node.ExclusiveMaximum is { } below) Or(JsonTypes.Number, s => s.Bounds.Add((below, false, false)));
        if (node.MultipleOf is { } step) Or(JsonTypes.Number, s => s.Steps.Add((step, false)));
        if (node.MinLength > 0) Or(JsonTypes.String, s => s.Length(0, node.MinLength - 1));
        if (node.MaxLength >= 0) Or(JsonTypes.String, s => s.Length(node.MaxLength + 1, -1));
        foreach (ByteRegex? content in (ReadOnlySpan<ByteRegex?>)[node.Pattern, node.Format])
            if (content is not null) Or(JsonTypes.String, s => Add(s.Contents, pool.Not(content)));
        if (node.MinItems > 0) Or(JsonTypes.Array, s => s.ItemCount(0, node.MinItems - 1));
        if (node.MaxItems >= 0) Or(JsonTypes.Array, s => s.ItemCount(node.MaxItems + 1, -1));
        for (int i = 0; i < node.PrefixItems.Count; i++)
        {
            SchemaLiteral[] first = [.. Enumerable.Repeat(Yes(Anything), i), No(node.PrefixItems[i])];
            Or(JsonTypes.Array, s =>
            {
                s.ItemCount(first.Length, -1);
                s.Arrays.Add(new ArrayPart([.. first], null));
            });
        }
        if (node.Items is { Constant: false }) Or(JsonTypes.Array, s => s.ItemCount(node.PrefixItems.Count + 1, -1));
        else if (node.Items is { Constant: null }) Refuse(shape, node, JsonTypes.Array, "items");
        foreach (string name in node.Required) Or(JsonTypes.Object, s => s.Forbidden.Add(name));
        foreach ((string name, SchemaNode schema) in node.Properties)
        {
            Or(JsonTypes.Object, s =>
            {
                s.Require(name);
                s.Objects.Add(new ObjectPart([(name, No(schema))], [], null));
            });
        }
        if (node.PatternProperties.Exists(p => p.Schema.Constant != true)) Refuse(shape, node, JsonTypes.Object, "patternProperties");
        if (node.AdditionalProperties is { Constant: not true }) Refuse(shape, node, JsonTypes.Object, "additionalProperties");
        if (node.PropertyNames is { Constant: not true }) Refuse(shape, node, JsonTypes.Object, "propertyNames");
        if (node.MinProperties > 0) Or(JsonTypes.Object, s => s.PropertyCount(0, node.MinProperties - 1));
        if (node.MaxProperties >= 0) Or(JsonTypes.Object, s => s.PropertyCount(node.MaxProperties + 1, -1));

        if (node.Reference is not null) OrAll([No(reader.Resolve(node))]);
        foreach (SchemaNode part in node.AllOf) OrAll([No(part)]);
        if (node.AnyOf.Count > 0) OrAll(node.AnyOf.Select(No));
        if (node.OneOf.Count > 0)
        {
            OrAll(node.OneOf.Select(No));
            for (int i = 0; i < node.OneOf.Count; i++)
                for (int j = i + 1; j < node.OneOf.Count; j++) OrAll([Yes(node.OneOf[i]), Yes(node.OneOf[j])]);
        }
        if (node.Not is { } denied) OrAll([Yes(denied)]);
        if (node.If is { } condition)
        {
            if (node.Then is { } then) OrAll([Yes(condition), No(then)]);
            if (node.Else is { } otherwise) OrAll([No(condition), No(otherwise)]);
        }
        foreach ((string name, List<string> required) in node.DependentRequired)
        {
            foreach (string r in required)
            {
                Or(JsonTypes.Object, s =>
                {
                    s.Require(name);
                    s.Forbidden.Add(r);
                });
            }
        }
        foreach ((string name, SchemaNode schema) in node.DependentSchemas) result.AddRange(Apply([Has(shape.Clone(), name)], No(schema)));
        return result;
    }

    /// <summary>A condition that says nothing.</summary>
    private static readonly SchemaNode Anything = new(int.MaxValue, "") { Constant = true };

    private static SchemaLiteral Yes(SchemaNode node) => new(node, true);

    private static SchemaLiteral No(SchemaNode node) => new(node, false);

    private static bool Add(List<ByteRegex> list, ByteRegex regex)
    {
        if (!list.Contains(regex)) list.Add(regex);
        return true;
    }

    private static IEnumerable<SchemaLiteral[]> Branches(SchemaNode condition, SchemaNode? then, SchemaNode? otherwise)
    {
        yield return then is null ? [Yes(condition)] : [Yes(condition), Yes(then)];
        yield return otherwise is null ? [No(condition)] : [No(condition), Yes(otherwise)];
    }

    private List<SchemaShape> Any(List<SchemaShape> shapes, IEnumerable<SchemaLiteral[]> choices)
    {
        List<SchemaShape> result = [];
        foreach (SchemaLiteral[] choice in choices)
        {
            List<SchemaShape> narrowed = [.. shapes.Select(s => s.Clone())];
            foreach (SchemaLiteral literal in choice) narrowed = Apply(narrowed, literal);
            result.AddRange(narrowed);
        }
        return result;
    }

    /// <summary>Values of exactly one of the schemas: of each, those that no other one has. Where two exclude each other by themselves, nothing need be said.</summary>
    private List<SchemaShape> One(List<SchemaShape> shapes, List<SchemaNode> choices)
    {
        List<SchemaShape> result = [];
        for (int i = 0; i < choices.Count; i++)
        {
            List<SchemaShape> narrowed = Apply([.. shapes.Select(s => s.Clone())], Yes(choices[i]));
            for (int j = 0; j < choices.Count; j++)
            {
                if (j == i) continue;
                List<SchemaShape> apart = [];
                foreach (SchemaShape shape in narrowed)
                {
                    // Enumerated values of the other choice may be checked against that choice only: what this very oneOf says of them is what is asked here.
                    SchemaShape probe = shape.Clone();
                    probe.Applied.Clear();
                    List<SchemaShape> both = Apply([probe], Yes(choices[j]));
                    if (both.TrueForAll(b => IsImpossible(b, 4))) apart.Add(shape);
                    else apart.AddRange(Apply(shape, No(choices[j])).Where(s => !IsImpossible(s, 2)));
                }
                if (apart.Count > MostShapes) throw TooMany(choices[i]);
                narrowed = apart;
            }
            result.AddRange(narrowed);
        }
        return result;
    }

    /// <summary>For objects one thing or the other; other values as they are.</summary>
    private static List<SchemaShape> Either(List<SchemaShape> shapes, Func<SchemaShape, List<SchemaShape>> one, Func<SchemaShape, List<SchemaShape>> other)
    {
        List<SchemaShape> result = [];
        foreach (SchemaShape shape in shapes)
        {
            if ((shape.Types & JsonTypes.Object) == 0 || shape.Enum is not null)
            {
                result.Add(shape);
                continue;
            }
            result.AddRange(one(shape.Clone())); // says nothing of other types, which stay in it
            SchemaShape second = shape.Clone();
            second.Types = JsonTypes.Object;
            result.AddRange(other(second));
        }
        return result;
    }

    private static List<SchemaShape> Forbid(SchemaShape shape, string name)
    {
        shape.Forbidden.Add(name);
        return [shape];
    }

    private static SchemaShape Has(SchemaShape shape, string name)
    {
        shape.Types &= JsonTypes.Object;
        shape.Require(name);
        return shape;
    }

    private static void Exclude(SchemaShape shape, SchemaNode node, List<JsonElement> values, Action<JsonTypes, Action<SchemaShape>> or)
    {
        if (values.Exists(v => v.ValueKind is JsonValueKind.Array or JsonValueKind.Object && (shape.Types & SchemaValidator.TypeOf(v)) != 0))
            throw new GrammarException($"{node.Place}: not: an excluded enum or const value that is an array or object is not supported");
        JsonTypes gone = JsonTypes.None;
        foreach (JsonElement value in values)
            if (value.ValueKind is JsonValueKind.Null or JsonValueKind.True or JsonValueKind.False) gone |= SchemaValidator.TypeOf(value);
        or(~gone, s =>
        {
            foreach (JsonElement value in values)
            {
                if (value.ValueKind == JsonValueKind.String) s.NotStrings.Add(value.GetString()!);
                else if (value.ValueKind == JsonValueKind.Number && ExactNumber.Parse(value.GetRawText()) is { } number) s.NotNumbers.Add(number);
            }
        });
    }

    private static void Refuse(SchemaShape shape, SchemaNode node, JsonTypes types, string keyword)
    {
        if ((shape.Types & types) != 0) throw new GrammarException($"{node.Place}: {keyword} inside not (or an if, or a oneOf whose alternatives overlap) is not supported");
    }
}
