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

    // The letters of DeepSeek LLM's tokenizer beside A-Z and a-z: those with case, as of some older Unicode. As numbers: several look like other letters.
    private const string CasedLetters =
        "B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 "
        + "13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 "
        + "1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D "
        + "212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF "
        + "FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943";

    private static readonly string CasedClass = "A-Za-z" + string.Concat(CasedLetters.Split(' ').Select(r => string.Join('-', r.Split('-').Select(c => $@"\x{{{c}}}"))));

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
        "deepseek-llm" => new([@"[\r\n]", $@"\s?[{CasedClass}]+", @"\s?[!-/:-~！-／：-～‘-‟　-。&&\S]+", @"\s+\z", Cjk, @"\p{N}+"]),
        _ => throw new TokenizerException(
            $"tokenizer.ggml.pre: \"{name}\" is not supported; supported: deepseek-llm, deepseek-coder, deepseek-v3, deepseek-r1-qwen, qwen2, llama-bpe, smollm, gpt-2, default"),
    };

    private static string Words(string number) =>
        $@"|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}
