using System.Collections.Concurrent;

namespace SeekSharp.Tokenization;

/// <summary>
/// A compiled regular expression on code points, as tokenizer.json's patterns need it: .NET's own works on UTF-16 units, to which no letter beyond U+FFFF is a
/// letter. Every search is bounded. Thread-safe.
/// </summary>
internal sealed class TextPattern
{
    // GPT-2's pattern, which ByteLevel uses.
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly ConcurrentDictionary<string, TextPattern> Own = new();

    private readonly RegexNode _root;
    private readonly Lazy<Automaton?> _automaton;
    private readonly Lazy<Backtracker> _backtracker;
    private volatile bool _grewTooLarge;

    private TextPattern(RegexNode root)
    {
        _root = root;
        _automaton = new(() => Automaton.Create(_root));
        _backtracker = new(() => new Backtracker(_root));
    }

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="TokenizerException">It is broken, or asks for something that is not supported.</exception>
    public static TextPattern Compile(string pattern) => new(RegexParser.Parse(pattern));

    /// <summary>A pattern that finds a text.</summary>
    public static TextPattern Literal(string text) => new(RegexParser.Literal(text));

    /// <summary>A pattern of our own, compiled once in a process.</summary>
    public static TextPattern Shared(string pattern) => Own.GetOrAdd(pattern, Compile);

    public static TextPattern ByteLevel => Shared(Gpt2);

    /// <summary>What all searches in one text may cost together: enough for any pattern that people use, a fraction of a second for those that are made to hurt.</summary>
    public static long Budget(int textLength) => 5_000_000 + 300L * textLength;

    public static TokenizerException TooSlow() => new("a regular expression of the tokenizer takes too long on this text");

    /// <summary>The leftmost match at or behind <paramref name="from"/>.</summary>
    public bool Find(ReadOnlySpan<char> text, int from, ref long budget, out int start, out int end)
    {
        if (!_grewTooLarge && _automaton.Value is Automaton automaton)
        {
            bool found = automaton.Find(text, from, ref budget, out start, out end, out bool usable);
            if (usable) return found;
            _grewTooLarge = true;
        }
        return _backtracker.Value.Find(text, from, ref budget, out start, out end);
    }

    /// <summary>Both engines by name, for tests; the first may be absent.</summary>
    internal (Automaton? Fast, Backtracker Plain) Engines => (_automaton.Value, _backtracker.Value);

    /// <summary>Walks over all matches as Oniguruma's bindings do: an empty match right behind the last one does not count.</summary>
    public ref struct Matches(TextPattern pattern, ReadOnlySpan<char> text, ref long budget)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private readonly ref long _budget = ref budget;
        private int _from;
        private int _lastEnd = -1;

        public int Start { get; private set; }

        public int End { get; private set; }

        public bool Next()
        {
            while (_from <= _text.Length && pattern.Find(_text, _from, ref _budget, out int start, out int end))
            {
                if (start == end && end == _lastEnd)
                {
                    _from += _from < _text.Length && char.IsHighSurrogate(_text[_from]) ? 2 : 1;
                    continue;
                }
                (Start, End) = (start, end);
                _from = _lastEnd = end;
                return true;
            }
            return false;
        }
    }
}
