using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>The types of JSON values that a schema tells apart.</summary>
[Flags]
internal enum JsonTypes
{
    None = 0,
    Null = 1,
    False = 2,
    True = 4,
    Number = 8,
    String = 16,
    Array = 32,
    Object = 64,
    Scalar = Null | False | True | Number | String,
    All = Scalar | Array | Object,
}

/// <summary>One schema object (or true, or false) with its keywords read, subschemas by reference.</summary>
internal sealed class SchemaNode(int id, string place)
{
    public int Id { get; } = id;

    /// <summary>Its JSON pointer, for messages.</summary>
    public string Place { get; } = place;

    /// <summary>For the schemas true and false.</summary>
    public bool? Constant { get; set; }

    public JsonTypes Types { get; set; } = JsonTypes.All;

    /// <summary>Numbers are integers only.</summary>
    public bool IntegerOnly { get; set; }

    public List<JsonElement>? Enum { get; set; }

    public ExactNumber? Minimum { get; set; }

    public ExactNumber? ExclusiveMinimum { get; set; }

    public ExactNumber? Maximum { get; set; }

    public ExactNumber? ExclusiveMaximum { get; set; }

    public ExactNumber? MultipleOf { get; set; }

    public int MinLength { get; set; }

    public int MaxLength { get; set; } = -1;

    /// <summary>Contents of strings that match the pattern.</summary>
    public ByteRegex? Pattern { get; set; }

    /// <summary>Contents of strings in the format.</summary>
    public ByteRegex? Format { get; set; }

    public List<SchemaNode> PrefixItems { get; } = [];

    public SchemaNode? Items { get; set; }

    public int MinItems { get; set; }

    public int MaxItems { get; set; } = -1;

    public List<(string Name, SchemaNode Schema)> Properties { get; } = [];

    public List<(string Pattern, ByteRegex Regex, SchemaNode Schema)> PatternProperties { get; } = [];

    public SchemaNode? AdditionalProperties { get; set; }

    public SchemaNode? PropertyNames { get; set; }

    public List<string> Required { get; } = [];

    public int MinProperties { get; set; }

    public int MaxProperties { get; set; } = -1;

    public List<(string Name, List<string> Required)> DependentRequired { get; } = [];

    public List<(string Name, SchemaNode Schema)> DependentSchemas { get; } = [];

    public string? Reference { get; set; }

    public List<SchemaNode> AllOf { get; } = [];

    public List<SchemaNode> AnyOf { get; } = [];

    public List<SchemaNode> OneOf { get; } = [];

    public SchemaNode? Not { get; set; }

    public SchemaNode? If { get; set; }

    public SchemaNode? Then { get; set; }

    public SchemaNode? Else { get; set; }

    public bool HasObjectParts => Properties.Count > 0 || PatternProperties.Count > 0 || AdditionalProperties is not null;
}
