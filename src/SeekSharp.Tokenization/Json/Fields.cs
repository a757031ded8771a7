using System.Text;
using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>The fields of one object of tokenizer.json, read with a message that says where and what.</summary>
internal readonly struct Fields
{
    /// <summary>The most components that Sequences may hold: each has its price for every text.</summary>
    public const int MaxSteps = 256;

    private readonly JsonElement _object;

    public Fields(JsonElement e, string place)
    {
        if (e.ValueKind != JsonValueKind.Object) throw new TokenizerException($"{place}: {TokenizerJson.Show(e)}, expected an object");
        _object = e;
        Place = place;
    }

    public string Place { get; }

    public string Type => String("type");

    /// <summary>The field's value, null where it is absent or null.</summary>
    public JsonElement? Find(string name) => _object.TryGetProperty(name, out JsonElement e) && e.ValueKind != JsonValueKind.Null ? e : null;

    public JsonElement Need(string name) => Find(name) ?? throw new TokenizerException($"{Place}: it has no {name}");

    public string String(string name) => AsString(Need(name), name);

    public string? StringOrNull(string name) => Find(name) is JsonElement e ? AsString(e, name) : null;

    public bool Bool(string name) => AsBool(Need(name), name);

    public bool Bool(string name, bool otherwise) => Find(name) is JsonElement e ? AsBool(e, name) : otherwise;

    public int Id(string name)
    {
        JsonElement e = Need(name);
        if (e.ValueKind != JsonValueKind.Number || !e.TryGetUInt32(out uint id) || id > int.MaxValue) throw Wrong(e, name, "an id below 2^31");
        return (int)id;
    }

    public int Count(string name)
    {
        JsonElement e = Need(name);
        if (e.ValueKind != JsonValueKind.Number || !e.TryGetUInt64(out ulong n)) throw Wrong(e, name, "a count");
        return (int)Math.Min(n, int.MaxValue);
    }

    /// <summary>A string of exactly one code point.</summary>
    public string Character(string name)
    {
        string s = String(name);
        if (s.Length == 0 || Rune.DecodeFromUtf16(s, out _, out int length) != System.Buffers.OperationStatus.Done || length != s.Length)
            throw new TokenizerException($"{Place}.{name}: \"{s}\", expected one character");
        return s;
    }

    /// <summary>A pattern, <c>{"String": …}</c> or <c>{"Regex": …}</c>.</summary>
    public TextPattern Pattern()
    {
        Fields pattern = new(Need("pattern"), $"{Place}.pattern");
        if (pattern.Find("String") is not null) return TextPattern.Literal(pattern.String("String"));
        try
        {
            return TextPattern.Compile(pattern.String("Regex"));
        }
        catch (TokenizerException e)
        {
            throw new TokenizerException($"{pattern.Place}: {e.Message}");
        }
    }

    public JsonElement Array(string name)
    {
        JsonElement e = Need(name);
        return e.ValueKind == JsonValueKind.Array ? e : throw Wrong(e, name, "an array");
    }

    public TokenizerException Unsupported(string kind, string known) =>
        new($"{Place}: {kind} \"{Type}\" is not supported; supported: {known}");

    /// <summary>The components of Sequences inside each other, in order.</summary>
    public static List<Fields> Flatten(JsonElement e, string place, string listName)
    {
        List<Fields> found = [];
        Flatten(e, place, listName, found);
        return found;
    }

    private static void Flatten(JsonElement e, string place, string listName, List<Fields> found)
    {
        Fields f = new(e, place);
        if (f.Type != "Sequence")
        {
            if (found.Count >= MaxSteps) throw new TokenizerException($"{place}: over {MaxSteps} steps");
            found.Add(f);
            return;
        }
        int i = 0;
        foreach (JsonElement item in f.Array(listName).EnumerateArray())
            Flatten(item, $"{(place.Length > 200 ? "…" : place)}.{listName}[{i++}]", listName, found);
    }

    private string AsString(JsonElement e, string name) => e.ValueKind == JsonValueKind.String ? e.GetString()! : throw Wrong(e, name, "a string");

    private bool AsBool(JsonElement e, string name) =>
        e.ValueKind is JsonValueKind.True or JsonValueKind.False ? e.GetBoolean() : throw Wrong(e, name, "true or false");

    private TokenizerException Wrong(JsonElement e, string name, string expected) => new($"{Place}.{name}: {TokenizerJson.Show(e)}, expected {expected}");
}
