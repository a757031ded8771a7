using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// Parses the syntax of Oniguruma, which Hugging Face's library uses: <c>^</c> and <c>$</c> are those of lines, <c>{n}?</c> is an optional <c>{n}</c>,
/// <c>{n,m}+</c> repeats, <c>++ *+ ?+</c> are possessive, an isolated <c>(?i)</c> reaches over alternatives to the end of its group.
/// Subexpression calls, conditions, absent functions, callouts and <c>\K \G \X \y</c> are refused.
/// </summary>
internal sealed class RegexParser
{
    private const int MaxDepth = 200;
    private const int MaxRepeat = 100_000;
    private const int MaxLength = 100_000;

    private readonly string _pattern;
    private readonly Dictionary<string, int> _names = [];
    private readonly List<(int Index, string? Name)> _references = [];
    private int _at;
    private int _depth;
    private int _groups;
    private bool _ignoreCase;
    private bool _dotAll;
    private bool _extended;

    private RegexParser(string pattern) => _pattern = pattern;

    public static RegexNode Parse(string pattern)
    {
        if (pattern.Length > MaxLength) throw new TokenizerException($"regular expression: {pattern.Length} characters, expected at most {MaxLength}");
        RegexParser parser = new(pattern);
        RegexNode node = parser.Alternatives();
        if (parser._at < pattern.Length) throw parser.Wrong("unmatched ')'");
        foreach ((int index, string? name) in parser._references)
            if (index > parser._groups || name is not null && !parser._names.ContainsKey(name)) throw parser.Wrong("a back reference to a group that is not there");
        return node;
    }

    /// <summary>A text that stands for itself.</summary>
    public static RegexNode Literal(string text) => new RegexNode.Sequence([.. text.EnumerateRunes().Select(r => new RegexNode.Set(CodePointSet.Of(r.Value)))]);

    private bool More => _at < _pattern.Length;

    private TokenizerException Wrong(string what)
    {
        string shown = _pattern.Length <= 60 ? _pattern : _pattern[..60] + "…";
        return new TokenizerException($"regular expression \"{shown.ReplaceLineEndings(" ")}\", character {_at}: {what}");
    }

    private bool Take(string text)
    {
        if (string.CompareOrdinal(_pattern, _at, text, 0, text.Length) != 0) return false;
        _at += text.Length;
        return true;
    }

    private int Next()
    {
        if (!More) throw Wrong("ends too early");
        Rune.DecodeFromUtf16(_pattern.AsSpan(_at), out Rune rune, out int length);
        _at += length;
        return rune.Value;
    }

    private RegexNode Alternatives()
    {
        if (++_depth > MaxDepth) throw Wrong($"groups nest over {MaxDepth} deep");
        (bool ignoreCase, bool dotAll, bool extended) = (_ignoreCase, _dotAll, _extended);
        List<RegexNode> choices = [Branch()];
        while (Take("|")) choices.Add(Branch());
        (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
        _depth--;
        return choices.Count == 1 ? choices[0] : new RegexNode.Choice(choices);
    }

    private RegexNode Branch()
    {
        List<RegexNode> items = [];
        while (More && _pattern[_at] is not ('|' or ')'))
        {
            if (_extended && (UnicodeData.IsWhiteSpace(_pattern[_at]) || _pattern[_at] == '#'))
            {
                if (_pattern[_at++] == '#')
                    while (More && _pattern[_at++] != '\n') { }
                continue;
            }
            RegexNode? item = Atom(out bool isolated);
            if (item is null) continue;
            if (isolated)
            {
                items.Add(item); // (?i) took all that was left of this group.
                break;
            }
            items.Add(Quantified(item));
        }
        return items.Count == 1 ? items[0] : new RegexNode.Sequence(items);
    }

    private RegexNode Quantified(RegexNode item)
    {
        int stacked = 0;
        while (More)
        {
            int min, max;
            bool interval = false;
            if (Take("*")) (min, max) = (0, -1);
            else if (Take("+")) (min, max) = (1, -1);
            else if (Take("?")) (min, max) = (0, 1);
            else if (_pattern[_at] == '{' && Interval(out min, out max)) interval = true;
            else break;
            // Each level multiplies the work of compiling and matching; nobody stacks more than two.
            if (++stacked > 20) throw Wrong("over 20 quantifiers in a row");

            if (Take("?"))
            {
                // {n}? is not reluctant here, but an optional {n}.
                item = interval && min == max
                    ? new RegexNode.Repeat(new RegexNode.Repeat(item, min, max, true), 0, 1, true)
                    : new RegexNode.Repeat(item, min, max, false);
            }
            else if (!interval && Take("+"))
            {
                item = new RegexNode.Atomic(new RegexNode.Repeat(item, min, max, true));
            }
            else
            {
                item = new RegexNode.Repeat(item, min, max, true);
            }
        }
        return item;
    }

    private bool Interval(out int min, out int max)
    {
        int i = _at + 1;
        (min, max) = (0, -1);
        int? low = Digits(ref i);
        bool comma = i < _pattern.Length && _pattern[i] == ',';
        if (comma) i++;
        int? high = comma ? Digits(ref i) : low;
        // Anything else in braces is plain text.
        if (low is null && high is null || i >= _pattern.Length || _pattern[i] != '}') return false;
        _at = i + 1;
        min = low ?? 0;
        max = high ?? -1;
        if (min > MaxRepeat || max > MaxRepeat) throw Wrong($"repeats over {MaxRepeat} times");
        if (max >= 0 && min > max) (min, max) = (max, min); // Oniguruma: a possessive interval; the range is what matters.
        return true;
    }

    private int? Digits(ref int i)
    {
        int start = i;
        long n = 0;
        for (; i < _pattern.Length && char.IsAsciiDigit(_pattern[i]); i++) n = Math.Min(n * 10 + _pattern[i] - '0', int.MaxValue);
        return i == start ? null : (int)n;
    }

    private RegexNode? Atom(out bool isolated)
    {
        isolated = false;
        int c = Next();
        switch (c)
        {
            case '(':
                return Group(out isolated);
            case '[':
                return new RegexNode.Set(CharacterClass());
            case '.':
                return new RegexNode.Set(_dotAll ? CodePointSet.All : CodePointSet.Of('\n').Negate());
            case '^':
                return new RegexNode.Place(PlaceKind.LineStart);
            case '$':
                return new RegexNode.Place(PlaceKind.LineEnd);
            case '*' or '+' or '?':
                throw Wrong("nothing to repeat");
            case '\\':
                return Escape();
            default:
                return Single(c);
        }
    }

    private RegexNode.Set Single(int c)
    {
        CodePointSet set = CodePointSet.Of(c);
        return new RegexNode.Set(_ignoreCase ? set.CaseClosure() : set);
    }

    private RegexNode? Group(out bool isolated)
    {
        isolated = false;
        RegexNode node;
        if (!Take("?"))
        {
            if (More && _pattern[_at] == '*') throw Wrong("callouts are not supported");
            int index = ++_groups;
            node = new RegexNode.Capture(Alternatives(), index);
        }
        else if (Take("#"))
        {
            while (Next() is var c && c != ')')
                if (c == '\\') Next();
            return null;
        }
        else if (Take(":")) node = Alternatives();
        else if (Take("=")) node = new RegexNode.Look(Alternatives(), Behind: false, Negative: false);
        else if (Take("!")) node = new RegexNode.Look(Alternatives(), Behind: false, Negative: true);
        else if (Take("<=")) node = new RegexNode.Look(Alternatives(), Behind: true, Negative: false);
        else if (Take("<!")) node = new RegexNode.Look(Alternatives(), Behind: true, Negative: true);
        else if (Take(">")) node = new RegexNode.Atomic(Alternatives());
        else if (Take("<") || Take("'"))
        {
            string name = Name(_pattern[_at - 1] == '<' ? '>' : '\'');
            int index = ++_groups;
            _names[name] = index;
            node = new RegexNode.Capture(Alternatives(), index);
        }
        else return Options(out isolated);
        if (!Take(")")) throw Wrong("a group does not end");
        return node;
    }

    private string Name(char end)
    {
        int start = _at;
        while (More && _pattern[_at] != end && (char.IsLetterOrDigit(_pattern[_at]) || _pattern[_at] is '_' or '-')) _at++;
        if (_at == start || !More || _pattern[_at] != end) throw Wrong("a broken group name");
        return _pattern[start.._at++];
    }

    private RegexNode Options(out bool isolated)
    {
        isolated = false;
        (bool ignoreCase, bool dotAll, bool extended) = (_ignoreCase, _dotAll, _extended);
        bool on = true;
        for (int letters = 0; ; letters++)
        {
            int c = Next();
            if (c == '-' && on) on = false;
            else if (c == 'i') ignoreCase = on;
            else if (c == 'm') dotAll = on;
            else if (c == 'x') extended = on;
            else if (c is ':' or ')')
            {
                (bool, bool, bool) outer = (_ignoreCase, _dotAll, _extended);
                (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
                RegexNode node = Alternatives();
                (_ignoreCase, _dotAll, _extended) = outer;
                isolated = c == ')';
                if (!isolated && !Take(")")) throw Wrong("a group does not end");
                return node;
            }
            else throw Wrong("an unknown or unsupported kind of group");
        }
    }

    private RegexNode Escape()
    {
        int c = Next();
        switch (c)
        {
            case 'b': return new RegexNode.Place(PlaceKind.WordEdge);
            case 'B': return new RegexNode.Place(PlaceKind.NoWordEdge);
            case 'A': return new RegexNode.Place(PlaceKind.TextStart);
            case 'z': return new RegexNode.Place(PlaceKind.TextEnd);
            case 'Z':
                return new RegexNode.Look(new RegexNode.Sequence([new RegexNode.Repeat(new RegexNode.Set(CodePointSet.Of('\n')), 0, 1, true), new RegexNode.Place(PlaceKind.TextEnd)]), false, false);
            case 'R':
                return new RegexNode.Atomic(new RegexNode.Choice([Literal("\r\n"), new RegexNode.Set(CodePointSet.Of((10, 13), (0x85, 0x85), (0x2028, 0x2029)))]));
            case 'N': return new RegexNode.Set(CodePointSet.Of('\n').Negate());
            case 'O': return new RegexNode.Set(CodePointSet.All);
            case 'k' when Take("<") || Take("'"):
                {
                    string name = Name(_pattern[_at - 1] == '<' ? '>' : '\'');
                    if (int.TryParse(name, out int number)) return Reference(number < 0 ? _groups + 1 + number : number);
                    _references.Add((0, name));
                    if (!_names.TryGetValue(name, out int index)) throw Wrong($"a back reference to the group {name}, which is not there yet");
                    return new RegexNode.BackReference(index, _ignoreCase);
                }
            case >= '1' and <= '9':
                {
                    _at--;
                    int start = _at;
                    int? number = Digits(ref _at);
                    if (number <= Math.Max(_groups, 9)) return Reference(number!.Value);
                    _at = start; // An octal code, or a digit.
                    return Single(_pattern[_at] <= '7' ? Octal(3) : Next());
                }
            case 'g' or 'K' or 'G' or 'X' or 'y' or 'Y':
                throw Wrong($"\\{(char)c} is not supported");
        }
        if (Shorthand(c) is CodePointSet set) return new RegexNode.Set(set);
        return Single(EscapedCharacter(c));
    }

    private RegexNode.BackReference Reference(int index)
    {
        if (index < 1) throw Wrong("a back reference to a group that is not there");
        _references.Add((index, null));
        return new RegexNode.BackReference(index, _ignoreCase);
    }

    /// <summary>The set of <c>\w</c>, <c>\p{…}</c> and the like; null when the letter is none of them.</summary>
    private CodePointSet? Shorthand(int c)
    {
        switch (c)
        {
            case 'w': return RegexProperties.Word;
            case 'W': return RegexProperties.Word.Negate();
            case 's': return RegexProperties.WhiteSpace;
            case 'S': return RegexProperties.WhiteSpace.Negate();
            case 'd': return RegexProperties.Find("Nd");
            case 'D': return RegexProperties.Find("Nd")!.Negate();
            case 'h': return RegexProperties.Find("xdigit");
            case 'H': return RegexProperties.Find("xdigit")!.Negate();
            case 'p' or 'P':
                bool negative = c == 'P';
                string name;
                if (Take("{"))
                {
                    if (Take("^")) negative = !negative;
                    int end = _pattern.IndexOf('}', _at);
                    if (end < 0) throw Wrong("\\p{ does not end");
                    name = _pattern[_at..end];
                    _at = end + 1;
                }
                else
                {
                    if (!More || _pattern[_at] is not ('C' or 'L' or 'M' or 'N' or 'P' or 'S' or 'Z')) throw Wrong("\\p without a property");
                    name = _pattern[_at++].ToString();
                }
                CodePointSet set = RegexProperties.Find(name) ?? throw Wrong($"no character property is called \"{name}\"");
                if (_ignoreCase) set = set.CaseClosure();
                return negative ? set.Negate() : set;
            default: return null;
        }
    }

    private int EscapedCharacter(int c)
    {
        switch (c)
        {
            case 't': return '\t';
            case 'n': return '\n';
            case 'r': return '\r';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return 7;
            case 'e': return 27;
            case '0': return Octal(2);
            case 'x' when Take("{"): return Braced(16);
            case 'x': return Hex(1, 2);
            case 'u': return Hex(4, 4);
            case 'o' when Take("{"): return Braced(8);
            case 'c' or 'C' or 'M': throw Wrong($"\\{(char)c} is not supported");
            default: return c;
        }
    }

    private int Octal(int most)
    {
        int n = 0;
        for (; most > 0 && More && _pattern[_at] is >= '0' and <= '7'; most--) n = n * 8 + _pattern[_at++] - '0';
        return n;
    }

    private int Hex(int least, int most)
    {
        int start = _at;
        while (_at - start < most && More && char.IsAsciiHexDigit(_pattern[_at])) _at++;
        if (_at - start < least) throw Wrong("a broken \\x or \\u");
        return Valid(Convert.ToInt64(_pattern[start.._at], 16));
    }

    private int Braced(int radix)
    {
        int end = _pattern.IndexOf('}', _at);
        if (end < 0 || end == _at || end - _at > 11) throw Wrong("a broken code point in braces");
        long n = 0;
        for (; _at < end; _at++)
        {
            int digit = char.IsAsciiHexDigit(_pattern[_at]) ? Convert.ToInt32(_pattern[_at].ToString(), 16) : radix;
            if (digit >= radix) throw Wrong("a broken code point in braces");
            n = n * radix + digit;
        }
        _at++;
        return Valid(n);
    }

    private int Valid(long n) => n <= UnicodeData.MaxCodePoint && n is not (>= 0xD800 and <= 0xDFFF) ? (int)n : throw Wrong("no such code point");

    /// <summary>A class in brackets, behind its opening one.</summary>
    private CodePointSet CharacterClass()
    {
        if (++_depth > MaxDepth) throw Wrong($"classes nest over {MaxDepth} deep");
        bool negative = Take("^");
        List<(int, int)> ranges = [];
        CodePointSet? left = null; // of &&
        bool first = true;
        while (true)
        {
            if (!More) throw Wrong("a character class does not end");
            if (!first && Take("]")) break;
            if (Take("&&"))
            {
                CodePointSet right = CodePointSet.From(ranges);
                left = left?.Intersect(right) ?? right;
                ranges.Clear();
                first = false;
                continue;
            }
            if (first && _pattern[_at] == ']' && _pattern.IndexOf(']', _at + 1) < 0) throw Wrong("empty character class");
            first = false;
            if (Member(out int from) is CodePointSet set)
            {
                ranges.AddRange(set.Ranges.ToArray());
                continue;
            }
            int to = from;
            if (_at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] != ']')
            {
                int back = _at++;
                if (Member(out to) is CodePointSet behind)
                {
                    // "a-\d": the hyphen is itself.
                    ranges.Add(('-', '-'));
                    ranges.AddRange(behind.Ranges.ToArray());
                    to = from;
                }
                else if (to < from)
                {
                    _at = back;
                    throw Wrong("a range runs backwards");
                }
            }
            ranges.Add((from, to));
        }
        CodePointSet all = CodePointSet.From(ranges);
        if (left is not null) all = left.Intersect(all);
        if (_ignoreCase) all = all.CaseClosure();
        _depth--;
        return negative ? all.Negate() : all;
    }

    /// <summary>A member of a class: a set, or null and a code point.</summary>
    private CodePointSet? Member(out int c)
    {
        if (Take("[:"))
        {
            int end = _pattern.IndexOf(":]", _at, StringComparison.Ordinal);
            if (end > 0 && end - _at <= 20)
            {
                bool not = Take("^");
                if (RegexProperties.Find(_pattern[_at..end]) is CodePointSet posix)
                {
                    _at = end + 2;
                    c = -1;
                    return not ? posix.Negate() : posix;
                }
            }
            throw Wrong("an unknown [:class:]");
        }
        c = Next();
        if (c == '[') return CharacterClass();
        if (c != '\\') return null;
        c = Next();
        if (c == 'b')
        {
            c = 8;
            return null;
        }
        if (c is 'R' or 'N' or 'O' or 'X') throw Wrong($"\\{(char)c} in a character class");
        if (c is >= '1' and <= '7')
        {
            _at--;
            c = Octal(3);
            return null;
        }
        if (Shorthand(c) is CodePointSet set) return set;
        c = EscapedCharacter(c);
        return null;
    }
}
