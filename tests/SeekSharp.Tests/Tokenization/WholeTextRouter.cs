using System.Text;
using System.Text.Json;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Tokenization;

/// <summary>
/// The plain twin of <see cref="StreamRouter"/>: the same rules, read from a text that lies there as a whole. It may look as far ahead as
/// it likes, and as often.
/// </summary>
internal sealed class WholeTextRouter
{
    private const string CS = "<｜tool▁calls▁begin｜>", CE = "<｜tool▁calls▁end｜>", B = "<｜tool▁call▁begin｜>", S = "<｜tool▁sep｜>", E = "<｜tool▁call▁end｜>";
    private const string Q = "<tool_call>", QE = "</tool_call>", Tag = "<|python_tag|>", Fence = "\n```json\n", Open = "<think>", Close = "</think>";
    private static readonly char[] Space = [' ', '\t', '\r', '\n'];

    private readonly ToolFormat _format;
    private readonly string _text;
    private readonly StringBuilder _content = new();
    private readonly List<RoutedToolCall> _calls = [];

    private WholeTextRouter(ToolFormat format, string text) => (_format, _text) = (format, text);

    public static (string Reasoning, string Content, List<RoutedToolCall> Calls) Route(ToolFormat format, bool opened, string text)
    {
        string reasoning = "";
        string trimmed = text.TrimStart(Space);
        if (format is not (ToolFormat.DeepSeekV3 or ToolFormat.Llama3) && trimmed.StartsWith(Open, StringComparison.Ordinal))
        {
            opened = true;
            text = trimmed[Open.Length..];
        }
        if (opened)
        {
            int close = text.IndexOf(Close, StringComparison.Ordinal);
            if (close >= 0)
            {
                reasoning = text[..close];
                text = text[(close + Close.Length)..].TrimStart(Space);
            }
            else
            {
                int first = First(format, text, 0);
                if (first < 0 || Body(format, text[first..])._calls.Count == 0) return (text.Trim(Space), "", []);
                reasoning = text[..first];
                text = text[first..];
            }
        }
        WholeTextRouter body = Body(format, text);
        string content = body._content.ToString();
        return (reasoning.Trim(Space), body._calls.Count > 0 ? content.TrimEnd(Space) : content, body._calls);
    }

    private static int First(ToolFormat format, string text, int from)
    {
        string[] marks = format switch { ToolFormat.None => [], ToolFormat.Qwen => [Q], ToolFormat.Llama3 => [Tag], _ => [CS, B] };
        return marks.Select(m => text.IndexOf(m, from, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(-1).Min();
    }

    private static WholeTextRouter Body(ToolFormat format, string text)
    {
        var body = new WholeTextRouter(format, text);
        if (format == ToolFormat.Llama3)
        {
            body.Llama();
            return body;
        }
        int at = 0;
        for (int first; (first = First(format, text, at)) >= 0;)
        {
            body._content.Append(text, at, first - at);
            at = format == ToolFormat.Qwen ? body.QwenBlock(first) : body.DeepSeekSection(first);
        }
        body._content.Append(text[at..]);
        return body;
    }

    private void Llama()
    {
        int tag = Find(Tag, 0);
        if (tag >= 0 && _text[..tag].TrimStart(Space).StartsWith('{')) tag = -1;
        int at = Skip(tag < 0 ? 0 : tag + Tag.Length), done = 0;
        while (JsonObject(at, out int end) is { } value && Named(value, needsArguments: true) is { } call)
        {
            if (_calls.Count == 0 && tag > 0) _content.Append(_text, 0, tag);
            _calls.Add(call);
            done = end;
            at = Skip(end);
            if (!Stands(";", at)) break;
            at = Skip(at + 1);
            if (at == _text.Length) done = at;
        }
        _content.Append(_text[done..]);
    }

    private int QwenBlock(int at)
    {
        if (JsonObject(Skip(at + Q.Length), out int end) is { } value && Named(value, needsArguments: false) is { } call)
        {
            int after = Skip(end);
            if (Stands(QE, after) || QE.StartsWith(_text[after..], StringComparison.Ordinal))
            {
                _calls.Add(call);
                return Math.Min(_text.Length, after + QE.Length);
            }
        }
        int close = Find(QE, at);
        close = close < 0 ? _text.Length : close + QE.Length;
        _content.Append(_text, at, close - at);
        return close;
    }

    private int DeepSeekSection(int begin)
    {
        var parts = new List<object>();
        int at = Stands(CS, begin) ? begin + CS.Length : begin;
        while (Stands(B, at = Skip(at)))
        {
            RoutedToolCall? call = DeepSeekCall(at, out int end);
            parts.Add(call is null ? _text[at..end] : call);
            at = end;
        }
        if (Stands(CE, at)) at += CE.Length;
        if (!parts.OfType<RoutedToolCall>().Any()) parts = [_text[begin..at]];
        _content.AppendJoin("", parts.OfType<string>());
        _calls.AddRange(parts.OfType<RoutedToolCall>());
        return at;
    }

    private RoutedToolCall? DeepSeekCall(int at, out int end)
    {
        bool fenced = _format != ToolFormat.DeepSeekV31;
        int close = Find(E, at), sectionClose = Find(CE, at);
        end = close >= 0 ? close + E.Length : sectionClose >= 0 ? sectionClose : _text.Length;
        int sep = Find(S, at);
        if (sep < 0) return null;
        int start = fenced ? sep + S.Length : at + B.Length;
        int nameEnd = fenced ? Find(Fence, start) : sep;
        if (nameEnd < 0) return null;
        string name = _text[start..nameEnd].Trim(Space);
        if (name.Length == 0 || name.Contains('\n') || name.Contains("<｜")) return null;
        int json = Skip(nameEnd + (fenced ? Fence : S).Length);
        if (JsonObject(json, out int after) is null) return null;
        var call = new RoutedToolCall(name, _text[json..after]);
        after = Skip(after);
        if (fenced && Stands("```", after)) after = Skip(after + 3);
        else if (fenced && !"```".StartsWith(_text[after..], StringComparison.Ordinal)) return null;
        if (Stands(E, after)) end = after + E.Length;
        else if (Stands(CE, after)) end = after;
        else if (E.StartsWith(_text[after..], StringComparison.Ordinal) || fenced && "```".StartsWith(_text[after..], StringComparison.Ordinal)) end = _text.Length;
        else return null;
        return call;
    }

    private static RoutedToolCall? Named(JsonElement value, bool needsArguments)
    {
        if (!value.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String || name.GetString() == "") return null;
        if (!value.TryGetProperty("arguments", out JsonElement arguments) && !value.TryGetProperty("parameters", out arguments))
            return needsArguments ? null : new RoutedToolCall(name.GetString()!, "{}");
        return arguments.ValueKind == JsonValueKind.Object ? new RoutedToolCall(name.GetString()!, arguments.GetRawText()) : null;
    }

    /// <summary>The JSON object at a place, by the framework's own reader.</summary>
    private JsonElement? JsonObject(int at, out int end)
    {
        end = 0;
        if (!Stands("{", at)) return null;
        byte[] utf8 = Encoding.UTF8.GetBytes(_text[at..]);
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = 512, AllowMultipleValues = true });
        try
        {
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            end = at + Encoding.UTF8.GetCharCount(utf8, 0, (int)reader.BytesConsumed);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private int Find(string marker, int at) => _text.IndexOf(marker, at, StringComparison.Ordinal);

    private bool Stands(string marker, int at) => string.CompareOrdinal(_text, at, marker, 0, marker.Length) == 0;

    private int Skip(int at)
    {
        while (at < _text.Length && Space.Contains(_text[at])) at++;
        return at;
    }
}
