using System.Text;
using System.Text.Json;
using SeekSharp.Chat;
using SeekSharp.Engine;
using SeekSharp.Tokenization;

namespace SeekSharp.Server;

/// <summary>Parts that several answers are made of.</summary>
internal static class AnswerJson
{
    /// <summary>Tokens, with DeepSeek's cache fields and OpenAI's details. The prompt counts once, whatever the number of answers.</summary>
    public static void WriteUsage(Utf8JsonWriter json, IEnumerable<AnswerUsage> prompts, IEnumerable<AnswerUsage> answers)
    {
        int prompt = 0, hit = 0, completion = 0, reasoning = 0;
        foreach (AnswerUsage usage in prompts) (prompt, hit) = (prompt + usage.PromptTokens, hit + usage.CacheHitTokens);
        foreach (AnswerUsage usage in answers) (completion, reasoning) = (completion + usage.CompletionTokens, reasoning + usage.ReasoningTokens);
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, prompt);
        json.WriteNumber("completion_tokens"u8, completion);
        json.WriteNumber("total_tokens"u8, prompt + completion);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, hit);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, reasoning);
        json.WriteEndObject();
        json.WriteNumber("prompt_cache_hit_tokens"u8, hit);
        json.WriteNumber("prompt_cache_miss_tokens"u8, prompt - hit);
        json.WriteEndObject();
    }

    /// <summary>Log probabilities as a chat's answer has them; thoughts stand apart.</summary>
    public static void WriteLogProbabilities(Utf8JsonWriter json, IReadOnlyList<TokenReport> tokens, Tokenizer tokenizer, bool asked)
    {
        if (!asked)
        {
            json.WriteNull("logprobs"u8);
            return;
        }
        json.WriteStartObject("logprobs"u8);
        WriteList(json, "content", tokens, tokenizer, reasoning: false);
        if (tokens.Any(t => t.IsReasoning)) WriteList(json, "reasoning_content", tokens, tokenizer, reasoning: true);
        json.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter json, string name, IReadOnlyList<TokenReport> tokens, Tokenizer tokenizer, bool reasoning)
    {
        json.WriteStartArray(name);
        foreach (TokenReport token in tokens)
        {
            if (token.IsReasoning != reasoning) continue;
            json.WriteStartObject();
            WriteToken(json, token.Chosen, tokenizer);
            json.WriteStartArray("top_logprobs"u8);
            foreach (TokenLogProbability best in token.Best)
            {
                json.WriteStartObject();
                WriteToken(json, best, tokenizer);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteToken(Utf8JsonWriter json, TokenLogProbability token, Tokenizer tokenizer)
    {
        byte[] bytes = Bytes(tokenizer, token.Id);
        json.WriteString("token"u8, Encoding.UTF8.GetString(bytes));
        json.WriteNumber("logprob"u8, Finite(token.LogProbability));
        json.WriteStartArray("bytes"u8);
        foreach (byte b in bytes) json.WriteNumberValue(b);
        json.WriteEndArray();
    }

    /// <summary>The text of a token; pieces of a character are shown as U+FFFD.</summary>
    public static string TextOf(Tokenizer tokenizer, int id) => Encoding.UTF8.GetString(Bytes(tokenizer, id));

    private static byte[] Bytes(Tokenizer tokenizer, int id) => id < tokenizer.VocabularySize ? tokenizer.TokenBytes(id) : [];

    /// <summary>JSON has no infinity; OpenAI's API writes -9999 for what is all but impossible.</summary>
    public static float Finite(float logProbability) => float.IsFinite(logProbability) ? logProbability : -9999;

    public static void WriteCalls(Utf8JsonWriter json, IEnumerable<(int Index, ToolCall Call)> calls, bool withIndex)
    {
        json.WriteStartArray("tool_calls"u8);
        foreach ((int index, ToolCall call) in calls)
        {
            json.WriteStartObject();
            if (withIndex) json.WriteNumber("index"u8, index);
            json.WriteString("id"u8, call.Id);
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, call.Name);
            json.WriteString("arguments"u8, call.Arguments);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
