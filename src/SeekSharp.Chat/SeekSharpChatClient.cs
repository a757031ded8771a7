using System.Runtime.CompilerServices;
using System.Text.Json;
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
/// ToolMode, AllowMultipleToolCalls, ResponseFormat (text, JSON, and JSON of a schema: the answer is held to it by a grammar, as a call's arguments are to the function's schema), Reasoning
/// (output None and Full; effort None, and the others where the model's template knows of efforts), and ModelId where it is this model's. Any other one that
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
        _metadata = new ChatClientMetadata("seeksharp", null, IdOf(folder));
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
    /// <exception cref="GrammarException">A schema uses a keyword that is not supported, or has no value.</exception>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">An option or a message's content is not supported; the message names it.</exception>
    /// <exception cref="EngineException">The prompt is longer than the context, or an option is out of range.</exception>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    /// <exception cref="GrammarException">A schema uses a keyword that is not supported, or has no value.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ChatRequest request = RequestConversion.Request(messages, options, _model, _metadata.DefaultModelId!);
        bool showsReasoning = options?.Reasoning?.Output != ReasoningOutput.None;
        using ChatRun run = await Task.Run(() => ChatRun.Begin(_model, request), cancellationToken).ConfigureAwait(false); // whoever stops reading stops the computing
        string id = $"chatcmpl-{Guid.NewGuid():N}";
        await foreach (ChatDelta delta in run.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (delta.Answer is { } answer)
            {
                ChatResponseUpdate last = Update(id, new UsageContent(Usage(answer.Usage)));
                last.FinishReason = new ChatFinishReason(answer.FinishReason);
                yield return last;
            }
            else if (delta.ToolCall is { } call)
                yield return Update(id, new FunctionCallContent(call.Id, call.Name, JsonSerializer.Deserialize<Dictionary<string, object?>>(call.Arguments)));
            else if (delta.Content.Length > 0) yield return Update(id, new TextContent(delta.Content));
            else if (delta.Reasoning.Length > 0 && showsReasoning) yield return Update(id, new TextReasoningContent(delta.Reasoning));
        }
    }

    /// <summary>The same model's texts as vectors. Disposing the generator leaves the model.</summary>
    /// <param name="pooling">How the states of a text's tokens become one vector.</param>
    public SeekSharpEmbeddingGenerator AsEmbeddingGenerator(EmbeddingPooling pooling = EmbeddingPooling.Mean) => new(_model, null, _metadata.DefaultModelId!, pooling);

    internal static string IdOf(ModelFolder folder) => Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path)));

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
    public object? GetService(Type serviceType, object? serviceKey = null) => ServiceOf.Leaf(this, _metadata, serviceType, serviceKey);

    /// <summary>Frees the model. Answers that are under way end. A second call does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _model.Dispose();
        _folder.Dispose();
    }
}
