namespace SeekSharp.Tokenization;

/// <summary>Makes a tokenizer of a GGUF vocabulary.</summary>
internal static class GgufTokenizer
{
    public static Tokenizer Create(GgufVocabulary v) =>
        throw new TokenizerException($"tokenizer.ggml.model: \"{v.Model}\" is not supported");
}
