using System.Text.Json.Nodes;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>seeksharp template</c>, as a process.</summary>
public sealed class TemplateVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("seeksharp-template-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public void AConversationBecomesItsPromptByteForByte()
    {
        string template = Write("chat.jinja", "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n\n{% endfor %}{{ strftime_now('%d %b %Y') }}{{ tools is none }}");
        string messages = Write("m.json", """{"messages":[{"role":"user","content":"Grüezi 😀"}]}""");
        SeekSharpProgram.Outcome o = SeekSharpProgram.Run("template", template, "--messages", messages, "--now", "2025-01-20T23:30:00Z");
        Assert.Equal((0, "<user>Grüezi 😀\n\n20 Jan 2025True", ""), (o.ExitCode, o.Output, o.Error));
        o = SeekSharpProgram.RunWith(File.ReadAllText(messages), null, "template", template, "--messages", "-", "--now", "2025-01-20");
        Assert.Equal((0, "<user>Grüezi 😀\n\n20 Jan 2025True"), (o.ExitCode, o.Output));
    }

    [Fact]
    public void LinesGiveATextOrAnErrorEach()
    {
        string template = Write("chat.jinja", "{% for m in messages %}{% if m.role == 'x' %}{{ raise_exception('no x') }}{% endif %}{{ m.content }}{% endfor %}");
        string lines = Write("m.jsonl", """
            {"messages":[{"role":"user","content":"a\nb"}]}
            {"messages":[{"role":"x"}]}
            {"messages":
            {"messages":[{"role":"user","content":"\ud800"}]}
            """);
        SeekSharpProgram.Outcome o = SeekSharpProgram.Run("template", template, "--jsonl", lines);
        Assert.Equal((0, ""), (o.ExitCode, o.Error));
        JsonNode[] answers = [.. o.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
        Assert.Equal("a\nb", (string?)answers[0]["text"]);
        Assert.Equal("no x", (string?)answers[1]["error"]);
        Assert.StartsWith("line 3: not JSON", (string?)answers[2]["error"]);
        Assert.NotNull(answers[3]["error"]);
        Assert.Equal(4, answers.Length);
    }

    [Fact]
    public void TheTokensComeFromTheModelUnlessTheyAreGiven()
    {
        Write("tokenizer_config.json", """{"bos_token":"<s>","eos_token":{"content":"</s>"},"chat_template":"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"}""");
        Write("tokenizer.json", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""");
        string lines = Write("m.jsonl", """
            {"messages":[{"role":"user","content":"a"}]}
            {"messages":[{"role":"user","content":"b"}],"bos_token":"B"}
            """);
        SeekSharpProgram.Outcome o = SeekSharpProgram.Run("template", _folder, "--jsonl", lines);
        Assert.Equal((0, "{\"text\":\"<s>a</s>\"}\n{\"text\":\"Bb</s>\"}\n", ""), (o.ExitCode, o.Output, o.Error));
    }

    [Theory]
    [InlineData("{% if %}", """{"messages":[]}""", 1, "line 1")]
    [InlineData("{{ raise_exception('a\nb') }}", """{"messages":[]}""", 1, "a b")]
    [InlineData("x", "[1]", 1, "expected a JSON object")]
    [InlineData("x", "{", 1, "not JSON")]
    [InlineData("x", null, 1, "no such file")]
    public void WhatIsWrongIsOneLine(string template, string? messages, int code, string says)
    {
        string file = messages is null ? Path.Combine(_folder, "none.json") : Write("m.json", messages);
        SeekSharpProgram.Outcome o = SeekSharpProgram.Run("template", Write("chat.jinja", template), "--messages", file);
        Assert.Equal((code, ""), (o.ExitCode, o.Output));
        Assert.StartsWith("seeksharp: ", o.Error);
        Assert.Contains(says, o.Error);
        Assert.Equal(1, o.Error.Count(c => c == '\n'));
    }
}
