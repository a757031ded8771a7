using System.Net;
using System.Net.Http.Headers;

namespace SeekSharp.Checkpoints;

/// <summary>An answer of the hub, or of the host that it sent us to.</summary>
/// <param name="Message">The answer; its body was not read.</param>
/// <param name="LinkedETag">The hub's own word on the content (<c>X-Linked-ETag</c>: the SHA-256 of an LFS file), without quotes.</param>
/// <param name="LinkedSize">The hub's own word on the length.</param>
internal sealed record HubResponse(HttpResponseMessage Message, string? LinkedETag, long? LinkedSize) : IDisposable
{
    public HttpStatusCode Status => Message.StatusCode;

    /// <summary>What tells this content from another: the hub's word, else the server's strong ETag.</summary>
    public string? Identity => LinkedETag ?? (Message.Headers.ETag is { IsWeak: false } tag ? tag.Tag : null);

    public void Dispose() => Message.Dispose();
}

/// <summary>
/// Requests to the hub. Redirects are followed here: only to https (to http on this machine from this machine), and without the token as soon as the host changes.
/// </summary>
internal sealed class HubHttp : IDisposable
{
    private const int MaxRedirects = 8;
    private readonly HubEndpoint _endpoint;
    private readonly PullOptions _options;
    private readonly HttpClient _client;

    public HubHttp(HubEndpoint endpoint, PullOptions options)
    {
        (_endpoint, _options) = (endpoint, options);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = options.Timeout,
            MaxConnectionsPerServer = options.Connections + 2,
            MaxResponseDrainSize = 64 << 10,
            ResponseDrainTimeout = TimeSpan.FromSeconds(1),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.ParseAdd("seeksharp/" + typeof(HubHttp).Assembly.GetName().Version?.ToString(3));
    }

    /// <summary>Asks for an address of the hub and follows redirects. The answer may have any status but a redirect.</summary>
    /// <exception cref="HubException">A redirect that is not followed.</exception>
    /// <exception cref="HttpRequestException">No connection, or not a proper answer.</exception>
    /// <exception cref="TimeoutException">No answer in time.</exception>
    public async Task<HubResponse> GetAsync(Uri address, (long First, long Last)? range, CancellationToken cancellation)
    {
        Uri current = address;
        string? token = _endpoint.Token, linkedETag = null;
        long? linkedSize = null;
        for (int hop = 0; ; hop++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, current);
            if (range is { } r) request.Headers.Range = new RangeHeaderValue(r.First, r.Last);
            if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            HttpResponseMessage response = await SendAsync(request, cancellation).ConfigureAwait(false);
            if (HubEndpoint.IsSameHost(current, _endpoint.Address))
            {
                linkedETag ??= Header(response, "X-Linked-ETag")?.Trim().TrimStart('W', '/').Trim('"');
                linkedSize ??= long.TryParse(Header(response, "X-Linked-Size"), out long size) && size >= 0 ? size : null;
            }
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)
                || response.Headers.Location is not { } location) return new HubResponse(response, linkedETag, linkedSize);

            response.Dispose();
            if (hop == MaxRedirects) throw new HubException($"{_endpoint}: more than {MaxRedirects} redirects");
            if (!Uri.TryCreate(current, location, out Uri? next)) throw new HubException($"{_endpoint}: a redirect to no proper address");
            bool isAllowed = next.Scheme == Uri.UriSchemeHttps || next.Scheme == Uri.UriSchemeHttp && HubEndpoint.IsLoopback(next) && HubEndpoint.IsLoopback(current) && current.Scheme == Uri.UriSchemeHttp;
            if (!isAllowed) throw new HubException($"{_endpoint}: a redirect to {SafePath.Printable(next.GetLeftPart(UriPartial.Authority))}, which is not https");
            if (!HubEndpoint.IsSameHost(next, current)) token = null; // and it does not come back
            current = next;
        }
    }

    /// <summary>Reads a body of at most <see cref="PullOptions.ListingBytes"/> within <see cref="PullOptions.ListingTimeout"/>.</summary>
    /// <exception cref="HubException">It is larger.</exception>
    public async Task<byte[]> ReadSmallAsync(HubResponse response, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_options.ListingTimeout);
        try
        {
            using Stream body = await response.Message.Content.ReadAsStreamAsync(limit.Token).ConfigureAwait(false);
            using var all = new MemoryStream();
            byte[] buffer = new byte[64 << 10];
            for (int n; (n = await body.ReadAsync(buffer, limit.Token).ConfigureAwait(false)) > 0;)
            {
                if (all.Length + n > _options.ListingBytes) throw new HubException($"{_endpoint}: a list of files of more than {_options.ListingBytes >> 10} KiB on one page");
                all.Write(buffer, 0, n);
            }
            return all.ToArray();
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"no list of files within {_options.ListingTimeout.TotalSeconds:0.#} s");
        }
    }

    /// <summary>The first value of a header.</summary>
    public static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;

    /// <summary>Whether trying again may help.</summary>
    public static bool IsTransient(Exception e) => e is HttpRequestException { HttpRequestError: not HttpRequestError.SecureConnectionError } or HttpIOException or TimeoutException or IOException;

    /// <summary>Whether an answer's status says that trying again may help.</summary>
    public static bool IsTransient(HttpStatusCode status) => status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;

    /// <summary>What went wrong, for people.</summary>
    public static string Reason(Exception e) => e switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "its name cannot be resolved; is there a network?",
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => "no connection; is there a network?",
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => "no trusted connection (TLS)",
        HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded } or HttpIOException or IOException => "the connection was cut",
        HttpRequestException { StatusCode: { } status } => $"status {(int)status}",
        HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } => "the proxy refuses",
        TimeoutException => e.Message,
        _ => "not a proper answer",
    };

    /// <summary>The pause before the next attempt: doubled each time, with some chance in it, or what the server asks for if that is not too long.</summary>
    public Task PauseAsync(int attempt, TimeSpan? asked, CancellationToken cancellation)
    {
        double pause = Math.Min(_options.MaxPause.TotalMilliseconds, _options.Pause.TotalMilliseconds * Math.Pow(2, attempt - 1)) * (0.75 + 0.5 * Random.Shared.NextDouble());
        if (asked is { } wait) pause = Math.Min(_options.MaxPause.TotalMilliseconds, Math.Max(pause, wait.TotalMilliseconds));
        return Task.Delay(TimeSpan.FromMilliseconds(pause), cancellation);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_options.Timeout);
        try
        {
            return await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"no answer within {_options.Timeout.TotalSeconds:0.#} s");
        }
        catch (InvalidOperationException e)
        {
            throw new HttpRequestException("not a proper answer", e);
        }
    }

    public void Dispose() => _client.Dispose();
}
