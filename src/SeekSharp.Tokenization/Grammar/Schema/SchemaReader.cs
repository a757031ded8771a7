using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// Reads the keywords of JSON Schema, drafts 4 to 2020-12, where a schema is used; parts that nothing refers to are not looked at. A keyword of the specification that restricts values and is not
/// supported is refused; keywords that no draft knows say nothing, as the specification has it (2020-12 Core, section 6.5).
/// </summary>
internal sealed class SchemaReader
{
    private const int MaxText = 16 << 20;
    private const int MaxNesting = 256;
    private const int MaxNodes = 50_000;
    private const int MaxCount = 1_000_000_000;

    private static readonly HashSet<string> Refused =
    [
        "uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef", "extends", "disallow", "divisibleBy",
    ];

    private readonly JsonElement _root;
    private readonly ByteRegexPool _pool;
    private readonly PatternRegex _patterns;
    private readonly Dictionary<string, SchemaNode> _nodes = [];
    private readonly Dictionary<string, ByteRegex> _searches = [];
    private readonly string? _rootId;
    private Dictionary<string, (JsonElement Element, string Place)>? _anchors;

    private SchemaReader(JsonElement root, ByteRegexPool pool)
    {
        _root = root;
        _pool = pool;
        _patterns = new PatternRegex(pool, pool.Json);
        if (root.ValueKind == JsonValueKind.Object)
            foreach (string name in (string[])["$id", "id"])
                if (root.TryGetProperty(name, out JsonElement id) && id.ValueKind == JsonValueKind.String) _rootId ??= id.GetString()!.TrimEnd('#');
    }

    /// <summary>The pool's expressions for a pattern that matches somewhere in a string.</summary>
    public ByteRegex Search(string pattern)
    {
        if (!_searches.TryGetValue(pattern, out ByteRegex? regex)) _searches[pattern] = regex = _patterns.Search(EcmaPattern.Parse(pattern));
        return regex;
    }

    /// <summary>Reads a schema and gives its root.</summary>
    public static (SchemaReader Reader, SchemaNode Root) Open(string schema, ByteRegexPool pool)
    {
        if (schema.Length > MaxText) throw new GrammarException($"schema: {schema.Length} characters, expected at most {MaxText}");
        JsonElement root;
        try
        {
            using JsonDocument document = JsonDocument.Parse(schema, new JsonDocumentOptions { MaxDepth = MaxNesting });
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new GrammarException($"schema: expected JSON (at most {MaxNesting} levels deep): {e.Message}");
        }
        catch (ArgumentException)
        {
            throw new GrammarException("schema: half a surrogate pair");
        }
        var reader = new SchemaReader(root, pool);
        return (reader, reader.Read(root, "#"));
    }

    /// <summary>What a <c>$ref</c> refers to.</summary>
    public SchemaNode Resolve(SchemaNode from)
    {
        string reference = from.Reference!;
        GrammarException Lost(string what) => new($"{from.Place}: $ref \"{reference}\": {what}");
        int hash = reference.IndexOf('#', StringComparison.Ordinal);
        string document = hash < 0 ? reference : reference[..hash];
        string fragment = hash < 0 ? "" : Uri.UnescapeDataString(reference[(hash + 1)..]);
        if (document.Length > 0 && document != _rootId)
        {
            if (Anchors().TryGetValue(document, out var embedded) && fragment.Length == 0) return Read(embedded.Element, embedded.Place);
            throw Lost("only references within the schema are supported");
        }
        if (fragment.Length > 0 && fragment[0] != '/')
            return Anchors().TryGetValue("#" + fragment, out var named) ? Read(named.Element, named.Place) : throw Lost("there is no such anchor");
        JsonElement at = _root;
        string place = "#";
        foreach (string part in fragment.Length == 0 ? [] : fragment[1..].Split('/'))
        {
            string key = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            place += "/" + part;
            if (at.ValueKind == JsonValueKind.Object && at.TryGetProperty(key, out JsonElement member)) at = member;
            else if (at.ValueKind == JsonValueKind.Array && int.TryParse(key, out int index) && index >= 0 && index < at.GetArrayLength()) at = at[index];
            else throw Lost("there is nothing at this place");
        }
        return Read(at, place);
    }

    /// <summary>Plain-name anchors ("#name") and embedded identifiers, wherever they stand.</summary>
    private Dictionary<string, (JsonElement Element, string Place)> Anchors()
    {
        if (_anchors is not null) return _anchors;
        _anchors = [];
        Stack<(JsonElement Element, string Place)> todo = new([(_root, "#")]);
        while (todo.TryPop(out var at))
        {
            if (at.Element.ValueKind == JsonValueKind.Array)
            {
                int i = 0;
                foreach (JsonElement item in at.Element.EnumerateArray()) todo.Push((item, $"{at.Place}/{i++}"));
            }
            else if (at.Element.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty member in at.Element.EnumerateObject())
                {
                    todo.Push((member.Value, $"{at.Place}/{Part(member.Name)}"));
                    if (member.Value.ValueKind != JsonValueKind.String || at.Place == "#") continue;
                    if (member.Name == "$anchor") _anchors.TryAdd("#" + member.Value.GetString(), at);
                    else if (member.Name is "$id" or "id") _anchors.TryAdd(member.Value.GetString()!, at);
                }
            }
        }
        return _anchors;
    }

    private static string Part(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private SchemaNode Read(JsonElement element, string place)
    {
        if (_nodes.TryGetValue(place, out SchemaNode? known)) return known;
        if (_nodes.Count >= MaxNodes) throw new GrammarException($"{place}: too large: over {MaxNodes} schemas");
        SchemaNode node = _nodes[place] = new SchemaNode(_nodes.Count, place);
        switch (element.ValueKind)
        {
            case JsonValueKind.True or JsonValueKind.False:
                node.Constant = element.GetBoolean();
                return node;
            case JsonValueKind.Object:
                break;
            default:
                throw new GrammarException($"{place}: expected a schema (an object, true or false), found {element.ValueKind}");
        }
        foreach (JsonProperty keyword in element.EnumerateObject()) new Keyword(this, node, element, keyword.Name, keyword.Value).Read();
        return node;
    }

    /// <summary>One keyword on its way into a node.</summary>
    private readonly struct Keyword(SchemaReader reader, SchemaNode node, JsonElement owner, string name, JsonElement value)
    {
        public void Read()
        {
            switch (name)
            {
                case "type": Type(); break;
                case "enum": node.Enum = Both(node.Enum, [.. List().EnumerateArray()]); break;
                case "const": node.Enum = Both(node.Enum, [value]); break;
                case "minimum":
                    if (IsTrue("exclusiveMinimum")) node.ExclusiveMinimum = Number();
                    else node.Minimum = Number();
                    break;
                case "maximum":
                    if (IsTrue("exclusiveMaximum")) node.ExclusiveMaximum = Number();
                    else node.Maximum = Number();
                    break;
                case "exclusiveMinimum" when value.ValueKind is not (JsonValueKind.True or JsonValueKind.False): node.ExclusiveMinimum = Number(); break;
                case "exclusiveMaximum" when value.ValueKind is not (JsonValueKind.True or JsonValueKind.False): node.ExclusiveMaximum = Number(); break;
                case "multipleOf": node.MultipleOf = Number() is { Digits.Sign: > 0 } step ? step : throw Wrong("expected a number above 0"); break;
                case "minLength": node.MinLength = Count(); break;
                case "maxLength": node.MaxLength = Count(); break;
                case "pattern": node.Pattern = Pattern(Text()); break;
                case "format": Format(); break;
                case "prefixItems": Each(node.PrefixItems); break;
                case "items" when value.ValueKind == JsonValueKind.Array: Each(node.PrefixItems); break;
                case "items": node.Items = Schema(); break;
                case "additionalItems":
                    // Drafts before 2020-12: it says something only beside a list of items.
                    if (owner.TryGetProperty("items", out JsonElement items) && items.ValueKind == JsonValueKind.Array) node.Items = Schema();
                    break;
                case "minItems": node.MinItems = Count(); break;
                case "maxItems": node.MaxItems = Count(); break;
                case "properties":
                    foreach (JsonProperty p in Members()) node.Properties.Add((p.Name, Schema(p)));
                    break;
                case "patternProperties":
                    foreach (JsonProperty p in Members()) node.PatternProperties.Add((p.Name, Pattern(p.Name), Schema(p)));
                    break;
                case "additionalProperties": node.AdditionalProperties = Schema(); break;
                case "propertyNames": node.PropertyNames = Schema(); break;
                case "required": node.Required.AddRange(Texts(value)); break;
                case "minProperties": node.MinProperties = Count(); break;
                case "maxProperties": node.MaxProperties = Count(); break;
                case "dependentRequired":
                    foreach (JsonProperty p in Members()) node.DependentRequired.Add((p.Name, Texts(p.Value)));
                    break;
                case "dependentSchemas":
                    foreach (JsonProperty p in Members()) node.DependentSchemas.Add((p.Name, Schema(p)));
                    break;
                case "dependencies":
                    foreach (JsonProperty p in Members())
                    {
                        if (p.Value.ValueKind == JsonValueKind.Array) node.DependentRequired.Add((p.Name, Texts(p.Value)));
                        else if (p.Value.ValueKind == JsonValueKind.String) node.DependentRequired.Add((p.Name, [p.Value.GetString()!]));
                        else node.DependentSchemas.Add((p.Name, Schema(p)));
                    }
                    break;
                case "$ref": node.Reference = Text(); break;
                case "allOf": Each(node.AllOf); break;
                case "anyOf": Each(node.AnyOf); break;
                case "oneOf": Each(node.OneOf); break;
                case "not": node.Not = Schema(); break;
                case "if": node.If = Schema(); break;
                case "then": node.Then = Schema(); break;
                case "else": node.Else = Schema(); break;
                case "uniqueItems" when value.ValueKind == JsonValueKind.False: break;
                default:
                    if (Refused.Contains(name)) throw Wrong("is not supported");
                    break; // an annotation
            }
        }

        private GrammarException Wrong(string what) => new($"{node.Place}: {name}: {what}");

        private void Type()
        {
            JsonTypes types = JsonTypes.None;
            bool integer = false, number = false;
            foreach (string type in value.ValueKind == JsonValueKind.Array ? Texts(value) : [Text()])
            {
                switch (type)
                {
                    case "null": types |= JsonTypes.Null; break;
                    case "boolean": types |= JsonTypes.True | JsonTypes.False; break;
                    case "integer": integer = true; break;
                    case "number": number = true; break;
                    case "string": types |= JsonTypes.String; break;
                    case "array": types |= JsonTypes.Array; break;
                    case "object": types |= JsonTypes.Object; break;
                    case "any": types = JsonTypes.All; number = true; break; // draft 3, still written
                    default: throw Wrong($"there is no type \"{type}\"");
                }
            }
            if (integer || number) types |= JsonTypes.Number;
            node.IntegerOnly = integer && !number;
            node.Types = types;
        }

        private void Format()
        {
            string format = Text();
            if (StringFormats.IsRefused(format)) throw Wrong($"\"{format}\" is not supported");
            if (StringFormats.Pattern(format) is not { } pattern) return; // unknown to the specification: an annotation
            string key = "format:" + format;
            if (!reader._searches.TryGetValue(key, out ByteRegex? regex)) reader._searches[key] = regex = reader._patterns.Whole(EcmaPattern.Parse(pattern));
            node.Format = regex;
        }

        private ByteRegex Pattern(string pattern)
        {
            try
            {
                return reader.Search(pattern);
            }
            catch (GrammarException e)
            {
                throw Wrong(e.Message);
            }
        }

        private bool IsTrue(string keyword) => owner.TryGetProperty(keyword, out JsonElement flag) && flag.ValueKind == JsonValueKind.True;

        private ExactNumber Number()
        {
            if (value.ValueKind != JsonValueKind.Number) throw Wrong($"expected a number, found {value.ValueKind}");
            return ExactNumber.Parse(value.GetRawText()) ?? throw Wrong("a number beyond all that programs compute with");
        }

        private int Count()
        {
            ExactNumber number = Number();
            if (number.Digits.Sign < 0 || !number.IsInteger) throw Wrong("expected a whole number from 0");
            return number.Digits > MaxCount ? MaxCount : (int)number.Digits;
        }

        private string Text()
        {
            if (value.ValueKind != JsonValueKind.String) throw Wrong($"expected a string, found {value.ValueKind}");
            return Plain(value);
        }

        private string Plain(JsonElement text)
        {
            try
            {
                return text.GetString()!;
            }
            catch (InvalidOperationException)
            {
                throw Wrong("half a surrogate pair");
            }
        }

        private List<string> Texts(JsonElement list)
        {
            if (list.ValueKind != JsonValueKind.Array) throw Wrong($"expected a list of strings, found {list.ValueKind}");
            List<string> texts = [];
            foreach (JsonElement item in list.EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.String) throw Wrong($"expected a list of strings, found {item.ValueKind} in it");
                texts.Add(Plain(item));
            }
            return texts;
        }

        private JsonElement List() => value.ValueKind == JsonValueKind.Array ? value : throw Wrong($"expected a list, found {value.ValueKind}");

        private JsonElement.ObjectEnumerator Members() => value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw Wrong($"expected an object, found {value.ValueKind}");

        private SchemaNode Schema() => reader.Read(value, $"{node.Place}/{Part(name)}");

        private SchemaNode Schema(JsonProperty member) => reader.Read(member.Value, $"{node.Place}/{Part(name)}/{Part(member.Name)}");

        private void Each(List<SchemaNode> list)
        {
            int i = 0;
            foreach (JsonElement item in List().EnumerateArray()) list.Add(reader.Read(item, $"{node.Place}/{Part(name)}/{i++}"));
        }

        private static List<JsonElement> Both(List<JsonElement>? before, List<JsonElement> now) =>
            before is null ? now : [.. before.Where(a => now.Exists(b => JsonElement.DeepEquals(a, b)))];
    }
}
