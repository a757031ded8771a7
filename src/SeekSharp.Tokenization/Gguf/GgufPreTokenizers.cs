namespace SeekSharp.Tokenization;

/// <summary>
/// The pre-tokenizers that <c>tokenizer.ggml.pre</c> names, as llama.cpp's vocabulary code has them: expressions that cut one after the other, each inside the
/// pieces of the one before. llama.cpp turns white space beyond ASCII into a vertical tab first, so no class of its may hold any: hence <c>&amp;&amp;\S</c>.
/// </summary>
internal static class GgufPreTokenizers
{
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const string Contraction = @"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

    private const string Cjk = @"[一-龥ࠀ-一가-퟿&&\S]+";

    // The letters of DeepSeek LLM's tokenizer: those with case, as of some older Unicode.
    private const string CasedLetters =
        "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄ"
        + "Ⰰ-ⱻⱾ-ⳤⳫ-ⳮⲳⲳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃";

    /// <summary>What a name stands for.</summary>
    public sealed record Kind(string[] Expressions, bool IgnoreMerges = false, bool AddBos = false)
    {
        public PreTokenizer[] Steps => [.. Expressions.Select(e => new PatternSplit(TextPattern.Shared(e), SplitBehavior.Isolated))];
    }

    public static Kind Find(string? name) => name switch
    {
        null or "" or "default" => new([@"[\p{P}$+<=>\^~|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"]),
        "gpt-2" => new([Gpt2]),
        "smollm" => new([@"\p{N}", Gpt2]),
        "llama-bpe" or "llama3" or "llama-v3" => new([Contraction + Words(@"\p{N}{1,3}")], IgnoreMerges: true, AddBos: true),
        "qwen2" or "deepseek-r1-qwen" => new([Contraction + Words(@"\p{N}")]),
        "deepseek-v3" => new(
        [
            @"\p{N}{1,3}",
            "[一-龥぀-ゟ゠-ヿ]+",
            @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ]),
        "deepseek-coder" => new([@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", Cjk, @"\p{N}"]),
        "deepseek-llm" => new([@"[\r\n]", $@"\s?[{CasedLetters}]+", @"\s?[!-/:-~！-／：-～‘-‟　-。&&\S]+", @"\s+\z", Cjk, @"\p{N}+"]),
        _ => throw new TokenizerException(
            $"tokenizer.ggml.pre: \"{name}\" is not supported; supported: deepseek-llm, deepseek-coder, deepseek-v3, deepseek-r1-qwen, qwen2, llama-bpe, smollm, gpt-2, default"),
    };

    private static string Words(string number) =>
        $@"|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}
