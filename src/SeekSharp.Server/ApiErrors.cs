using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Tokenization;

namespace SeekSharp.Server;

/// <summary>Errors in OpenAI's form: <c>{"error":{"message","type","param","code"}}</c>.</summary>
internal static class ApiErrors
{
    /// <summary>What an exception means to who sent the request; null for one that is our own fault.</summary>
    public static ApiException? Of(Exception e) => e switch
    {
        ApiException known => known,
        EngineException { Refusal: EngineRefusal.TooLong } => new(400, e.Message, "messages", "context_length_exceeded"),
        EngineException { Refusal: EngineRefusal.QueueFull } => new(429, e.Message, null, "queue_full"),
        EngineException { Refusal: EngineRefusal.Closed } => new(503, "the server is stopping", null, "stopping"),
        EngineException { Refusal: EngineRefusal.Value } => new(422, e.Message, null, "invalid_value"),
        EngineException => new(500, e.Message, null, "failed"),
        GrammarException => new(400, e.Message, null, "invalid_schema"),
        TemplateException => new(400, $"the model's chat template refuses the conversation: {e.Message}", "messages", "template_refused"),
        TokenizerException or CheckpointException => new(400, e.Message),
        BadHttpRequestException { StatusCode: 413 } => new(413, "the request's body is too large", null, "body_too_large"),
        BadHttpRequestException bad => new(bad.StatusCode, bad.Message),
        JsonException => new(400, $"the body is no valid JSON: {e.Message}", null, "invalid_json"),
        _ => null,
    };

    public static string TypeOf(int status) => status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        503 => "service_unavailable_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };

    /// <summary>Answers a request with an error.</summary>
    public static async Task WriteAsync(HttpResponse response, ApiException error)
    {
        response.Clear();
        response.StatusCode = error.Status;
        if (error.Status == 401) response.Headers.WWWAuthenticate = "Bearer";
        if (error.Status is 429 or 503) response.Headers.RetryAfter = "1";
        using var body = new JsonBody();
        Write(body.Writer, error);
        await body.SendAsync(response).ConfigureAwait(false);
    }

    public static void Write(Utf8JsonWriter json, ApiException error)
    {
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, error.Message);
        json.WriteString("type"u8, TypeOf(error.Status));
        json.WriteString("param"u8, error.Parameter);
        json.WriteString("code"u8, error.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
