namespace SeekSharp.Tokenization;

/// <summary>A token that is found in the text before anything else is done to it: an entry of tokenizer.json's <c>added_tokens</c>.</summary>
internal sealed record AddedToken(string Content, int Id, bool Special, bool Normalized, bool LStrip, bool RStrip, bool SingleWord)
{
    /// <summary>What is looked for in normalized text, and what decoders see, when <see cref="Normalized"/>.</summary>
    public string Form { get; init; } = Content;
}

/// <summary>All added tokens of a tokenizer, and the two searches for them.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<int, AddedToken> _byId = [];
    private readonly Dictionary<string, int> _idOf = [];
    private readonly HashSet<string> _special = [];

    /// <summary>Finds the tokens that are looked for in the raw text; null: there is none.</summary>
    public TokenMatcher? Raw { get; private set; }

    /// <summary>Finds the tokens that are looked for in normalized text; null: there is none.</summary>
    public TokenMatcher? Normalized { get; private set; }

    public int HighestId { get; private set; } = -1;

    public bool TryGet(int id, out AddedToken token) => _byId.TryGetValue(id, out token!);

    public bool TryGetId(string content, out int id) => _idOf.TryGetValue(content, out id);

    public bool IsSpecial(string text) => _special.Contains(text);

    /// <summary>Adds a token; the same content again replaces the flags of the first.</summary>
    public void Add(AddedToken token)
    {
        _byId[token.Id] = token;
        _idOf[token.Content] = token.Id;
        if (token.Special) _special.Add(token.Content);
        if (token.Special && !token.Normalized) _special.Add(token.Form);
        HighestId = Math.Max(HighestId, token.Id);
    }

    /// <summary>Builds the searches, once all tokens are there.</summary>
    public void Build()
    {
        Raw = TokenMatcher.Create(_byId.Values.Where(t => !t.Normalized && t.Content.Length > 0).Select(t => (t.Content, t.Id)));
        Normalized = TokenMatcher.Create(_byId.Values.Where(t => t.Normalized && t.Form.Length > 0).Select(t => (t.Form, t.Id)));
    }
}
