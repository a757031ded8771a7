using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>A schema that a value must satisfy, or must not.</summary>
internal readonly record struct SchemaLiteral(SchemaNode Node, bool Holds);

/// <summary>What one schema says of an object's members: a literal for each key, as names, patterns and the rest.</summary>
internal sealed record ObjectPart(List<(string Name, SchemaLiteral Value)> Named, List<(string Pattern, ByteRegex Regex, SchemaLiteral Value)> Patterns, SchemaLiteral? Rest);

/// <summary>What one schema says of an array's items: a literal for the first ones, and one for the rest.</summary>
internal sealed record ArrayPart(List<SchemaLiteral> First, SchemaLiteral? Rest);

/// <summary>
/// A conjunction of conditions on a value, sorted by what they are about: one alternative of the disjunctive normal form of a schema. Conditions on other types say nothing of a value.
/// </summary>
internal sealed class SchemaShape
{
    public JsonTypes Types { get; set; } = JsonTypes.All;

    /// <summary>Not null: only these values, already checked against <see cref="Applied"/>.</summary>
    public List<JsonElement>? Enum { get; set; }

    /// <summary>Everything that went into the shape, for values of <see cref="Enum"/>.</summary>
    public List<SchemaLiteral> Applied { get; init; } = [];

    public bool IntegerOnly { get; set; }

    public bool NoInteger { get; set; }

    public List<(ExactNumber Bound, bool Exclusive, bool Upper)> Bounds { get; init; } = [];

    public List<(ExactNumber Step, bool Holds)> Steps { get; init; } = [];

    public List<ExactNumber> NotNumbers { get; init; } = [];

    public int MinLength { get; set; }

    public int MaxLength { get; set; } = -1;

    /// <summary>Contents of strings that match all of these.</summary>
    public List<ByteRegex> Contents { get; init; } = [];

    /// <summary>Some of <see cref="Contents"/> holds only canonical contents.</summary>
    public bool Canonical { get; set; }

    public List<string> NotStrings { get; init; } = [];

    public int MinItems { get; set; }

    public int MaxItems { get; set; } = -1;

    public List<ArrayPart> Arrays { get; init; } = [];

    public List<ObjectPart> Objects { get; init; } = [];

    public List<string> Required { get; init; } = [];

    public HashSet<string> Forbidden { get; init; } = [];

    public List<SchemaLiteral> Names { get; init; } = [];

    public int MinProperties { get; set; }

    public int MaxProperties { get; set; } = -1;

    public SchemaShape Clone() => new()
    {
        Types = Types,
        Enum = Enum,
        Applied = [.. Applied],
        IntegerOnly = IntegerOnly,
        NoInteger = NoInteger,
        Bounds = [.. Bounds],
        Steps = [.. Steps],
        NotNumbers = [.. NotNumbers],
        MinLength = MinLength,
        MaxLength = MaxLength,
        Contents = [.. Contents],
        Canonical = Canonical,
        NotStrings = [.. NotStrings],
        MinItems = MinItems,
        MaxItems = MaxItems,
        Arrays = [.. Arrays],
        Objects = [.. Objects],
        Required = [.. Required],
        Forbidden = [.. Forbidden],
        Names = [.. Names],
        MinProperties = MinProperties,
        MaxProperties = MaxProperties,
    };

    public void Length(int min, int max)
    {
        MinLength = Math.Max(MinLength, min);
        MaxLength = Least(MaxLength, max);
    }

    public void ItemCount(int min, int max)
    {
        MinItems = Math.Max(MinItems, min);
        MaxItems = Least(MaxItems, max);
    }

    public void PropertyCount(int min, int max)
    {
        MinProperties = Math.Max(MinProperties, min);
        MaxProperties = Least(MaxProperties, max);
    }

    public void Require(string name)
    {
        if (!Required.Contains(name)) Required.Add(name);
    }

    /// <summary>The smaller of two limits; -1 is none.</summary>
    private static int Least(int a, int b) => a < 0 ? b : b < 0 ? a : Math.Min(a, b);
}
