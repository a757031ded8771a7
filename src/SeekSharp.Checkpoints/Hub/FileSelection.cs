namespace SeekSharp.Checkpoints;

/// <summary>Which of a repository's files are pulled.</summary>
internal static class FileSelection
{
    private static readonly HashSet<string> SmallFiles = new(
        ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
            "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json"],
        StringComparer.Ordinal);

    private const string Index = "model.safetensors.index.json";

    /// <summary>
    /// With <paramref name="include"/>, the files that match a pattern. With a quantization, its GGUF files. Otherwise config, tokenizer and
    /// safetensors; a repository that has GGUF files alone gives the one that <see cref="GgufGroup.Choose"/> takes.
    /// </summary>
    /// <exception cref="HubException">Nothing fits.</exception>
    public static List<HubFile> Select(ModelName name, IReadOnlyList<HubFile> files, IReadOnlyList<string> include)
    {
        var wanted = new HashSet<string>(StringComparer.Ordinal);
        foreach (HubFile file in files)
            if (include.Any(g => Glob.Matches(g, file.Path))) wanted.Add(file.Path);
        if (include.Count > 0 && wanted.Count == 0) throw new HubException($"{name}: none of its {files.Count} files matches {string.Join(" or ", include)}");

        if (name.Quant is not null) wanted.UnionWith(GgufGroup.Choose(GgufGroup.From(files.Select(f => f.Path)), name).Paths);
        else if (include.Count == 0)
        {
            List<string> weights = Safetensors(files);
            if (weights.Count > 0)
            {
                wanted.UnionWith(weights);
                wanted.UnionWith(files.Select(f => f.Path).Where(SmallFiles.Contains));
            }
            else if (GgufGroup.From(files.Select(f => f.Path)) is { Count: > 0 } groups) wanted.UnionWith(GgufGroup.Choose(groups, name).Paths);
            else
            {
                // A repository with a tokenizer alone serves tokenize and template.
                wanted.UnionWith(files.Select(f => f.Path).Where(SmallFiles.Contains));
                if (!wanted.Any(w => w.StartsWith("tokenizer", StringComparison.Ordinal) || w == "config.json"))
                    throw new HubException($"{name}: no safetensors and no GGUF files among its {files.Count} files; --include names others");
            }
        }
        return [.. files.Where(f => wanted.Contains(f.Path)).DistinctBy(f => f.Path)];
    }

    /// <summary>The weights: the index and its shards, or the one file. Copies in other forms (<c>original/</c>, <c>consolidated.…</c>, <c>model.fp16.…</c>) stay away.</summary>
    private static List<string> Safetensors(IReadOnlyList<HubFile> files)
    {
        List<string> all = [.. files.Select(f => f.Path).Where(p => !p.Contains('/') && p.EndsWith(".safetensors", StringComparison.Ordinal))];
        if (files.Any(f => f.Path == Index))
        {
            List<string> shards = all.FindAll(p => p.StartsWith("model", StringComparison.Ordinal) && p.Contains("-of-", StringComparison.Ordinal));
            return [Index, .. shards.Count > 0 ? shards : all];
        }
        if (all.Contains("model.safetensors")) return ["model.safetensors"];
        List<string> others = all.FindAll(p => !p.StartsWith("consolidated", StringComparison.Ordinal));
        return others.Count > 0 ? others : all;
    }
}
