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

    /// <summary>Sampling with the options' wishes over the model's defaults.</summary>
    /// <exception cref="NotSupportedException">An option cannot be honoured; the message names it.</exception>
    public static SamplingParams Sampling(ChatOptions? options, SamplingParams defaults, string modelId)
    {
        if (options is null) return defaults with { Seed = (ulong)Random.Shared.NextInt64() };
        Refuse(options.ResponseFormat is not (null or ChatResponseFormatText), nameof(options.ResponseFormat));
        Refuse(options.ToolMode is RequiredChatToolMode, nameof(options.ToolMode));
        Refuse(options.AllowMultipleToolCalls == false, nameof(options.AllowMultipleToolCalls));
        Refuse(options.ConversationId is not null, nameof(options.ConversationId));
        Refuse(options.RawRepresentationFactory is not null, nameof(options.RawRepresentationFactory));
        Refuse(options.ContinuationToken is not null, nameof(options.ContinuationToken));
        Refuse(options.AllowBackgroundResponses == true, nameof(options.AllowBackgroundResponses));
        Refuse(options.AdditionalProperties is { Count: > 0 }, nameof(options.AdditionalProperties), options.AdditionalProperties?.Keys.First());
        Refuse(options.ModelId is { } id && id != modelId, nameof(options.ModelId), $"{options.ModelId}; loaded is {modelId}");
        Refuse(options.Reasoning?.Effort is not (null or ReasoningEffort.None), "Reasoning.Effort", options.Reasoning?.Effort.ToString());
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

        static void Refuse(bool asked, string option, string? detail = null)
        {
            if (asked) throw new NotSupportedException($"ChatOptions.{option} is not supported{(detail is null ? "" : $" ({detail})")}");
        }
    }

    /// <summary>The tools that the template is told of; null for none.</summary>
    /// <exception cref="NotSupportedException">A tool is no function.</exception>
    public static JsonArray? Tools(ChatOptions? options)
    {
        if (options?.Tools is not { Count: > 0 } tools || options.ToolMode is NoneChatToolMode) return null;
        return [.. tools.Select(tool => tool is AIFunctionDeclaration function
            ? ChatMessages.ToolOf(function.Name, function.Description, function.JsonSchema)
            : throw new NotSupportedException($"ChatOptions.Tools holds {tool.GetType().Name}; supported are functions"))];
    }

    private static string ResultText(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } json => json.GetString()!,
        _ => JsonSerializer.Serialize(result),
    };
}
