using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>
/// What transformers' <c>render_jinja_template</c> does before and after the template runs: absent variables get their defaults, reasoning is
/// copied between its names, and a message that is to be continued gets a tag behind it where the prompt is cut.
/// </summary>
internal sealed class Conversation
{
    private const string Tag = "CONTINUE_FINAL_MESSAGE_TAG ";
    private static readonly string[] ReasoningNames = ["reasoning_content", "thinking", "reasoning"];

    private string? _continued;

    private Conversation(Budget budget) => Budget = budget;

    public Budget Budget { get; }

    public Dictionary<string, object> Variables { get; } = new(StringComparer.Ordinal);

    public static Conversation Read(JsonElement variables, string template)
    {
        if (variables.ValueKind != JsonValueKind.Object)
            throw new TemplateException($"the template's variables must be a JSON object, found {variables.ValueKind.ToString().ToLowerInvariant()}");
        long length;
        try
        {
            length = variables.GetRawText().Length;
        }
        catch (InvalidOperationException)
        {
            throw new TemplateException("the template's variables cannot be read");
        }
        var budget = new Budget(template.Length + length);
        var conversation = new Conversation(budget);
        Dictionary<string, object> v = conversation.Variables;
        foreach (JsonProperty property in variables.EnumerateObject()) v[Name(property)] = Value(budget, property.Value);
        v.TryAdd("tools", None.Value);
        v.TryAdd("documents", None.Value);
        v.TryAdd("add_generation_prompt", Boxed.False);
        v.Remove("continue_final_message", out object? field);
        v.Remove("return_assistant_tokens_mask");
        CheckObjects(v["tools"], "tools should be a list of JSON schemas");
        CheckObjects(v["documents"], "documents should be a list of objects with 'title' and 'text'");
        if (v.GetValueOrDefault("messages") is PyList messages)
        {
            CopyReasoning(messages);
            if (field is not null && PyCompare.IsTrue(budget, field)) conversation.Continue(messages, PyText.AsText(field) ?? "content", template);
        }
        return conversation;
    }

    private static void CheckObjects(object value, string message)
    {
        if (value is not None && (value is not PyList list || list.Items.Exists(item => item is not PyDict))) throw new TemplateException(message);
    }

    private static void CopyReasoning(PyList messages)
    {
        foreach (object item in messages.Items)
        {
            if (item is not PyDict message) continue;
            object? reasoning = null;
            foreach (string name in ReasoningNames)
                if (reasoning is null && message.TryGet(name, out object found) && found is not None) reasoning = found;
            if (reasoning is null) continue;
            message.Set("reasoning_content", reasoning);
            if (!message.TryGet("thinking", out _)) message.Set("thinking", reasoning);
        }
    }

    /// <summary>Puts the tag behind the text to be continued.</summary>
    private void Continue(PyList messages, string field, string template)
    {
        if (messages.Items.Count == 0 || messages.Items[^1] is not PyDict last) throw new TemplateException("continue_final_message is set but there is no final message");
        if (!last.TryGet(field, out object text) || text is None)
            throw new TemplateException($"continue_final_message is set but the final message has no \"{field}\" to continue");
        if (!template.Contains(field, StringComparison.Ordinal))
            throw new TemplateException($"continue_final_message is set to \"{field}\" but the template does not use this field");
        if (text is PyList parts)
        {
            last = (PyDict?)parts.Items.FindLast(p => p is PyDict part && part.TryGet("text", out _))
                ?? throw new TemplateException("continue_final_message is set but the final message has no text to continue");
            field = "text";
            last.TryGet(field, out text);
        }
        _continued = PyText.AsText(text) ?? throw new TemplateException("continue_final_message is set but what is to be continued is not text");
        last.Set(field, _continued + Tag);
    }

    /// <summary>Cuts the prompt behind the message to be continued.</summary>
    public string Finish(string prompt)
    {
        if (_continued is null) return prompt;
        int at = prompt.LastIndexOf(Tag.TrimEnd(), StringComparison.Ordinal);
        if (at < 0 || StringSearch.IndexOf(Budget, prompt, new string(Characters.Strip(_continued)), 0) < 0)
            throw new TemplateException("continue_final_message is set but the final message does not appear in the rendered prompt: the template changes or drops it");
        string cut = prompt[..at];
        // Where the template kept the tag's own blank it keeps all; else it has trimmed the message's end, and so does the cut.
        return string.CompareOrdinal(prompt, at, Tag, 0, Tag.Length) == 0 ? cut : TextMethods.Strip(Budget, cut, null, false, true);
    }

    private static string Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw LoneSurrogate();
        }
    }

    private static TemplateException LoneSurrogate() => new("the template's variables hold half a surrogate pair, which is no text");

    /// <summary>A JSON value as Python reads it: integers stay integers of any size.</summary>
    private static object Value(Budget budget, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                try
                {
                    return json.GetString()!;
                }
                catch (InvalidOperationException)
                {
                    throw LoneSurrogate();
                }
            case JsonValueKind.Number: return Number(json.GetRawText());
            case JsonValueKind.True: return Boxed.True;
            case JsonValueKind.False: return Boxed.False;
            case JsonValueKind.Array:
                budget.Enter();
                var list = new List<object>(json.GetArrayLength());
                foreach (JsonElement item in json.EnumerateArray()) list.Add(Value(budget, item));
                budget.Leave();
                return new PyList(list);
            case JsonValueKind.Object:
                budget.Enter();
                var dict = new PyDict(budget);
                foreach (JsonProperty property in json.EnumerateObject()) dict.Set(Name(property), Value(budget, property.Value));
                budget.Leave();
                return dict;
            default: return None.Value;
        }
    }

    private static object Number(string text)
    {
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0) return double.Parse(text, CultureInfo.InvariantCulture);
        if (text.Length > Budget.MaxIntegerDigits + 1) throw PyNumber.TooManyDigits();
        return Boxed.Int(BigInteger.Parse(text, CultureInfo.InvariantCulture));
    }
}
