namespace SeekSharp.Tokenization;

/// <summary>
/// The vocabulary inside a GGUF file, as its <c>tokenizer.ggml.*</c> keys hold it (GGUF specification, "Tokenizer").
/// <see cref="Tokenizer.FromVocabulary"/> makes a tokenizer of it.
/// </summary>
public sealed record GgufVocabulary
{
    /// <summary><c>tokenizer.ggml.model</c>: <c>gpt2</c> (byte-level BPE) or <c>llama</c> (SentencePiece).</summary>
    public required string Model { get; init; }

    /// <summary><c>tokenizer.ggml.pre</c>: the pre-tokenizer of a <c>gpt2</c> vocabulary; null means <c>default</c>.</summary>
    public string? Pre { get; init; }

    /// <summary><c>tokenizer.ggml.tokens</c>: the text of each id, [vocabulary size].</summary>
    public required string[] Tokens { get; init; }

    /// <summary><c>tokenizer.ggml.token_type</c>, one an id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.</summary>
    public int[]? TokenTypes { get; init; }

    /// <summary><c>tokenizer.ggml.scores</c>, one an id; a <c>llama</c> vocabulary merges by them, the highest first.</summary>
    public float[]? Scores { get; init; }

    /// <summary><c>tokenizer.ggml.merges</c>: <c>left right</c>, the strongest first; a <c>gpt2</c> vocabulary merges by them.</summary>
    public string[]? Merges { get; init; }

    /// <summary><c>tokenizer.ggml.bos_token_id</c>, or null.</summary>
    public int? BosTokenId { get; init; }

    /// <summary><c>tokenizer.ggml.eos_token_id</c>, or null.</summary>
    public int? EosTokenId { get; init; }

    /// <summary><c>tokenizer.ggml.unknown_token_id</c>, or null.</summary>
    public int? UnknownTokenId { get; init; }

    /// <summary><c>tokenizer.ggml.add_bos_token</c>, or null: then a <c>llama</c> vocabulary and the pre-tokenizers whose models want it add BOS.</summary>
    public bool? AddBosToken { get; init; }

    /// <summary><c>tokenizer.ggml.add_eos_token</c>, or null for no.</summary>
    public bool? AddEosToken { get; init; }

    /// <summary><c>tokenizer.ggml.add_space_prefix</c>, or null: yes for <c>llama</c>, no for <c>gpt2</c>.</summary>
    public bool? AddSpacePrefix { get; init; }
}
