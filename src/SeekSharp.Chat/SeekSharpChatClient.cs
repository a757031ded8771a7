using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>
/// A local model as <see cref="IChatClient"/>: a leaf, that is, tool calls are returned and not run. Text, reasoning
/// (<see cref="TextReasoningContent"/>), tool calls (<see cref="FunctionCallContent"/>) and usage come streaming or at once. Safe for
/// several threads: answers are computed together, and each is the one that it would be alone.
/// </summary>
/// <remarks>
/// Honoured are <see cref="ChatOptions"/>' Instructions, Temperature (0 to 100), TopP, TopK, FrequencyPenalty and PresencePenalty (−2 to 2), MaxOutputTokens, Seed, StopSequences, Tools (functions),
/// ToolMode Auto and None, Reasoning (effort None; output None and Full), and ModelId where it is this model's. Any other one that
/// asks for something is refused with a <see cref="NotSupportedException"/> that names it. Without a seed, each answer takes one at random.
/// </remarks>
public sealed class SeekSharpChatClient : IChatClient
{
    private readonly ModelFolder _folder;
    private readonly ChatModel _model;
    private readonly ChatClientMetadata _metadata;
    private int _disposed;

    private SeekSharpChatClient(ModelFolder folder, ChatModel model)
    {
        _folder = folder;
        _model = model;
        _metadata = new ChatClientMetadata("seeksharp", null, Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path))));
    }

    /// <summary>Loads a model.</summary>
    /// <param name="path">A model folder or a <c>.gguf</c> file.</param>
    /// <param name="options">How it is run; null for every core and the default arithmetic.</param>
    /// <param name="progress">Told the share that is loaded, 0 to 1.</param>
    /// <exception cref="CheckpointException">The files are broken, incomplete or of a kind that is not supported.</exception>
    /// <exception cref="TokenizerException">The tokenizer is broken.</exception>
    /// <exception cref="TemplateException">The chat template is no Jinja.</exception>
    public static SeekSharpChatClient Load(string path, ModelOptions? options = null, IProgress<double>? progress = null)
    {
        ModelFolder folder = ModelFolder.Open(path);
        try
        {
            return new SeekSharpChatClient(folder, ChatModel.Load(folder, options ?? new ModelOptions(), progress));
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">An option or a message's content is not supported; the message names it.</exception>
    /// <exception cref="EngineException">The prompt is longer than the context, or an option is out of range.</exception>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">An option or a message's content is not supported; the message names it.</exception>
    /// <exception cref="EngineException">The prompt is longer than the context, or an option is out of range.</exception>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonArray conversation = RequestConversion.Messages(messages, options);
        var session = new ChatSession(_model)
        {
            Sampling = RequestConversion.Sampling(options, _model.Defaults, _metadata.DefaultModelId!),
            Stop = options?.StopSequences is { } stops ? [.. stops] : [],
            Tools = RequestConversion.Tools(options),
            Think = options?.Reasoning?.Effort == ReasoningEffort.None ? false : null,
        };
        bool showsReasoning = options?.Reasoning?.Output != ReasoningOutput.None;
        foreach (JsonNode? message in conversation) session.Messages.Add(message!.DeepClone());
        if (session.Messages.Count == 0) throw new ArgumentException("there are no messages", nameof(messages));

        Generation? generation = null;
        try
        {
            string id = $"chatcmpl-{Guid.NewGuid():N}";
            generation = await Task.Run(session.Answer, cancellationToken).ConfigureAwait(false);
            int calls = 0;
            for (bool more = true; more;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                more = await generation.StepAsync(cancellationToken).ConfigureAwait(false);
                foreach (AIContent content in Contents(generation, ref calls, showsReasoning)) yield return Update(id, content);
            }
            Answer answer = generation.Result();
            ChatResponseUpdate last = Update(id, new UsageContent(Usage(answer.Usage)));
            last.FinishReason = new ChatFinishReason(answer.FinishReason);
            yield return last;
        }
        finally
        {
            generation?.Abandon(); // whoever stops reading stops the computing
        }
    }

    private static List<AIContent> Contents(Generation generation, ref int calls, bool showsReasoning)
    {
        var contents = new List<AIContent>(generation.Pieces.Count);
        foreach (RoutedPiece piece in generation.Pieces)
        {
            switch (piece.Kind)
            {
                case RoutedKind.Content: contents.Add(new TextContent(piece.Text)); break;
                case RoutedKind.Reasoning when showsReasoning: contents.Add(new TextReasoningContent(piece.Text)); break;
                case RoutedKind.ToolCall:
                    ToolCall call = generation.ToolCalls[calls++];
                    contents.Add(new FunctionCallContent(call.Id, call.Name, JsonSerializer.Deserialize<Dictionary<string, object?>>(call.Arguments)));
                    break;
            }
        }
        return contents;
    }

    private ChatResponseUpdate Update(string id, AIContent content) =>
        new(ChatRole.Assistant, [content]) { ResponseId = id, MessageId = id, ModelId = _metadata.DefaultModelId, CreatedAt = DateTimeOffset.UtcNow };

    private static UsageDetails Usage(AnswerUsage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.PromptTokens + usage.CompletionTokens,
        CachedInputTokenCount = usage.CacheHitTokens,
        ReasoningTokenCount = usage.ReasoningTokens,
    };

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Frees the model. Answers that are under way end. A second call does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _model.Dispose();
        _folder.Dispose();
    }
}
