using System.Text.Json;
using SeekSharp.Tokenization;

namespace SeekSharp.Checkpoints;

/// <summary>
/// <c>tokenizer.json</c> and what lies beside it → GGUF's <c>tokenizer.*</c> keys: the tokens of all ids with their types,
/// merges, the pre-tokenizer's name, special ids, and the chat template.
/// </summary>
internal sealed class GgufVocabularyBuilder
{
    private const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    private static readonly string[] OtherTemplates = ["tool_use"];

    private readonly string place;
    private readonly JsonElement root, model;
    private readonly string[] tokens;
    private readonly int[] types;
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);

    private GgufVocabularyBuilder(string place, JsonElement root, int size)
    {
        this.place = place;
        this.root = root;
        model = root.TryGetProperty("model", out JsonElement m) && m.ValueKind == JsonValueKind.Object ? m : throw Broken("model is missing");
        tokens = new string[size];
        types = new int[size];
    }

    /// <summary>Adds the keys of a folder's tokenizer.</summary>
    /// <param name="keys">Where to.</param>
    /// <param name="files">The folder.</param>
    /// <param name="folder">The same, opened: for the template and the ids that end an answer.</param>
    /// <param name="config">The model; its vocabulary size counts.</param>
    /// <param name="notes">Gets a line for everything that the user should know.</param>
    /// <exception cref="CheckpointException">The tokenizer is broken or of a kind that GGUF does not have.</exception>
    public static void Add(GgufMetadataBuilder keys, ModelFiles files, ModelFolder folder, ModelConfig config, List<string> notes)
    {
        if (files.Tokenizer is null)
        {
            keys.Set("tokenizer.ggml.model", "none"); // llama.cpp loads it, and takes ids only
            notes.Add($"{files.Path} has no tokenizer.json: the file has no vocabulary and takes token ids only");
        }
        else
        {
            try
            {
                using JsonDocument json = JsonDocument.Parse(TokenizerFile.Read(files.Tokenizer), new JsonDocumentOptions { MaxDepth = 64 });
                if (json.RootElement.ValueKind != JsonValueKind.Object) throw new CheckpointException($"{files.Tokenizer}: expected a JSON object");
                GgufVocabularyBuilder builder = new(files.Tokenizer, json.RootElement, config.VocabSize);
                builder.AddVocabulary(keys, notes);
                builder.AddSpecialIds(keys, files, folder, config);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or TokenizerException)
            {
                // InvalidOperationException: a string with half a surrogate pair, or a value of another kind.
                throw new CheckpointException($"{files.Tokenizer}: broken tokenizer ({e.Message.ReplaceLineEndings(" ")})", e);
            }
        }
        if (folder.ChatTemplateSource is string template) keys.Set("tokenizer.chat_template", template);
        if (folder.ToolTemplateSource is string tools)
        {
            keys.Set("tokenizer.chat_templates", OtherTemplates);
            keys.Set("tokenizer.chat_template.tool_use", tools);
        }
    }

    private void AddVocabulary(GgufMetadataBuilder keys, List<string> notes)
    {
        string kind = model.TryGetProperty("type", out JsonElement t) ? t.GetString() ?? "" : "BPE";
        if (kind != "BPE") throw new CheckpointException($"{place}: a tokenizer of type {Checkpoint.Show(kind)}; only BPE can be converted to GGUF");
        foreach (JsonProperty token in Required("vocab").EnumerateObject()) Put(token.Name, token.Value.GetInt64(), Normal);
        List<(string Left, string Right)> merges = [.. Merges()];
        if (root.TryGetProperty("added_tokens", out JsonElement added) && added.ValueKind == JsonValueKind.Array)
            foreach (JsonElement token in added.EnumerateArray())
            {
                string text = token.GetProperty("content").GetString()!;
                bool special = token.TryGetProperty("special", out JsonElement s) && s.GetBoolean();
                Put(text, token.GetProperty("id").GetInt64(), special || LooksSpecial(text) ? Control : UserDefined);
            }
        int missing = 0;
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is not null) continue;
            tokens[id] = $"[PAD{id}]"; // the embedding has rows that no token uses
            types[id] = Unused;
            missing++;
        }

        root.TryGetProperty("pre_tokenizer", out JsonElement pre);
        bool fallback = model.TryGetProperty("byte_fallback", out JsonElement b) && b.ValueKind == JsonValueKind.True;
        if (fallback && (pre.ValueKind != JsonValueKind.Object || !PreTokenizerNames.IsByteLevel(pre))) AddSentencePiece(keys, merges);
        else
        {
            string? name = PreTokenizerNames.Find(pre);
            if (name is null) notes.Add($"{place}: llama.cpp has no name for this pre-tokenizer; \"default\" was written, and text may be cut into other tokens");
            keys.Set("tokenizer.ggml.model", "gpt2");
            keys.Set("tokenizer.ggml.pre", name ?? "default");
        }
        keys.Set("tokenizer.ggml.tokens", tokens);
        keys.Set("tokenizer.ggml.token_type", types);
        if (!keys.TryGet("tokenizer.ggml.scores", out float[]? _)) keys.Set("tokenizer.ggml.merges", merges.Select(m => $"{m.Left} {m.Right}").ToArray());
        if (missing == tokens.Length) throw Broken("the vocabulary is empty");
    }

    /// <summary>SentencePiece merges by the score of what comes out, the highest first: the place of the first merge that makes a token.</summary>
    private void AddSentencePiece(GgufMetadataBuilder keys, List<(string Left, string Right)> merges)
    {
        float[] scores = new float[tokens.Length];
        for (int id = 0; id < tokens.Length; id++)
        {
            if (types[id] == Normal && tokens[id] is ['<', '0', 'x', _, _, '>']) types[id] = Byte;
            if (types[id] == Normal && new System.Globalization.StringInfo(tokens[id]).LengthInTextElements > 1) scores[id] = -1e9f; // no merge leads there
        }
        for (int rank = merges.Count - 1; rank >= 0; rank--)
            if (ids.TryGetValue(merges[rank].Left + merges[rank].Right, out int id)) scores[id] = -rank - 1;
        if (model.TryGetProperty("unk_token", out JsonElement u) && u.ValueKind == JsonValueKind.String && ids.TryGetValue(u.GetString()!, out int unknown)) types[unknown] = Unknown;
        keys.Set("tokenizer.ggml.model", "llama");
        keys.Set("tokenizer.ggml.pre", "default");
        keys.Set("tokenizer.ggml.scores", scores);
        string text = (root.TryGetProperty("normalizer", out JsonElement n) ? n.GetRawText() : "") + (root.TryGetProperty("pre_tokenizer", out JsonElement p) ? p.GetRawText() : "");
        keys.Set("tokenizer.ggml.add_space_prefix", text.Contains("Prepend", StringComparison.Ordinal) || text.Contains("\"prepend_scheme\":\"first\"", StringComparison.Ordinal) || text.Contains("\"prepend_scheme\": \"first\"", StringComparison.Ordinal) || text.Contains("\"prepend_scheme\":\"always\"", StringComparison.Ordinal) || text.Contains("\"prepend_scheme\": \"always\"", StringComparison.Ordinal));
    }

    private void AddSpecialIds(GgufMetadataBuilder keys, ModelFiles files, ModelFolder folder, ModelConfig config)
    {
        ConfigObject? said = files.TokenizerConfig is null ? null : new ConfigObject(files.TokenizerConfig, JsonFile.ReadObject(files.TokenizerConfig, 32 << 20));
        int? bos = Id("bos_token") ?? Within(config.BosTokenId), eos = Id("eos_token") ?? config.EosTokenIds.Select(i => Within(i)).FirstOrDefault(i => i is not null);
        Set("bos", bos);
        Set("eos", eos);
        Set("unknown", Id("unk_token"));
        Set("padding", Id("pad_token"));
        // A chat model ends turns with other tokens than texts; GGUF has two more places for such ids.
        int[] others = [.. folder.Generation.EosTokenIds.Where(i => i != eos && Within(i) is not null).Take(2)];
        if (others.Length > 0) Set("eot", others[0]);
        if (others.Length > 1) Set("eom", others[1]);
        (bool first, bool last) = Surrounded(bos, eos);
        if (bos is not null) keys.Set("tokenizer.ggml.add_bos_token", said?.Flag("add_bos_token", first) ?? first);
        if (eos is not null) keys.Set("tokenizer.ggml.add_eos_token", said?.Flag("add_eos_token", last) ?? last);

        void Set(string name, int? id)
        {
            if (id is int i) keys.Set($"tokenizer.ggml.{name}_token_id", (uint)i);
        }

        int? Id(string key) => said?.Get(key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Object } => said.Child(key)!.Text("content") is string text && ids.TryGetValue(text, out int id) ? id : null,
            _ => said.Text(key) is string text && ids.TryGetValue(text, out int id) ? id : null,
        };

        int? Within(int? id) => id >= 0 && id < tokens.Length ? id : null;
    }

    /// <summary>Does the post-processor put BOS before a text, and EOS behind it?</summary>
    private (bool First, bool Last) Surrounded(int? bos, int? eos)
    {
        if (!root.TryGetProperty("post_processor", out JsonElement post)) return default;
        foreach (JsonElement p in Parts(post))
        {
            if (p.ValueKind != JsonValueKind.Object || !p.TryGetProperty("type", out JsonElement type) || type.GetString() != "TemplateProcessing"
                || !p.TryGetProperty("single", out JsonElement single) || single.ValueKind != JsonValueKind.Array || single.GetArrayLength() == 0) continue;
            return (bos is not null && Special(single[0]) == bos, eos is not null && Special(single[single.GetArrayLength() - 1]) == eos);
        }
        return default;

        static IEnumerable<JsonElement> Parts(JsonElement post) =>
            post.ValueKind == JsonValueKind.Object && post.TryGetProperty("processors", out JsonElement parts) && parts.ValueKind == JsonValueKind.Array ? parts.EnumerateArray() : [post];

        int? Special(JsonElement item) => item.TryGetProperty("SpecialToken", out JsonElement s) && s.TryGetProperty("id", out JsonElement name)
            && ids.TryGetValue(name.GetString() ?? "", out int id) ? id : null;
    }

    private IEnumerable<(string Left, string Right)> Merges()
    {
        foreach (JsonElement merge in Required("merges").EnumerateArray())
        {
            if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2)
            {
                yield return (merge[0].GetString()!, merge[1].GetString()!);
                continue;
            }
            string text = merge.GetString()!;
            int space = text.IndexOf(' ', Math.Min(1, text.Length)); // from 1: the left side may be a space itself
            if (space <= 0) throw Broken($"merge {Checkpoint.Show(text)} has no two parts");
            yield return (text[..space], text[(space + 1)..]);
        }
    }

    private void Put(string text, long id, int type)
    {
        if (id < 0 || id >= tokens.Length) throw Broken($"token {Checkpoint.Show(text)} has the id {id}, and the model's vocab_size is {tokens.Length}");
        tokens[id] = text;
        types[id] = type;
        ids[text] = (int)id;
    }

    /// <summary>Tokens that models use as control tokens and that some tokenizers do not mark as such (as llama.cpp's converter decides).</summary>
    private static bool LooksSpecial(string text) => text is "<pad>" or "<mask>" or "<2mass>" or "[@BOS@]"
        || (text.StartsWith("<|", StringComparison.Ordinal) && text.EndsWith("|>", StringComparison.Ordinal))
        || (text.StartsWith("<｜", StringComparison.Ordinal) && text.EndsWith("｜>", StringComparison.Ordinal))
        || (text.StartsWith("<unused", StringComparison.Ordinal) && text.EndsWith('>'));

    private JsonElement Required(string key) => model.TryGetProperty(key, out JsonElement e) ? e : throw Broken($"model.{key} is missing");

    private CheckpointException Broken(string what) => new($"{place}: {what}");
}
