using System.Text.Json.Nodes;
using SeekSharp.Engine;
using SeekSharp.Models;

namespace SeekSharp.Chat;

/// <summary>Whether the model is to call tools.</summary>
internal enum ToolMode
{
    /// <summary>As it likes.</summary>
    Auto,
    /// <summary>Not: the tools are not shown to it.</summary>
    None,
    /// <summary>It calls one.</summary>
    Required,
}

/// <summary>What an answer's content may be.</summary>
internal enum AnswerFormat
{
    /// <summary>Any text.</summary>
    Text,
    /// <summary>A JSON object.</summary>
    Json,
    /// <summary>JSON of a schema.</summary>
    Schema,
    /// <summary>A text that a regular expression matches.</summary>
    Regex,
    /// <summary>A text of a GBNF grammar.</summary>
    Gbnf,
}

/// <summary>A format and what it is made from: the schema, expression or grammar.</summary>
internal readonly record struct AnswerFormatChoice(AnswerFormat Format, string Source = "");

/// <summary>One request for answers, with the API's meaning. Exactly one of <see cref="Messages"/> and <see cref="Prompt"/> is given.</summary>
internal sealed record ChatRequest
{
    /// <summary>The conversation, in the API's form.</summary>
    public JsonArray? Messages { get; init; }
    /// <summary>A text to be continued as it stands: neither thinking nor tool calls are looked for.</summary>
    public ChatPrompt? Prompt { get; init; }
    /// <summary>Tools in the API's form.</summary>
    public JsonArray? Tools { get; init; }
    public ToolMode ToolMode { get; init; }
    /// <summary>With <see cref="ToolMode.Required"/>: the one to be called; null for any.</summary>
    public string? Tool { get; init; }
    /// <summary>The answer may hold several calls.</summary>
    public bool ParallelToolCalls { get; init; } = true;
    public AnswerFormatChoice Format { get; init; }
    /// <summary>Whether to think; null as the template has it.</summary>
    public bool? Think { get; init; }
    /// <summary>After that many tokens of reasoning its closing tag is forced; null for no limit.</summary>
    public int? ThinkBudget { get; init; }
    /// <summary>Further variables of the template.</summary>
    public JsonObject? Variables { get; init; }
    /// <summary>The template's clock; null for the computer's.</summary>
    public DateTimeOffset? Now { get; init; }
    public required SamplingParams Sampling { get; init; }
    /// <summary>How many answers; each next one has the next seed. At least 1.</summary>
    public int Choices { get; init; } = 1;
    /// <summary>Texts that end the answer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];
    /// <summary>What changes the model for this request; null for nothing.</summary>
    public LoraAdapter? Adapter { get; init; }
    /// <summary>Whose request it is: texts are shared within a tenant only.</summary>
    public string Tenant { get; init; } = "";
    /// <summary>Tokens that the engine may be ahead of the reader, of each answer.</summary>
    public int MostUnread { get; init; } = 32;
}

/// <summary>A part of an answer, as it comes. Exactly one of the first three, or <see cref="Answer"/>, is set; tokens may come with any.</summary>
internal sealed record ChatDelta
{
    /// <summary>Which of the request's answers, from 0.</summary>
    public int Choice { get; init; }
    public string Reasoning { get; init; } = "";
    public string Content { get; init; } = "";
    public ToolCall? ToolCall { get; init; }
    /// <summary>Place of <see cref="ToolCall"/> among the answer's calls.</summary>
    public int ToolIndex { get; init; }
    /// <summary>Log probabilities, where they were asked for.</summary>
    public IReadOnlyList<TokenReport> Tokens { get; init; } = [];
    /// <summary>The whole answer, with its usage and why it ended: the last delta of its choice.</summary>
    public Answer? Answer { get; init; }
}
