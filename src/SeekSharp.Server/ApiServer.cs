using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SeekSharp.Chat;

namespace SeekSharp.Server;

/// <summary>
/// The DeepSeek and OpenAI HTTP API on loaded models. Paths stand with and without <c>/v1</c>. Requests run beside each other; a request whose connection is cut ends within a step.
/// </summary>
internal sealed class ApiServer : IAsyncDisposable
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    private readonly ServerOptions _options;
    private readonly ChatModels _models;
    private readonly Access _access;
    private readonly ChatEndpoint _chat;
    private readonly CompletionEndpoint _completions;
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stopNow = new();
    private int _running, _disposed;
    private volatile bool _draining;

    /// <param name="options">Checked options (<see cref="ServerOptions.Problem"/>).</param>
    /// <param name="models">Served models; they stay their owner's and may change.</param>
    public ApiServer(ServerOptions options, ChatModels models)
    {
        if (options.Problem() is { } problem) throw new ArgumentException(problem, nameof(options));
        (_options, _models, _access) = (options, models, new Access(options));
        string fingerprint = "fp_" + typeof(ApiServer).Assembly.ManifestModule.ModuleVersionId.ToString("N")[..10];
        (_chat, _completions) = (new ChatEndpoint(options, fingerprint), new CompletionEndpoint(options, fingerprint));

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>(); // signals are the program's
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBody;
            kestrel.Limits.MinResponseDataRate = new MinDataRate(options.SlowestReader, options.Patience);
            kestrel.Limits.MaxConcurrentConnections = 4096;
            kestrel.Listen(options.Address!, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    /// <summary>Where it listens, once it does.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>Requests under way.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <exception cref="IOException">The port cannot be had; the message says why.</exception>
    public async Task StartAsync(CancellationToken cancel = default)
    {
        try
        {
            await _app.StartAsync(cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or AddressInUseException || e is IOException && e.InnerException is AddressInUseException or SocketException)
        {
            throw new IOException($"cannot listen at {_options.Host}:{_options.Port}: {(e.InnerException ?? e).Message}");
        }
    }

    /// <summary>Ends: new requests get 503, running ones may finish within the limit and are cut then.</summary>
    public async Task DrainAsync(TimeSpan limit)
    {
        _draining = true;
        long end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (Running > 0 && Environment.TickCount64 < end) await Task.Delay(20).ConfigureAwait(false);
        await _stopNow.CancelAsync().ConfigureAwait(false);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(patience.Token).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _stopNow.CancelAsync().ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
        _stopNow.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        Interlocked.Increment(ref _running);
        try
        {
            await RouteAsync(context).ConfigureAwait(false);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested || e is ConnectionResetException)
        {
            context.Abort(); // nobody is there to be told
        }
        catch (OperationCanceledException)
        {
            context.Abort(); // the server ends, or the client's pipe has
        }
        catch (Exception e)
        {
            await FailAsync(context, e).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private async Task RouteAsync(HttpContext context)
    {
        // 1. Whose request it is. 2. What is asked for. 3. Its body. 4. The answer.
        HttpRequest request = context.Request;
        _access.CheckSite(request);
        string path = request.Path.Value ?? "/";
        if (path.Length > 1 && path[^1] == '/') path = path[..^1];
        if (path == "/health")
        {
            Need(request, "GET");
            await HealthAsync(context.Response).ConfigureAwait(false);
            return;
        }
        if (_draining) throw new ApiException(503, "the server is stopping", null, "stopping");
        string tenant = _access.Tenant(request);
        if (path.StartsWith("/v1/", StringComparison.Ordinal)) path = path[3..];

        // 2.
        if (path == "/models" || path.StartsWith("/models/", StringComparison.Ordinal))
        {
            Need(request, "GET");
            await ModelsAsync(context.Response, path.Length > 8 ? Uri.UnescapeDataString(path[8..]) : null).ConfigureAwait(false);
            return;
        }
        if (path is not ("/chat/completions" or "/completions" or "/embeddings"))
            throw new ApiException(404, $"there is nothing at {ChatFields.Short(request.Path.Value ?? "/")}; see docs/server.md", null, "not_found");
        Need(request, "POST");

        // 3.
        using JsonDocument body = await JsonDocument.ParseAsync(request.Body, Strict, context.RequestAborted).ConfigureAwait(false);

        // 4.
        using ModelLease lease = ChatFields.Rent(body.RootElement, _models);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopNow.Token, lease.Cut);
        try
        {
            if (path == "/chat/completions") await _chat.HandleAsync(context, body.RootElement, lease.Model, tenant, cancel.Token).ConfigureAwait(false);
            else if (path == "/embeddings") await EmbeddingEndpoint.HandleAsync(context, body.RootElement, lease.Model, cancel.Token).ConfigureAwait(false);
            else await _completions.HandleAsync(context, body.RootElement, lease.Model, tenant, cancel.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (lease.Cut.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested && !_stopNow.IsCancellationRequested)
        {
            throw new ApiException(503, $"the model '{lease.Model.Name}' was unloaded", "model", "model_unloaded");
        }
    }

    private static void Need(HttpRequest request, string method)
    {
        if (request.Method != method && !(method == "GET" && request.Method == "HEAD"))
            throw new ApiException(405, $"{ChatFields.Short(request.Path.Value ?? "/")} takes {method}, not {ChatFields.Short(request.Method)}", null, "method_not_allowed");
    }

    private async Task FailAsync(HttpContext context, Exception e)
    {
        ApiException? known = ApiErrors.Of(e);
        if (known is null or { Status: 500 }) _options.Log?.Invoke($"{context.Request.Path}: {e.GetType().Name}: {e.Message}");
        known ??= new ApiException(500, "an internal error", null, "internal_error");
        try
        {
            if (!context.Response.HasStarted) await ApiErrors.WriteAsync(context.Response, known).ConfigureAwait(false);
            else if (context.Response.ContentType?.StartsWith("text/event-stream", StringComparison.Ordinal) == true)
            {
                using var events = new EventStream(context.Response, context.RequestAborted, started: true);
                ApiErrors.Write(events.Begin(), known);
                await events.EndAsync().ConfigureAwait(false);
            }
            else context.Abort();
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            context.Abort();
        }
    }

    private async Task HealthAsync(HttpResponse response)
    {
        using var body = new JsonBody();
        Utf8JsonWriter json = body.Writer;
        response.StatusCode = _draining ? 503 : 200;
        json.WriteStartObject();
        json.WriteString("status"u8, _draining ? "stopping"u8 : "ok"u8);
        json.WriteEndObject();
        await body.SendAsync(response).ConfigureAwait(false);
    }

    private async Task ModelsAsync(HttpResponse response, string? name)
    {
        using var body = new JsonBody();
        Utf8JsonWriter json = body.Writer;
        if (name is not null) Write(_models.Find(name) ?? throw new ApiException(404, $"there is no model '{ChatFields.Short(name)}'; GET /v1/models lists them", "model", "model_not_found"));
        else
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "list"u8);
            json.WriteStartArray("data"u8);
            foreach (NamedModel model in _models.All) Write(model);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        await body.SendAsync(response).ConfigureAwait(false);

        void Write(NamedModel model)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, model.Name);
            json.WriteString("object"u8, "model"u8);
            json.WriteNumber("created"u8, model.Since.ToUnixTimeSeconds());
            json.WriteString("owned_by"u8, "seeksharp"u8);
            if (model.Parent is not null) json.WriteString("parent"u8, model.Parent);
            json.WriteNumber("context_length"u8, model.Model.Engine.ContextLength);
            json.WriteEndObject();
        }
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
