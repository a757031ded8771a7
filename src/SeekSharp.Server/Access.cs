using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace SeekSharp.Server;

/// <summary>Who may ask, and whose texts are whose.</summary>
internal sealed class Access(ServerOptions options)
{
    private readonly byte[][] _keys = [.. options.ApiKeys.Select(key => SHA256.HashData(Encoding.UTF8.GetBytes(key)))];

    /// <summary>
    /// A page in a browser can reach this machine's loopback address, by a name of its own that leads there (DNS rebinding) or across origins: only requests that were
    /// meant for this machine, and come from no other site, are served.
    /// </summary>
    /// <exception cref="ApiException">The request is of another site.</exception>
    public void CheckSite(HttpRequest request)
    {
        if (options.IsLoopback && !IsThisMachine(request.Host.Host))
            throw new ApiException(403, $"the Host header names '{ChatFields.Short(request.Host.Host)}'; this server answers to localhost only", null, "host_not_allowed");
        string? origin = request.Headers.Origin;
        if (!string.IsNullOrEmpty(origin) && !(Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) && uri.Authority == request.Host.Value))
            throw new ApiException(403, "requests of other sites' pages are refused", null, "origin_not_allowed");
    }

    /// <summary>Checks the key; gives the name under which prefixes are shared, from which nobody finds the key.</summary>
    /// <exception cref="ApiException">401.</exception>
    public string Tenant(HttpRequest request)
    {
        if (_keys.Length == 0) return "";
        string header = request.Headers.Authorization.ToString();
        const string Scheme = "Bearer ";
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new ApiException(401, "an API key is required: Authorization: Bearer KEY", null, "invalid_api_key");
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(header[Scheme.Length..].Trim()));
        bool known = false; // all keys are compared, in a time that does not hang on them
        foreach (byte[] key in _keys) known |= CryptographicOperations.FixedTimeEquals(hash, key);
        if (!known) throw new ApiException(401, "the API key is not known here", null, "invalid_api_key");
        return Convert.ToHexString(SHA256.HashData(hash), 0, 16);
    }

    private static bool IsThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address);
}
