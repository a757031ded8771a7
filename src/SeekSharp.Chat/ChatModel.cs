using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>A prompt as text and as ids.</summary>
internal readonly record struct ChatPrompt(string Text, int[] Ids)
{
    public bool OpensThinking => ThinkTags.OpensThinking(Text);
}

/// <summary>A loaded model with everything that turns messages into ids and ids into messages.</summary>
internal sealed class ChatModel : IDisposable
{
    private readonly LanguageModel _model;
    private readonly Lazy<ChatTemplate?> _template, _toolTemplate;
    private readonly Lazy<ToolFormat> _toolFormat;
    private readonly Lazy<GrammarVocabulary> _grammarVocabulary;
    private readonly ConcurrentDictionary<string, TagFinder> _tags = new();
    private readonly Lazy<int[]> _blankIds;
    private readonly int[] _beginning = []; // what the tokenizer puts before a text: the BOS, or nothing

    private readonly Dictionary<string, LoraAdapter> _adapters = new(StringComparer.Ordinal);

    private ChatModel(ModelFolder folder, LanguageModel model, EngineOptions? engine)
    {
        Folder = folder;
        _model = model;
        Tokenizer = folder.Tokenizer;
        _template = new(() => folder.ChatTemplateSource is { } source ? ChatTemplate.Parse(source) : null);
        _toolTemplate = new(() => folder.ToolTemplateSource is { } source ? ChatTemplate.Parse(source) : null);
        _toolFormat = new(DetectToolFormat);
        _grammarVocabulary = new(() => new GrammarVocabulary(Tokenizer!, Defaults.StopTokenIds.Where(id => id < Tokenizer!.VocabularySize)));
        _blankIds = new(() => [.. Enumerable.Range(0, Tokenizer!.VocabularySize).Where(id => Tokenizer.TokenBytes(id) is { Length: > 0 } bytes && bytes.AsSpan().Trim(" \t\r\n"u8).IsEmpty)]);
        Grammars = new(() => GrammarVocabulary);
        if (Tokenizer is { } tokenizer)
        {
            _beginning = Beginning(tokenizer);
            ThinkCloseIds = tokenizer.TokenToId("</think>") is { } id ? [id] : tokenizer.Encode("</think>", addSpecialTokens: false);
        }
        Engine = new LlmEngine(model, Tokenizer?.VocabularySize, engine);
        Loop = new EngineLoop(Engine);
    }

    /// <summary>Loads a model. The folder stays its owner's, and must outlive this.</summary>
    /// <param name="folder">An opened model.</param>
    /// <param name="options">How the model is run.</param>
    /// <param name="progress">Told the share that is loaded.</param>
    /// <param name="engine">How the engine is run; null for the defaults.</param>
    /// <exception cref="CheckpointException">The folder holds no model that can run.</exception>
    /// <exception cref="TokenizerException">The tokenizer is broken.</exception>
    /// <exception cref="EngineException">The model has no context of the length asked for.</exception>
    public static ChatModel Load(ModelFolder folder, ModelOptions options, IProgress<double>? progress = null, EngineOptions? engine = null)
    {
        _ = folder.Tokenizer; // a broken one is told before the weights are loaded
        LanguageModel model = LanguageModel.Load(folder, options, progress);
        try
        {
            return new ChatModel(folder, model, engine);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    public ModelFolder Folder { get; }
    /// <summary>Null for a model that has none: it continues ids, and its answers have no text.</summary>
    public Tokenizer? Tokenizer { get; }
    public LlmEngine Engine { get; }
    /// <summary>Runs the engine: requests from any thread go here.</summary>
    public EngineLoop Loop { get; }
    /// <summary>LoRA adapters that requests may name.</summary>
    public IReadOnlyDictionary<string, LoraAdapter> Adapters => _adapters;
    public bool HasTemplate => Folder.ChatTemplateSource is not null;
    public LanguageModel Model => _model;
    /// <summary>How the model writes tool calls, found from its template and vocabulary.</summary>
    public ToolFormat ToolFormat => _toolFormat.Value;
    /// <summary>Whether the template does anything with tools.</summary>
    public bool TemplateKnowsTools => (_toolTemplate.Value ?? _template.Value)?.Uses("tools") == true;
    /// <summary>Whether the template reads a variable of that name.</summary>
    public bool TemplateUses(string variable) => _template.Value?.Uses(variable) == true;
    /// <summary>The vocabulary as grammars see it. For a model with a tokenizer.</summary>
    public GrammarVocabulary GrammarVocabulary => _grammarVocabulary.Value;
    /// <summary>Compiled grammars. For a model with a tokenizer.</summary>
    public GrammarCache Grammars { get; }
    /// <summary>Tokens of nothing but white space. For a model with a tokenizer.</summary>
    public int[] BlankIds => _blankIds.Value;
    /// <summary>Finds a tag in this model's tokens. For a model with a tokenizer.</summary>
    public TagFinder TagFinder(string tag) => _tags.GetOrAdd(tag, t => new TagFinder(t, Tokenizer!));
    /// <summary>The ids of <c>&lt;/think&gt;</c>.</summary>
    public int[] ThinkCloseIds { get; } = [];
    /// <summary>Sampling as the publisher wants it.</summary>
    public SamplingParams Defaults => SamplingDefaults.From(Folder.Generation);

    /// <summary>Reads an adapter, which requests may then ask for. Before the first request.</summary>
    /// <exception cref="CheckpointException">It is broken, or made for another model.</exception>
    /// <exception cref="EngineException">There is one of this name.</exception>
    public void AddAdapter(string name, string folder)
    {
        if (!_adapters.TryAdd(name, _model.LoadAdapter(folder))) throw new EngineException($"there are two adapters of the name {name}");
    }

    /// <summary>Renders a conversation with the model's template, ready for its answer.</summary>
    /// <param name="messages">Messages in the API's form.</param>
    /// <param name="tools">Tools in the API's form; null for none.</param>
    /// <param name="variables">Further variables of the template.</param>
    /// <param name="now">The template's clock; null for the computer's.</param>
    /// <exception cref="TemplateException">The template refuses, or the model has none.</exception>
    public ChatPrompt Render(JsonArray messages, JsonArray? tools = null, JsonObject? variables = null, DateTimeOffset? now = null)
    {
        ChatTemplate template = (tools is { Count: > 0 } ? _toolTemplate.Value : null) ?? _template.Value
            ?? throw new TemplateException($"{Folder.Path}: the model has no chat template");
        var all = (JsonObject?)variables?.DeepClone() ?? [];
        all["messages"] = messages.DeepClone();
        all["add_generation_prompt"] = true;
        if (tools is { Count: > 0 }) all["tools"] = tools.DeepClone();
        if (Folder.BosToken is { } bos) all.TryAdd("bos_token", bos);
        if (Folder.EosToken is { } eos) all.TryAdd("eos_token", eos);
        string text = template.Render(JsonSerializer.SerializeToElement(all), now);
        return new ChatPrompt(text, Encode(text));
    }

    /// <summary>A text to be continued as it stands.</summary>
    public ChatPrompt Plain(string text) => new(text, Encode(text));

    /// <summary>Ids of a prompt with exactly one beginning, whether the template writes it or the tokenizer adds it.</summary>
    private int[] Encode(string text)
    {
        if (Tokenizer is null) throw new CheckpointException($"{Folder.Path}: there is no tokenizer (expected tokenizer.json, or a GGUF file with its vocabulary)");
        int[] ids = Tokenizer.Encode(text, addSpecialTokens: false);
        return ids.AsSpan().StartsWith(_beginning) ? ids : [.. _beginning, .. ids];
    }

    private ToolFormat DetectToolFormat()
    {
        if (Tokenizer is null) return ToolFormat.None;
        ChatTemplate? template = null;
        try
        {
            template = _toolTemplate.Value ?? _template.Value;
        }
        catch (TemplateException) { } // who renders with it is told
        return ToolFormats.Detect(token => Tokenizer.TokenToId(token) is not null, template);
    }

    /// <summary>What the tokenizer puts before a text by itself.</summary>
    internal static int[] Beginning(Tokenizer tokenizer)
    {
        int[] with = tokenizer.Encode("a", addSpecialTokens: true), without = tokenizer.Encode("a", addSpecialTokens: false);
        int at = without.Length == 0 ? -1 : with.AsSpan().IndexOf(without);
        return at > 0 ? with[..at] : [];
    }

    public void Dispose()
    {
        Loop.Dispose();
        Engine.Dispose();
        _model.Dispose();
    }
}
