namespace SeekSharp.Checkpoints;

/// <summary>A model's name on the hub: <c>org/repo[:QUANT][@revision]</c>. Everything in it is safe in a path and in an URL.</summary>
/// <param name="Org">The owner.</param>
/// <param name="Repo">The repository.</param>
/// <param name="Quant">The quantization, e.g. <c>Q4_K_M</c>; null where the name has none.</param>
/// <param name="Revision">A branch, tag or commit; null for the main branch.</param>
internal sealed record ModelName(string Org, string Repo, string? Quant, string? Revision)
{
    private static readonly string[] Hosts = ["https://huggingface.co/", "https://hf.co/", "huggingface.co/", "hf.co/"];

    /// <summary><c>org/repo</c>, as the hub's addresses have it.</summary>
    public string Repository => $"{Org}/{Repo}";

    public override string ToString() => Repository + (Quant is null ? "" : ":" + Quant) + (Revision is null ? "" : "@" + Revision);

    /// <summary>Reads a name; false if it is none, with what is wrong.</summary>
    public static bool TryParse(string text, out ModelName name, out string problem)
    {
        name = null!;
        string rest = text;
        foreach (string host in Hosts)
            if (rest.StartsWith(host, StringComparison.OrdinalIgnoreCase)) rest = rest[host.Length..].TrimEnd('/');

        string? revision = Cut(ref rest, '@'), quant = Cut(ref rest, ':');
        if (revision is not null) quant ??= Cut(ref revision, ':'); // org/repo@revision:QUANT is meant the same
        string[] parts = rest.Split('/');
        problem = parts.Length != 2 ? "expected org/repo[:QUANT][@revision]"
            : !IsPart(parts[0], 96, "") ? $"'{parts[0]}' cannot be an owner's name"
            : !IsPart(parts[1], 96, "") ? $"'{parts[1]}' cannot be a repository's name"
            : quant is not null && !IsPart(quant, 64, "") ? $"'{quant}' cannot be a quantization"
            : revision is not null && (!IsPart(revision, 128, "/") || revision.Split('/').Any(s => s.Length == 0)) ? $"'{revision}' cannot be a revision"
            : "";
        if (problem.Length > 0) return false;
        name = new ModelName(parts[0], parts[1], quant, revision is "main" ? null : revision);
        return true;
    }

    /// <exception cref="HubException">The text is no name.</exception>
    public static ModelName Parse(string text) =>
        TryParse(text, out ModelName name, out string problem) ? name : throw new HubException($"{text}: {problem}");

    private static string? Cut(ref string text, char sign)
    {
        int at = text.IndexOf(sign);
        if (at < 0) return null;
        string behind = text[(at + 1)..];
        text = text[..at];
        return behind;
    }

    private static bool IsPart(string text, int limit, string further) =>
        text.Length > 0 && text.Length <= limit && text[0] is not ('.' or '-' or '/') && !text.Contains("..", StringComparison.Ordinal)
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' || further.Contains(c))
        && text.Split('/').All(s => s.Length == 0 || SafePath.IsSafeName(s));
}
