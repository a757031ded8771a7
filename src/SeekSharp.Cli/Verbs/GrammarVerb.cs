using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp grammar</c>: compiles grammars, tries texts against them token by token, and measures the masks.</summary>
internal static partial class GrammarVerb
{
    // Schemas and their instances nest deeper than .NET's 64.
    private static readonly JsonDocumentOptions Json = new() { MaxDepth = 512 };
    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 512 };
    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true };

    private const string Sample = """
        {"schema":{"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z]+$"},"n":{"type":"integer","minimum":1},"kind":{"enum":["a","b"]},"list":{"type":"array","items":{"anyOf":[{"type":"string"},{"$ref":"#"}]}}},
         "required":["name"]},"tests":[{"data":{"name":"abc","n":12,"kind":"a","list":["some text",{"name":"b","other":[1.5,null]}]}}]}
        """;

    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var jsonl = new Option<string>("--jsonl")
        {
            Description = "Lines {\"id\", \"schema\"|\"regex\"|\"gbnf\", \"tests\": [{\"data\"}]}; each gives a line {\"id\", \"status\", \"error\", \"first_mask_us\", \"mask_us_p50\", \"mask_us_p99\", \"accepted\"}",
            HelpName = "FILE",
            Required = true,
        };
        var command = new Command("grammar", "Compile grammars, try texts against them and time their token masks") { model, jsonl };
        command.SetAction(parsed =>
        {
            string file = parsed.GetRequiredValue(jsonl);
            using ModelFolder folder = ModelArgument.Open(parsed.GetRequiredValue(model));
            Tokenizer tokenizer = ModelArgument.Tokenizer(folder);
            if (!File.Exists(file)) throw new CliException($"{file}: no such file");
            var vocabulary = new GrammarVocabulary(tokenizer, folder.Generation.EosTokenIds.Where(id => id < tokenizer.VocabularySize));
            using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false), 1 << 16);
            // What is measured is not .NET's own compiling, which a server does once.
            for (int i = 0; i < 20; i++) Try(Read(Sample, "", 0), tokenizer, vocabulary);
            int number = 0;
            foreach (string line in File.ReadLines(file, Encoding.UTF8))
            {
                number++;
                if (string.IsNullOrWhiteSpace(line)) continue;
                output.Write(JsonOutput.Line(Try(Read(line, file, number), tokenizer, vocabulary)));
                output.Write('\n');
            }
            return 0;
        });
        return command;
    }

    /// <summary>A line of the file.</summary>
    private sealed record Entry(JsonNode? Id, string Kind, JsonElement Grammar, List<JsonElement> Tests);

    private static Entry Read(string line, string file, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, Json);
            JsonElement entry = document.RootElement.Clone();
            string[] kinds = [.. new[] { "schema", "regex", "gbnf" }.Where(k => entry.TryGetProperty(k, out _))];
            List<JsonElement> tests = entry.TryGetProperty("tests", out JsonElement list) ? [.. list.EnumerateArray().Select(t => t.GetProperty("data"))] : [];
            if (kinds.Length == 1 && (kinds[0] == "schema" || entry.GetProperty(kinds[0]).ValueKind == JsonValueKind.String))
                return new Entry(entry.TryGetProperty("id", out JsonElement id) ? JsonNode.Parse(id.GetRawText()) : null, kinds[0], entry.GetProperty(kinds[0]), tests);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException) { }
        throw new CliException($"{file}: line {number}: expected an object with \"schema\", \"regex\" or \"gbnf\", and a list \"tests\" of objects with \"data\"");
    }

    private static JsonObject Try(Entry entry, Tokenizer tokenizer, GrammarVocabulary vocabulary)
    {
        var result = new JsonObject { ["id"] = entry.Id };
        try
        {
            string source = entry.Kind == "schema" ? entry.Grammar.GetRawText() : entry.Grammar.GetString()!;
            uint[] mask = new uint[vocabulary.MaskLength];
            long start = Stopwatch.GetTimestamp();
            Grammar grammar = entry.Kind switch { "schema" => Grammar.JsonSchema(source), "regex" => Grammar.Regex(source), _ => Grammar.Gbnf(source) };
            GrammarMatcher matcher = new TokenGrammar(grammar, vocabulary).CreateMatcher();
            matcher.FillMask(mask);
            double first = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            List<double> times = [];
            JsonArray accepted = [.. entry.Tests.Select(data => (JsonNode?)Accepts(entry, data, tokenizer, matcher, mask, times))];
            times.Sort();
            result["status"] = "compiled";
            result["error"] = null;
            result["first_mask_us"] = Math.Round(first, 1);
            result["mask_us_p50"] = Quantile(times, 0.5);
            result["mask_us_p99"] = Quantile(times, 0.99);
            result["accepted"] = accepted;
        }
        catch (Exception e) when (e is GrammarException or InvalidOperationException) // the second: half a surrogate pair in the grammar
        {
            result["status"] = "refused";
            result["error"] = e.Message;
        }
        return result;
    }

    private static JsonNode? Quantile(List<double> sorted, double part) => sorted.Count == 0 ? null : Math.Round(sorted[(int)(part * (sorted.Count - 1))], 2);

    /// <summary>
    /// As compact and as indented JSON, with the keys as they stand in the file or, if that is refused, as the schema names them. For a regular expression or GBNF a string may also be
    /// the text itself, and one form is enough.
    /// </summary>
    private static bool Accepts(Entry entry, JsonElement data, Tokenizer tokenizer, GrammarMatcher matcher, uint[] mask, List<double> times)
    {
        bool Fits(string text) => Accepts(text, tokenizer, matcher, mask, times);
        try
        {
            JsonNode? plain = JsonNode.Parse(data.GetRawText(), documentOptions: Json);
            if (entry.Kind != "schema") return data.ValueKind == JsonValueKind.String && Fits(data.GetString()!) || Fits(Text(plain, Compact)) || Fits(Text(plain, Indented));
            if (Fits(Text(plain, Compact)) && Fits(Text(plain, Indented))) return true;
            JsonNode? ordered = SchemaKeyOrder.Apply(data, entry.Grammar);
            string compact = Text(ordered, Compact);
            return compact != Text(plain, Compact) && Fits(compact) && Fits(Text(ordered, Indented));
        }
        catch (InvalidOperationException) // half a surrogate pair: no text, and no model could write it
        {
            return false;
        }
    }

    // .NET writes letters beyond U+FFFF as two escapes, whatever it is told; a model writes the letter.
    private static string Text(JsonNode? node, JsonSerializerOptions options) =>
        Escapes().Replace(node?.ToJsonString(options) ?? "null", static m => m.Length < 12 ? m.Value : new string([Unit(m.ValueSpan[2..6]), Unit(m.ValueSpan[8..])]));

    private static char Unit(ReadOnlySpan<char> hex) => (char)ushort.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\.")]
    private static partial Regex Escapes();

    /// <summary>A mask before each token, timed; the token must be in it, be taken, and at the end the text must be complete.</summary>
    private static bool Accepts(string text, Tokenizer tokenizer, GrammarMatcher matcher, uint[] mask, List<double> times)
    {
        matcher.Reset();
        foreach (int id in tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: false))
        {
            long start = Stopwatch.GetTimestamp();
            matcher.FillMask(mask);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            if ((mask[id >> 5] >> (id & 31) & 1) == 0 || !matcher.Accept(id)) return false;
        }
        return matcher.CanEnd;
    }
}
