using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp tokenize</c>: texts to ids.</summary>
internal static class TokenizeVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var text = new Argument<string?>("TEXT") { Description = "The text (default: standard input)", Arity = ArgumentArity.ZeroOrOne };
        var jsonl = new Option<string?>("--jsonl")
        {
            Description = "Lines {\"text\"} in FILE become lines {\"ids\", \"ids_special\", \"decoded\", \"decoded_skip\"}: without and with special tokens, and back",
            HelpName = "FILE",
        };
        var special = new Option<bool>("--special") { Description = "Add what the tokenizer adds to a text, such as its BOS" };
        var plain = new Option<bool>("--plain") { Description = "Take special tokens in the text as plain text" };
        Option<bool> json = JsonOutput.Create();
        var command = new Command("tokenize", "Turn text into token ids") { model, text, jsonl, special, plain, json };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(jsonl) is not null && parsed.GetValue(text) is not null) throw CliException.Usage("--jsonl takes the place of TEXT");
            using ModelFolder folder = ModelArgument.Open(parsed.GetRequiredValue(model));
            Tokenizer tokenizer = ModelArgument.Tokenizer(folder);
            if (parsed.GetValue(jsonl) is { } file) return Lines(tokenizer, folder.IsGguf, file);
            string input = parsed.GetValue(text) ?? StandardInput.ReadText();
            int[] ids = tokenizer.Encode(input, parsed.GetValue(special), !parsed.GetValue(plain));
            if (parsed.GetValue(json))
                JsonOutput.Write(new JsonObject { ["ids"] = Ids(ids), ["tokens"] = new JsonArray([.. ids.Select(id => (JsonNode?)tokenizer.IdToToken(id))]) });
            else
                Console.Out.WriteLine(string.Join(' ', ids));
            return 0;
        });
        return command;
    }

    /// <summary>
    /// For a tokenizer.json: ids without and with what its post-processor adds. For GGUF, as the goldens of llama.cpp have it: special tokens as plain
    /// text and nothing added, then special tokens read and BOS and EOS added as the file says.
    /// </summary>
    private static int Lines(Tokenizer tokenizer, bool isGguf, string file)
    {
        using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false), 1 << 16);
        int number = 0;
        foreach (string line in File.ReadLines(file, Encoding.UTF8))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            string text = TextOf(line, file, number);
            int[] ids = tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: !isGguf);
            int[] special = tokenizer.Encode(text, addSpecialTokens: true, parseSpecial: true);
            output.Write(JsonOutput.Line(new JsonObject
            {
                ["ids"] = Ids(ids),
                ["ids_special"] = Ids(special),
                ["decoded"] = tokenizer.Decode(special),
                ["decoded_skip"] = tokenizer.Decode(special, skipSpecialTokens: true),
            }));
            output.Write('\n');
        }
        return 0;
    }

    private static string TextOf(string line, string file, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String)
                return text.GetString()!;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) { } // the second: half a surrogate pair
        throw new CliException($"{file}: line {number}: expected an object with a string \"text\"");
    }

    private static JsonArray Ids(int[] ids) => [.. ids.Select(id => (JsonNode)id)];
}
