using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>
/// GGUF names a byte-level vocabulary's pre-tokenizer (<c>tokenizer.ggml.pre</c>) where <c>tokenizer.json</c> defines it.
/// The definition is written out in one line and looked up; a model's name plays no part.
/// </summary>
internal static class PreTokenizerNames
{
    private const string Words = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|", Rest = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string ByteLevel = "ByteLevel", GptByteLevel = "ByteLevel with its regex";

    private static readonly Dictionary<string, string> Known = new(StringComparer.Ordinal)
    {
        [GptByteLevel] = "gpt-2",
        [Line("Digits one by one", GptByteLevel)] = "smollm",
        [Line(Split(Words + @"\p{N}" + Rest), ByteLevel)] = "qwen2",
        [Line(Split(Words + @"\p{N}{1,3}" + Rest), ByteLevel)] = "llama-bpe",
        [Line(Split(@"\p{N}{1,3}"), Split("[一-龥\u3040-ゟ゠-ヿ]+"),
            Split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"), ByteLevel)] = "deepseek-v3",
        [Line(Split("[\r\n]"), Split("\\s?\\p{L}+"), Split("\\s?\\p{P}+"), Split("[一-龥ࠀ-一가-퟿]+"), "Digits one by one", ByteLevel)] = "deepseek-coder",
        [Line(Split("[\r\n]"), Split($"\\s?[{CasedLetters}]+"), Split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"), Split("\\s+$"), Split("[一-龥ࠀ-一가-퟿]+"), "Digits one by one", ByteLevel)] = "deepseek-llm",
    };

    // Letters with case, as DeepSeek-LLM's tokenizer lists them.
    private const string CasedLetters = "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃";

    /// <summary>llama.cpp's name of a pre-tokenizer; null where it has none.</summary>
    /// <param name="preTokenizer">The value of <c>pre_tokenizer</c>.</param>
    public static string? Find(JsonElement preTokenizer) => Known.GetValueOrDefault(Line([.. Steps(preTokenizer)]));

    /// <summary>True for pre-tokenizers that end in <c>ByteLevel</c>.</summary>
    public static bool IsByteLevel(JsonElement preTokenizer) => Steps(preTokenizer).Any(s => s is ByteLevel or GptByteLevel);

    private static string Split(string regex) => $"Split at {regex}";

    private static string Line(params string[] steps) => string.Join(" → ", steps);

    private static IEnumerable<string> Steps(JsonElement e)
    {
        if (e.ValueKind != JsonValueKind.Object) yield break;
        string type = Text(e, "type");
        if (type == "Sequence" && e.TryGetProperty("pretokenizers", out JsonElement parts) && parts.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement part in parts.EnumerateArray())
                foreach (string step in Steps(part)) yield return step;
        }
        else if (type == "ByteLevel" && !Flag(e, "add_prefix_space", false)) yield return Flag(e, "use_regex", true) ? GptByteLevel : ByteLevel;
        else if (type == "Digits" && Flag(e, "individual_digits", false)) yield return "Digits one by one";
        else if (type == "Split" && Text(e, "behavior") == "Isolated" && !Flag(e, "invert", false) && e.TryGetProperty("pattern", out JsonElement pattern)
            && pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("Regex", out _)) yield return Split(Text(pattern, "Regex"));
        else yield return e.GetRawText();
    }

    private static string Text(JsonElement e, string key) =>
        e.TryGetProperty(key, out JsonElement v) && v.ValueKind == JsonValueKind.String ? v.GetString()! : "";

    private static bool Flag(JsonElement e, string key, bool otherwise) =>
        e.TryGetProperty(key, out JsonElement v) && v.ValueKind is JsonValueKind.True or JsonValueKind.False ? v.GetBoolean() : otherwise;
}
