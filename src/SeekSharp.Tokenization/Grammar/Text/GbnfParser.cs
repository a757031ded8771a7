using System.Globalization;

namespace SeekSharp.Tokenization;

/// <summary>
/// Reads GBNF as llama.cpp does (grammars/README.md there): <c>name ::= …</c>, literals, classes, <c>.</c>, groups, <c>| * + ? {m,n}</c>, <c>#</c> comments. What refers to no rule becomes one
/// expression; a rule that leads to no recursion is written out where it is used, as long as it stays small.
/// </summary>
internal sealed class GbnfParser
{
    private const int MaxText = 1 << 20;
    private const int MaxDepth = 100;
    private const int MaxRepeat = 100_000;
    private const int MaxInlined = 2_000; // parts of a rule that is written out

    private readonly string _text;
    private readonly ByteRegexPool _pool = new();
    private readonly GrammarRules _rules;
    private readonly Dictionary<string, (Node Body, int At)> _bodies = [];
    private readonly Dictionary<string, Symbol> _symbols = [];
    private readonly Dictionary<string, ByteRegex?> _texts = [];
    private readonly Queue<(int Rule, Node Body)> _todo = [];
    private int _at;
    private int _depth;

    private GbnfParser(string text)
    {
        _text = text;
        _rules = new GrammarRules(_pool);
    }

    /// <summary>A part of a rule's right side.</summary>
    private abstract record Node
    {
        public sealed record Text(ByteRegex Regex) : Node;

        public sealed record Name(string Rule, int At) : Node;

        public sealed record Sequence(List<Node> Items) : Node;

        public sealed record Choice(List<Node> Items) : Node;

        public sealed record Repeat(Node Item, int Min, int Max) : Node;
    }

    public static GrammarRules Compile(string text)
    {
        var parser = new GbnfParser(text);
        if (text.Length > MaxText) throw new GrammarException($"GBNF: {text.Length} characters, expected at most {MaxText}");
        parser.ReadRules();
        if (!parser._bodies.ContainsKey("root")) throw new GrammarException("GBNF: there is no rule called root");
        Symbol start = parser.Use("root", 0);
        while (parser._todo.TryDequeue(out (int Rule, Node Body) next))
            foreach (Node choice in next.Body is Node.Choice c ? c.Items : [next.Body]) parser._rules[next.Rule].Choices.Add(parser.Symbols(choice));
        parser._rules.Close(start);
        return parser._rules;
    }

    private bool More => _at < _text.Length;

    private GrammarException Wrong(string what) => Wrong(what, _at);

    private GrammarException Wrong(string what, int at)
    {
        int line = 1 + _text.AsSpan(0, Math.Min(at, _text.Length)).Count('\n');
        return new GrammarException($"GBNF, line {line}: {what}");
    }

    private void ReadRules()
    {
        Skip(lines: true);
        while (More)
        {
            string name = Name();
            int at = _at;
            Skip(lines: false);
            if (string.CompareOrdinal(_text, _at, "::=", 0, 3) != 0) throw Wrong($"expected ::= behind {name}");
            _at += 3;
            Skip(lines: true);
            Node body = Alternatives(nested: false);
            if (!_bodies.TryAdd(name, (body, at))) throw Wrong($"the rule {name} is there twice", at);
            if (More && _text[_at] is not ('\n' or '\r')) throw Wrong($"unexpected '{_text[_at]}'");
            Skip(lines: true);
        }
    }

    private void Skip(bool lines)
    {
        while (More)
        {
            if (_text[_at] == '#')
                while (More && _text[_at] is not ('\n' or '\r')) _at++;
            else if (_text[_at] is ' ' or '\t' || lines && _text[_at] is '\n' or '\r') _at++;
            else break;
        }
    }

    private static bool IsName(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_';

    private string Name()
    {
        int start = _at;
        while (More && IsName(_text[_at])) _at++;
        return _at > start ? _text[start.._at] : throw Wrong("expected a rule's name");
    }

    private Node Alternatives(bool nested)
    {
        if (++_depth > MaxDepth) throw Wrong($"groups nest over {MaxDepth} deep");
        List<Node> choices = [Sequence(nested)];
        while (More && _text[_at] == '|')
        {
            _at++;
            Skip(lines: true);
            choices.Add(Sequence(nested));
        }
        _depth--;
        return choices.Count == 1 ? choices[0] : new Node.Choice(choices);
    }

    private Node Sequence(bool nested)
    {
        List<Node> items = [];
        while (More)
        {
            char c = _text[_at];
            Node item;
            if (c == '"') item = new Node.Text(Literal());
            else if (c == '[') item = new Node.Text(_pool.Utf8(Class()));
            else if (c == '.')
            {
                _at++;
                item = new Node.Text(_pool.Utf8(CodePointSet.All));
            }
            else if (c == '(')
            {
                _at++;
                Skip(lines: true);
                item = Alternatives(nested: true);
                if (!More || _text[_at] != ')') throw Wrong("a group does not end");
                _at++;
            }
            else if (IsName(c))
            {
                int at = _at;
                item = new Node.Name(Name(), at);
            }
            else break;
            items.Add(Repeated(item));
            Skip(nested);
        }
        return items.Count == 1 ? items[0] : new Node.Sequence(items);
    }

    private Node Repeated(Node item)
    {
        int stacked = 0;
        while (More)
        {
            int min, max;
            switch (_text[_at])
            {
                case '*': (min, max) = (0, -1); break;
                case '+': (min, max) = (1, -1); break;
                case '?': (min, max) = (0, 1); break;
                case '{':
                    _at++;
                    (min, max) = Interval();
                    break;
                default: return item;
            }
            _at++;
            if (++stacked > 8) throw Wrong("over 8 repetitions in a row");
            item = new Node.Repeat(item, min, max);
        }
        return item;
    }

    /// <summary>Behind the brace, up to the closing one.</summary>
    private (int Min, int Max) Interval()
    {
        Skip(lines: false);
        int min = Number() ?? 0;
        Skip(lines: false);
        int max = min;
        if (More && _text[_at] == ',')
        {
            _at++;
            Skip(lines: false);
            max = Number() ?? -1;
            Skip(lines: false);
        }
        if (!More || _text[_at] != '}') throw Wrong("expected {n}, {n,} or {n,m}");
        if (max >= 0 && max < min) throw Wrong("a repetition with its numbers out of order");
        return (min, max);
    }

    private int? Number()
    {
        int start = _at;
        while (More && char.IsAsciiDigit(_text[_at])) _at++;
        if (_at == start) return null;
        return int.TryParse(_text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n <= MaxRepeat ? n : throw Wrong($"a repetition over {MaxRepeat} times");
    }

    private ByteRegex Literal()
    {
        _at++;
        List<int> points = [];
        while (More && _text[_at] != '"') points.Add(Character());
        if (!More) throw Wrong("a literal does not end");
        _at++;
        ByteRegex result = _pool.Empty;
        for (int i = points.Count - 1; i >= 0; i--) result = _pool.Concat(_pool.Utf8(CodePointSet.Of(points[i])), result);
        return result;
    }

    private CodePointSet Class()
    {
        _at++;
        bool negative = More && _text[_at] == '^';
        if (negative) _at++;
        List<(int, int)> ranges = [];
        while (More && _text[_at] != ']')
        {
            int from = Character(), to = from;
            if (_at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                to = Character();
            }
            if (to < from) throw Wrong("a range runs backwards");
            ranges.Add((from, to));
        }
        if (!More) throw Wrong("a class does not end");
        _at++;
        CodePointSet set = CodePointSet.From(ranges);
        return negative ? set.Negate() : set;
    }

    private int Character()
    {
        if (_text[_at] != '\\')
        {
            int c = char.IsSurrogatePair(_text, _at) ? char.ConvertToUtf32(_text, _at) : _text[_at];
            _at += c > 0xFFFF ? 2 : 1;
            return c;
        }
        if (_at + 1 >= _text.Length) throw Wrong("it ends within an escape");
        char letter = _text[_at + 1];
        _at += 2;
        switch (letter)
        {
            case 'x': return Hex(2);
            case 'u': return Hex(4);
            case 'U': return Hex(8);
            case 't': return '\t';
            case 'r': return '\r';
            case 'n': return '\n';
            case '\\' or '"' or '[' or ']' or '-' or '^': return letter;
            default: throw Wrong($"unknown escape \\{letter}");
        }
    }

    private int Hex(int digits)
    {
        if (_at + digits > _text.Length || !uint.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value) || value > UnicodeData.MaxCodePoint)
            throw Wrong("a broken code point");
        _at += digits;
        return (int)value;
    }

    /// <summary>A rule as a symbol.</summary>
    private Symbol Use(string name, int at)
    {
        if (_symbols.TryGetValue(name, out Symbol known)) return known;
        if (!_bodies.TryGetValue(name, out (Node Body, int At) rule)) throw Wrong($"there is no rule called {name}", at);
        if (Text(name, at) is { } text) return _symbols[name] = Symbol.Of(text);
        Symbol symbol = _symbols[name] = Symbol.Of(_rules.Add($"GBNF rule {name}"));
        _todo.Enqueue((symbol.Rule, rule.Body));
        return symbol;
    }

    /// <summary>A rule as one expression; null when it recurses, or would be large.</summary>
    private ByteRegex? Text(string name, int at)
    {
        if (_texts.TryGetValue(name, out ByteRegex? known)) return known; // null too while it is on its way: it recurses
        if (!_bodies.TryGetValue(name, out (Node Body, int At) rule)) throw Wrong($"there is no rule called {name}", at);
        _texts[name] = null;
        int made = _pool.Made;
        ByteRegex? text = Text(rule.Body);
        if (_pool.Made - made > MaxInlined) text = null;
        return _texts[name] = text;
    }

    private ByteRegex? Text(Node node)
    {
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (node)
        {
            case Node.Text t: return t.Regex;
            case Node.Name n: return Text(n.Rule, n.At);
            case Node.Repeat r: return Text(r.Item) is { } item ? _pool.Repeat(item, r.Min, r.Max) : null;
            default:
                List<ByteRegex> parts = [];
                foreach (Node part in node is Node.Sequence s ? s.Items : ((Node.Choice)node).Items)
                {
                    if (Text(part) is not { } text) return null;
                    parts.Add(text);
                }
                return node is Node.Sequence ? _pool.Concat([.. parts]) : _pool.Or([.. parts]);
        }
    }

    private Symbol[] Symbols(Node node) => node is Node.Sequence s ? [.. s.Items.Select(One)] : [One(node)];

    private Symbol One(Node node)
    {
        if (Text(node) is { } text) return Symbol.Of(text);
        switch (node)
        {
            case Node.Name n: return Use(n.Rule, n.At);
            case Node.Repeat r: return Symbol.Of(_rules.Repeat("GBNF", One(r.Item), r.Min, r.Max));
            default:
                int rule = _rules.Add("GBNF");
                foreach (Node choice in node is Node.Choice c ? c.Items : [node]) _rules[rule].Choices.Add(Symbols(choice));
                return Symbol.Of(rule);
        }
    }
}
