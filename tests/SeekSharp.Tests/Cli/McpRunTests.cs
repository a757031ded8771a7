using System.Text.Json;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>run --schema</c> and <c>run --mcp</c>, as a process with a server of its own.</summary>
public sealed class McpRunTests
{
    private static string Server => $"\"{McpToolsTests.Dotnet}\" \"{McpToolsTests.ServerPath}\"";

    [Fact]
    public void An_answer_follows_a_schema()
    {
        using var folder = new TemporaryFolder();
        string schema = folder.Write("schema.json", """{"type":"object","properties":{"name":{"type":"string","maxLength":20},"red":{"type":"boolean"}},"required":["name","red"],"additionalProperties":false}""");
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("run", SmolLm2.File_, "Describe an apple.", "--schema", schema, "--temperature", "0");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement answer = JsonDocument.Parse(outcome.Output).RootElement;
        Assert.Equal(["name", "red"], answer.EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public void The_tools_of_a_server_are_shown_to_the_model()
    {
        SeekSharpProgram.Outcome with = SeekSharpProgram.Run("run", SmolLm2.File_, "hi", "--mcp", Server, "--temperature", "0", "--max-tokens", "4", "--json");
        Assert.True(with.ExitCode == 0, with.Error);
        JsonElement report = JsonDocument.Parse(with.Output).RootElement;
        Assert.True(report.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() > 300); // six tools
        Assert.Equal(["user", "assistant"], report.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("role").GetString()!));
    }

    /// <summary>The model copies the sign with which a call begins; from there on the grammar lets it write nothing but a call, which is run, and the model is asked again.</summary>
    [Fact]
    public void A_call_is_run_and_the_model_asked_again()
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("run", SmolLm2.File_, "Repeat exactly this text: <tool_call>", "--mcp", Server, "--temperature", "0", "--max-tokens", "60", "--json");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement[] messages = [.. JsonDocument.Parse(outcome.Output).RootElement.GetProperty("messages").EnumerateArray()];
        Assert.Equal(["user", "assistant", "tool", "assistant"], messages.Select(m => m.GetProperty("role").GetString()!).Take(4));
        JsonElement call = messages[1].GetProperty("tool_calls")[0], function = call.GetProperty("function");
        Assert.Equal("add", function.GetProperty("name").GetString());
        JsonElement arguments = function.GetProperty("arguments") is { ValueKind: JsonValueKind.String } text ? JsonDocument.Parse(text.GetString()!).RootElement : function.GetProperty("arguments");
        Assert.Equal($"{arguments.GetProperty("a").GetInt32() + arguments.GetProperty("b").GetInt32()}", messages[2].GetProperty("content").GetString());
        Assert.Equal(call.GetProperty("id").GetString(), messages[2].GetProperty("tool_call_id").GetString());
    }

    [Fact]
    public void What_cannot_work_is_one_line()
    {
        using var folder = new TemporaryFolder();
        string broken = folder.Write("broken.json", """{"type":"string","pattern":"("}""");
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("run", SmolLm2.File_, "hi", "--schema", broken);
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith("seeksharp: " + broken, outcome.Error);
        outcome = SeekSharpProgram.Run("run", SmolLm2.File_, "hi", "--mcp", "/no/such/server --flag");
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith("seeksharp: MCP server /no/such/server: ", outcome.Error);
        Assert.Single(outcome.Error.TrimEnd().Split('\n'));
        Assert.Equal(2, SeekSharpProgram.Run("run", SmolLm2.File_, "hi", "--raw", "--mcp", Server).ExitCode);
    }
}
