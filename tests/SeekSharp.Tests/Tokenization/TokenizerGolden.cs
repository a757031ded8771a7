using System.IO.Compression;
using System.Text;
using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>Reads golden cases and compares a tokenizer with them; what differs is collected, so that one run shows all of it.</summary>
internal sealed class TokenizerGolden
{
    private readonly List<string> _wrong = [];

    public int Compared { get; private set; }

    public static IEnumerable<JsonElement> Lines(string path)
    {
        using Stream file = File.OpenRead(path);
        using Stream text = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using StreamReader reader = new(text, Encoding.UTF8);
        List<JsonElement> lines = [];
        while (reader.ReadLine() is string line)
            if (line.Length > 0) lines.Add(JsonDocument.Parse(line).RootElement);
        return lines;
    }

    public static int[] Ids(JsonElement line, string name) => [.. line.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    public void Same(string place, string what, string? expected, string? found)
    {
        Compared++;
        if (expected != found) _wrong.Add($"{place} {what}:\n  expected {Show(expected)}\n  found    {Show(found)}");
    }

    public void Same(string place, string what, int[] expected, int[] found) => Same(place, what, string.Join(' ', expected), string.Join(' ', found));

    public void Fail(string place, string what) => _wrong.Add($"{place}: {what}");

    /// <summary>Fails with everything that differed; <paramref name="atLeast"/> guards against a folder that has lost its files.</summary>
    public void AssertAllSame(int atLeast)
    {
        if (_wrong.Count > 0) Assert.Fail($"{_wrong.Count} of {Compared} differ:\n{string.Join('\n', _wrong.Take(25))}");
        Assert.True(Compared >= atLeast, $"only {Compared} comparisons, expected {atLeast}");
    }

    /// <summary>Compares everything that a line of a cases file says.</summary>
    public void Case(string place, Tokenizer tokenizer, JsonElement line)
    {
        string text = line.GetProperty("text").GetString()!;
        place = $"{place} {Show(text)}";
        if (line.TryGetProperty("error", out _)) return;
        try
        {
            int[] special = Ids(line, "ids_special");
            Same(place, "ids", Ids(line, "ids"), tokenizer.Encode(text, addSpecialTokens: false));
            Same(place, "ids_special", special, tokenizer.Encode(text));
            foreach ((string name, bool skip) in new[] { ("decoded", false), ("decoded_skip", true) })
            {
                if (line.GetProperty(name).GetString() is not string decoded) continue;
                Same(place, name, decoded, tokenizer.Decode(special, skip));
                TokenStream stream = tokenizer.CreateStream(skip);
                Same(place, name + " as a stream", decoded, string.Concat(special.Select(stream.Push)) + stream.Flush());
            }
            if (line.TryGetProperty("normalized", out JsonElement normalized))
            {
                HuggingFaceEncoder encoder = (HuggingFaceEncoder)tokenizer.Encoder;
                Same(place, "normalized", normalized.GetString(), encoder.Normalize(text));
                if (line.GetProperty("pretokens") is { ValueKind: JsonValueKind.Array } pretokens)
                    Same(place, "pretokens", string.Join('|', pretokens.EnumerateArray().Select(p => p.GetString())), string.Join('|', encoder.PreTokenize(encoder.Normalize(text))));
            }
            // The library shows an added token as the text that it swallowed, spaces and normalization included: no matter of ids.
            if (!place.StartsWith("added_", StringComparison.Ordinal) && line.TryGetProperty("tokens", out JsonElement tokens))
                Same(place, "tokens", string.Join('|', tokens.EnumerateArray().Select(p => p.GetString())), string.Join('|', Ids(line, "ids").Select(tokenizer.IdToToken)));
        }
        catch (TokenizerException e)
        {
            Fail(place, e.Message);
        }
    }

    public static string Show(string? text) => text is null ? "null" : JsonSerializer.Serialize(text.Length <= 200 ? text : text[..200] + "…", Json);

    private static readonly JsonSerializerOptions Json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
