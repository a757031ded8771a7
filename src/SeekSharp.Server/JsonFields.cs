using System.Text.Json;
using System.Text.Json.Nodes;

namespace SeekSharp.Server;

/// <summary>
/// An object of a request, read strictly: every field is taken by name and checked, and what nobody took is refused by name. <c>null</c> counts as absent, as clients send it for what they do not set.
/// </summary>
internal sealed class JsonFields
{
    private readonly JsonElement _object;
    private readonly string _path;
    private readonly HashSet<string> _taken = [];

    /// <exception cref="ApiException">It is no object.</exception>
    public JsonFields(JsonElement element, string path = "")
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw path.Length == 0 ? new ApiException(400, $"the body must be a JSON object, found {Kind(element)}", null, "invalid_json") : ApiException.Invalid(path, $"expected an object, found {Kind(element)}");
        (_object, _path) = (element, path);
    }

    /// <summary>A field's whole path.</summary>
    public string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    /// <summary>The field; null where it is absent or null.</summary>
    public JsonElement? Take(string name)
    {
        _taken.Add(name);
        return _object.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public string? Text(string name) => Take(name) is { } value ? TextOf(value, PathOf(name)) : null;

    public string RequiredText(string name) => Text(name) ?? throw ApiException.Invalid(PathOf(name), "this field is required");

    public bool? Flag(string name) => Take(name) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw ApiException.Invalid(PathOf(name), $"expected true or false, found {Kind(value)}");

    /// <summary>A number in a range.</summary>
    public float? Number(string name, double least, double most)
    {
        if (Take(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number)) throw ApiException.Invalid(PathOf(name), $"expected a number, found {Kind(value)}");
        return number >= least && number <= most ? (float)number : throw ApiException.OutOfRange(PathOf(name), $"expected {least} to {most}, found {value.GetRawText()}");
    }

    /// <summary>A whole number in a range.</summary>
    public long? Whole(string name, long least, long most)
    {
        if (Take(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Number) throw ApiException.Invalid(PathOf(name), $"expected a whole number, found {Kind(value)}");
        if (!value.TryGetInt64(out long number))
            throw value.TryGetDouble(out double d) && d == Math.Floor(d) ? OutOfRange() : ApiException.Invalid(PathOf(name), $"expected a whole number, found {value.GetRawText()}");
        return number >= least && number <= most ? number : throw OutOfRange();

        ApiException OutOfRange() => ApiException.OutOfRange(PathOf(name),
            most == long.MaxValue || most == int.MaxValue ? $"expected at least {least}, found {value.GetRawText()}" : $"expected {least} to {most}, found {value.GetRawText()}");
    }

    public JsonFields? Object(string name) => Take(name) is { } value ? new JsonFields(value, PathOf(name)) : null;

    /// <summary>An object as it stands, with every text in it checked.</summary>
    public JsonObject? Tree(string name)
    {
        if (Take(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Object) throw ApiException.Invalid(PathOf(name), $"expected an object, found {Kind(value)}");
        return (JsonObject)TreeOf(value, PathOf(name))!;
    }

    /// <summary>The elements of an array, with their paths.</summary>
    public IReadOnlyList<(JsonElement Value, string Path)>? Array(string name)
    {
        if (Take(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array) throw ApiException.Invalid(PathOf(name), $"expected an array, found {Kind(value)}");
        return Elements(value, PathOf(name));
    }

    public static IReadOnlyList<(JsonElement Value, string Path)> Elements(JsonElement array, string path)
    {
        var all = new List<(JsonElement, string)>(array.GetArrayLength());
        foreach (JsonElement element in array.EnumerateArray()) all.Add((element, $"{path}[{all.Count}]"));
        return all;
    }

    /// <exception cref="ApiException">It is no text, or one that is no Unicode.</exception>
    public static string TextOf(JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.String) throw ApiException.Invalid(path, $"expected a text, found {Kind(value)}");
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException) // half of a surrogate pair, or broken UTF-8
        {
            throw ApiException.Invalid(path, "the text is no valid Unicode");
        }
    }

    /// <summary>Refuses what nobody took.</summary>
    /// <param name="harmless">Fields that change nothing about the answer.</param>
    public void RefuseRest(params ReadOnlySpan<string> harmless)
    {
        foreach (JsonProperty property in _object.EnumerateObject())
        {
            string name;
            try
            {
                name = property.Name;
            }
            catch (InvalidOperationException)
            {
                throw new ApiException(400, "a field's name is no valid Unicode", null, "invalid_json");
            }
            if (_taken.Contains(name) || property.Value.ValueKind == JsonValueKind.Null || harmless.Contains(name)) continue;
            throw ApiException.Unsupported(PathOf(name.Length > 64 ? name[..64] + "…" : name));
        }
    }

    /// <summary>A tree of its own, with every text in it checked: a node reads its text late.</summary>
    public static JsonNode? TreeOf(JsonElement value, string path)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var members = new JsonObject();
                try
                {
                    foreach (JsonProperty p in value.EnumerateObject()) members[p.Name] = TreeOf(p.Value, path);
                }
                catch (InvalidOperationException)
                {
                    throw ApiException.Invalid(path, "a field's name is no valid Unicode");
                }
                return members;
            case JsonValueKind.Array:
                var elements = new JsonArray();
                foreach (JsonElement e in value.EnumerateArray()) elements.Add(TreeOf(e, path));
                return elements;
            case JsonValueKind.String: return JsonValue.Create(TextOf(value, path));
            case JsonValueKind.Null: return null;
            default: return JsonNode.Parse(value.GetRawText());
        }
    }

    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => "null",
    };
}
