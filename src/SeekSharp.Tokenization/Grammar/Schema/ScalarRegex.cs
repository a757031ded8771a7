using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Values that need no grammar as expressions: null, booleans, numbers, strings, and enumerated values of any kind.</summary>
internal sealed class ScalarRegex(ByteRegexPool pool, JsonPieces json)
{
    private const int MostModulus = 1_000_000;

    private readonly NumberRegex _numbers = new(pool, json);

    /// <summary>The scalars of a shape that is not enumerated.</summary>
    public ByteRegex Of(SchemaShape shape)
    {
        List<ByteRegex> ways = [];
        if ((shape.Types & JsonTypes.Null) != 0) ways.Add(pool.Literal("null"u8));
        if ((shape.Types & JsonTypes.True) != 0) ways.Add(pool.Literal("true"u8));
        if ((shape.Types & JsonTypes.False) != 0) ways.Add(pool.Literal("false"u8));
        if ((shape.Types & JsonTypes.Number) != 0) ways.Add(Number(shape));
        if ((shape.Types & JsonTypes.String) != 0) ways.Add(String(shape));
        return pool.Or([.. ways]);
    }

    /// <summary>Enumerated values as the schema writes them.</summary>
    public ByteRegex Literals(List<JsonElement> values)
    {
        List<ByteRegex> ways = [];
        List<string> strings = [];
        foreach (JsonElement value in values)
        {
            if (value.ValueKind == JsonValueKind.String) strings.Add(value.GetString()!);
            else ways.Add(Literal(value));
        }
        if (strings.Count > 0) ways.Add(json.Quoted(json.AnyContent(strings)));
        return pool.Or([.. ways]);
    }

    /// <summary>A string's content for a key: canonical, and all conditions of the shape hold.</summary>
    public ByteRegex Content(SchemaShape shape)
    {
        if (shape.MaxLength >= 0 && shape.MinLength > shape.MaxLength) return pool.None;
        List<ByteRegex> all = [.. shape.Contents];
        if (!shape.Canonical || shape.MinLength > 0 || shape.MaxLength >= 0) all.Add(pool.Repeat(json.Character, shape.MinLength, shape.MaxLength));
        if (shape.NotStrings.Count > 0) all.Add(pool.Not(json.AnyContent(shape.NotStrings)));
        return pool.And([.. all]);
    }

    private ByteRegex String(SchemaShape shape)
    {
        bool free = shape.Contents.Count == 0 && shape.NotStrings.Count == 0;
        if (free) return shape.MaxLength >= 0 && shape.MinLength > shape.MaxLength ? pool.None : json.FreeString(shape.MinLength, shape.MaxLength);
        return json.Quoted(Content(shape));
    }

    private ByteRegex Number(SchemaShape shape)
    {
        bool plain = shape.Steps.Count == 0 && shape.NotNumbers.Count == 0 && !shape.NoInteger;
        if (plain && shape.Bounds.Count == 0) return shape.IntegerOnly ? json.Integer : json.Number;
        // Not negative, and nothing else: the sign tells, and an exponent does no harm.
        if (plain && !shape.IntegerOnly && shape.Bounds.TrueForAll(b => !b.Upper && !b.Exclusive && b.Bound.Digits.IsZero))
            return pool.Concat(json.Natural, pool.Optional(json.Fraction), pool.Optional(json.Exponent));
        List<ByteRegex> all = [shape.IntegerOnly ? json.Integer : pool.Concat(json.Minus, json.Natural, pool.Optional(json.Fraction))];
        foreach ((ExactNumber bound, bool exclusive, bool upper) in shape.Bounds) all.Add(upper ? _numbers.Most(bound, exclusive) : _numbers.Least(bound, exclusive));
        foreach ((ExactNumber step, bool holds) in shape.Steps)
        {
            if (step.Digits > MostModulus) throw new GrammarException($"multipleOf: {step.Digits}·10^-{step.Scale} has too many digits: only up to {MostModulus} is supported");
            ByteRegex multiple = pool.Multiple((int)step.Digits, step.Scale);
            all.Add(holds ? multiple : pool.Not(multiple));
        }
        foreach (ExactNumber number in shape.NotNumbers) all.Add(pool.Not(_numbers.Exactly(number)));
        if (shape.NoInteger) all.Add(pool.Not(pool.Multiple(1, 0)));
        return pool.And([.. all]);
    }

    private ByteRegex Literal(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Null: return pool.Literal("null"u8);
            case JsonValueKind.True: return pool.Literal("true"u8);
            case JsonValueKind.False: return pool.Literal("false"u8);
            case JsonValueKind.Number: return pool.Literal(System.Text.Encoding.UTF8.GetBytes(value.GetRawText()));
            case JsonValueKind.String: return json.Quoted(json.Content(value.GetString()!));
            case JsonValueKind.Array:
                List<ByteRegex> items = [];
                foreach (JsonElement item in value.EnumerateArray()) items.Add(Literal(item));
                return Group('[', items, ']');
            default:
                List<ByteRegex> members = [];
                foreach (JsonProperty member in value.EnumerateObject()) members.Add(pool.Concat(json.Quoted(json.Content(member.Name)), json.Mark(':', true, true), Literal(member.Value)));
                return Group('{', members, '}');
        }
    }

    private ByteRegex Group(char open, List<ByteRegex> items, char close)
    {
        ByteRegex result = items.Count == 0 ? pool.Byte(close) : json.Mark(close, true, false);
        for (int i = items.Count - 1; i >= 0; i--) result = pool.Concat(i > 0 ? json.Mark(',', true, true) : pool.Empty, items[i], result);
        return pool.Concat(json.Mark(open, false, true), result);
    }
}
