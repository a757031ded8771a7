using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>The prompt of a request: its messages and tools through the model's template.</summary>
internal static class RequestPrompt
{
    /// <exception cref="TemplateException">The template refuses, or the model has none.</exception>
    public static ChatPrompt Of(ChatModel model, ChatRequest request)
    {
        JsonArray messages = request.Messages!;
        JsonArray? tools = request.ToolMode == ToolMode.None || request.Tools is not { Count: > 0 } ? null : request.Tools;
        bool told = tools is null || model.TemplateKnowsTools;
        if (!told || !model.TemplateKnowsTools && HoldsCalls(messages)) (messages, tools) = (ToolText.Write(messages, tools), null);

        JsonObject variables = (JsonObject?)request.Variables?.DeepClone() ?? [];
        if (request.Think is { } think) (variables["enable_thinking"], variables["thinking"]) = (think, think); // Qwen3's and DeepSeek-V3.1's names
        try
        {
            return model.Render(WithArguments(messages, parsed: true), tools, variables, request.Now);
        }
        catch (TemplateException) when (HoldsCalls(messages)) // a template may want the arguments as text
        {
            return model.Render(WithArguments(messages, parsed: false), tools, variables, request.Now);
        }
    }

    /// <summary>How the answer writes tool calls: the model's way, or the common one where its template knows of none.</summary>
    public static ToolFormat ToolFormatOf(ChatModel model, ChatRequest request)
    {
        bool asked = request.Tools is { Count: > 0 } && request.ToolMode != ToolMode.None;
        return asked && (!model.TemplateKnowsTools || model.ToolFormat == ToolFormat.None) ? ToolFormat.Qwen : model.ToolFormat;
    }

    private static bool HoldsCalls(JsonArray messages) => messages.Any(m => m is JsonObject o && (o["tool_calls"] is JsonArray || (string?)o["role"] == "tool"));

    private static JsonArray WithArguments(JsonArray messages, bool parsed)
    {
        if (!HoldsCalls(messages)) return messages;
        var all = (JsonArray)messages.DeepClone();
        foreach (JsonNode? message in all)
        {
            if (message?["tool_calls"] is not JsonArray calls) continue;
            foreach (JsonNode? call in calls)
            {
                if (call?["function"] is not JsonObject function || function["arguments"] is not { } arguments) continue;
                if (arguments.GetValueKind() == JsonValueKind.String == parsed)
                    function["arguments"] = parsed ? Parsed((string)arguments!) : JsonValue.Create(arguments.ToJsonString());
            }
        }
        return all;
    }

    private static JsonNode? Parsed(string arguments)
    {
        try
        {
            return JsonNode.Parse(arguments) is JsonObject o ? o : JsonValue.Create(arguments);
        }
        catch (JsonException)
        {
            return JsonValue.Create(arguments); // a model may have written anything
        }
    }
}
