using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>Every rendering and every case of the reference data, whose README says which program made it.</summary>
public class TemplateGoldenTests
{
    // The goldens' clock.
    private static readonly DateTimeOffset Clock = new(2025, 1, 20, 9, 30, 0, TimeSpan.Zero);

    public static TheoryData<string> Templates
    {
        get
        {
            var data = new TheoryData<string>();
            string folder = Path.Combine(Repository.SharedFolder, "goldens", "templates");
            if (!Directory.Exists(folder)) data.Add("missing");
            else foreach (string path in Directory.GetFiles(folder, "*.jinja").Order(StringComparer.Ordinal)) data.Add(Path.GetFileNameWithoutExtension(path));
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Templates))]
    public void EveryConversationRendersAsTransformersDoes(string name)
    {
        string folder = Repository.Shared("goldens/templates");
        var template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(folder, name + ".jinja")));
        JsonNode conversations = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "conversations.json")))!;
        var byId = conversations.AsArray().ToDictionary(c => (string)c!["id"]!, c => c!);
        var failures = new StringBuilder();
        int count = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "renderings", name + ".jsonl")))
        {
            JsonNode row = JsonNode.Parse(line)!;
            JsonNode conversation = byId[(string)row["conversation"]!];
            JsonNode messages = conversation["messages"]!.DeepClone();
            if (row["drop_null"] is not null)
                foreach (JsonObject message in messages.AsArray().Cast<JsonObject>())
                    foreach (string key in message.Where(p => p.Value is null).Select(p => p.Key).ToList()) message.Remove(key);
            var variables = new JsonObject { ["messages"] = messages, ["tools"] = conversation["tools"]?.DeepClone() };
            foreach ((string key, JsonNode? value) in row["kwargs"]!.AsObject()) variables[key] = value?.DeepClone();
            Compare(failures, $"{name}/{row["conversation"]}", row, () => template.RenderWithSpans(JsonSerializer.SerializeToElement(variables), Clock));
            count++;
        }
        Assert.True(count > 50);
        Assert.True(failures.Length == 0, failures.ToString());
    }

    [Fact]
    public void EveryCaseOfTheLanguageBehavesAsJinja()
    {
        var failures = new StringBuilder();
        int count = 0;
        foreach (JsonNode row in Cases().Where(c => c["expect"] is null))
        {
            Compare(failures, (string)row["name"]!, row, () => ChatTemplate.Parse((string)row["template"]!).RenderWithSpans(JsonSerializer.SerializeToElement(row["context"]), Clock));
            count++;
        }
        Assert.Equal(303, count);
        Assert.True(failures.Length == 0, failures.ToString());
    }

    [Fact]
    public void EveryHostileTemplateEndsSoonAndInLittleMemory()
    {
        var failures = new StringBuilder();
        int count = 0;
        foreach (JsonNode row in Cases().Where(c => c["expect"] is not null))
        {
            string source = row["template"] is { } whole ? (string)whole!
                : string.Concat(row["parts"]!.AsArray().Select(p => string.Concat(Enumerable.Repeat((string)p![0]!, (int)p[1]!))));
            JsonElement context = JsonSerializer.SerializeToElement(row["context"]);
            bool mayPass = ((string)row["expect"]!).StartsWith("must end soon", StringComparison.Ordinal);
            // On a busy machine the clock runs on while the test waits: the better of two tries counts.
            double seconds = Time();
            if (seconds > 2) seconds = Math.Min(seconds, Time());
            if (seconds > 2) failures.AppendLine($"{row["name"]}: {seconds:0.00} s");

            double Time()
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                var watch = Stopwatch.StartNew();
                try
                {
                    ChatTemplate.Parse(source).Render(context, Clock);
                    if (!mayPass) failures.AppendLine($"{row["name"]}: was not stopped");
                }
                catch (TemplateException e)
                {
                    if (e.Message.Contains('\n')) failures.AppendLine($"{row["name"]}: more than one line");
                }
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                if (allocated > 512 << 20) failures.AppendLine($"{row["name"]}: {allocated >> 20} MiB allocated, garbage included");
                return watch.Elapsed.TotalSeconds;
            }
            count++;
        }
        Assert.Equal(39, count);
        Assert.True(failures.Length == 0, failures.ToString());
    }

    private static IEnumerable<JsonNode> Cases() =>
        File.ReadLines(Repository.Shared("goldens/templates/jinja_cases.jsonl")).Select(line => JsonNode.Parse(line)!);

    private static void Compare(StringBuilder failures, string name, JsonNode row, Func<RenderedPrompt> render)
    {
        string? text = (string?)row["text"], type = (string?)row["error_type"];
        try
        {
            RenderedPrompt prompt = render();
            if (text is null) failures.AppendLine($"{name}: expected {type}: {row["error"]}, got {JsonSerializer.Serialize(prompt.Text)}");
            else if (text != prompt.Text) failures.AppendLine($"{name}: expected {JsonSerializer.Serialize(text)}\n   got {JsonSerializer.Serialize(prompt.Text)}");
            if (row["generation"] is { } spans && text is not null)
            {
                string found = string.Concat(prompt.GenerationSpans.Select(s => $"[{s.Start},{s.End}]"));
                string expected = string.Concat(spans.AsArray().Select(s => $"[{s![0]},{s[1]}]"));
                if (found != expected) failures.AppendLine($"{name}: expected spans {expected}, got {found}");
            }
        }
        catch (TemplateException e)
        {
            if (text is not null) failures.AppendLine($"{name}: {row["template"]} failed with {e.Message}");
            else if (type == "TemplateError" && (e.Message != (string?)row["error"] || !e.RaisedByTemplate)) failures.AppendLine($"{name}: expected message {row["error"]}, got {e.Message}");
        }
    }
}
