using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SeekSharp.Chat;
using SeekSharp.Tokenization;

namespace SeekSharp.Server;

/// <summary><c>POST /v1/completions</c>: texts continued as they stand, without a chat template.</summary>
internal sealed class CompletionEndpoint(ServerOptions options, string fingerprint)
{
    private const int MostLogProbabilities = 5; // OpenAI's

    private sealed record Request(NamedModel Model, IReadOnlyList<ChatRequest> Prompts, bool Echo, bool Logs, bool Stream, bool StreamUsage);

    public async Task HandleAsync(HttpContext context, JsonElement body, NamedModel model, string tenant, CancellationToken cancel)
    {
        Request request = Read(body, model, tenant);
        var runs = new List<ChatRun>(request.Prompts.Count);
        try
        {
            foreach (ChatRequest prompt in request.Prompts) runs.Add(ChatRun.Begin(request.Model.Model, prompt));
            string id = $"cmpl-{Guid.NewGuid():N}";
            long created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            if (request.Stream) await StreamAsync(context.Response, request, runs, id, created, cancel).ConfigureAwait(false);
            else await SendAsync(context.Response, request, runs, id, created, cancel).ConfigureAwait(false);
        }
        finally
        {
            foreach (ChatRun run in runs) run.Dispose();
        }
    }

    private static Request Read(JsonElement body, NamedModel model, string tenant)
    {
        var fields = new JsonFields(body);
        _ = fields.Text("model"); // known already
        Tokenizer tokenizer = model.Model.Tokenizer ?? throw new ApiException(400, "the model has no tokenizer");
        IReadOnlyList<ChatPrompt> prompts = Prompts(fields, "prompt", RequestFields.MostChoices, model.Model, tokenizer);
        int choices = RequestFields.Choices(fields);
        if (prompts.Count * choices > RequestFields.MostChoices) throw ApiException.OutOfRange("prompt", $"expected at most {RequestFields.MostChoices} answers (prompts × n), found {(long)prompts.Count * choices}");
        if (fields.Whole("best_of", 1, RequestFields.MostChoices) is { } best && best != choices) throw ApiException.Invalid("best_of", "supported is the value of n", "unsupported_parameter");
        int? logs = (int?)fields.Whole("logprobs", 0, MostLogProbabilities);
        bool echo = fields.Flag("echo") ?? false;
        if (echo && logs is not null) throw ApiException.Invalid("echo", "log probabilities of the prompt are not supported", "unsupported_parameter");
        if (fields.Text("suffix") is { Length: > 0 }) throw ApiException.Unsupported("suffix");
        (bool stream, bool usage) = RequestFields.Streaming(fields);
        var sampling = RequestFields.Sampling(fields, model.Model.Defaults, logs, (int?)fields.Whole("max_tokens", 1, int.MaxValue) ?? 16); // OpenAI's default
        IReadOnlyList<string> stops = RequestFields.Stops(fields);
        fields.RefuseRest(RequestFields.Harmless);
        ChatRequest[] requests = [.. prompts.Select(prompt => new ChatRequest { Prompt = prompt, Sampling = sampling, Choices = choices, Stop = stops, Adapter = model.Adapter, Tenant = tenant })];
        return new Request(model, requests, echo, logs is not null, stream, usage);
    }

    /// <summary>A text, ids, or several of either.</summary>
    internal static IReadOnlyList<ChatPrompt> Prompts(JsonFields fields, string name, int most, ChatModel model, Tokenizer tokenizer)
    {
        JsonElement prompt = fields.Take(name) ?? throw ApiException.Invalid(name, "this field is required");
        if (prompt.ValueKind == JsonValueKind.String) return [model.Plain(JsonFields.TextOf(prompt, name))];
        if (prompt.ValueKind != JsonValueKind.Array) throw ApiException.Invalid(name, $"expected a text or an array, found {JsonFields.Kind(prompt)}");
        if (prompt.GetArrayLength() == 0) throw ApiException.Invalid(name, "expected at least one text or token id");
        if (prompt[0].ValueKind == JsonValueKind.Number) return [Ids(prompt, name, tokenizer)];
        if (prompt.GetArrayLength() > most) throw ApiException.OutOfRange(name, $"expected at most {most} texts, found {prompt.GetArrayLength()}");
        return [.. JsonFields.Elements(prompt, name).Select(p => p.Value.ValueKind == JsonValueKind.Array ? Ids(p.Value, p.Path, tokenizer) : model.Plain(JsonFields.TextOf(p.Value, p.Path)))];
    }

    private static ChatPrompt Ids(JsonElement array, string path, Tokenizer tokenizer)
    {
        var ids = new int[array.GetArrayLength()];
        int i = 0;
        foreach (JsonElement element in array.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int id)) throw ApiException.Invalid($"{path}[{i}]", $"expected a token id, found {JsonFields.Kind(element)}");
            if (id < 0 || id >= tokenizer.VocabularySize) throw ApiException.OutOfRange($"{path}[{i}]", $"expected an id of 0 to {tokenizer.VocabularySize - 1}, found {id}");
            ids[i++] = id;
        }
        return new ChatPrompt(tokenizer.Decode(ids), ids);
    }

    private async Task SendAsync(HttpResponse response, Request request, List<ChatRun> runs, string id, long created, CancellationToken cancel)
    {
        int n = request.Prompts[0].Choices;
        var answers = new Answer[runs.Count * n];
        var tokens = new List<TokenReport>[answers.Length];
        await Task.WhenAll(runs.Select(async (run, r) =>
        {
            await foreach (ChatDelta delta in run.ReadAsync(cancel).ConfigureAwait(false))
            {
                (tokens[r * n + delta.Choice] ??= []).AddRange(delta.Tokens);
                if (delta.Answer is { } answer) answers[r * n + delta.Choice] = answer;
            }
        })).ConfigureAwait(false);
        using var body = new JsonBody();
        Utf8JsonWriter json = body.Writer;
        Head(json, request, id, created);
        json.WriteStartArray("choices"u8);
        for (int i = 0; i < answers.Length; i++)
        {
            int offset = 0;
            Choice(json, request, i, (request.Echo ? runs[i / n].Prompt.Text : "") + answers[i].Content, tokens[i], ref offset, answers[i].FinishReason);
        }
        json.WriteEndArray();
        AnswerJson.WriteUsage(json, Enumerable.Range(0, runs.Count).Select(r => answers[r * n].Usage), answers.Select(a => a.Usage));
        json.WriteEndObject();
        await body.SendAsync(response, cancel).ConfigureAwait(false);
    }

    // Several prompts are computed together; their texts are sent one prompt after the other.
    private async Task StreamAsync(HttpResponse response, Request request, List<ChatRun> runs, string id, long created, CancellationToken cancel)
    {
        int n = request.Prompts[0].Choices;
        using var events = new EventStream(response, cancel);
        var usages = new AnswerUsage[runs.Count * n];
        var offsets = new int[usages.Length];
        for (int r = 0; r < runs.Count; r++)
        {
            int first = r * n;
            if (request.Echo)
                for (int i = 0; i < n; i++) await SendChunk(first + i, runs[r].Prompt.Text, [], null).ConfigureAwait(false);
            await events.ForEachAsync(runs[r].ReadAsync(cancel), options.KeepAlive, delta =>
            {
                if (delta.Answer is { } answer) usages[first + delta.Choice] = answer.Usage;
                return SendChunk(first + delta.Choice, delta.Content, delta.Tokens, delta.Answer?.FinishReason);
            }).ConfigureAwait(false);
        }
        if (request.StreamUsage)
        {
            Utf8JsonWriter json = events.Begin();
            Head(json, request, id, created);
            json.WriteStartArray("choices"u8);
            json.WriteEndArray();
            AnswerJson.WriteUsage(json, Enumerable.Range(0, runs.Count).Select(r => usages[r * n]), usages);
            json.WriteEndObject();
            await events.EndAsync().ConfigureAwait(false);
        }
        await events.DoneAsync().ConfigureAwait(false);

        ValueTask SendChunk(int index, string text, IReadOnlyList<TokenReport> tokens, string? finish)
        {
            Utf8JsonWriter json = events.Begin();
            Head(json, request, id, created);
            json.WriteStartArray("choices"u8);
            Choice(json, request, index, text, tokens, ref offsets[index], finish);
            json.WriteEndArray();
            if (request.StreamUsage) json.WriteNull("usage"u8);
            json.WriteEndObject();
            return events.EndAsync();
        }
    }

    private void Head(Utf8JsonWriter json, Request request, string id, long created)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, id);
        json.WriteString("object"u8, "text_completion"u8);
        json.WriteNumber("created"u8, created);
        json.WriteString("model"u8, request.Model.Name);
        json.WriteString("system_fingerprint"u8, fingerprint);
    }

    private static void Choice(Utf8JsonWriter json, Request request, int index, string text, IReadOnlyList<TokenReport> tokens, ref int offset, string? finish)
    {
        json.WriteStartObject();
        json.WriteString("text"u8, text);
        json.WriteNumber("index"u8, index);
        if (request.Logs && (tokens.Count > 0 || !request.Stream)) WriteLogProbabilities(json, tokens, request.Model.Model.Tokenizer!, ref offset);
        else json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, finish);
        json.WriteEndObject();
    }

    private static void WriteLogProbabilities(Utf8JsonWriter json, IReadOnlyList<TokenReport> tokens, Tokenizer tokenizer, ref int offset)
    {
        json.WriteStartObject("logprobs"u8);
        json.WriteStartArray("tokens"u8);
        foreach (TokenReport token in tokens) json.WriteStringValue(AnswerJson.TextOf(tokenizer, token.Chosen.Id));
        json.WriteEndArray();
        json.WriteStartArray("token_logprobs"u8);
        foreach (TokenReport token in tokens) json.WriteNumberValue(AnswerJson.Finite(token.Chosen.LogProbability));
        json.WriteEndArray();
        json.WriteStartArray("top_logprobs"u8);
        foreach (TokenReport token in tokens)
        {
            json.WriteStartObject();
            foreach (var same in token.Best.GroupBy(b => AnswerJson.TextOf(tokenizer, b.Id))) json.WriteNumber(same.Key, AnswerJson.Finite(same.First().LogProbability));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("text_offset"u8);
        foreach (TokenReport token in tokens)
        {
            json.WriteNumberValue(offset);
            offset += AnswerJson.TextOf(tokenizer, token.Chosen.Id).Length;
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
