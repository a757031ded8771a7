using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace SeekSharp.Chat;

/// <summary>
/// Runs the tools that a model calls and asks again with their results, until it answers with text. Tools are .NET functions
/// (<see cref="AIFunctionFactory"/> makes them from delegates) and those of MCP servers (<see cref="McpTools"/>): those of the request's options, and <see cref="Tools"/>.
/// </summary>
/// <remarks>
/// <para>A call of an unknown tool, arguments that do not fit, and a tool that throws give the model a result that begins with <c>Error:</c>; the loop goes on.
/// After <see cref="MaxRounds"/> rounds the model is asked once more, without tools.</para>
/// <para>An answer with a call that only the caller can run (a declaration without a function behind it, or an <see cref="ApprovalRequiredAIFunction"/> while
/// <see cref="Approve"/> is null) is given back as it is, none of its calls run. A tool mode that requires a call holds for the first round.</para>
/// <para>The answer has every message of the rounds: calls, results, text. The inner client must be one that keeps no conversation of its own. Safe for several threads, as far as the tools are.</para>
/// </remarks>
/// <param name="inner">Who answers; disposed with this.</param>
/// <param name="services">Given to functions that ask for services.</param>
/// <example><code>
/// IChatClient client = new ToolLoopChatClient(SeekSharpChatClient.Load("model.gguf"));
/// var options = new ChatOptions { Tools = [AIFunctionFactory.Create((string city) => "sunny", "weather")] };
/// Console.WriteLine(await client.GetResponseAsync("What is the weather in Paris?", options));
/// </code></example>
public sealed class ToolLoopChatClient(IChatClient inner, IServiceProvider? services = null) : DelegatingChatClient(inner)
{
    /// <summary>Most rounds of calls to one request; at least 1.</summary>
    public int MaxRounds
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = 8;

    /// <summary>Offered in every request, beside those of its options; there a tool of the same name takes the place of one here.</summary>
    public IReadOnlyList<AITool> Tools { get; init; } = [];

    /// <summary>Asked before each call; false gives the model an error in place of a result. Null: only functions that require approval are not run.</summary>
    public Func<FunctionCallContent, CancellationToken, ValueTask<bool>>? Approve { get; init; }

    /// <inheritdoc/>
    public override Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        List<ChatMessage> conversation = [.. messages];
        ChatOptions? asked = WithTools(options);
        Dictionary<string, AIFunction> functions = new(StringComparer.Ordinal);
        HashSet<string> callers = new(StringComparer.Ordinal); // what only the caller can run
        foreach (AITool tool in asked?.Tools ?? [])
        {
            bool isOurs = tool is AIFunction && (Approve is not null || tool.GetService<ApprovalRequiredAIFunction>() is null);
            if (isOurs ? !functions.TryAdd(tool.Name, (AIFunction)tool) : tool is AIFunctionDeclaration && !callers.Add(tool.Name))
                throw new ArgumentException($"two tools have the name \"{tool.Name}\"", nameof(options));
        }

        for (int round = 1; ; round++)
        {
            var updates = new List<ChatResponseUpdate>();
            await foreach (ChatResponseUpdate update in base.GetStreamingResponseAsync(conversation, asked, cancellationToken).ConfigureAwait(false))
            {
                updates.Add(update);
                yield return update;
            }
            FunctionCallContent[] calls = [.. updates.SelectMany(u => u.Contents).OfType<FunctionCallContent>().Where(c => !c.InformationalOnly)];
            if (calls.Length == 0 || round > MaxRounds || functions.Count == 0 || calls.Any(c => callers.Contains(c.Name))) yield break;

            conversation.AddRange(updates.ToChatResponse().Messages);
            string id = $"tools-{Guid.NewGuid():N}";
            var results = new List<AIContent>(calls.Length);
            foreach (FunctionCallContent call in calls)
            {
                FunctionResultContent result = await ToolRunner.RunAsync(functions, call, Approve, services, cancellationToken).ConfigureAwait(false);
                results.Add(result);
                yield return new ChatResponseUpdate(ChatRole.Tool, [result]) { MessageId = id, ResponseId = updates[0].ResponseId, CreatedAt = DateTimeOffset.UtcNow };
            }
            conversation.Add(new ChatMessage(ChatRole.Tool, results));
            asked = asked!.Clone();
            asked.ToolMode = round == MaxRounds ? ChatToolMode.None : asked.ToolMode is RequiredChatToolMode ? ChatToolMode.Auto : asked.ToolMode;
        }
    }

    private ChatOptions? WithTools(ChatOptions? options)
    {
        if (Tools.Count == 0) return options;
        ChatOptions all = options?.Clone() ?? new ChatOptions();
        IList<AITool> own = options?.Tools ?? [];
        all.Tools = [.. own, .. Tools.Where(t => !own.Any(o => o.Name == t.Name))];
        return all;
    }
}
