namespace SeekSharp.Checkpoints;

/// <summary>Which files of a folder make up a model.</summary>
internal sealed record ModelFiles
{
    public required string Path { get; init; }
    public string? Gguf { get; init; }
    public string? Config { get; init; }
    public string? Weights { get; init; }
    public string? Tokenizer { get; init; }
    public string? TokenizerConfig { get; init; }
    public string? GenerationConfig { get; init; }
    public string? ChatTemplate { get; init; }
    public string? ToolTemplate { get; init; }

    /// <summary>Looks at a path.</summary>
    /// <exception cref="CheckpointException">Nothing there, or nothing usable.</exception>
    public static ModelFiles Find(string path)
    {
        try
        {
            if (Directory.Exists(path)) return OfFolder(path);
            if (!File.Exists(path)) throw new CheckpointException($"{path}: no such file or folder");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path}: cannot be read ({e.Message.ReplaceLineEndings(" ")})", e);
        }
        if (path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)) return new ModelFiles { Path = path, Gguf = path };
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".json.gz", StringComparison.OrdinalIgnoreCase))
            return WithTokenizerFiles(path, System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!) with { Tokenizer = path };
        if (IsGguf(path)) return new ModelFiles { Path = path, Gguf = path }; // whatever its name
        throw new CheckpointException($"{path}: expected a folder, a .gguf file or a tokenizer.json");
    }

    private static ModelFiles OfFolder(string folder)
    {
        ModelFiles files = WithTokenizerFiles(folder, folder);
        files = files with
        {
            Config = Existing(folder, "config.json"),
            GenerationConfig = Existing(folder, "generation_config.json"),
            Weights = Existing(folder, "model.safetensors.index.json") ?? Existing(folder, "model.safetensors"),
        };
        if (files.Config is not null && files.Weights is null && Directory.GetFiles(folder, "*.safetensors") is [string only]) files = files with { Weights = only };
        if (files is { Config: not null, Weights: not null }) return files;

        string? gguf = OnlyGguf(folder);
        if (gguf is not null) return new ModelFiles { Path = folder, Gguf = gguf };
        if (files.Weights is not null) throw new CheckpointException($"{folder}: weights without config.json");
        if (files.Tokenizer is not null || files.Config is not null) return files;
        throw new CheckpointException($"{folder}: no model here (expected config.json with .safetensors, a .gguf file, or tokenizer.json)");
    }

    private static ModelFiles WithTokenizerFiles(string path, string folder) => new()
    {
        Path = path,
        Tokenizer = Existing(folder, "tokenizer.json") ?? Existing(folder, "tokenizer.json.gz"),
        TokenizerConfig = Existing(folder, "tokenizer_config.json"),
        ChatTemplate = Existing(folder, "chat_template.jinja"),
        ToolTemplate = Existing(folder, System.IO.Path.Combine("additional_chat_templates", "tool_use.jinja")),
    };

    // One GGUF file, or the first part of one split model.
    private static string? OnlyGguf(string folder)
    {
        string[] files = Directory.GetFiles(folder, "*.gguf");
        if (files.Length == 0) return null;
        Array.Sort(files, StringComparer.Ordinal);
        string[] shards = GgufCheckpoint.Shards(files[0]);
        if (files.Length == shards.Length && (shards.Length == 1 || shards.Select(System.IO.Path.GetFileName).SequenceEqual(files.Select(System.IO.Path.GetFileName)))) return files[0];
        throw new CheckpointException($"{folder}: several .gguf files; name one of them ({string.Join(", ", files.Take(3).Select(System.IO.Path.GetFileName))}{(files.Length > 3 ? ", …" : "")})");
    }

    private static bool IsGguf(string path)
    {
        using FileImage image = FileImage.Open(path);
        return image.Length >= 4 && image.Span(0, 4).SequenceEqual("GGUF"u8);
    }

    private static string? Existing(string folder, string name)
    {
        string path = System.IO.Path.Combine(folder, name);
        return File.Exists(path) ? path : null;
    }
}
