using System.Text.Json.Nodes;
using SeekSharp.Chat;
using SeekSharp.Engine;
using SeekSharp.Models;

namespace SeekSharp.Cli.Run;

/// <summary>What <c>run</c> tells about an answer: one line for people, one document for programs.</summary>
internal static class AnswerReport
{
    public static JsonObject Json(Answer answer, TimeSpan load, ulong seed) => new()
    {
        ["ids"] = new JsonArray([.. answer.Ids.Select(id => (JsonNode)id)]),
        ["text"] = answer.Text,
        ["reasoning"] = answer.Reasoning,
        ["content"] = answer.Content,
        ["tool_calls"] = ChatMessages.Calls(answer.ToolCalls),
        ["finish_reason"] = answer.FinishReason,
        ["seed"] = seed,
        ["usage"] = new JsonObject
        {
            ["prompt_tokens"] = answer.Usage.PromptTokens,
            ["completion_tokens"] = answer.Usage.CompletionTokens,
            ["total_tokens"] = answer.Usage.PromptTokens + answer.Usage.CompletionTokens,
            ["prompt_cache_hit_tokens"] = answer.Usage.CacheHitTokens,
            ["prompt_cache_miss_tokens"] = answer.Usage.CacheMissTokens,
            ["completion_tokens_details"] = new JsonObject { ["reasoning_tokens"] = answer.Usage.ReasoningTokens },
        },
        ["timings"] = new JsonObject
        {
            ["load_ms"] = Milliseconds(load),
            ["prompt_ms"] = Milliseconds(answer.Timings.Prompt),
            ["first_token_ms"] = Milliseconds(answer.Timings.FirstToken),
            ["decode_ms"] = Milliseconds(answer.Timings.Decode),
            ["prompt_per_second"] = Math.Round(answer.Timings.PromptPerSecond, 2),
            ["decode_per_second"] = Math.Round(answer.Timings.DecodePerSecond, 2),
        },
    };

    public static string Line(Answer answer)
    {
        string thought = answer.Usage.ReasoningTokens > 0 ? $" ({answer.Usage.ReasoningTokens} of them thinking)" : "";
        string speed = answer.Timings.DecodePerSecond > 0 ? $", {answer.Timings.DecodePerSecond:0.0} tokens/s" : "";
        string end = answer.FinishReason switch
        {
            "length" => "; cut off at the limit",
            "cancelled" => "; interrupted",
            _ => "",
        };
        return $"{answer.Usage.CompletionTokens} tokens{thought}{speed}, first after {answer.Timings.FirstToken.TotalSeconds:0.00} s{end}";
    }

    public static IEnumerable<string> Details(Answer answer, TimeSpan load, SamplingParams sampling, LlmEngine engine)
    {
        AnswerUsage usage = answer.Usage;
        yield return $"prompt: {usage.PromptTokens} tokens, {usage.CacheHitTokens} from the cache, {answer.Timings.Prompt.TotalSeconds:0.00} s, {answer.Timings.PromptPerSecond:0.0} tokens/s";
        yield return $"decode: {answer.Timings.Decode.TotalSeconds:0.00} s; finish reason {answer.FinishReason}; loaded in {load.TotalSeconds:0.00} s";
        yield return $"sampling: temperature {sampling.Temperature}, top-p {sampling.TopP}, top-k {sampling.TopK}, min-p {sampling.MinP}, repeat-penalty {sampling.RepeatPenalty}, seed {sampling.Seed}";
        if (Speculation(engine) is { Length: > 0 } guesses) yield return "guessed ahead: " + guesses;
        yield return $"context: {usage.PromptTokens + usage.CompletionTokens} of {engine.ContextLength} tokens; cache {Amounts.Bytes(engine.Pool.Used * engine.Pool.Layout.BlockBytes)}, {engine.Pool.Layout.BlockBytes / KvCache.BlockTokens} bytes a token";
    }

    /// <summary>What became of guesses; empty where there were none.</summary>
    internal static string Speculation(LlmEngine engine) => string.Join("; ", Enum.GetValues<DraftKind>().Select(kind => (Kind: kind, Of: engine.Speculated(kind))).Where(s => s.Of.Proposed > 0)
        .Select(s => $"{s.Of.Accepted} of {s.Of.Proposed} tokens held ({s.Of.Rate * 100:0}%), by {s.Kind switch { DraftKind.Lookup => "lookup", DraftKind.Mtp => "multi-token prediction", _ => "the draft model" }}"));

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 3);
}
