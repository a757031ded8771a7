using System.Net;

namespace SeekSharp.Server;

/// <summary>How a server listens, and its limits.</summary>
internal sealed record ServerOptions
{
    /// <summary>An IP address, or <c>localhost</c>.</summary>
    public string Host { get; init; } = "127.0.0.1";
    /// <summary>0: any free one.</summary>
    public int Port { get; init; } = 8080;
    /// <summary>Who sends none of these is refused; empty: nobody needs one, on loopback only.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];
    /// <summary>Bytes of a request's body at most.</summary>
    public long MaxBody { get; init; } = 16 << 20;
    /// <summary>A stream that has nothing to say for so long says so.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>A client that reads more slowly, bytes a second, is dropped; but not before <see cref="Patience"/>.</summary>
    public double SlowestReader { get; init; } = 240;
    /// <summary>Time that a client may read nothing in any case; above a second.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);
    /// <summary>Told what went wrong inside; null for nobody.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>The address to listen at; null where the host is neither an address nor <c>localhost</c>.</summary>
    public IPAddress? Address => Host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(Host, out IPAddress? address) ? address : null;

    /// <summary>Only this machine can connect.</summary>
    public bool IsLoopback => Address is { } address && IPAddress.IsLoopback(address);

    /// <summary>What is wrong with these options, in one line; null for nothing.</summary>
    public string? Problem() =>
        Address is null ? $"--host: expected an IP address or localhost, found '{Host}'"
        : Port is < 0 or > 65535 ? $"--port must be from 0 to 65535, not {Port}"
        : ApiKeys.Any(k => k.Length == 0 || k.Any(c => c is <= ' ' or > '~')) ? "--api-key: expected printable letters without blanks"
        : ApiKeys.Count == 0 && !IsLoopback ? $"--host {Host} can be reached from other machines: that needs an --api-key"
        : null;
}
