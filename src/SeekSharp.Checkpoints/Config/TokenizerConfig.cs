using System.Globalization;
using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>What <c>tokenizer_config.json</c> says beside the tokenizer itself: special tokens and chat templates.</summary>
internal sealed class TokenizerConfig
{
    /// <summary>Largest file that is read; Llama 3.1's has 51 kB.</summary>
    private const long Largest = 32 << 20;

    private readonly Dictionary<string, int> _added = new(StringComparer.Ordinal);

    /// <summary>Nothing said.</summary>
    public static TokenizerConfig Empty { get; } = new();

    public string? BosToken { get; private init; }
    public string? EosToken { get; private init; }

    /// <summary>The template, or the one named <c>default</c>.</summary>
    public string? ChatTemplate { get; private init; }

    /// <summary>The template named <c>tool_use</c>.</summary>
    public string? ToolTemplate { get; private init; }

    /// <summary>The id of an added token, where the file lists it.</summary>
    public int? IdOf(string token) => _added.TryGetValue(token, out int id) ? id : null;

    /// <exception cref="CheckpointException">The file is broken.</exception>
    public static TokenizerConfig Read(string path) => Read(path, JsonFile.ReadObject(path, Largest));

    /// <summary>A file that lies in memory.</summary>
    public static TokenizerConfig Read(FileImage image) => Read(image.Path, JsonFile.ReadObject(image, Largest));

    private static TokenizerConfig Read(string place, JsonElement json)
    {
        var c = new ConfigObject(place, json);
        (string? template, string? tools) = Templates(c);
        var config = new TokenizerConfig { BosToken = Token(c, "bos_token"), EosToken = Token(c, "eos_token"), ChatTemplate = template, ToolTemplate = tools };
        if (c.Get("added_tokens_decoder") is { ValueKind: JsonValueKind.Object } added)
            foreach (JsonProperty token in added.EnumerateObject())
                if (int.TryParse(token.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && token.Value.ValueKind == JsonValueKind.Object
                    && token.Value.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String)
                    config._added.TryAdd(content.GetString()!, id);
        return config;
    }

    // A string, or an object of class AddedToken with its text in content.
    private static string? Token(ConfigObject c, string key) => c.Get(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } => c.Child(key)!.Text("content"),
        _ => c.Text(key),
    };

    // A string, or a list of { name, template }.
    private static (string? Default, string? ToolUse) Templates(ConfigObject c)
    {
        const string Key = "chat_template";
        if (c.Get(Key) is not JsonElement e) return (null, null);
        if (e.ValueKind != JsonValueKind.Array) return (c.Text(Key), null);
        string? byDefault = null, tools = null, only = null;
        foreach (JsonElement item in e.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object) throw c.Wrong(Key, "templates with name and template", item);
            var named = new ConfigObject($"{c.Place}: {Key}", item);
            string name = named.Text("name") ?? throw named.Missing("name"), template = named.Text("template") ?? throw named.Missing("template");
            if (name == "default") byDefault = template;
            else if (name == "tool_use") tools = template;
            else only ??= template;
        }
        return (byDefault ?? only ?? tools, tools);
    }
}
