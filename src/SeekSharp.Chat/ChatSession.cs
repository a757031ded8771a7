using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>
/// A conversation: messages, settings, and the next answer. What an earlier turn has computed is used again: a turn begins at the
/// first token that differs from what the cache holds.
/// </summary>
internal sealed class ChatSession(ChatModel model)
{
    /// <summary>The conversation so far, in the API's form, without the system message.</summary>
    public JsonArray Messages { get; private set; } = [];
    /// <summary>The system message; null for what the template puts there by itself.</summary>
    public string? System { get; set; }
    /// <summary>Tools in the API's form.</summary>
    public JsonArray? Tools { get; set; }
    public SamplingParams Sampling { get; set; } = model.Defaults;
    public IReadOnlyList<string> Stop { get; set; } = [];
    public int? ThinkBudget { get; set; }
    /// <summary>Whether the model shall think; null: as the template has it.</summary>
    public bool? Think { get; set; }
    public ToolFormat? ToolFormat { get; set; }
    /// <summary>What answers may be.</summary>
    public AnswerFormatChoice Format { get; set; }
    /// <summary>Whether the model is to call the tools.</summary>
    public ToolMode ToolMode { get; set; }
    /// <summary>The adapter that answers, one of the model's; null for the model as it is.</summary>
    public LoraAdapter? Adapter { get; set; }
    /// <summary>The template's clock.</summary>
    public DateTimeOffset? Now { get; set; }

    /// <summary>Begins the answer to a further message of the user. The message stays in the conversation; <see cref="Take"/> adds the answer.</summary>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    /// <exception cref="EngineException">The prompt is longer than the context, or a setting out of range.</exception>
    public Generation Ask(string text)
    {
        Messages.Add(ChatMessages.Of("user", text));
        try
        {
            return Answer();
        }
        catch
        {
            Messages.RemoveAt(Messages.Count - 1);
            throw;
        }
    }

    /// <summary>Begins the answer to the conversation as it stands.</summary>
    public Generation Answer()
    {
        long began = Stopwatch.GetTimestamp();
        if (model.HasTemplate)
        {
            ChatRequest request = Request() with { Messages = Conversation() };
            return Begin(request, RequestPrompt.Of(model, request), began);
        }
        // A model without a template continues the last message as it stands.
        if (System is not null || Tools is not null) throw new TemplateException($"{model.Folder.Path}: the model has no chat template, so it takes no system message and no tools");
        return Begin(model.Plain((string?)Messages[^1]?["content"] ?? ""), began);
    }

    /// <summary>Begins to continue a prompt.</summary>
    /// <exception cref="GrammarException">The answers' format cannot be followed.</exception>
    public Generation Begin(ChatPrompt prompt, long began) => Begin(Request() with { Tools = null, Prompt = prompt }, prompt, began);

    private ChatRequest Request() => new() { Tools = Tools, ToolMode = ToolMode, Format = Format, Think = Think, Now = Now, Sampling = Sampling };

    private Generation Begin(ChatRequest request, ChatPrompt prompt, long began) => new(model, new GenerationRequest
    {
        Prompt = prompt.Ids,
        OpensThinking = prompt.OpensThinking,
        Sampling = Sampling,
        Adapter = Adapter,
        Stop = Stop,
        ThinkBudget = Think == false ? 0 : ThinkBudget, // where the template cannot be told, thinking that has begun is closed at once
        ToolFormat = ToolFormat ?? RequestPrompt.ToolFormatOf(model, request),
        Constraint = RequestRules.For(model, ToolFormat is null ? request : request with { Tools = null }, prompt)?.Follow(), // a format of the caller's own has no grammar
        Began = began,
    });

    /// <summary>Adds an answer, complete or interrupted, to the conversation. One without any content takes its question back with it.</summary>
    public void Take(Answer answer)
    {
        if (answer.Content.Length > 0 || answer.ToolCalls.Count > 0 || answer.FinishReason != "cancelled") Messages.Add(ChatMessages.Of(answer));
        else if (Messages.Count > 0) Messages.RemoveAt(Messages.Count - 1);
    }

    public void Clear() => Messages = [];

    /// <summary>The conversation with its system message, as one JSON document that <see cref="Load"/> and the verb <c>template</c> read.</summary>
    public JsonObject Save()
    {
        var saved = new JsonObject { ["messages"] = Conversation() };
        if (Tools is not null) saved["tools"] = Tools.DeepClone();
        return saved;
    }

    /// <summary>Takes up a saved conversation.</summary>
    /// <exception cref="FormatException">It is not one; one line says what was expected.</exception>
    public void Load(JsonNode? saved)
    {
        if (saved is not JsonObject document || document["messages"] is not JsonArray messages)
            throw new FormatException("expected an object with an array \"messages\"");
        string? system = null;
        var loaded = new JsonArray();
        for (int i = 0; i < messages.Count; i++)
        {
            if (messages[i] is not JsonObject message || message["role"] is not JsonValue role || role.GetValueKind() != JsonValueKind.String)
                throw new FormatException($"message {i}: expected an object with a \"role\"");
            if (i == 0 && (string?)role == "system" && message["content"] is JsonValue content && content.GetValueKind() == JsonValueKind.String) system = (string?)content;
            else loaded.Add(message.DeepClone());
        }
        JsonArray? tools = document["tools"] switch
        {
            null => null,
            JsonArray array => (JsonArray)array.DeepClone(),
            _ => throw new FormatException("\"tools\": expected an array"),
        };
        (System, Messages, Tools) = (system, loaded, tools);
    }

    private JsonArray Conversation()
    {
        var all = (JsonArray)Messages.DeepClone();
        if (System is not null) all.Insert(0, ChatMessages.Of("system", System));
        return all;
    }
}
