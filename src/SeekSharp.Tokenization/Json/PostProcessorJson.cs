using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Reads the <c>post_processor</c> of a tokenizer.json.</summary>
internal static class PostProcessorJson
{
    public static PostTemplate[] Read(JsonElement? e)
    {
        if (e is not JsonElement root) return [];
        List<PostTemplate> templates = [];
        foreach (Fields f in Fields.Flatten(root, "post_processor", "processors"))
        {
            if (f.Type == "TemplateProcessing") templates.Add(ReadTemplate(f));
            else if (f.Type != "ByteLevel") throw f.Unsupported("post-processor", "TemplateProcessing, ByteLevel, Sequence"); // ByteLevel moves offsets only.
        }
        return [.. templates];
    }

    private static PostTemplate ReadTemplate(Fields f)
    {
        Dictionary<string, int[]> special = [];
        JsonElement map = f.Need("special_tokens");
        if (map.ValueKind != JsonValueKind.Object) throw new TokenizerException($"{f.Place}.special_tokens: {TokenizerJson.Show(map)}, expected an object");
        foreach (JsonProperty p in map.EnumerateObject())
        {
            Fields token = new(p.Value, $"{f.Place}.special_tokens.{p.Name}");
            List<int> ids = [];
            foreach (JsonElement id in token.Array("ids").EnumerateArray())
            {
                if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out int n) || n < 0)
                    throw new TokenizerException($"{token.Place}.ids: {TokenizerJson.Show(id)}, expected an id below 2^31");
                ids.Add(n);
            }
            special[p.Name] = [.. ids];
        }
        return new PostTemplate(Parts(f, "single", special), Parts(f, "pair", special));
    }

    private static PostTemplate.Part[] Parts(Fields f, string name, Dictionary<string, int[]> special)
    {
        List<PostTemplate.Part> parts = [];
        foreach (JsonElement e in f.Array(name).EnumerateArray())
        {
            Fields piece = new(e, $"{f.Place}.{name}[{parts.Count}]");
            if (piece.Find("Sequence") is JsonElement sequence)
            {
                string id = new Fields(sequence, piece.Place).String("id");
                parts.Add(id is "A" or "B" ? new(id == "A" ? 0 : 1, null) : throw new TokenizerException($"{piece.Place}: sequence \"{id}\", expected A or B"));
            }
            else if (piece.Find("SpecialToken") is JsonElement token)
            {
                string id = new Fields(token, piece.Place).String("id");
                if (!special.TryGetValue(id, out int[]? ids)) throw new TokenizerException($"{piece.Place}: \"{id}\" is not among special_tokens");
                parts.Add(new(0, ids));
            }
            else
            {
                throw new TokenizerException($"{piece.Place}: expected Sequence or SpecialToken");
            }
        }
        return [.. parts];
    }
}
