using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace SeekSharp.Tests.Chat;

/// <summary>Answers as the test says, and keeps what it was asked.</summary>
internal sealed class ScriptedChatClient(params Func<ScriptedChatClient.Request, IEnumerable<AIContent>>[] answers) : IChatClient
{
    public sealed record Request(IReadOnlyList<ChatMessage> Messages, ChatOptions? Options);

    public List<Request> Asked { get; } = [];
    public bool IsDisposed { get; private set; }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        var request = new Request([.. messages], options?.Clone());
        string id = $"answer-{Asked.Count}";
        Asked.Add(request);
        foreach (AIContent content in answers[Math.Min(Asked.Count, answers.Length) - 1](request))
            yield return new ChatResponseUpdate(ChatRole.Assistant, [content]) { MessageId = id, ResponseId = id };
        yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(new() { InputTokenCount = 10, OutputTokenCount = 1, TotalTokenCount = 11 })]) { MessageId = id, ResponseId = id };
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose() => IsDisposed = true;

    /// <summary>A call, with arguments as a parser leaves them.</summary>
    public static FunctionCallContent Call(string name, string arguments = "{}", string id = "c1") =>
        new(id, name, System.Text.Json.JsonSerializer.Deserialize<Dictionary<string, object?>>(arguments));
}
