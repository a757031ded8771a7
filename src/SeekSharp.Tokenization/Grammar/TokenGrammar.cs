using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// A grammar bound to a vocabulary: makes a <see cref="GrammarMatcher"/> for each text. What one of them computes (states, masks) all of them use; memory for it is bounded. Thread-safe.
/// </summary>
public sealed class TokenGrammar
{
    private const int MostTextMasks = 24 << 10; // kilobytes
    private const int MostMasks = 512;

    private readonly ParserMachine _machine;
    private readonly Dictionary<ByteRegex, TextMask> _texts = [];
    private readonly ByteRegex[] _textStack;
    private readonly ParserState[] _stateStack;
    private readonly List<int> _tokens = [], _exits = [];
    private readonly List<ParserState> _masked = [];
    private int _textWeight;

    /// <param name="grammar">What is allowed.</param>
    /// <param name="vocabulary">The tokens.</param>
    public TokenGrammar(Grammar grammar, GrammarVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        ArgumentNullException.ThrowIfNull(vocabulary);
        Grammar = grammar;
        Vocabulary = vocabulary;
        int deepest = vocabulary.Deepest + 1;
        _textStack = new ByteRegex[deepest];
        _stateStack = new ParserState[deepest];
        lock (Lock) _machine = GrammarErrors.Guard(() => new ParserMachine(grammar.Rules));
    }

    /// <summary>The grammar.</summary>
    public Grammar Grammar { get; }

    /// <summary>The vocabulary.</summary>
    public GrammarVocabulary Vocabulary { get; }

    internal ParserState Initial => _machine.Initial;

    private Lock Lock => Grammar.Rules.Pool.Lock;

    /// <summary>A matcher at the beginning of a text.</summary>
    public GrammarMatcher CreateMatcher() => new(this);

    /// <summary>The state behind a token; null when the grammar does not allow it there.</summary>
    internal ParserState? Accept(ParserState state, int id)
    {
        if (Vocabulary.Bytes(id) is not { } bytes) return null;
        lock (Lock)
        {
            foreach (byte b in bytes)
            {
                if (_machine.Step(state, b) is not { } next) return null;
                state = next;
            }
            return state;
        }
    }

    /// <summary>The mask of a state; not to be written to.</summary>
    internal uint[] Mask(ParserState state)
    {
        if (state.Mask is { } cached && cached.Vocabulary == Vocabulary) return cached.Bits;
        lock (Lock)
        {
            uint[] bits = new uint[Vocabulary.MaskLength];
            foreach (ParserItem item in state.Items) Add(item, bits);
            if (state.CanEnd)
                foreach (int id in Vocabulary.EndTokens) bits[id >> 5] |= 1u << id;
            if (_masked.Count >= MostMasks)
            {
                foreach (ParserState old in _masked) old.Mask = null;
                _masked.Clear();
            }
            _masked.Add(state);
            state.Mask = new CachedMask(Vocabulary, bits);
            return bits;
        }
    }

    /// <summary>Whether only the end is left.</summary>
    internal bool IsComplete(ParserState state)
    {
        lock (Lock) return state.CanEnd && state.First.IsEmpty;
    }

    /// <summary>The one byte that can come, or -1.</summary>
    internal int OnlyByte(ParserState state)
    {
        lock (Lock)
        {
            ByteSet first = state.First;
            if (state.CanEnd || first.Count != 1) return -1;
            for (int b = 0; ; b++)
                if (first.Contains((byte)b)) return b;
        }
    }

    internal ParserState Step(ParserState state, byte b)
    {
        lock (Lock) return _machine.Step(state, b)!;
    }

    /// <summary>Adds the tokens that one terminal allows, with whatever follows it.</summary>
    private void Add(ParserItem item, uint[] bits)
    {
        if (!_texts.TryGetValue(item.Text, out TextMask? mask))
        {
            mask = TextMask.Of(item.Text, Vocabulary, _textStack, _tokens, _exits);
            _textWeight += mask.Weight;
            if (_textWeight > MostTextMasks)
            {
                _texts.Clear();
                _textWeight = mask.Weight;
            }
            _texts[item.Text] = mask;
        }
        mask.AddTo(bits);
        if (mask.Exits.Length == 0) return;
        ParserState after = _machine.After(item.Node);
        if (after.Items.Length == 0) return;
        foreach (int exit in mask.Exits) Walk(mask.Trie, exit, after, bits);
    }

    /// <summary>Adds the tokens in a node's subtree that go on from a state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Walk(TokenTrie trie, int root, ParserState from, uint[] bits)
    {
        byte[] labels = trie.Labels;
        int[] ends = trie.End, ids = trie.Token;
        int end = ends[root], bottom = trie.Depth[root];
        _stateStack[0] = from;
        for (int node = root + 1; node < end;)
        {
            int depth = trie.Depth[node] - bottom;
            if (_machine.Step(_stateStack[depth - 1], labels[node]) is not { } next)
            {
                node = ends[node];
                continue;
            }
            _stateStack[depth] = next;
            if (ids[node] >= 0) trie.Mark(bits, ids[node]);
            node++;
        }
    }
}
