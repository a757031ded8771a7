using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp template</c>: a conversation to the prompt that a model's chat template makes of it.</summary>
internal static class TemplateVerb
{
    private const long LargestInput = 1L << 30;

    // Tool schemas nest deeper than .NET's 64.
    private static readonly JsonDocumentOptions Json = new() { MaxDepth = 512 };

    internal static Command Create()
    {
        var model = new Argument<string>("MODEL_OR_JINJA")
        {
            Description = "A model (folder, .gguf file or pulled name), or a file with a Jinja template",
            HelpName = "MODEL_OR_JINJA",
        };
        var messages = new Option<string?>("--messages")
        {
            Description = "A JSON object: messages, tools, and further variables of the template such as add_generation_prompt (- reads standard input)",
            HelpName = "FILE",
        };
        var jsonl = new Option<string?>("--jsonl") { Description = "Such an object a line; each gives a line {\"text\"} or {\"error\"}", HelpName = "FILE" };
        Option<DateTimeOffset?> now = ClockOption.Create();
        var command = new Command("template", "Show the prompt that a chat template makes of a conversation") { model, messages, jsonl, now };
        command.SetAction(parsed =>
        {
            string? file = parsed.GetValue(messages), lines = parsed.GetValue(jsonl);
            if (file is null == lines is null) throw CliException.Usage("template takes either --messages FILE or --jsonl FILE");
            var source = TemplateSource.Open(parsed.GetRequiredValue(model));
            using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false), 1 << 16);
            if (lines is not null) return Lines(source, lines, parsed.GetValue(now), output);
            output.Write(source.Render(Read(file!), file!, parsed.GetValue(now)));
            if (!Console.IsOutputRedirected) output.Write('\n');
            return 0;
        });
        return command;
    }

    private static string Read(string file)
    {
        if (file == "-") return Console.In.ReadToEnd();
        var info = new FileInfo(file);
        if (!info.Exists) throw new CliException($"{file}: no such file");
        if (info.Length > LargestInput) throw new CliException($"{file}: {info.Length} bytes are too many for one conversation (at most {LargestInput})");
        return File.ReadAllText(file, Encoding.UTF8);
    }

    private static int Lines(TemplateSource source, string file, DateTimeOffset? now, StreamWriter output)
    {
        if (!File.Exists(file)) throw new CliException($"{file}: no such file");
        int number = 0;
        foreach (string line in File.ReadLines(file, Encoding.UTF8))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            var answer = new JsonObject();
            try
            {
                answer["text"] = source.Render(line, $"line {number}", now);
            }
            catch (Exception e) when (e is TemplateException or CliException)
            {
                answer["error"] = e.Message;
            }
            output.Write(JsonOutput.Line(answer));
            output.Write('\n');
        }
        return 0;
    }

    /// <summary>The template, and what the model adds to the variables.</summary>
    private sealed class TemplateSource
    {
        private readonly Func<ChatTemplate> _template;
        private readonly Func<ChatTemplate>? _toolTemplate;
        private readonly string? _bos;
        private readonly string? _eos;

        private TemplateSource(string template, string? toolTemplate, string? bos, string? eos)
        {
            // Parsed once, when first used: an error belongs to the rendering that meets it.
            _template = Once(template);
            _toolTemplate = toolTemplate is null ? null : Once(toolTemplate);
            (_bos, _eos) = (bos, eos);
        }

        private static Func<ChatTemplate> Once(string source)
        {
            ChatTemplate? template = null;
            return () => template ??= ChatTemplate.Parse(source);
        }

        public static TemplateSource Open(string model)
        {
            if (File.Exists(model) && IsTemplate(model)) return new TemplateSource(Read(model), null, null, null);
            using ModelFolder folder = ModelFolder.Open(ModelArgument.Resolve(model));
            string template = folder.ChatTemplateSource ?? throw new CliException($"{model}: there is no chat template");
            return new TemplateSource(template, folder.ToolTemplateSource, folder.BosToken, folder.EosToken);
        }

        /// <summary>Every file that is no GGUF and no JSON counts as Jinja.</summary>
        private static bool IsTemplate(string file)
        {
            string name = Path.GetFileName(file);
            if (name.EndsWith(".jinja", StringComparison.OrdinalIgnoreCase)) return true;
            if (name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) || name.Contains(".json", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) return false;
            using FileStream stream = File.OpenRead(file);
            Span<byte> magic = stackalloc byte[4];
            return stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4 || !magic.SequenceEqual("GGUF"u8);
        }

        public string Render(string json, string where, DateTimeOffset? now)
        {
            JsonElement variables;
            try
            {
                var document = JsonDocument.Parse(json, Json);
                if (document.RootElement.ValueKind != JsonValueKind.Object)
                    throw new CliException($"{where}: expected a JSON object with messages, found {document.RootElement.ValueKind.ToString().ToLowerInvariant()}");
                variables = WithTokens(document.RootElement);
            }
            catch (JsonException e)
            {
                throw new CliException($"{where}: not JSON: {e.Message}");
            }
            catch (InvalidOperationException)
            {
                throw new CliException($"{where}: half a surrogate pair is no text");
            }
            bool tools = variables.TryGetProperty("tools", out JsonElement list) && list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0;
            ChatTemplate template = (tools ? _toolTemplate : null)?.Invoke() ?? _template();
            return template.Render(variables, now);
        }

        /// <summary>The variables, with the model's bos_token and eos_token where they are not given.</summary>
        private JsonElement WithTokens(JsonElement variables)
        {
            if (_bos is null && _eos is null) return variables;
            using var buffer = new MemoryStream();
            using (var writer = new Utf8JsonWriter(buffer))
            {
                writer.WriteStartObject();
                foreach (JsonProperty property in variables.EnumerateObject()) property.WriteTo(writer);
                if (_bos is not null && !variables.TryGetProperty("bos_token", out _)) writer.WriteString("bos_token", _bos);
                if (_eos is not null && !variables.TryGetProperty("eos_token", out _)) writer.WriteString("eos_token", _eos);
                writer.WriteEndObject();
            }
            return JsonDocument.Parse(buffer.ToArray(), Json).RootElement;
        }
    }
}
