namespace SeekSharp.Tokenization;

/// <summary>The forms in which model families write tool calls into their text.</summary>
public enum ToolFormat
{
    /// <summary>No tool calls: what is not reasoning is content.</summary>
    None,

    /// <summary>DeepSeek-R1: like <see cref="DeepSeekV3"/>, and the model thinks in <c>&lt;think&gt;</c> first.</summary>
    DeepSeekR1,

    /// <summary>DeepSeek-V3: <c>&lt;｜tool▁call▁begin｜&gt;function&lt;｜tool▁sep｜&gt;NAME</c>, then the arguments in a fenced block; it does not think.</summary>
    DeepSeekV3,

    /// <summary>DeepSeek-V3.1: <c>&lt;｜tool▁call▁begin｜&gt;NAME&lt;｜tool▁sep｜&gt;ARGUMENTS&lt;｜tool▁call▁end｜&gt;</c>.</summary>
    DeepSeekV31,

    /// <summary>Qwen and Hermes: <c>&lt;tool_call&gt;{"name": …, "arguments": …}&lt;/tool_call&gt;</c>.</summary>
    Qwen,

    /// <summary>Llama 3.1: the output, or what follows <c>&lt;|python_tag|&gt;</c>, is <c>{"name": …, "parameters": …}</c>.</summary>
    Llama3,
}
