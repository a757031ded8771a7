using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SeekSharp.Chat;
using SeekSharp.Tokenization;

namespace SeekSharp.Server;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal sealed class ChatEndpoint(ServerOptions options, string fingerprint)
{
    public async Task HandleAsync(HttpContext context, JsonElement body, NamedModel model, string tenant, CancellationToken cancel)
    {
        ChatCompletionRequest request = ChatFields.Read(body, model, tenant);
        using ChatRun run = ChatRun.Begin(request.Model.Model, request.Chat);
        var head = new Head($"chatcmpl-{Guid.NewGuid():N}", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), request.Model.Name, fingerprint, request.Model.Model.Tokenizer!);
        if (request.Stream) await StreamAsync(context.Response, request, run, head, cancel).ConfigureAwait(false);
        else await SendAsync(context.Response, request, run, head, cancel).ConfigureAwait(false);
    }

    private sealed record Head(string Id, long Created, string Model, string Fingerprint, Tokenizer Tokenizer)
    {
        public void Write(Utf8JsonWriter json, ReadOnlySpan<byte> kind)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, Id);
            json.WriteString("object"u8, kind);
            json.WriteNumber("created"u8, Created);
            json.WriteString("model"u8, Model);
            json.WriteString("system_fingerprint"u8, Fingerprint);
        }
    }

    private static async Task SendAsync(HttpResponse response, ChatCompletionRequest request, ChatRun run, Head head, CancellationToken cancel)
    {
        var answers = new Answer[run.Choices];
        var tokens = new List<TokenReport>[run.Choices];
        await foreach (ChatDelta delta in run.ReadAsync(cancel).ConfigureAwait(false))
        {
            (tokens[delta.Choice] ??= []).AddRange(delta.Tokens);
            if (delta.Answer is { } answer) answers[delta.Choice] = answer;
        }
        using var body = new JsonBody();
        Utf8JsonWriter json = body.Writer;
        head.Write(json, "chat.completion"u8);
        json.WriteStartArray("choices"u8);
        for (int i = 0; i < answers.Length; i++)
        {
            Answer answer = answers[i];
            json.WriteStartObject();
            json.WriteNumber("index"u8, i);
            json.WriteStartObject("message"u8);
            json.WriteString("role"u8, "assistant"u8);
            if (answer.Content.Length == 0 && answer.ToolCalls.Count > 0) json.WriteNull("content"u8);
            else json.WriteString("content"u8, answer.Content);
            if (answer.Reasoning.Length > 0) json.WriteString("reasoning_content"u8, answer.Reasoning);
            if (answer.ToolCalls.Count > 0) AnswerJson.WriteCalls(json, answer.ToolCalls.Select((c, at) => (at, c)), withIndex: false);
            json.WriteEndObject();
            AnswerJson.WriteLogProbabilities(json, tokens[i], head.Tokenizer, request.Chat.Sampling.LogProbabilities is not null);
            json.WriteString("finish_reason"u8, answer.FinishReason);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        AnswerJson.WriteUsage(json, [answers[0].Usage], answers.Select(a => a.Usage));
        json.WriteEndObject();
        await body.SendAsync(response, cancel).ConfigureAwait(false);
    }

    private async Task StreamAsync(HttpResponse response, ChatCompletionRequest request, ChatRun run, Head head, CancellationToken cancel)
    {
        using var events = new EventStream(response, cancel);
        bool logs = request.Chat.Sampling.LogProbabilities is not null, thinks = run.Prompt.OpensThinking && request.Chat.Think != false;
        var usages = new AnswerUsage[run.Choices];
        var reasoned = new bool[run.Choices];
        for (int i = 0; i < run.Choices; i++)
        {
            Utf8JsonWriter json = Open(i);
            json.WriteString("role"u8, "assistant"u8);
            if (!thinks) json.WriteString("content"u8, ""u8);
            else
            {
                json.WriteNull("content"u8);
                json.WriteString("reasoning_content"u8, ""u8);
                reasoned[i] = true;
            }
            await CloseAsync(json, [], null).ConfigureAwait(false);
        }
        await events.ForEachAsync(run.ReadAsync(cancel), options.KeepAlive, delta =>
        {
            Utf8JsonWriter json = Open(delta.Choice);
            if (delta.ToolCall is { } call) AnswerJson.WriteCalls(json, [(delta.ToolIndex, call)], withIndex: true);
            else if (delta.Reasoning.Length > 0)
            {
                json.WriteNull("content"u8);
                json.WriteString("reasoning_content"u8, delta.Reasoning);
                reasoned[delta.Choice] = true;
            }
            else if (delta.Answer is { } answer) usages[delta.Choice] = answer.Usage;
            else
            {
                json.WriteString("content"u8, delta.Content);
                if (reasoned[delta.Choice]) json.WriteNull("reasoning_content"u8);
            }
            return CloseAsync(json, delta.Tokens, delta.Answer?.FinishReason);
        }).ConfigureAwait(false);
        if (request.StreamUsage)
        {
            Utf8JsonWriter json = events.Begin();
            head.Write(json, "chat.completion.chunk"u8);
            json.WriteStartArray("choices"u8);
            json.WriteEndArray();
            AnswerJson.WriteUsage(json, [usages[0]], usages);
            json.WriteEndObject();
            await events.EndAsync().ConfigureAwait(false);
        }
        await events.DoneAsync().ConfigureAwait(false);

        Utf8JsonWriter Open(int choice)
        {
            Utf8JsonWriter json = events.Begin();
            head.Write(json, "chat.completion.chunk"u8);
            json.WriteStartArray("choices"u8);
            json.WriteStartObject();
            json.WriteNumber("index"u8, choice);
            json.WriteStartObject("delta"u8);
            return json;
        }

        ValueTask CloseAsync(Utf8JsonWriter json, IReadOnlyList<TokenReport> tokens, string? finish)
        {
            json.WriteEndObject();
            AnswerJson.WriteLogProbabilities(json, tokens, head.Tokenizer, logs && tokens.Count > 0);
            json.WriteString("finish_reason"u8, finish);
            json.WriteEndObject();
            json.WriteEndArray();
            if (request.StreamUsage) json.WriteNull("usage"u8);
            json.WriteEndObject();
            return events.EndAsync();
        }
    }
}
