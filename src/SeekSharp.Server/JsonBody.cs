using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace SeekSharp.Server;

/// <summary>A JSON answer that is written whole and then sent.</summary>
internal sealed class JsonBody : IDisposable
{
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true }; // it goes into no HTML

    private readonly ArrayBufferWriter<byte> _bytes = new(1024);

    public JsonBody() => Writer = new Utf8JsonWriter(_bytes, Options);

    public Utf8JsonWriter Writer { get; }

    public async Task SendAsync(HttpResponse response, CancellationToken cancel = default)
    {
        Writer.Flush();
        response.ContentType = "application/json";
        response.ContentLength = _bytes.WrittenCount;
        await response.Body.WriteAsync(_bytes.WrittenMemory, cancel).ConfigureAwait(false);
    }

    public void Dispose() => Writer.Dispose();
}
