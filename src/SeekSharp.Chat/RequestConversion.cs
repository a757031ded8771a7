using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using SeekSharp.Engine;

namespace SeekSharp.Chat;

/// <summary>From Microsoft.Extensions.AI's messages and options to ours. What cannot be honoured is refused by name, never ignored.</summary>
internal static class RequestConversion
{
    /// <summary>Messages in the API's form; the options' instructions become the first system message.</summary>
    /// <exception cref="NotSupportedException">A message holds something other than text, reasoning, tool calls and their results.</exception>
    public static JsonArray Messages(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var all = new JsonArray();
        if (!string.IsNullOrEmpty(options?.Instructions)) all.Add(ChatMessages.Of("system", options.Instructions));
        foreach (ChatMessage message in messages)
        {
            string text = "", reasoning = "";
            var calls = new JsonArray();
            bool isResult = false;
            foreach (AIContent content in message.Contents)
            {
                switch (content)
                {
                    case TextContent part: text += part.Text; break;
                    case TextReasoningContent part: reasoning += part.Text; break;
                    case FunctionCallContent call: calls.Add(ChatMessages.CallOf(call.CallId, call.Name, JsonSerializer.SerializeToNode(call.Arguments ?? new Dictionary<string, object?>()))); break;
                    case FunctionResultContent result:
                        isResult = true;
                        JsonObject answer = ChatMessages.Of("tool", ResultText(result.Result ?? result.Exception?.Message));
                        answer["tool_call_id"] = result.CallId;
                        all.Add(answer);
                        break;
                    case UsageContent: break; // comes back with a former answer; tells the model nothing
                    default: throw new NotSupportedException($"a message holds {content.GetType().Name}; supported are text, reasoning, function calls and function results");
                }
            }
            if (isResult && text.Length == 0 && calls.Count == 0) continue;
            JsonObject converted = ChatMessages.Of(message.Role.Value, text);
            if (reasoning.Length > 0) converted["reasoning_content"] = reasoning;
            if (calls.Count > 0) converted["tool_calls"] = calls;
            all.Add(converted);
        }
        return all;
    }

    /// <summary>A request with the options' wishes over the model's defaults.</summary>
    /// <exception cref="NotSupportedException">An option cannot be honoured; the message names it.</exception>
    /// <exception cref="ArgumentException">There are no messages, or a tool is required that is not there.</exception>
    public static ChatRequest Request(IEnumerable<ChatMessage> messages, ChatOptions? options, ChatModel model, string modelId)
    {
        JsonArray conversation = Messages(messages, options);
        if (conversation.Count == 0) throw new ArgumentException("there are no messages", nameof(messages));
        JsonArray? tools = Tools(options);
        SamplingParams sampling = Sampling(options, model.Defaults, modelId);
        string? effort = Effort(options, model);
        string? wanted = (options?.ToolMode as RequiredChatToolMode)?.RequiredFunctionName;
        if (options?.ToolMode is RequiredChatToolMode && tools is null) throw new ArgumentException("ChatOptions.ToolMode requires a tool, and there are none", nameof(options));
        if (wanted is not null && !tools!.Any(t => (string?)t!["function"]!["name"] == wanted)) throw new ArgumentException($"ChatOptions.ToolMode requires the tool \"{wanted}\", which is not there", nameof(options));
        var request = new ChatRequest
        {
            Messages = conversation,
            Tools = tools,
            ToolMode = options?.ToolMode switch { RequiredChatToolMode => ToolMode.Required, NoneChatToolMode => ToolMode.None, _ => ToolMode.Auto },
            Tool = wanted,
            ParallelToolCalls = options?.AllowMultipleToolCalls != false,
            Format = Format(options),
            Think = options?.Reasoning?.Effort == ReasoningEffort.None ? false : null,
            Variables = effort is null ? null : new JsonObject { ["reasoning_effort"] = effort },
            Sampling = sampling,
            Stop = options?.StopSequences is { } stops ? [.. stops] : [],
            MostUnread = 4,
        };
        if (model.HasTemplate) return request;
        // A model without a template continues the last message as it stands.
        if (tools is not null) throw new NotSupportedException("ChatOptions.Tools is not supported (the model has no chat template)");
        return request with { Messages = null, Prompt = model.Plain((string?)conversation[^1]!["content"] ?? "") };
    }

    /// <summary>Sampling with the options' wishes over the model's defaults.</summary>
    /// <exception cref="NotSupportedException">An option cannot be honoured; the message names it.</exception>
    public static SamplingParams Sampling(ChatOptions? options, SamplingParams defaults, string modelId)
    {
        if (options is null) return defaults with { Seed = (ulong)Random.Shared.NextInt64() };
        Refuse(options.ResponseFormat is not (null or ChatResponseFormatText or ChatResponseFormatJson), nameof(options.ResponseFormat), options.ResponseFormat?.GetType().Name);
        Refuse(options.ToolMode is not (null or AutoChatToolMode or NoneChatToolMode or RequiredChatToolMode), nameof(options.ToolMode), options.ToolMode?.GetType().Name);
        Refuse(options.ConversationId is not null, nameof(options.ConversationId));
        Refuse(options.RawRepresentationFactory is not null, nameof(options.RawRepresentationFactory));
        Refuse(options.ContinuationToken is not null, nameof(options.ContinuationToken));
        Refuse(options.AllowBackgroundResponses == true, nameof(options.AllowBackgroundResponses));
        Refuse(options.AdditionalProperties is { Count: > 0 }, nameof(options.AdditionalProperties), options.AdditionalProperties?.Keys.First());
        Refuse(options.ModelId is { } id && id != modelId, nameof(options.ModelId), $"{options.ModelId}; loaded is {modelId}");
        Refuse(options.Reasoning?.Output is ReasoningOutput.Summary, "Reasoning.Output", "Summary");
        return defaults with
        {
            Temperature = options.Temperature ?? defaults.Temperature,
            TopP = options.TopP ?? defaults.TopP,
            TopK = options.TopK ?? defaults.TopK,
            FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
            MaxTokens = options.MaxOutputTokens ?? defaults.MaxTokens,
            Seed = options.Seed is { } seed ? unchecked((ulong)seed) : (ulong)Random.Shared.NextInt64(),
        };
    }

    /// <summary>The tools that the model is told of; null for none.</summary>
    /// <exception cref="NotSupportedException">A tool is no function.</exception>
    public static JsonArray? Tools(ChatOptions? options)
    {
        if (options?.Tools is not { Count: > 0 } tools || options.ToolMode is NoneChatToolMode) return null;
        return ToolsOf(tools);
    }

    /// <summary>Functions in the API's form.</summary>
    /// <exception cref="NotSupportedException">A tool is no function.</exception>
    public static JsonArray ToolsOf(IEnumerable<AITool> tools) =>
        [.. tools.Select(tool => tool is AIFunctionDeclaration function
            ? ChatMessages.ToolOf(function.Name, function.Description, function.JsonSchema)
            : throw new NotSupportedException($"ChatOptions.Tools holds {tool.GetType().Name}; supported are functions"))];

    private static AnswerFormatChoice Format(ChatOptions? options) => options?.ResponseFormat switch
    {
        ChatResponseFormatJson { Schema: { } schema } => new AnswerFormatChoice(AnswerFormat.Schema, schema.GetRawText()),
        ChatResponseFormatJson => new AnswerFormatChoice(AnswerFormat.Json),
        _ => default,
    };

    // As templates call it.
    private static string? Effort(ChatOptions? options, ChatModel model)
    {
        if (options?.Reasoning?.Effort is not { } effort || effort == ReasoningEffort.None) return null;
        Refuse(!model.TemplateUses("reasoning_effort"), "Reasoning.Effort", $"{effort}; this model thinks with one effort only");
        return effort switch
        {
            ReasoningEffort.Low => "low",
            ReasoningEffort.Medium => "medium",
            ReasoningEffort.High => "high",
            ReasoningEffort.ExtraHigh => "xhigh",
            _ => throw new NotSupportedException($"ChatOptions.Reasoning.Effort is not supported ({effort})"),
        };
    }

    private static void Refuse(bool asked, string option, string? detail = null)
    {
        if (asked) throw new NotSupportedException($"ChatOptions.{option} is not supported{(detail is null ? "" : $" ({detail})")}");
    }

    /// <summary>A function's result as the model reads it.</summary>
    /// <exception cref="NotSupportedException">It is a picture or the like.</exception>
    public static string ResultText(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } json => json.GetString()!,
        TextContent text => text.Text,
        AIContent other => throw new NotSupportedException($"a function result holds {other.GetType().Name}; supported is text"),
        IEnumerable<AIContent> parts => string.Join("\n", parts.Select(ResultText)),
        _ => JsonSerializer.Serialize(result),
    };
}
