namespace SeekSharp.Chat;

/// <summary>A call with the id that ties its result to it.</summary>
internal sealed record ToolCall(string Id, string Name, string Arguments);

/// <summary>What a request came to.</summary>
internal sealed record Answer
{
    /// <summary>Every generated id, an end token included.</summary>
    public required int[] Ids { get; init; }
    /// <summary>The text as generated, tags and markers included; without the end token and without a stop string.</summary>
    public required string Text { get; init; }
    public required string Reasoning { get; init; }
    public required string Content { get; init; }
    public required IReadOnlyList<ToolCall> ToolCalls { get; init; }
    /// <summary><c>stop</c>, <c>length</c>, <c>tool_calls</c>, or <c>cancelled</c>.</summary>
    public required string FinishReason { get; init; }
    public required AnswerUsage Usage { get; init; }
    public required AnswerTimings Timings { get; init; }
}

/// <summary>Tokens of a request, with the API's meaning: hit and miss are the prompt's.</summary>
internal readonly record struct AnswerUsage(int PromptTokens, int CacheHitTokens, int CompletionTokens, int ReasoningTokens)
{
    public int CacheMissTokens => PromptTokens - CacheHitTokens;
}

/// <summary>Times of a request.</summary>
/// <param name="Prompt">From the first step to the choice of the first token.</param>
/// <param name="FirstToken">From the request, rendering and tokenizing included, to the first token.</param>
/// <param name="Decode">From the first token to the last.</param>
/// <param name="PromptPerSecond">Computed prompt tokens a second.</param>
/// <param name="DecodePerSecond">Tokens a second after the first.</param>
internal readonly record struct AnswerTimings(TimeSpan Prompt, TimeSpan FirstToken, TimeSpan Decode, double PromptPerSecond, double DecodePerSecond);
