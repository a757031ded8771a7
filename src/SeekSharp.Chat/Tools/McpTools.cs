using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace SeekSharp.Chat;

/// <summary>
/// The tools of an MCP server (Model Context Protocol, over its standard input and output) as functions for <see cref="ToolLoopChatClient"/> or any other
/// user of <see cref="AIFunction"/>. The server is a program that is started here and ends with this.
/// </summary>
/// <remarks>A server runs with the rights of who starts it. The model sees its texts alone: a picture or a sound in a result becomes a line that says so.</remarks>
/// <example><code>
/// await using McpTools files = await McpTools.StartAsync("npx", ["-y", "@modelcontextprotocol/server-filesystem", "."]);
/// var client = new ToolLoopChatClient(leaf) { Tools = [.. files.Functions] };
/// </code></example>
public sealed class McpTools : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60); // a server may have to be downloaded first (npx, uvx)
    private static readonly TimeSpan Probe = TimeSpan.FromSeconds(20); // then a server is taken for one older than the protocol of 2026-07-28; one that starts slowly is not

    private readonly McpClient _client;

    private McpTools(McpClient client, IReadOnlyList<AIFunction> functions) => (_client, Functions) = (client, functions);

    /// <summary>What the server offers.</summary>
    public IReadOnlyList<AIFunction> Functions { get; }

    /// <summary>The server's name, as it gives it.</summary>
    public string ServerName => _client.ServerInfo?.Name ?? "";

    /// <summary>Starts a server and asks for its tools.</summary>
    /// <param name="command">The program.</param>
    /// <param name="arguments">Its arguments, none of them interpreted by a shell.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="ToolServerException">The program cannot be started, speaks no MCP, or does not answer within 60 seconds.</exception>
    public static async Task<McpTools> StartAsync(string command, IEnumerable<string> arguments, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(command);
        ArgumentNullException.ThrowIfNull(arguments);
        var complaints = new ConcurrentQueue<string>(); // the last lines of its standard error
        var transport = new StdioClientTransport(new StdioClientTransportOptions
        {
            Name = command,
            Command = command,
            Arguments = [.. arguments],
            StandardErrorLines = line =>
            {
                complaints.Enqueue(line.Length > 300 ? line[..300] : line);
                if (complaints.Count > 3) complaints.TryDequeue(out _);
            },
        });
        McpClient? client = null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            client = await McpClient.CreateAsync(transport, new McpClientOptions { InitializationTimeout = Patience, DiscoverProbeTimeout = Probe }, cancellationToken: limit.Token).ConfigureAwait(false);
            IList<McpClientTool> tools = await client.ListToolsAsync(cancellationToken: limit.Token).ConfigureAwait(false);
            return new McpTools(client, [.. tools.Select(t => new McpFunction(t, command))]);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (client is not null) await client.DisposeAsync().ConfigureAwait(false);
            string why = e is OperationCanceledException ? $"no answer within {Patience.TotalSeconds:0} seconds" : e.Message;
            throw new ToolServerException($"MCP server {command}: {why}{(complaints.IsEmpty ? "" : $" (it says: {string.Join(" / ", complaints)})")}", e);
        }
        catch
        {
            if (client is not null) await client.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Ends the server.</summary>
    public ValueTask DisposeAsync() => _client.DisposeAsync();

    /// <summary>The text of a result, as a model reads it.</summary>
    internal static string Text(CallToolResult result)
    {
        IEnumerable<string> parts = (result.Content ?? []).Select(block => block switch
        {
            TextContentBlock text => text.Text,
            EmbeddedResourceBlock { Resource: TextResourceContents text } => text.Text,
            ResourceLinkBlock link => link.Uri,
            _ => $"[{block.Type}, which cannot be shown]",
        });
        string all = string.Join("\n", parts);
        return all.Length == 0 && result.StructuredContent is { } structured ? structured.GetRawText() : all;
    }

    /// <summary>A tool whose result is text, and whose error is an exception.</summary>
    private sealed class McpFunction(McpClientTool tool, string server) : DelegatingAIFunction(tool)
    {
        protected override async ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken)
        {
            CallToolResult result;
            try
            {
                result = await tool.CallAsync(arguments, cancellationToken: cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
            {
                throw new ToolServerException($"MCP server {server}: {e.Message}", e);
            }
            string text = Text(result);
            return result.IsError == true ? throw new McpException(text.Length == 0 ? "the tool failed" : text) : text;
        }
    }
}
