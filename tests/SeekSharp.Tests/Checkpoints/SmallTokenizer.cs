using System.Text.Json;
using System.Text.Json.Nodes;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>A byte-level tokenizer for the golden models, which have none: two special tokens, 256 bytes, some merges, the rest unused.</summary>
internal static class SmallTokenizer
{
    /// <summary>The id of "a".</summary>
    public const int LetterA = 2 + 'a';

    private static readonly string[] Pairs = ["t h", "th e", "Ġ t", "i n", "e r", "a n", "Ġ the"];

    /// <summary>A copy of a golden model (links to its files) with this tokenizer.</summary>
    public static void AddModel(TemporaryFolder folder, string golden)
    {
        foreach (string file in Directory.GetFiles(Repository.Shared($"goldens/models/{golden}")))
            File.CreateSymbolicLink(folder[Path.GetFileName(file)], file);
        Write(folder.Path);
    }

    public static void Write(string folder)
    {
        JsonObject vocabulary = new() { ["<|bos|>"] = 0, ["<|eos|>"] = 1 };
        for (int b = 0; b < 256; b++) vocabulary[ByteText(b)] = 2 + b;
        foreach (string pair in Pairs) vocabulary[pair.Replace(" ", "")] = vocabulary.Count;
        JsonObject tokenizer = new()
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(Added(0, "<|bos|>", true), Added(1, "<|eos|>", true), Added(vocabulary.Count, "<think>", false)),
            ["normalizer"] = null,
            ["pre_tokenizer"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"""),
            ["post_processor"] = null,
            ["decoder"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"""),
            ["model"] = new JsonObject { ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = null, ["end_of_word_suffix"] = null, ["fuse_unk"] = false, ["byte_fallback"] = false, ["vocab"] = vocabulary, ["merges"] = new JsonArray([.. Pairs.Select(p => (JsonNode)p)]) },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJsonString());
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), JsonSerializer.Serialize(new
        {
            bos_token = "<|bos|>",
            eos_token = new { content = "<|eos|>" },
            add_bos_token = true,
            chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}",
        }));

        static JsonObject Added(int id, string text, bool special) => new() { ["id"] = id, ["content"] = text, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = special };
    }

    /// <summary>GPT-2's printable letter for a byte.</summary>
    private static string ByteText(int b)
    {
        if (b is >= 33 and <= 126 or >= 161 and <= 172 or >= 174) return ((char)b).ToString();
        int hidden = Enumerable.Range(0, b).Count(i => i is not (>= 33 and <= 126 or >= 161 and <= 172 or >= 174));
        return ((char)(256 + hidden)).ToString();
    }
}
