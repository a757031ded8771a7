using System.Text;
using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// Reads tokenizer.json. The file is walked once to find where its parts are, then each is read in the order that they need each other; vocabulary and
/// merges, which are nearly all of it, never become strings or a DOM.
/// </summary>
internal static class TokenizerJson
{
    // What serde_json, with which Hugging Face's library reads, allows.
    private const int MaxDepth = 127;

    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };

    public static Tokenizer Read(ReadOnlySpan<byte> json)
    {
        try
        {
            if (json.StartsWith(Encoding.UTF8.Preamble)) throw new TokenizerException("tokenizer.json: begins with a byte order mark, expected '{'");
            if (!System.Text.Unicode.Utf8.IsValid(json)) throw new TokenizerException("tokenizer.json: not UTF-8");
            return ReadDocument(json);
        }
        catch (JsonException e)
        {
            throw new TokenizerException($"tokenizer.json: broken JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine}: {FirstLine(e.Message)}");
        }
        catch (InvalidOperationException e)
        {
            // System.Text.Json's way to report a string with an unpaired surrogate.
            throw new TokenizerException($"tokenizer.json: {FirstLine(e.Message)}");
        }
    }

    private static string FirstLine(string message) => message.ReplaceLineEndings(" ");

    private static Tokenizer ReadDocument(ReadOnlySpan<byte> json)
    {
        Dictionary<string, Range> top = FieldsOf(json, "tokenizer.json");
        if (top.TryGetValue("version", out Range version))
        {
            JsonElement v = Element(json[version]);
            if (v.ValueKind != JsonValueKind.String || v.GetString() != "1.0") throw new TokenizerException($"version: {Show(v)}, expected \"1.0\"");
        }
        if (!top.TryGetValue("model", out Range modelRange)) throw new TokenizerException("tokenizer.json: it has no model");

        (TokenTable tokens, MergeTable merges, BpeOptions options) = BpeJson.Read(json[modelRange]);
        Normalizer[] normalizers = NormalizerJson.Read(Component(json, top, "normalizer"));
        (PreTokenizer[] preTokenizers, bool mapsBytes) = PreTokenizerJson.Read(Component(json, top, "pre_tokenizer"));
        PostTemplate[] templates = PostProcessorJson.Read(Component(json, top, "post_processor"));
        DecoderStep[]? decoder = DecoderJson.Read(Component(json, top, "decoder"));
        AddedTokens added = ReadAddedTokens(Component(json, top, "added_tokens"), tokens, normalizers);

        BpeModel model = new(tokens, merges, options, mapsBytes);
        HuggingFaceEncoder encoder = new(added, normalizers, preTokenizers, mapsBytes, model, templates);
        return new Tokenizer(encoder, tokens, added, decoder);
    }

    /// <summary>Where the value of each field of an object lies; of a field that is there twice, the last one.</summary>
    internal static Dictionary<string, Range> FieldsOf(ReadOnlySpan<byte> json, string place)
    {
        Utf8JsonReader reader = new(json, ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new TokenizerException($"{place}: expected an object");
        Dictionary<string, Range> fields = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            fields[name] = start..(int)reader.BytesConsumed;
            if (fields.Count > 10_000) throw new TokenizerException($"{place}: over 10,000 fields");
        }
        reader.Read(); // Nothing may follow; the reader complains if something does.
        return fields;
    }

    internal static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, ReaderOptions);

    internal static JsonElement Element(ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = new(json, ReaderOptions);
        return JsonElement.ParseValue(ref reader);
    }

    internal static string Show(JsonElement e)
    {
        string text = e.ValueKind is JsonValueKind.Object ? "an object" : e.ValueKind is JsonValueKind.Array ? "an array" : e.GetRawText();
        return text.Length <= 80 ? text : text[..80] + "…";
    }

    private static JsonElement? Component(ReadOnlySpan<byte> json, Dictionary<string, Range> top, string name)
    {
        if (!top.TryGetValue(name, out Range range)) return null;
        JsonElement e = Element(json[range]);
        return e.ValueKind == JsonValueKind.Null ? null : e;
    }

    /// <summary>
    /// The ids that the file gives are not obeyed, as in the library: a content that the vocabulary has takes the vocabulary's id, any other the next free one.
    /// </summary>
    private static AddedTokens ReadAddedTokens(JsonElement? list, TokenTable tokens, Normalizer[] normalizers)
    {
        AddedTokens added = new();
        if (list is JsonElement array)
        {
            if (array.ValueKind != JsonValueKind.Array) throw new TokenizerException($"added_tokens: {Show(array)}, expected an array");
            long next = tokens.Count;
            long budget = TextPattern.Budget(array.GetRawText().Length);
            int index = 0;
            foreach (JsonElement e in array.EnumerateArray())
            {
                Fields f = new(e, $"added_tokens[{index++}]");
                f.Id("id");
                string content = f.String("content");
                AddedToken token = new(content, 0, f.Bool("special"), f.Bool("normalized"), f.Bool("lstrip"), f.Bool("rstrip"), f.Bool("single_word"));
                if (content.Length == 0) continue;
                if (!added.TryGetId(content, out int id) && !tokens.TryGetId(content, out id)) id = checked((int)next++);
                string form = token.Normalized ? Normalizer.ApplyAll(normalizers, content, ref budget) : content;
                added.Add(token with { Id = id, Form = form });
            }
        }
        added.Build();
        return added;
    }
}
