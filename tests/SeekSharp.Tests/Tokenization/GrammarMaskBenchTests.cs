using System.IO.Compression;
using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>MaskBench (arXiv 2501.10868): schemas of the wild, with instances that are valid or not. Byte by byte; `seeksharp grammar` does it with tokens.</summary>
public sealed class GrammarMaskBenchTests
{
    private static readonly JsonSerializerOptions Compact = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true };

    [Fact]
    public void Nine_in_ten_schemas_with_every_verdict_right_and_no_invalid_instance_accepted()
    {
        int all = 0, right = 0, number = 0;
        List<string> invalid = [];
        using var file = new GZipStream(File.OpenRead(Repository.Shared("evals/jsonschema_maskbench.jsonl.gz")), CompressionMode.Decompress);
        using var lines = new StreamReader(file);
        while (lines.ReadLine() is { } line)
        {
            if (number++ % 2 != 0) continue; // every second one, for time's sake: `seeksharp grammar` is for all
            using JsonDocument entry = JsonDocument.Parse(line);
            JsonElement schema = entry.RootElement.GetProperty("schema");
            all++;
            try
            {
                Grammar grammar = Grammar.JsonSchema(schema.GetRawText());
                bool good = true;
                foreach (JsonElement test in entry.RootElement.GetProperty("tests").EnumerateArray())
                {
                    JsonElement data = test.GetProperty("data");
                    bool valid = test.GetProperty("valid").GetBoolean();
                    (bool compact, bool indented) = Verdicts(grammar, data, schema);
                    if ((compact || indented) && !valid) invalid.Add(entry.RootElement.GetProperty("id").GetString()!);
                    good &= (compact && indented) == valid;
                }
                if (good) right++;
            }
            catch (GrammarException)
            {
                // refused: neither right nor accepted
            }
        }
        Assert.Empty(invalid);
        Assert.Equal(200, all);
        Assert.True(right >= 0.9 * all, $"{right} of {all} schemas");
    }

    /// <summary>In the order of the file, or else of the schema.</summary>
    private static (bool Compact, bool Indented) Verdicts(Grammar grammar, JsonElement data, JsonElement schema)
    {
        (bool, bool) Try(object? value) =>
            (GrammarText.Takes(grammar, JsonSerializer.Serialize(value, Compact)), GrammarText.Takes(grammar, JsonSerializer.Serialize(value, Indented)));
        (bool compact, bool indented) = Try(data);
        if (compact || indented) return (compact, indented);
        return Try(SeekSharp.Cli.SchemaKeyOrder.Apply(data, schema));
    }
}
