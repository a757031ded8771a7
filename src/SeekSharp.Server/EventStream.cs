using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace SeekSharp.Server;

/// <summary>
/// Server-sent events: <c>data: JSON</c> and an empty line, <c>data: [DONE]</c> at the end, comments where there is nothing to say. Each event is written
/// straight into the connection's buffer; a client that does not read makes the writer wait, and its sequence rest.
/// </summary>
internal sealed class EventStream : IDisposable
{
    private readonly PipeWriter _pipe;
    private readonly Utf8JsonWriter _json;
    private readonly CancellationToken _cancel;

    /// <param name="response">Where the events go.</param>
    /// <param name="cancel">Nobody waits for them any more.</param>
    /// <param name="started">The head of the answer is sent already.</param>
    public EventStream(HttpResponse response, CancellationToken cancel, bool started = false)
    {
        if (!started)
        {
            response.ContentType = "text/event-stream; charset=utf-8";
            response.Headers.CacheControl = "no-cache";
            response.Headers["X-Accel-Buffering"] = "no"; // nginx would hold events back
        }
        _pipe = response.BodyWriter;
        _json = new Utf8JsonWriter(_pipe, JsonBody.Options);
        _cancel = cancel;
    }

    /// <summary>Begins an event; the JSON goes into what this gives.</summary>
    public Utf8JsonWriter Begin()
    {
        Put("data: "u8);
        _json.Reset();
        return _json;
    }

    /// <summary>Ends the event and sends it.</summary>
    public ValueTask EndAsync()
    {
        _json.Flush();
        Put("\n\n"u8);
        return FlushAsync();
    }

    public ValueTask DoneAsync()
    {
        Put("data: [DONE]\n\n"u8);
        return FlushAsync();
    }

    public ValueTask KeepAliveAsync()
    {
        Put(": keep-alive\n\n"u8);
        return FlushAsync();
    }

    /// <summary>Goes through what comes; where nothing comes for a time, says so to the client.</summary>
    public async Task ForEachAsync<T>(IAsyncEnumerable<T> items, TimeSpan keepAlive, Func<T, ValueTask> take)
    {
        IAsyncEnumerator<T> enumerator = items.GetAsyncEnumerator(_cancel);
        Task<bool>? next = null;
        try
        {
            Task? pause = null;
            while (true)
            {
                ValueTask<bool> moving = enumerator.MoveNextAsync();
                bool more;
                if (moving.IsCompleted) more = await moving.ConfigureAwait(false);
                else
                {
                    next = moving.AsTask();
                    while (true)
                    {
                        if (pause is null or { IsCompleted: true }) pause = Task.Delay(keepAlive, CancellationToken.None);
                        if (await Task.WhenAny(next, pause).ConfigureAwait(false) == next) break;
                        await KeepAliveAsync().ConfigureAwait(false);
                    }
                    more = await next.ConfigureAwait(false);
                    next = null;
                }
                if (!more) return;
                await take(enumerator.Current).ConfigureAwait(false);
            }
        }
        finally
        {
            if (next is not null) await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // an enumerator is not given back while it moves
            await enumerator.DisposeAsync().ConfigureAwait(false);
        }
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_pipe.GetSpan(bytes.Length));
        _pipe.Advance(bytes.Length);
    }

    private async ValueTask FlushAsync()
    {
        FlushResult result = await _pipe.FlushAsync(_cancel).ConfigureAwait(false);
        if (result.IsCanceled || result.IsCompleted) throw new OperationCanceledException("the client has gone");
    }

    public void Dispose() => _json.Dispose();
}
