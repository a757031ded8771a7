using System.Globalization;
using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>
/// One JSON object of a config, read by kind and range; what is wrong is reported with file and key. A key that is
/// null counts as missing, as Python's None does in the config classes of Transformers.
/// </summary>
internal sealed class ConfigObject(string place, JsonElement json)
{
    /// <summary>File (and key of an inner object), for messages.</summary>
    public string Place => place;

    /// <summary>The JSON itself.</summary>
    public JsonElement Json => json;

    /// <summary>The key is there, be it null.</summary>
    public bool Has(string key) => json.TryGetProperty(key, out _);

    /// <summary>The value of a key; null where missing or null.</summary>
    public JsonElement? Get(string key) => json.TryGetProperty(key, out JsonElement e) && e.ValueKind != JsonValueKind.Null ? e : null;

    public ConfigObject? Child(string key)
    {
        if (Get(key) is not JsonElement e) return null;
        return e.ValueKind == JsonValueKind.Object ? new ConfigObject($"{place}: {key}", e) : throw Wrong(key, "an object", e);
    }

    public string? Text(string key)
    {
        if (Get(key) is not JsonElement e) return null;
        return e.ValueKind == JsonValueKind.String ? e.GetString() : throw Wrong(key, "a string", e);
    }

    public bool Flag(string key, bool otherwise = false)
    {
        if (Get(key) is not JsonElement e) return otherwise;
        return e.ValueKind is JsonValueKind.True or JsonValueKind.False ? e.GetBoolean() : throw Wrong(key, "true or false", e);
    }

    /// <summary>A whole number within the range; null where missing.</summary>
    public int? Whole(string key, int least, int most)
    {
        if (Get(key) is not JsonElement e) return null;
        if (e.ValueKind == JsonValueKind.Number && e.TryGetInt64(out long n) && n >= least && n <= most) return (int)n;
        throw Wrong(key, $"a whole number from {least} to {most}", e);
    }

    /// <summary>A whole number within the range, which must be there.</summary>
    public int RequiredWhole(string key, int least, int most) => Whole(key, least, most) ?? throw Missing(key);

    /// <summary>A finite number within the range; null where missing.</summary>
    public double? Number(string key, double least, double most)
    {
        if (Get(key) is not JsonElement e) return null;
        if (e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out double n) && n >= least && n <= most) return n;
        throw Wrong(key, string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"), e);
    }

    public double RequiredNumber(string key, double least, double most) => Number(key, least, most) ?? throw Missing(key);

    /// <summary>One whole number or a list of them; empty where missing.</summary>
    public int[] WholeList(string key, int least, int most)
    {
        if (Get(key) is not JsonElement e) return [];
        if (e.ValueKind != JsonValueKind.Array) return [RequiredWhole(key, least, most)];
        var list = new List<int>();
        foreach (JsonElement item in e.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long n) || n < least || n > most)
                throw Wrong(key, $"whole numbers from {least} to {most}", item);
            list.Add((int)n);
        }
        return [.. list];
    }

    public CheckpointException Missing(string key) => new($"{place}: {key} is missing");

    public CheckpointException Wrong(string key, string expected, JsonElement found) => new($"{place}: {key}: expected {expected}, found {Show(found)}");

    private static string Show(JsonElement e) => e.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        _ => Checkpoint.Show(e.GetRawText()),
    };
}
