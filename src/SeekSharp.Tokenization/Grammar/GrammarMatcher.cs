namespace SeekSharp.Tokenization;

/// <summary>
/// Follows one text through a grammar, token by token. Not thread-safe; several matchers of one <see cref="TokenGrammar"/> may run side by side.
/// </summary>
/// <example><code>
/// var matcher = new TokenGrammar(Grammar.JsonSchema(schema), new GrammarVocabulary(tokenizer, [eos])).CreateMatcher();
/// matcher.FillMask(bits);      // which tokens may come
/// matcher.Accept(id);          // the one that was chosen
/// </code></example>
public sealed class GrammarMatcher
{
    private readonly TokenGrammar _grammar;
    private readonly List<ParserState> _history = [];
    private ParserState _state;
    private bool _ended;

    internal GrammarMatcher(TokenGrammar grammar)
    {
        _grammar = grammar;
        _state = grammar.Initial;
    }

    private GrammarMatcher(GrammarMatcher other)
    {
        _grammar = other._grammar;
        _history.AddRange(other._history);
        (_state, _ended) = (other._state, other._ended);
    }

    /// <summary>The number of tokens accepted and not rolled back.</summary>
    public int Count => _history.Count;

    /// <summary>The text so far satisfies the grammar.</summary>
    public bool CanEnd => _state.CanEnd;

    /// <summary>The text so far satisfies the grammar, and nothing can follow but its end; or an end token has been accepted.</summary>
    public bool IsComplete => _ended || _grammar.IsComplete(_state);

    /// <summary>Sets the bit of every token that may come, and clears all others. In a text that has ended no token may.</summary>
    /// <param name="bits">At least <see cref="GrammarVocabulary.MaskLength"/> words; token i is bit i mod 32 of word i / 32. Words beyond are cleared.</param>
    /// <exception cref="ArgumentException">The span is too short.</exception>
    /// <exception cref="GrammarException">The grammar is too costly to follow here.</exception>
    public void FillMask(Span<uint> bits)
    {
        int length = _grammar.Vocabulary.MaskLength;
        if (bits.Length < length) throw new ArgumentException($"a mask of {bits.Length} words, expected at least {length}", nameof(bits));
        if (_ended) bits.Clear();
        else
        {
            GrammarErrors.Guard((_grammar, _state), static s => s._grammar.Mask(s._state)).CopyTo(bits);
            bits[length..].Clear();
        }
    }

    /// <summary>Takes a token, if the grammar allows it; if not, nothing changes. It need not have been in a mask: each call checks for itself.</summary>
    /// <param name="id">The token.</param>
    /// <returns>Whether it was allowed.</returns>
    /// <exception cref="GrammarException">The grammar is too costly to follow here.</exception>
    public bool Accept(int id)
    {
        if (_ended) return false;
        if (Array.BinarySearch(_grammar.Vocabulary.EndTokens, id) >= 0)
        {
            if (!_state.CanEnd) return false;
            _history.Add(_state);
            _ended = true;
            return true;
        }
        if (GrammarErrors.Guard((_grammar, _state, id), static s => s._grammar.Accept(s._state, s.id)) is not { } next) return false;
        _history.Add(_state);
        _state = next;
        return true;
    }

    /// <summary>Takes back the last tokens, an end token too: drafts that were not verified.</summary>
    /// <param name="tokens">How many, 0 to <see cref="Count"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">More than were accepted.</exception>
    public void Rollback(int tokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, _history.Count);
        if (tokens == 0) return;
        _state = _history[^tokens];
        _history.RemoveRange(_history.Count - tokens, tokens);
        _ended = false;
    }

    /// <summary>Forgets all tokens.</summary>
    public void Reset() => Rollback(_history.Count);

    /// <summary>A matcher at the same place, independent from here on.</summary>
    public GrammarMatcher Clone() => new(this);

    /// <summary>
    /// The bytes that must come next, however the text goes on after them: none when there is a choice. A hint for drafts: the tokens that they make are the model's to choose.
    /// </summary>
    /// <param name="most">The greatest number of bytes.</param>
    public byte[] ForcedBytes(int most = 256)
    {
        List<byte> bytes = [];
        ParserState at = _state;
        while (!_ended && bytes.Count < most)
        {
            int b = GrammarErrors.Guard((_grammar, at), static s => s._grammar.OnlyByte(s.at));
            if (b < 0) break;
            bytes.Add((byte)b);
            at = GrammarErrors.Guard((_grammar, at, b), static s => s._grammar.Step(s.at, (byte)s.b));
        }
        return [.. bytes];
    }
}
