using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using SeekSharp.Chat;
using SeekSharp.Cli.Verbs;

namespace SeekSharp.Cli.Run;

/// <summary>The MCP servers of a run: their tools are shown to the model, and what it calls is run until it answers.</summary>
internal sealed class ToolRounds : IDisposable
{
    private const int MostRounds = 8;

    private readonly List<McpTools> _servers = [];
    private readonly Dictionary<string, AIFunction> _functions = new(StringComparer.Ordinal);

    /// <param name="commands">A program with its arguments each.</param>
    /// <exception cref="ToolServerException">A server does not start.</exception>
    /// <exception cref="CliException">Two servers have tools of one name.</exception>
    public static ToolRounds Start(IReadOnlyList<string> commands)
    {
        var rounds = new ToolRounds();
        using Interrupts.Scope interrupt = Interrupts.Begin();
        try
        {
            foreach (string command in commands)
            {
                string[] words = [.. System.CommandLine.Parsing.CommandLineParser.SplitCommandLine(command)];
                if (words.Length == 0) throw CliException.Usage("--mcp: expected a program and its arguments");
                McpTools server = McpTools.StartAsync(words[0], words[1..], interrupt.Token).GetAwaiter().GetResult();
                rounds._servers.Add(server);
                foreach (AIFunction function in server.Functions)
                    if (!rounds._functions.TryAdd(function.Name, function)) throw new CliException($"--mcp: two servers have a tool {function.Name}");
            }
            return rounds;
        }
        catch
        {
            rounds.Dispose();
            throw;
        }
    }

    /// <summary>The tools in the API's form; null where there are none.</summary>
    public JsonArray? Tools => _functions.Count == 0 ? null : RequestConversion.ToolsOf(_functions.Values);

    /// <summary>Takes an answer into the conversation; where it calls tools, runs them and asks again. The last answer comes back.</summary>
    /// <param name="session">The conversation.</param>
    /// <param name="answer">Its newest answer, which is not in it yet.</param>
    /// <param name="printer">Makes who shows a further answer; null for nobody.</param>
    /// <exception cref="OperationCanceledException">Ctrl+C while a tool ran; the conversation is as before the question.</exception>
    public Answer Finish(ChatSession session, Answer answer, Func<AnswerPrinter>? printer)
    {
        int before = session.Messages.Count - 1; // the question's place
        session.Take(answer);
        try
        {
            return Rounds(session, answer, printer);
        }
        catch
        {
            while (session.Messages.Count > before) session.Messages.RemoveAt(session.Messages.Count - 1);
            throw;
        }
    }

    private Answer Rounds(ChatSession session, Answer answer, Func<AnswerPrinter>? printer)
    {
        for (int round = 1; answer.FinishReason == "tool_calls" && _functions.Count > 0 && round <= MostRounds; round++)
        {
            if (answer.ToolCalls.Any(c => !_functions.ContainsKey(c.Name) && Declared(session, c.Name))) break; // given with --tools: shown, not run
            using (Interrupts.Scope interrupt = Interrupts.Begin())
            {
                foreach (ToolCall call in answer.ToolCalls)
                {
                    var content = new FunctionCallContent(call.Id, call.Name, JsonSerializer.Deserialize<Dictionary<string, object?>>(call.Arguments));
                    FunctionResultContent result = ToolRunner.RunAsync(_functions, content, null, null, interrupt.Token).GetAwaiter().GetResult();
                    string text = RequestConversion.ResultText(result.Result);
                    JsonObject message = ChatMessages.Of("tool", text);
                    message["tool_call_id"] = call.Id;
                    session.Messages.Add(message);
                    string line = CommandLine.OneLine(text);
                    if (printer is not null) RunVerb.Tell($"[{call.Name}] {(line.Length > 200 ? line[..200] + "…" : line)}");
                }
            }
            session.ToolMode = round == MostRounds ? ToolMode.None : ToolMode.Auto;
            try
            {
                answer = AnswerLoop.Run(session.Answer(), printer?.Invoke());
            }
            finally
            {
                session.ToolMode = ToolMode.Auto;
            }
            session.Take(answer);
        }
        return answer;
    }

    private static bool Declared(ChatSession session, string name) => session.Tools?.Any(t => (string?)t?["function"]?["name"] == name) == true;

    public void Dispose()
    {
        foreach (McpTools server in _servers) server.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _servers.Clear();
    }
}
