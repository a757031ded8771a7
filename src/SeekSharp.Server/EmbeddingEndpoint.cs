using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SeekSharp.Chat;
using SeekSharp.Engine;
using SeekSharp.Tokenization;

namespace SeekSharp.Server;

/// <summary><c>POST /v1/embeddings</c>: texts as vectors of length 1.</summary>
internal static class EmbeddingEndpoint
{
    private const int MostTexts = 2048; // OpenAI's

    public static async Task HandleAsync(HttpContext context, JsonElement body, NamedModel model, CancellationToken cancel)
    {
        var fields = new JsonFields(body);
        _ = fields.Text("model"); // known already
        if (model.Adapter is not null) throw ApiException.Invalid("model", $"'{model.Name}' is an adapter: embeddings are those of '{model.Parent}'", "unsupported_parameter");
        Tokenizer tokenizer = model.Model.Tokenizer ?? throw new ApiException(400, "the model has no tokenizer");
        IReadOnlyList<int[]> texts = Texts(fields, model.Model, tokenizer);
        bool isBase64 = fields.Text("encoding_format") switch
        {
            null or "float" => false,
            "base64" => true,
            var other => throw ApiException.Invalid("encoding_format", $"expected float or base64, found '{ChatFields.Short(other)}'"),
        };
        Pooling pooling = fields.Text("pooling") switch
        {
            null or "mean" => Pooling.Mean,
            "last" => Pooling.Last,
            var other => throw ApiException.Invalid("pooling", $"expected mean or last, found '{ChatFields.Short(other)}'"),
        };
        var embedder = new Embedder(model.Model.Model);
        if (fields.Whole("dimensions", 1, int.MaxValue) is { } dimensions && dimensions != embedder.Width)
            throw ApiException.Invalid("dimensions", $"supported is the model's {embedder.Width}", "unsupported_parameter");
        fields.RefuseRest(RequestFields.Harmless);

        float[][] vectors = await Task.Run(() => embedder.Embed(texts, pooling, cancel), cancel).ConfigureAwait(false);
        using var answer = new JsonBody();
        Utf8JsonWriter json = answer.Writer;
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        for (int i = 0; i < vectors.Length; i++)
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "embedding"u8);
            json.WriteNumber("index"u8, i);
            if (isBase64) json.WriteBase64String("embedding"u8, LittleEndian(vectors[i]));
            else
            {
                json.WriteStartArray("embedding"u8);
                foreach (float x in vectors[i]) json.WriteNumberValue(x);
                json.WriteEndArray();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteString("model"u8, model.Name);
        json.WriteStartObject("usage"u8);
        int tokens = texts.Sum(t => t.Length);
        json.WriteNumber("prompt_tokens"u8, tokens);
        json.WriteNumber("total_tokens"u8, tokens);
        json.WriteEndObject();
        json.WriteEndObject();
        await answer.SendAsync(context.Response, cancel).ConfigureAwait(false);
    }

    private static IReadOnlyList<int[]> Texts(JsonFields fields, ChatModel model, Tokenizer tokenizer)
    {
        IReadOnlyList<ChatPrompt> texts = CompletionEndpoint.Prompts(fields, "input", MostTexts, model, tokenizer);
        int most = model.Engine.ContextLength;
        for (int i = 0; i < texts.Count; i++)
        {
            if (texts[i].Ids.Length == 0) throw ApiException.OutOfRange("input", $"text {i} has no tokens");
            if (texts[i].Ids.Length > most) throw new ApiException(400, $"text {i} has {texts[i].Ids.Length} tokens, the context {most}", "input", "context_length_exceeded");
        }
        return [.. texts.Select(t => t.Ids)];
    }

    private static byte[] LittleEndian(float[] vector)
    {
        var bytes = new byte[4 * vector.Length];
        for (int i = 0; i < vector.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(4 * i), vector[i]);
        return bytes;
    }
}
