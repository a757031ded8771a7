using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SeekSharp.Chat;

/// <summary>
/// Tools, calls and results as plain text, for models whose template knows nothing of them: in the form that Hermes and Qwen were trained on
/// (<c>&lt;tools&gt;</c> in the system message, <c>&lt;tool_call&gt;</c>, <c>&lt;tool_response&gt;</c>).
/// </summary>
internal static class ToolText
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonArray Write(JsonArray messages, JsonArray? tools)
    {
        var all = new JsonArray();
        foreach (JsonNode? node in messages)
        {
            if (node is not JsonObject message) continue;
            string role = (string?)message["role"] ?? "user", text = message["content"] is JsonValue v && v.TryGetValue(out string? content) ? content : "";
            if (role == "tool") all.Add(ChatMessages.Of("user", $"<tool_response>\n{text}\n</tool_response>"));
            else if (message["tool_calls"] is JsonArray calls) all.Add(ChatMessages.Of(role, text + string.Concat(calls.Select(Call))));
            else all.Add(message.DeepClone());
        }
        if (tools is null) return all;

        var told = new StringBuilder("You may call functions to answer. Their signatures:\n<tools>\n");
        foreach (JsonNode? tool in tools) told.Append(tool?.ToJsonString(Plain)).Append('\n');
        told.Append("</tools>\nTo call one, write a JSON object with its name and arguments between tags:\n<tool_call>\n{\"name\": NAME, \"arguments\": {…}}\n</tool_call>");
        if (all is [JsonObject first, ..] && (string?)first["role"] == "system" && first["content"] is JsonValue system && system.TryGetValue(out string? said))
            first["content"] = $"{said}\n\n{told}";
        else all.Insert(0, ChatMessages.Of("system", told.ToString()));
        return all;
    }

    private static string Call(JsonNode? call)
    {
        JsonNode? function = call?["function"], arguments = function?["arguments"];
        string written = arguments is JsonValue v && v.TryGetValue(out string? text) ? text : arguments?.ToJsonString(Plain) ?? "{}";
        return $"<tool_call>\n{{\"name\": {function?["name"]?.ToJsonString(Plain)}, \"arguments\": {written}}}\n</tool_call>";
    }
}
