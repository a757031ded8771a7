using System.Text.Json;
using System.Text.Json.Nodes;

namespace SeekSharp.Chat;

/// <summary>Messages in the form of the OpenAI and DeepSeek APIs, which is also what templates read.</summary>
internal static class ChatMessages
{
    public static JsonObject Of(string role, string content) => new() { ["role"] = role, ["content"] = content };

    /// <summary>An answer as the message that goes into the history.</summary>
    public static JsonObject Of(Answer answer)
    {
        JsonObject message = Of("assistant", answer.Content);
        if (answer.Reasoning.Length > 0) message["reasoning_content"] = answer.Reasoning;
        if (answer.ToolCalls.Count == 0) return message;
        var calls = new JsonArray();
        foreach (ToolCall call in answer.ToolCalls) // templates want the arguments as an object
            calls.Add(CallOf(call.Id, call.Name, JsonNode.Parse(call.Arguments)));
        message["tool_calls"] = calls;
        return message;
    }

    /// <summary>The calls in the API's form: arguments are a text that holds JSON.</summary>
    public static JsonArray Calls(IReadOnlyList<ToolCall> calls) => [.. calls.Select(c => CallOf(c.Id, c.Name, c.Arguments))];

    public static JsonObject CallOf(string id, string name, JsonNode? arguments) => new()
    {
        ["id"] = id,
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = name, ["arguments"] = arguments },
    };

    public static JsonObject ToolOf(string name, string? description, JsonElement parameters) => new()
    {
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = name, ["description"] = description ?? "", ["parameters"] = JsonNode.Parse(parameters.GetRawText()) },
    };
}
