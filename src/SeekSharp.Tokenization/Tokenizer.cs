using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// A BPE tokenizer: text to ids and back, exactly as Hugging Face's <c>tokenizers</c> does it from the same <c>tokenizer.json</c>, or
/// as llama.cpp does it from the vocabulary of a GGUF file. Immutable and thread-safe.
/// </summary>
public sealed class Tokenizer
{
    private readonly TextEncoder _encoder;
    private readonly TokenTable _tokens;
    private readonly AddedTokens _added;
    private readonly DecoderStep[]? _decoder;

    internal Tokenizer(TextEncoder encoder, TokenTable tokens, AddedTokens added, DecoderStep[]? decoder)
    {
        _encoder = encoder;
        _tokens = tokens;
        _added = added;
        _decoder = decoder;
        tokens.IndexIds();
        VocabularySize = Math.Max(tokens.HighestId, added.HighestId) + 1;
    }

    /// <summary>Whether ▁ in the vocabulary's tokens is a space (a SentencePiece vocabulary in GGUF).</summary>
    internal bool UnescapesSpaces { get; init; }

    /// <summary>The highest id + 1.</summary>
    public int VocabularySize { get; }

    /// <summary>The id that begins a text, where the file says it (GGUF); null for tokenizer.json.</summary>
    public int? BosTokenId { get; internal init; }

    /// <summary>The id that ends a text, where the file says it (GGUF); null for tokenizer.json.</summary>
    public int? EosTokenId { get; internal init; }

    internal TextEncoder Encoder => _encoder;

    /// <summary>Reads a <c>tokenizer.json</c> with a BPE model.</summary>
    /// <param name="utf8TokenizerJson">The file's bytes.</param>
    /// <exception cref="TokenizerException">The file is broken, or asks for something that is not supported.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> utf8TokenizerJson) => TokenizerJson.Read(utf8TokenizerJson.Span);

    /// <summary>Reads <c>tokenizer.json</c> or <c>tokenizer.json.gz</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="TokenizerException">The file is absent or broken, or asks for something that is not supported.</exception>
    public static Tokenizer FromFile(string path)
    {
        byte[] json = TokenizerFile.Read(path);
        try
        {
            return FromJson(json);
        }
        catch (TokenizerException e)
        {
            throw new TokenizerException($"{path}: {e.Message}");
        }
    }

    /// <summary>Makes a tokenizer of the vocabulary inside a GGUF file.</summary>
    /// <param name="vocabulary">What the file's <c>tokenizer.ggml.*</c> keys hold.</param>
    /// <exception cref="TokenizerException">The vocabulary is inconsistent, or its kind or pre-tokenizer is not supported.</exception>
    public static Tokenizer FromVocabulary(GgufVocabulary vocabulary) => GgufTokenizer.Create(vocabulary);

    /// <summary>Text to ids.</summary>
    /// <param name="text">Any text; an unpaired surrogate counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">
    /// Adds what the tokenizer puts around a text: tokenizer.json's post-processor, a GGUF file's BOS and EOS. A rendered chat template holds its own BOS:
    /// use <see cref="EncodePrompt"/> for it.
    /// </param>
    /// <param name="parseSpecial">False: what looks like a special token in the text is plain text (text that users wrote).</param>
    /// <exception cref="TokenizerException">The text has an unknown character and the tokenizer no working unknown token, or a regular expression of the file takes too long on it.</exception>
    public int[] Encode(string text, bool addSpecialTokens = true, bool parseSpecial = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return _encoder.Encode(text, addSpecialTokens, parseSpecial);
    }

    /// <summary>
    /// Encodes a rendered chat template, or any prompt, with exactly one BOS where the tokenizer has one: the text's own if it begins with it, else the one
    /// that the tokenizer adds. Special tokens in the text are obeyed, and nothing is put at its end.
    /// </summary>
    /// <param name="renderedTemplate">The prompt.</param>
    /// <exception cref="TokenizerException">As <see cref="Encode"/>.</exception>
    public int[] EncodePrompt(string renderedTemplate)
    {
        int[] ids = Encode(renderedTemplate, addSpecialTokens: false);
        int[] leading = _encoder.LeadingIds;
        return leading.Length == 0 || ids.AsSpan().StartsWith(leading) ? ids : [.. leading, .. ids];
    }

    /// <summary>Ids to text. Ids that no token has are passed over.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out.</param>
    /// <exception cref="TokenizerException">An id is negative, or above every id that the tokenizer can give.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        List<string> tokens = new(ids.Length);
        foreach (int id in ids)
            if (TryGetDecodeText(id, skipSpecialTokens, out string? token)) tokens.Add(token);
        return DecodeTokens(tokens);
    }

    /// <inheritdoc cref="Decode(ReadOnlySpan{int}, bool)"/>
    public string Decode(IReadOnlyList<int> ids, bool skipSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Decode(ids as int[] ?? [.. ids], skipSpecialTokens);
    }

    /// <summary>A decoder for ids that arrive one by one.</summary>
    /// <param name="skipSpecialTokens">Leaves special tokens out.</param>
    public TokenStream CreateStream(bool skipSpecialTokens = false) => new(this, _decoder, skipSpecialTokens);

    /// <summary>The token of an id as the vocabulary writes it (<c>Ġthe</c>), or null.</summary>
    /// <param name="id">The id.</param>
    public string? IdToToken(int id)
    {
        if (_added.TryGet(id, out AddedToken token)) return token.Content;
        return _tokens.TryGetText(id, out ReadOnlySpan<byte> text) ? Encoding.UTF8.GetString(text) : null;
    }

    /// <summary>The id of a token as the vocabulary writes it, or null.</summary>
    /// <param name="token">The token.</param>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (_added.TryGetId(token, out int id) || _tokens.TryGetId(token, out id)) return id;
        return null;
    }

    /// <summary>Whether the id is a special token, one that <c>skipSpecialTokens</c> leaves out.</summary>
    /// <param name="id">The id.</param>
    public bool IsSpecial(int id) => IdToToken(id) is string token && _added.IsSpecial(token);

    /// <summary>The bytes that a token stands for in running text; none for an id that no token has.</summary>
    /// <param name="id">The id.</param>
    public byte[] TokenBytes(int id)
    {
        if (!TryGetDecodeText(id, skipSpecialTokens: false, out string? token)) return [];
        if (_decoder is null) return Encoding.UTF8.GetBytes(token);
        if (_decoder.Any(d => d is ByteLevelDecoder)) return ByteLevelDecoder.BytesOf(token);
        if (_decoder.Any(d => d is ByteFallbackDecoder) && ByteFallbackDecoder.ByteOf(token) is >= 0 and int b) return [(byte)b];
        // In running text a token is neither the first nor the last: it stands between two others, which the steps may not change.
        List<string> tokens = ["\ue000", token, "\ue000"];
        foreach (DecoderStep step in _decoder) tokens = step.Apply(tokens);
        string text = string.Concat(tokens);
        return Encoding.UTF8.GetBytes(text.Replace("\ue000", "", StringComparison.Ordinal));
    }

    internal bool TryGetDecodeText(int id, bool skipSpecialTokens, [NotNullWhen(true)] out string? token)
    {
        if (id < 0 || id >= VocabularySize && !_encoder.MayAdd(id))
            throw new TokenizerException($"token id {id} is out of range: the vocabulary has ids 0 to {VocabularySize - 1}");
        token = _added.TryGet(id, out AddedToken added) ? added.Form : IdToToken(id);
        if (UnescapesSpaces && added is null) token = token?.Replace('▁', ' ');
        return token is not null && !(skipSpecialTokens && _added.IsSpecial(token));
    }

    internal string DecodeTokens(List<string> tokens) => DecoderStep.Run(_decoder, tokens);
}
