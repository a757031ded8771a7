using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Makes a tokenizer of a GGUF vocabulary, which then does what llama.cpp does with it.</summary>
internal static class GgufTokenizer
{
    private const int Unknown = 2, Control = 3, UserDefined = 4, Unused = 5;

    // Tokens that llama.cpp takes for control tokens whatever their type says: those that end a turn, and those of fill-in-the-middle.
    private static readonly HashSet<string> ControlByText =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>",
        "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<｜end▁of▁sentence｜>",
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>",
        "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
    ];

    public static Tokenizer Create(GgufVocabulary v)
    {
        ArgumentNullException.ThrowIfNull(v);
        if (v.Model is not ("gpt2" or "llama")) throw new TokenizerException($"tokenizer.ggml.model: \"{v.Model}\" is not supported; supported: gpt2, llama");
        bool sentencePiece = v.Model == "llama";
        int n = v.Tokens.Length;
        if (n == 0) throw new TokenizerException("tokenizer.ggml.tokens: no tokens");
        if (v.TokenTypes is not null && v.TokenTypes.Length < n) throw new TokenizerException($"tokenizer.ggml.token_type: {v.TokenTypes.Length} types for {n} tokens");
        if (v.Scores is not null && v.Scores.Length < n) throw new TokenizerException($"tokenizer.ggml.scores: {v.Scores.Length} scores for {n} tokens");
        if (!sentencePiece && v.Merges is null) throw new TokenizerException("tokenizer.ggml.merges: absent, and a gpt2 vocabulary needs them");
        GgufPreTokenizers.Kind pre = sentencePiece ? new([], AddBos: true) : GgufPreTokenizers.Find(v.Pre);

        TokenTable tokens = new(n, n * 8);
        AddedTokens added = new();
        for (int id = 0; id < n; id++)
        {
            string text = v.Tokens[id].Length > 0 ? v.Tokens[id] : $"[EMPTY_{id}]";
            int type = v.TokenTypes?[id] ?? 1;
            if (ControlByText.Contains(text)) type = Control;
            else if (text is "<|channel|>" or "<|message|>" or "<|start|>" or "<|constrain|>") type = UserDefined;
            if (tokens.TryGetId(text, out _)) continue; // The first of two alike has the text.
            tokens.Set(Encoding.UTF8.GetBytes(text), id);
            // What is not a normal token is shown as it is written, an unused one not at all.
            string form = sentencePiece ? text : ByteLevelNormalizer.Letters(text);
            if (type is Unknown or Control or UserDefined) added.Add(new AddedToken(text, id, type != UserDefined, false, false, false, false) { Form = form });
            else if (type == Unused) added.Add(new AddedToken(text, id, false, true, false, false, false) { Form = "" });
        }
        added.Build();

        int? bos = Within(v.BosTokenId, n) ?? Within(sentencePiece ? 1 : 11, n);
        int? eos = Within(v.EosTokenId, n) ?? Within(sentencePiece ? 2 : 11, n);
        int[] leading = v.AddBosToken ?? pre.AddBos ? [bos ?? throw new TokenizerException("tokenizer.ggml.add_bos_token: true, but there is no bos_token_id")] : [];
        int[] trailing = v.AddEosToken ?? false ? [eos ?? throw new TokenizerException("tokenizer.ggml.add_eos_token: true, but there is no eos_token_id")] : [];
        bool spacePrefix = v.AddSpacePrefix ?? sentencePiece;

        GgufEncoder.WordEncoder words = sentencePiece ? new SentencePieceEncoder(v, tokens, Within(v.UnknownTokenId, n) ?? 0, spacePrefix) : new GgufBpeEncoder(v, tokens, pre);
        DecoderStep[] decoder = !sentencePiece ? [new ByteLevelDecoder()]
            : spacePrefix ? [new ByteFallbackDecoder(), new FuseDecoder(), new StripDecoder(" ", 1, 0)]
            : [new ByteFallbackDecoder(), new FuseDecoder()];
        return new Tokenizer(new GgufEncoder(added, words, leading, trailing), tokens, added, decoder)
        {
            UnescapesSpaces = sentencePiece,
            BosTokenId = Within(v.BosTokenId, n) ?? (sentencePiece ? bos : null),
            EosTokenId = Within(v.EosTokenId, n) ?? (sentencePiece ? eos : null),
        };
    }

    private static int? Within(int? id, int n) => id >= 0 && id < n ? id : null;
}
