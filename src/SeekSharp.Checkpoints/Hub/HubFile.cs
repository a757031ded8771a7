namespace SeekSharp.Checkpoints;

/// <summary>One file of a repository on the hub.</summary>
/// <param name="Path">Its path in the repository, as the server gave it: not checked.</param>
/// <param name="Size">Its length in bytes; null where the listing does not say.</param>
/// <param name="Sha256">Its SHA-256 in lower-case hex; null for files outside of LFS.</param>
/// <param name="ETag">What tells its content from another, where there is no SHA-256 and the server was asked.</param>
internal sealed record HubFile(string Path, long? Size, string? Sha256, string? ETag = null)
{
    /// <summary>The text if it is a SHA-256 in hex, in lower case; else null.</summary>
    public static string? AsSha256(string? text) =>
        text is { Length: 64 } && text.All(char.IsAsciiHexDigit) ? text.ToLowerInvariant() : null;
}
