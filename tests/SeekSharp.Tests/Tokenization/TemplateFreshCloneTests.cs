using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>The goldens that lie in the repository itself: a part of the reference data.</summary>
public class TemplateFreshCloneTests
{
    [Fact]
    public void RendersAsTransformersDoes()
    {
        string folder = Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "Tokenization", "Goldens");
        int texts = 0, errors = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "templates.jsonl")))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            string source = row.TryGetProperty("file", out JsonElement file) ? File.ReadAllText(Path.Combine(folder, file.GetString()!)) : row.GetProperty("template").GetString()!;
            string name = row.GetProperty("name").GetString()!;
            string Render() => ChatTemplate.Parse(source).Render(row.GetProperty("context"), new DateTimeOffset(2025, 1, 20, 9, 30, 0, TimeSpan.Zero));
            if (row.TryGetProperty("text", out JsonElement text))
            {
                Assert.True(text.GetString() == Render(), name);
                texts++;
            }
            else
            {
                TemplateException e = Assert.Throws<TemplateException>(() => Render());
                if (row.GetProperty("error_type").GetString() == "TemplateError") Assert.Equal(row.GetProperty("error").GetString(), e.Message);
                errors++;
            }
        }
        Assert.True(texts > 70 && errors > 15, $"{texts} texts, {errors} errors");
    }

    [Theory]
    [InlineData("{% if thinking %}{% endif %}", "thinking", true)]
    [InlineData("{% set ns = namespace(thinking=1) %}{{ ns.thinking }}", "thinking", false)]
    [InlineData("{% for m in messages %}{{ m.content if enable_thinking is defined }}{% endfor %}", "enable_thinking", true)]
    [InlineData("thinking tools", "tools", false)]
    public void TellsWhichVariablesATemplateReads(string source, string variable, bool reads) => Assert.Equal(reads, ChatTemplate.Parse(source).Uses(variable));

    [Theory]
    [InlineData("a\n{{ 1 / 0 }}", 2)]
    [InlineData("a\n\n{% nosuch %}", 3)]
    [InlineData("{{\n1 +\nmissing.x\n}}", 3)]
    [InlineData("{% for x in [1] %}\n{{ 'a' + x }}{% endfor %}", 2)]
    public void ErrorsNameTheLine(string source, int line)
    {
        TemplateException e = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).Render(Json("{}")));
        Assert.Equal(line, e.Line);
        Assert.EndsWith($"(line {line})", e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void ALongConversationIsNoHostileOne()
    {
        var messages = Enumerable.Range(0, 4000).Select(i => new { role = i % 2 == 0 ? "user" : "assistant", content = $"message {i} " + new string('x', 200) });
        JsonElement variables = JsonSerializer.SerializeToElement(new { messages });
        // Text collected piece by piece is copied again and again; it has to fit the budget all the same.
        string collected = ChatTemplate.Parse("{% set ns = namespace(s='') %}{% for m in messages %}{% set ns.s = ns.s ~ m.role %}{% endfor %}{{ ns.s | length }}").Render(variables);
        Assert.Equal((2000 * 13).ToString(), collected);
        string all = ChatTemplate.Parse("{% for m in messages %}{% if loop.last or m.role == 'user' %}[{{ m.content | trim }}]{% endif %}{% endfor %}").Render(variables);
        Assert.StartsWith("[message 0 xxx", all);
        Assert.Equal(2001, all.Count(c => c == '['));
    }

    [Fact]
    public void VariablesThatAreNoConversationAreErrors()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}{{ m.content }}{% endfor %}");
        foreach (string json in new[] { "[]", "1", "\"x\"", "{\"messages\":5}", "{\"messages\":[],\"tools\":[1]}", "{\"messages\":[],\"documents\":{}}", "{\"messages\":[{\"content\":\"\\ud800\"}]}",
            "{\"messages\":[],\"continue_final_message\":true}", "{\"messages\":[{\"role\":\"user\",\"content\":null}],\"continue_final_message\":true}", "{\"n\":" + new string('1', 5000) + "}" })
            Assert.Throws<TemplateException>(() => template.Render(Json(json)));
    }

    private static JsonElement Json(string json) => JsonDocument.Parse(json).RootElement;
}
