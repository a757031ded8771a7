using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace SeekSharp.Tokenization;

/// <summary>What stands around the arguments of a tool call, so that <see cref="StreamRouter"/> reads it as one.</summary>
internal static class ToolCallText
{
    /// <summary>The tag with which a call begins; none where nothing tells a call's beginning from text.</summary>
    public static bool TryGetBeginning(ToolFormat format, [NotNullWhen(true)] out string? tag)
    {
        tag = format switch
        {
            ToolFormat.Qwen => Markers.QwenBegin,
            ToolFormat.DeepSeekV3 or ToolFormat.DeepSeekR1 or ToolFormat.DeepSeekV31 => Markers.SectionBegin,
            _ => null,
        };
        return tag is not null;
    }

    /// <summary>Texts before and behind the arguments.</summary>
    /// <param name="format">Any form but <see cref="ToolFormat.None"/>.</param>
    /// <param name="name">The function's name.</param>
    public static (string Before, string After) Around(ToolFormat format, string name)
    {
        string quoted = JsonEncodedText.Encode(name).ToString();
        return format switch
        {
            ToolFormat.Qwen => ($"{Markers.QwenBegin}\n{{\"name\": \"{quoted}\", \"arguments\": ", $"}}\n{Markers.QwenEnd}"),
            ToolFormat.Llama3 => ($"{{\"name\": \"{quoted}\", \"parameters\": ", "}"),
            ToolFormat.DeepSeekV31 => ($"{Markers.SectionBegin}{Markers.CallBegin}{name}{Markers.CallSeparator}", $"{Markers.CallEnd}{Markers.SectionEnd}"),
            ToolFormat.DeepSeekR1 or ToolFormat.DeepSeekV3 =>
                ($"{Markers.SectionBegin}{Markers.CallBegin}function{Markers.CallSeparator}{name}\n```json\n", $"\n```{Markers.CallEnd}{Markers.SectionEnd}"),
            _ => throw new ArgumentOutOfRangeException(nameof(format)),
        };
    }
}
