using SeekSharp.Tokenization;

namespace SeekSharp.Checkpoints;

/// <summary>Collects the keys <c>tokenizer.ggml.*</c> of a GGUF file for the tokenizer.</summary>
internal static class GgufVocabularyReader
{
    /// <summary>The vocabulary; null where the file has none.</summary>
    /// <exception cref="CheckpointException">A key is of the wrong kind, or lists differ in length.</exception>
    public static GgufVocabulary? Read(GgufMetadata m)
    {
        const string P = "tokenizer.ggml.";
        if (m.GetString(P + "model") is not string model || model == "none" || m.GetStrings(P + "tokens") is not string[] tokens) return null;
        int[]? types = m.GetIntegers(P + "token_type");
        float[]? scores = m.GetFloats(P + "scores");
        if (types is not null && types.Length != tokens.Length) throw Differs("token_type", types.Length);
        if (scores is not null && scores.Length != tokens.Length) throw Differs("scores", scores.Length);
        return new GgufVocabulary
        {
            Model = model,
            Pre = m.GetString(P + "pre"),
            Tokens = tokens,
            TokenTypes = types,
            Scores = scores,
            Merges = m.GetStrings(P + "merges"),
            BosTokenId = GgufConfig.TokenId(m, P + "bos_token_id"),
            EosTokenId = GgufConfig.TokenId(m, P + "eos_token_id"),
            UnknownTokenId = GgufConfig.TokenId(m, P + "unknown_token_id"),
            AddBosToken = m.GetBool(P + "add_bos_token"),
            AddEosToken = m.GetBool(P + "add_eos_token"),
            AddSpacePrefix = m.GetBool(P + "add_space_prefix"),
        };

        CheckpointException Differs(string key, int length) =>
            new($"{m.File}: {P}{key}: expected a value for each of the {tokens.Length} tokens, found {length}");
    }
}
