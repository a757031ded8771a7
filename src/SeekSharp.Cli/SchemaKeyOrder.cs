using System.Text.Json;
using System.Text.Json.Nodes;

namespace SeekSharp.Cli;

/// <summary>
/// Puts the members of a JSON value into the order in which a schema names them, members that it does not name behind them: the order in which a grammar of that schema expects them.
/// </summary>
internal static class SchemaKeyOrder
{
    private const int MostSchemas = 200; // that speak of one value

    public static JsonNode? Apply(JsonElement value, JsonElement schema) => Order(value, [schema], schema);

    private static JsonNode? Order(JsonElement value, List<JsonElement> schemas, JsonElement root)
    {
        schemas = Spread(schemas, root);
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                List<string> names = [];
                foreach (JsonElement schema in schemas)
                    if (schema.TryGetProperty("properties", out JsonElement properties) && properties.ValueKind == JsonValueKind.Object)
                        foreach (JsonProperty property in properties.EnumerateObject()) names.Add(property.Name);
                foreach (JsonElement schema in schemas)
                    if (schema.TryGetProperty("required", out JsonElement required) && required.ValueKind == JsonValueKind.Array)
                        foreach (JsonElement name in required.EnumerateArray())
                            if (name.ValueKind == JsonValueKind.String) names.Add(name.GetString()!);
                var result = new JsonObject();
                foreach (string name in names.Concat(value.EnumerateObject().Select(m => m.Name)).Distinct())
                    if (value.TryGetProperty(name, out JsonElement member)) result[name] = Order(member, Of(schemas, name), root);
                return result;
            case JsonValueKind.Array:
                var items = new JsonArray();
                int i = 0;
                foreach (JsonElement item in value.EnumerateArray()) items.Add(Order(item, At(schemas, i++), root));
                return items;
            default:
                return JsonNode.Parse(value.GetRawText());
        }
    }

    /// <summary>All schemas that speak of the same value, in the order in which their keywords are read.</summary>
    private static List<JsonElement> Spread(List<JsonElement> schemas, JsonElement root)
    {
        List<JsonElement> all = [];
        foreach (JsonElement schema in schemas) Visit(schema);
        return all;

        void Visit(JsonElement schema)
        {
            if (schema.ValueKind != JsonValueKind.Object || all.Count >= MostSchemas || all.Exists(a => a.Equals(schema))) return;
            all.Add(schema);
            if (schema.TryGetProperty("$ref", out JsonElement reference) && reference.ValueKind == JsonValueKind.String && Resolve(reference.GetString()!, root) is { } target) Visit(target);
            foreach (string keyword in (string[])["allOf", "anyOf", "oneOf"])
                if (schema.TryGetProperty(keyword, out JsonElement list) && list.ValueKind == JsonValueKind.Array)
                    foreach (JsonElement part in list.EnumerateArray()) Visit(part);
            foreach (string keyword in (string[])["if", "then", "else"])
                if (schema.TryGetProperty(keyword, out JsonElement part)) Visit(part);
        }
    }

    private static JsonElement? Resolve(string reference, JsonElement root)
    {
        int hash = reference.IndexOf('#', StringComparison.Ordinal);
        if (hash < 0) return null;
        JsonElement at = root;
        foreach (string part in Uri.UnescapeDataString(reference[(hash + 1)..]).Split('/').Skip(1))
        {
            string key = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (at.ValueKind == JsonValueKind.Object && at.TryGetProperty(key, out JsonElement member)) at = member;
            else if (at.ValueKind == JsonValueKind.Array && int.TryParse(key, out int index) && index >= 0 && index < at.GetArrayLength()) at = at[index];
            else return null;
        }
        return at;
    }

    private static List<JsonElement> Of(List<JsonElement> schemas, string name)
    {
        List<JsonElement> result = [];
        foreach (JsonElement schema in schemas)
        {
            if (schema.TryGetProperty("properties", out JsonElement properties) && properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(name, out JsonElement named)) result.Add(named);
            else
            {
                if (schema.TryGetProperty("patternProperties", out JsonElement patterns) && patterns.ValueKind == JsonValueKind.Object)
                    foreach (JsonProperty pattern in patterns.EnumerateObject()) result.Add(pattern.Value); // whichever it is, their order is the best that is known
                if (schema.TryGetProperty("additionalProperties", out JsonElement rest)) result.Add(rest);
            }
        }
        return result;
    }

    private static List<JsonElement> At(List<JsonElement> schemas, int index)
    {
        List<JsonElement> result = [];
        foreach (JsonElement schema in schemas)
        {
            bool found = false;
            foreach (string keyword in (string[])["prefixItems", "items"])
            {
                if (found || !schema.TryGetProperty(keyword, out JsonElement items)) continue;
                if (items.ValueKind == JsonValueKind.Array)
                {
                    found = index < items.GetArrayLength();
                    if (found) result.Add(items[index]);
                }
                else result.Add(items);
            }
            if (!found && schema.TryGetProperty("additionalItems", out JsonElement rest)) result.Add(rest);
        }
        return result;
    }
}
