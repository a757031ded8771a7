using System.Net;

namespace SeekSharp.Checkpoints;

/// <summary>Which hub is asked, and in whose name.</summary>
/// <param name="Address">Its address, without a slash at the end.</param>
/// <param name="Token">An access token, for this host alone; null without.</param>
internal sealed record HubEndpoint(Uri Address, string? Token)
{
    public const string Default = "https://huggingface.co";

    /// <summary>The hub of <c>HF_ENDPOINT</c> with the token of <c>HF_TOKEN</c>.</summary>
    /// <exception cref="HubException">The address or the token is not usable.</exception>
    public static HubEndpoint FromEnvironment() => Create(Environment.GetEnvironmentVariable("HF_ENDPOINT"), Environment.GetEnvironmentVariable("HF_TOKEN"));

    public static HubEndpoint Create(string? address, string? token)
    {
        address = string.IsNullOrWhiteSpace(address) ? Default : address.Trim();
        token = string.IsNullOrWhiteSpace(token) ? null : token.Trim();
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("https" or "http") || uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
            throw new HubException($"HF_ENDPOINT: expected an address like {Default}, found '{SafePath.Printable(address)}'");
        if (token is not null && !token.All(c => c is > ' ' and < '\u007f')) throw new HubException("HF_TOKEN: holds characters that no token has");
        if (token is not null && uri.Scheme == "http" && !IsLoopback(uri)) throw new HubException($"HF_TOKEN is not sent to {uri.GetLeftPart(UriPartial.Authority)} without https");
        return new HubEndpoint(new Uri(uri.AbsoluteUri.TrimEnd('/') + "/"), token);
    }

    /// <summary>The hub's name for messages.</summary>
    public override string ToString() => Address.AbsoluteUri.TrimEnd('/');

    public Uri Api(ModelName name, string what, string revision, string query = "") =>
        new(Address, $"api/models/{name.Repository}/{what}/{Uri.EscapeDataString(revision)}{query}");

    public Uri File(ModelName name, string revision, string path) =>
        new(Address, $"{name.Repository}/resolve/{Uri.EscapeDataString(revision)}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}");

    /// <summary>Whether two addresses have the same scheme, host and port.</summary>
    public static bool IsSameHost(Uri a, Uri b) => a.Scheme == b.Scheme && a.Port == b.Port && string.Equals(a.IdnHost, b.IdnHost, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether an address is this machine's own.</summary>
    public static bool IsLoopback(Uri uri) =>
        string.Equals(uri.IdnHost, "localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(uri.IdnHost.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip);
}
