namespace SeekSharp.Checkpoints;

/// <summary>One GGUF model among a repository's files: a file, or all parts of one that was split.</summary>
/// <param name="Stem">The path without <c>.gguf</c> and without the number of a part.</param>
/// <param name="Tag">Its quantization, where the name tells.</param>
/// <param name="Paths">Its files, the first part first.</param>
/// <param name="Parts">How many files it should have.</param>
internal sealed record GgufGroup(string Stem, string? Tag, IReadOnlyList<string> Paths, int Parts)
{
    /// <summary>What to call it in a list: its quantization, or its name.</summary>
    public string Label => Tag ?? Stem;

    /// <summary>The models in a list of files. Projectors of images and importance matrices, which are GGUF files too, are none.</summary>
    public static List<GgufGroup> From(IEnumerable<string> paths)
    {
        var files = new List<(string Stem, int Parts, int Part, string Path)>();
        foreach (string path in paths)
        {
            string name = path[(path.LastIndexOf('/') + 1)..];
            if (name.StartsWith("mmproj", StringComparison.OrdinalIgnoreCase) || name.Contains("imatrix", StringComparison.OrdinalIgnoreCase)) continue;
            if (QuantTag.TrySplit(path, out string stem, out int part, out int parts)) files.Add((stem, parts, part, path));
        }
        return [.. files.GroupBy(f => (f.Stem, f.Parts))
            .Select(g => new GgufGroup(g.Key.Stem, QuantTag.Of(g.Key.Stem), [.. g.OrderBy(f => f.Part).Select(f => f.Path)], g.Key.Parts))
            .OrderBy(g => g.Stem, StringComparer.Ordinal)];
    }

    /// <summary>
    /// The model that a name means. Without a quantization that is <c>Q4_K_M</c>, or the only one. With one, it is the model whose path holds it as a
    /// word, whatever its case; of several the one whose tag is exactly that.
    /// </summary>
    /// <exception cref="HubException">None is meant, or more than one; the message lists those that there are.</exception>
    public static GgufGroup Choose(IReadOnlyList<GgufGroup> groups, ModelName name)
    {
        string wanted = name.Quant ?? "Q4_K_M";
        List<GgufGroup> found = [.. groups.Where(g => QuantTag.Holds(g.Stem, wanted))];
        if (found.Count > 1 && found.FindAll(g => string.Equals(g.Tag, wanted, StringComparison.OrdinalIgnoreCase)) is { Count: > 0 } exact) found = exact;
        if (found.Count == 0 && name.Quant is null && groups.Count == 1) found = [groups[0]];

        if (found.Count == 0 && name.Quant is null) throw new HubException($"{name}: which quantization? {name.Repository}:QUANT with one of {List(groups)}");
        if (found.Count == 0) throw new HubException($"{name}: no GGUF file is {name.Quant}; there {(groups.Count == 0 ? "is no GGUF file at all" : $"are {List(groups)}")}");
        if (found.Count > 1) throw new HubException($"{name}: more than one file is {wanted} ({string.Join(", ", found.Take(6).Select(g => SafePath.Printable(g.Stem)))}); --include names one");
        if (found[0].Paths.Count != found[0].Parts) throw new HubException($"{name}: {SafePath.Printable(found[0].Stem)} should have {found[0].Parts} parts, found {found[0].Paths.Count}");
        return found[0];
    }

    private static string List(IReadOnlyList<GgufGroup> groups)
    {
        var labels = groups.Select(g => SafePath.Printable(g.Label)).Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        return string.Join(", ", labels.Take(40)) + (labels.Count > 40 ? ", …" : "");
    }
}
