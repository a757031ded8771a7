using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>What the server was asked for.</summary>
internal sealed record HubRequest(string Method, string Target, Dictionary<string, string> Headers)
{
    public string Path => Uri.UnescapeDataString(Target.Split('?')[0]);

    public (long First, long Last)? Range
    {
        get
        {
            if (!Headers.TryGetValue("range", out string? value)) return null;
            string[] parts = value["bytes=".Length..].Split('-');
            return (long.Parse(parts[0]), long.Parse(parts[1]));
        }
    }
}

/// <summary>
/// A hub on the loopback, byte by byte on a socket, so that it can behave as badly as a test likes: it cuts, lies, stalls and never ends.
/// </summary>
internal sealed class HubServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly SortedDictionary<string, (byte[] Bytes, bool IsLfs)> _files = new(StringComparer.Ordinal);
    private int _open, _mostOpen;

    public HubServer()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public int Port { get; }

    public string Address => $"http://127.0.0.1:{Port}";

    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    public ConcurrentQueue<HubRequest> Requests { get; } = new();

    /// <summary>Requests for files, without those for lists.</summary>
    public List<HubRequest> FileRequests => [.. Requests.Where(r => r.Path.Contains("/resolve/"))];

    /// <summary>The most requests that waited at a time for what <see cref="Intercept"/> does.</summary>
    public int MostOpen => _mostOpen;

    public int PageSize { get; set; } = 1000;

    /// <summary>Answers a request in place of the hub; false leaves it to the hub.</summary>
    public Func<HubRequest, Stream, Task<bool>>? Intercept { get; set; }

    /// <summary>Changes the list's entries before they are sent.</summary>
    public Action<JsonObject>? Entry { get; set; }

    public byte[] Add(string path, int size, bool isLfs = true, int seed = 0)
    {
        byte[] bytes = new byte[size];
        new Random(seed + path.Length).NextBytes(bytes);
        _files[path] = (bytes, isLfs);
        return bytes;
    }

    public void Add(string path, byte[] bytes) => _files[path] = (bytes, true);

    public void Add(string path, string text) => _files[path] = (Encoding.UTF8.GetBytes(text), false);

    public static string Sha(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static Task SendAsync(Stream stream, int status, string headers, ReadOnlyMemory<byte> body) => SendAsync(stream, status, headers, body, body.Length);

    public static async Task SendAsync(Stream stream, int status, string headers, ReadOnlyMemory<byte> body, long length)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"));
        await stream.WriteAsync(body);
    }

    public static Task SendTextAsync(Stream stream, int status, string body, string headers = "") => SendAsync(stream, status, headers, Encoding.UTF8.GetBytes(body));

    /// <summary>The proper answer to a request for a file: a range with 206, or all of it.</summary>
    public Task SendFileAsync(HubRequest request, Stream stream, int cutAfter = int.MaxValue)
    {
        (byte[] bytes, bool isLfs) = _files[FilePath(request)];
        string tag = $"ETag: \"{(isLfs ? Sha(bytes) : Sha(bytes)[..40])}\"\r\n" + (isLfs ? $"X-Linked-ETag: \"{Sha(bytes)}\"\r\nX-Linked-Size: {bytes.Length}\r\n" : "");
        if (request.Range is not { } range) return SendAsync(stream, 200, tag, bytes.AsMemory(0, Math.Min(cutAfter, bytes.Length)), bytes.Length);
        if (range.First >= bytes.Length) return SendAsync(stream, 416, $"Content-Range: bytes */{bytes.Length}\r\n", default);
        int first = (int)range.First, count = (int)Math.Min(range.Last + 1, bytes.Length) - first;
        return SendAsync(stream, 206, tag + $"Content-Range: bytes {first}-{first + count - 1}/{bytes.Length}\r\n", bytes.AsMemory(first, Math.Min(cutAfter, count)), count);
    }

    public static string FilePath(HubRequest request) => string.Join('/', request.Path.Split('/').Skip(5));

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                if (await ReadAsync(stream) is not { } request) return;
                Requests.Enqueue(request);
                int open = Interlocked.Increment(ref _open);
                for (int most; open > (most = _mostOpen);) Interlocked.CompareExchange(ref _mostOpen, open, most);
                bool isAnswered = false;
                try
                {
                    if (Intercept is not null) isAnswered = await Intercept(request, stream);
                }
                finally
                {
                    Interlocked.Decrement(ref _open); // before the answer: who has it may ask again before we count
                }
                if (!isAnswered) await AnswerAsync(request, stream);
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
            {
            }
        }
    }

    private async Task<HubRequest?> ReadAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        byte[] one = new byte[4096];
        while (!text.ToString().Contains("\r\n\r\n"))
        {
            int n = await stream.ReadAsync(one, _stop.Token);
            if (n == 0) return null;
            text.Append(Encoding.Latin1.GetString(one, 0, n));
        }
        string[] lines = text.ToString().Split("\r\n");
        string[] first = lines[0].Split(' ');
        var headers = lines.Skip(1).Where(l => l.Contains(':')).ToDictionary(l => l[..l.IndexOf(':')].ToLowerInvariant(), l => l[(l.IndexOf(':') + 1)..].Trim());
        return new HubRequest(first[0], first[1], headers);
    }

    /// <summary>What a hub does: the repository is always <c>org/repo</c>.</summary>
    public async Task AnswerAsync(HubRequest request, Stream stream)
    {
        if (request.Path.StartsWith("/api/models/org/repo/revision/", StringComparison.Ordinal))
        {
            var siblings = new JsonArray([.. _files.Keys.Select(k => new JsonObject { ["rfilename"] = k })]);
            await SendTextAsync(stream, 200, new JsonObject { ["id"] = "org/repo", ["sha"] = Commit, ["siblings"] = siblings }.ToJsonString());
        }
        else if (request.Path.StartsWith("/api/models/org/repo/tree/", StringComparison.Ordinal))
        {
            int at = request.Target.IndexOf("cursor=", StringComparison.Ordinal) is var c && c < 0 ? 0 : int.Parse(request.Target[(c + 7)..]);
            var page = new JsonArray();
            foreach ((string path, (byte[] bytes, bool isLfs)) in _files.Skip(at).Take(PageSize))
            {
                var entry = new JsonObject { ["type"] = "file", ["oid"] = Sha(bytes)[..40], ["size"] = bytes.Length, ["path"] = path };
                if (isLfs) entry["lfs"] = new JsonObject { ["oid"] = Sha(bytes), ["size"] = bytes.Length, ["pointerSize"] = 134 };
                Entry?.Invoke(entry);
                page.Add(entry);
            }
            // As the hub does, with its own name: a client behind a mirror must not follow it there.
            string link = at + PageSize < _files.Count ? $"Link: <https://huggingface.co{request.Path}?recursive=true&cursor={at + PageSize}>; rel=\"next\"\r\n" : "";
            await SendTextAsync(stream, 200, page.ToJsonString(), link);
        }
        else if (request.Path.StartsWith("/org/repo/resolve/", StringComparison.Ordinal) && _files.ContainsKey(FilePath(request))) await SendFileAsync(request, stream);
        else await SendTextAsync(stream, 404, "not found");
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Stop();
    }
}
