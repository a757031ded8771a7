using SeekSharp.Tokenization;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Everything that a model's file or folder holds: config, tensors, tokenizer, chat template and generation config.
/// A folder as published on the Hugging Face hub, a GGUF file (any part of a split one), a folder with one GGUF model,
/// a folder with only tokenizer files, or a <c>tokenizer.json</c> alone. Each part is read when it is first asked for,
/// so that tokenizing needs no weights.
/// </summary>
public sealed class ModelFolder : IDisposable
{
    /// <summary>Largest chat template that is read, in bytes.</summary>
    private const long LargestTemplate = 8 << 20;

    private readonly ModelFiles _files;
    private int _users = 1;
    private bool _disposed;
    private readonly Lazy<Checkpoint?> _checkpoint;
    private readonly Lazy<ModelConfig?> _config;
    private readonly Lazy<Tokenizer?> _tokenizer;
    private readonly Lazy<TokenizerConfig> _tokenizerConfig;
    private readonly Lazy<GenerationConfig> _generation;
    private readonly Lazy<(string? Default, string? ToolUse)> _templates;

    private ModelFolder(ModelFiles files)
    {
        _files = files;
        Path = files.Path;
        _checkpoint = new(OpenCheckpoint);
        _config = new(ReadConfig);
        _tokenizerConfig = new(() => files.TokenizerConfig is null ? TokenizerConfig.Empty : TokenizerConfig.Read(files.TokenizerConfig));
        _tokenizer = new(LoadTokenizer);
        _generation = new(ReadGeneration);
        _templates = new(ReadTemplates);
    }

    /// <summary>Opens a model's file or folder.</summary>
    /// <param name="path">A folder, a <c>.gguf</c> file, or a <c>tokenizer.json</c> (also <c>.json.gz</c>).</param>
    /// <exception cref="CheckpointException">There is nothing usable, or the GGUF file is broken; one line that names the file and what is wrong.</exception>
    public static ModelFolder Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var folder = new ModelFolder(ModelFiles.Find(path));
        try
        {
            if (folder.IsGguf) _ = folder.Checkpoint; // the file's header holds all the rest
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <summary>The model is a GGUF file.</summary>
    public bool IsGguf => _files.Gguf is not null;

    /// <summary>The model's shape; null where there are only tokenizer files.</summary>
    /// <exception cref="CheckpointException">The config is broken, or of a kind that is not known.</exception>
    public ModelConfig? Config => _config.Value;

    /// <summary>The tokenizer; null where there is none.</summary>
    /// <exception cref="TokenizerException">Its file is broken.</exception>
    /// <exception cref="CheckpointException">Its GGUF keys are broken.</exception>
    public Tokenizer? Tokenizer => _tokenizer.Value;

    /// <summary>Source of the chat template (Jinja); null where there is none.</summary>
    /// <exception cref="CheckpointException">Its file cannot be read.</exception>
    public string? ChatTemplateSource => _templates.Value.Default;

    /// <summary>Source of the template to use when tools are given, where the model has one of its own (<c>tool_use</c>); else null.</summary>
    public string? ToolTemplateSource => _templates.Value.ToolUse;

    /// <summary>How the publisher wants the model sampled, and where answers end.</summary>
    /// <exception cref="CheckpointException">A file is broken or holds absurd values.</exception>
    public GenerationConfig Generation => _generation.Value;

    /// <summary>Text of the token that begins a sequence, for templates; null where there is none.</summary>
    public string? BosToken => SpecialToken("bos_token", "tokenizer.ggml.bos_token_id");

    /// <summary>Text of the token that ends a sequence, for templates; null where there is none.</summary>
    public string? EosToken => SpecialToken("eos_token", "tokenizer.ggml.eos_token_id");

    /// <summary>The tensors; null where there are only tokenizer files.</summary>
    internal Checkpoint? Checkpoint => _checkpoint.Value;

    /// <summary>GGUF's metadata; null for other files.</summary>
    internal GgufMetadata? Metadata => (Checkpoint as GgufCheckpoint)?.Metadata;

    /// <summary>Finds all weights, as views of the mapped files; they stay valid until this is disposed.</summary>
    /// <exception cref="CheckpointException">The model cannot be run, or a tensor is missing or of another shape.</exception>
    internal ModelWeights LoadWeights()
    {
        if (Config is not ModelConfig config || Checkpoint is not Checkpoint checkpoint)
            throw new CheckpointException($"{Path}: there are no weights here (expected config.json with safetensors, or a GGUF file)");
        return LoadWeights(checkpoint, config, Path);
    }

    /// <summary>Finds all weights of an opened checkpoint.</summary>
    internal static ModelWeights LoadWeights(Checkpoint checkpoint, ModelConfig config, string place)
    {
        SupportedModels.RequireRunnable(config, place);
        return checkpoint is GgufCheckpoint or UpdatedCheckpoint { IsGguf: true } ? GgufWeights.Load(checkpoint, config, place) : HuggingFaceWeights.Load(checkpoint, config, place);
    }

    /// <summary>Closes the mapped files, at once or when the last model that reads from them is disposed.</summary>
    public void Dispose()
    {
        if (!Interlocked.Exchange(ref _disposed, true)) Release();
    }

    /// <summary>Keeps the mapped files open until <see cref="Release"/>, whoever disposes the folder.</summary>
    internal void Retain()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Interlocked.Increment(ref _users);
    }

    /// <summary>Undoes a <see cref="Retain"/>.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0 && _checkpoint.IsValueCreated) _checkpoint.Value?.Dispose();
    }

    private Checkpoint? OpenCheckpoint() =>
        _files.Gguf is not null ? GgufCheckpoint.Open(_files.Gguf) : _files.Weights is not null ? SafetensorsCheckpoint.Open(_files.Weights) : null;

    private ModelConfig? ReadConfig() =>
        Checkpoint is GgufCheckpoint gguf ? GgufConfig.Read(gguf) : _files.Config is null ? null : HuggingFaceConfig.Read(_files.Config);

    private Tokenizer? LoadTokenizer()
    {
        if (_files.Tokenizer is not null) return Tokenizer.FromFile(_files.Tokenizer);
        return Metadata is GgufMetadata metadata && GgufVocabularyReader.Read(metadata) is GgufVocabulary vocabulary ? Tokenizer.FromVocabulary(vocabulary) : null;
    }

    private GenerationConfig ReadGeneration()
    {
        if (Metadata is GgufMetadata metadata) return GenerationConfigReader.ReadGguf(metadata);
        var further = new List<int>();
        TokenizerConfig tokenizer = _tokenizerConfig.Value;
        if (tokenizer.EosToken is string eos && (tokenizer.IdOf(eos) ?? Tokenizer?.TokenToId(eos)) is int id) further.Add(id);
        return GenerationConfigReader.ReadFolder(_files.GenerationConfig, Config, further);
    }

    private (string? Default, string? ToolUse) ReadTemplates()
    {
        if (Metadata is GgufMetadata metadata)
            return (metadata.GetString("tokenizer.chat_template") ?? metadata.GetString("tokenizer.chat_template.default"), metadata.GetString("tokenizer.chat_template.tool_use"));
        TokenizerConfig config = _tokenizerConfig.Value;
        // A file of its own wins over the tokenizer's config, as in Transformers.
        return (_files.ChatTemplate is null ? config.ChatTemplate : TextFile.Read(_files.ChatTemplate, LargestTemplate),
            _files.ToolTemplate is not null ? TextFile.Read(_files.ToolTemplate, LargestTemplate) : _files.ChatTemplate is null ? config.ToolTemplate : null);
    }

    private string? SpecialToken(string key, string ggufKey)
    {
        if (Metadata is not GgufMetadata metadata) return key == "bos_token" ? _tokenizerConfig.Value.BosToken : _tokenizerConfig.Value.EosToken;
        return GgufConfig.TokenId(metadata, ggufKey) is int id && metadata.Values.TryGetValue("tokenizer.ggml.tokens", out GgufValue tokens) && id < tokens.Count
            && tokens.ElementType == GgufValueType.String ? (string)metadata.GetElement(tokens, id) : null;
    }
}
