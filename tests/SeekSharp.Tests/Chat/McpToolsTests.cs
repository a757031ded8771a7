using Microsoft.Extensions.AI;
using SeekSharp.Chat;
using Xunit;
using static SeekSharp.Tests.Chat.ScriptedChatClient;

namespace SeekSharp.Tests.Chat;

/// <summary>A real MCP server, as a process, over its standard input and output.</summary>
public sealed class McpToolsTests(McpToolsTests.Server server) : IClassFixture<McpToolsTests.Server>
{
    internal static string ServerPath => Path.Combine(AppContext.BaseDirectory, "SeekSharp.McpTestServer.dll");
    internal static string Dotnet => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    public sealed class Server : IAsyncLifetime
    {
        public McpTools Tools { get; private set; } = null!;
        public async ValueTask InitializeAsync() => Tools = await McpTools.StartAsync(Dotnet, [ServerPath]);
        public ValueTask DisposeAsync() => Tools.DisposeAsync();
    }

    private AIFunction this[string name] => server.Tools.Functions.Single(f => f.Name == name);

    [Fact]
    public void Its_tools_are_functions()
    {
        Assert.Equal("test server", server.Tools.ServerName);
        Assert.Equal(["add", "crash", "fail", "hang", "map", "weather"], server.Tools.Functions.Select(f => f.Name).Order(StringComparer.Ordinal));
        Assert.Equal("Tells the weather", this["weather"].Description);
        Assert.Equal("string", this["weather"].JsonSchema.GetProperty("properties").GetProperty("city").GetProperty("type").GetString());
    }

    [Fact]
    public async Task The_loop_runs_them()
    {
        using var model = new ScriptedChatClient(
            _ => [Call("weather", """{"city":"Paris"}"""), Call("add", """{"a":2,"b":40}"""), Call("fail"), Call("map"), Call("add", """{"a":"x"}""")], _ => [new TextContent("done")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [.. server.Tools.Functions] };
        ChatResponse response = await loop.GetResponseAsync("What is the weather?");
        object?[] results = [.. response.Messages[1].Contents.Cast<FunctionResultContent>().Select(r => r.Result)];
        Assert.Equal(["It is sunny in Paris.", "42", "Error: no such day", "a map:\n[image, which cannot be shown]"], results[..4]);
        Assert.StartsWith("Error: ", (string?)results[4]);
    }

    [Fact]
    public async Task A_tool_that_never_answers_is_cancelled()
    {
        using var cancel = new CancellationTokenSource(100);
        using var model = new ScriptedChatClient(_ => [Call("hang")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [.. server.Tools.Functions] };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loop.GetResponseAsync("hi", cancellationToken: cancel.Token));
        Assert.Equal("3", (await this["add"].InvokeAsync(new() { ["a"] = 1, ["b"] = 2 }))?.ToString()); // the server goes on
    }

    [Fact]
    public async Task A_server_that_dies_gives_the_model_errors()
    {
        await using McpTools tools = await McpTools.StartAsync(Dotnet, [ServerPath]);
        using var model = new ScriptedChatClient(_ => [Call("crash")], _ => [Call("add", """{"a":1,"b":2}""")], _ => [new TextContent("it is gone")]);
        using var loop = new ToolLoopChatClient(model) { Tools = [.. tools.Functions] };
        Assert.Equal("it is gone", (await loop.GetResponseAsync("hi")).Messages[^1].Text);
        foreach (int request in (int[])[1, 2])
            Assert.StartsWith("Error: ", (string?)((FunctionResultContent)model.Asked[request].Messages[^1].Contents[0]).Result);
    }

    [Fact]
    public async Task What_is_no_server_is_one_line()
    {
        var missing = await Assert.ThrowsAsync<ToolServerException>(() => McpTools.StartAsync("/no/such/program", []));
        Assert.StartsWith("MCP server /no/such/program: ", missing.Message);
        var mute = await Assert.ThrowsAsync<ToolServerException>(() => McpTools.StartAsync(Dotnet, [ServerPath, "mute"]));
        Assert.Contains("out of order", mute.Message);
        Assert.DoesNotContain('\n', mute.Message);
    }
}
