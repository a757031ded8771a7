using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>Finds out how a model writes tool calls, and names the forms.</summary>
public static class ToolFormats
{
    private const string ProbeCall = "probe_call_7431", ProbeTool = "probe_tool_7431";

    /// <summary>The names for <see cref="Parse"/>, in the order of <see cref="ToolFormat"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["none", "deepseek_r1", "deepseek_v3", "deepseek_v3_1", "qwen", "llama3"];

    /// <summary>The form of that name; case and the signs <c>-</c>, <c>_</c> and <c>.</c> do not matter (<c>DeepSeek-V3.1</c>).</summary>
    /// <param name="name">A name out of <see cref="Names"/>.</param>
    /// <param name="format">The form.</param>
    /// <returns>False if there is no such name.</returns>
    public static bool TryParse(string name, out ToolFormat format)
    {
        ArgumentNullException.ThrowIfNull(name);
        string plain = Plain(name);
        for (int i = 0; i < Names.Count; i++)
        {
            format = (ToolFormat)i;
            if (Plain(Names[i]) == plain) return true;
        }
        format = ToolFormat.None;
        return false;
    }

    /// <summary>The form of that name, as in <see cref="TryParse"/>.</summary>
    /// <param name="name">A name out of <see cref="Names"/>.</param>
    /// <exception cref="FormatException">There is no such name; the message lists those that there are.</exception>
    public static ToolFormat Parse(string name) =>
        TryParse(name, out ToolFormat format) ? format : throw new FormatException($"tool format: expected {string.Join(", ", Names)}, found '{name}'");

    /// <summary>
    /// Finds the form of a model: renders a probe call through its template and looks what became of it; where the template shows no call,
    /// the special tokens in the vocabulary tell.
    /// </summary>
    /// <param name="vocabularyHas">Whether a text is one token of the vocabulary.</param>
    /// <param name="template">The model's chat template, if it has one.</param>
    /// <returns>The form, <see cref="ToolFormat.None"/> if there is no sign of any.</returns>
    public static ToolFormat Detect(Func<string, bool> vocabularyHas, ChatTemplate? template)
    {
        Func<JsonElement, string>? render = template is null ? null : variables => template.Render(variables);
        return Detect(vocabularyHas, render);
    }

    internal static ToolFormat Detect(Func<string, bool> vocabularyHas, Func<JsonElement, string>? render)
    {
        ToolFormat? shown = null;
        // Templates differ in what they take: arguments as an object or as text, content beside a call or null.
        foreach (string arguments in (string[])["""{"a": 1}""", "\"{\\\"a\\\": 1}\""])
            foreach (string content in (string[])["null", "\"ok\""])
                if (render is not null && shown is null && Render(render, Conversation(arguments, content)) is { } text)
                    shown = FromText(text);

        if (shown is null)
        {
            if (vocabularyHas(Markers.CallBegin)) shown = ToolFormat.DeepSeekV3;
            else if (vocabularyHas(Markers.QwenBegin)) shown = ToolFormat.Qwen;
            else if (vocabularyHas(Markers.PythonTag)) shown = ToolFormat.Llama3;
        }
        if (shown != ToolFormat.DeepSeekV3) return shown ?? ToolFormat.None;

        // V3 and R1 write calls alike; R1 has its tags as tokens, or a template that opens its thinking.
        bool thinks = vocabularyHas(Markers.ThinkOpen) || render is not null && Render(render, Question) is { } prompt && ThinkTags.OpensThinking(prompt);
        return thinks ? ToolFormat.DeepSeekR1 : ToolFormat.DeepSeekV3;
    }

    /// <summary>The form in which the probe call was rendered; null if it was not.</summary>
    private static ToolFormat? FromText(string text)
    {
        int name = text.LastIndexOf(ProbeCall, StringComparison.Ordinal);
        if (name < 0) return null;
        ReadOnlySpan<char> before = text.AsSpan(0, name);
        int deepSeek = before.LastIndexOf(Markers.CallBegin), qwen = before.LastIndexOf(Markers.QwenBegin);
        if (deepSeek >= 0) return before[deepSeek..].Contains(Markers.CallSeparator, StringComparison.Ordinal) ? ToolFormat.DeepSeekV3 : ToolFormat.DeepSeekV31;

        bool isJson = before.TrimEnd(Markers.WhiteSpace).EndsWith('"') && before.LastIndexOf('{') >= 0;
        if (!isJson) return ToolFormat.None; // a call, but in no form known here
        if (qwen >= 0) return before[(qwen + Markers.QwenBegin.Length)..].TrimStart(Markers.WhiteSpace).StartsWith('{') ? ToolFormat.Qwen : ToolFormat.None;
        return text.AsSpan(name).Contains("\"parameters\"", StringComparison.Ordinal) ? ToolFormat.Llama3 : ToolFormat.None;
    }

    private static string? Render(Func<JsonElement, string> render, string variables)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(variables);
            return render(document.RootElement);
        }
        catch (TemplateException)
        {
            return null; // a template may refuse tools, or this way of giving them
        }
    }

    private const string Question = """{"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": true, "bos_token": "", "eos_token": ""}""";

    /// <summary>A question and an answer with the probe call; both arguments are JSON.</summary>
    private static string Conversation(string arguments, string content) => """
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": CONTENT, "tool_calls":
        [{"id": "call00001", "type": "function", "function": {"name": "CALL", "arguments": ARGUMENTS}}]}],
        "tools": [{"type": "function", "function": {"name": "TOOL", "description": "", "parameters": {"type": "object", "properties": {}, "required": []}}}],
        "bos_token": "", "eos_token": ""}
        """.Replace("CALL", ProbeCall).Replace("TOOL", ProbeTool).Replace("ARGUMENTS", arguments).Replace("CONTENT", content);

    private static string Plain(string name) => name.ToLowerInvariant().Replace("-", "").Replace("_", "").Replace(".", "").Replace(" ", "");
}
