using System.ComponentModel;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

// A small MCP server over standard input and output, for tests.
if (args is ["mute"])
{
    await Console.Error.WriteLineAsync("out of order");
    return 1;
}
var tools = new McpServerPrimitiveCollection<McpServerTool>
{
    McpServerTool.Create(([Description("A city")] string city) => $"It is sunny in {city}.", new() { Name = "weather", Description = "Tells the weather" }),
    McpServerTool.Create((int a, int b) => a + b, new() { Name = "add", Description = "Adds two numbers" }),
    McpServerTool.Create(() => new CallToolResult { IsError = true, Content = [new TextContentBlock { Text = "no such day" }] }, new() { Name = "fail", Description = "Always fails" }),
    McpServerTool.Create(() => new CallToolResult { Content = [new TextContentBlock { Text = "a map:" }, ImageContentBlock.FromBytes(new byte[] { 1, 2, 3 }, "image/png")] }, new() { Name = "map", Description = "Draws" }),
    McpServerTool.Create(() => { Environment.Exit(3); return ""; }, new() { Name = "crash", Description = "Ends the server" }),
    McpServerTool.Create(async (CancellationToken cancel) => { await Task.Delay(Timeout.Infinite, cancel); return ""; }, new() { Name = "hang", Description = "Never answers" }),
};
var options = new McpServerOptions { ServerInfo = new() { Name = "test server", Version = "1" }, ToolCollection = tools };
await using McpServer server = McpServer.Create(new StdioServerTransport(options), options);
await server.RunAsync();
return 0;
