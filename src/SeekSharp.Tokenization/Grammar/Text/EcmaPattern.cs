using System.Globalization;

namespace SeekSharp.Tokenization;

/// <summary>
/// Parses regular expressions as ECMA-262 (15th edition, 22.2) writes them, which is what JSON Schema means by <c>pattern</c>: <c>\d</c> and <c>\w</c> are ASCII, <c>^</c> and <c>$</c>
/// the ends of the text. Back references, <c>\b</c>, looks behind and flags are refused.
/// </summary>
internal sealed class EcmaPattern
{
    private const int MaxDepth = 100;
    private const int MaxRepeat = 100_000;
    private const int MaxLength = 50_000;

    private static readonly CodePointSet Digit = CodePointSet.Of(('0', '9'));
    private static readonly CodePointSet Word = CodePointSet.Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));
    private static readonly CodePointSet LineEnds = CodePointSet.Of((10, 10), (13, 13), (0x2028, 0x2029));
    private static readonly CodePointSet Space = CodePointSet.Of((9, 13), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F),
        (0x3000, 0x3000), (0xFEFF, 0xFEFF));

    private readonly string _pattern;
    private int _at;
    private int _depth;

    private EcmaPattern(string pattern) => _pattern = pattern;

    public static RegexNode Parse(string pattern)
    {
        EcmaPattern parser = new(pattern);
        if (pattern.Length > MaxLength) throw parser.Wrong($"{pattern.Length} characters, expected at most {MaxLength}");
        RegexNode node = parser.Alternatives();
        if (parser.More) throw parser.Wrong("an unmatched )");
        return node;
    }

    private bool More => _at < _pattern.Length;

    private GrammarException Wrong(string what)
    {
        string shown = _pattern.Length <= 60 ? _pattern : _pattern[..60] + "…";
        return new GrammarException($"regular expression \"{shown}\", character {_at}: {what}");
    }

    private bool Take(string text)
    {
        if (string.CompareOrdinal(_pattern, _at, text, 0, text.Length) != 0) return false;
        _at += text.Length;
        return true;
    }

    private int Next()
    {
        if (!More) throw Wrong("it ends too early");
        int c = char.IsSurrogatePair(_pattern, _at) ? char.ConvertToUtf32(_pattern, _at) : _pattern[_at];
        _at += c > 0xFFFF ? 2 : 1;
        return c;
    }

    private RegexNode Alternatives()
    {
        if (++_depth > MaxDepth) throw Wrong($"groups nest over {MaxDepth} deep");
        List<RegexNode> choices = [Sequence()];
        while (Take("|")) choices.Add(Sequence());
        _depth--;
        return choices.Count == 1 ? choices[0] : new RegexNode.Choice(choices);
    }

    private RegexNode Sequence()
    {
        List<RegexNode> items = [];
        while (More && _pattern[_at] is not ('|' or ')')) items.Add(Quantified(Atom()));
        return items.Count == 1 ? items[0] : new RegexNode.Sequence(items);
    }

    private RegexNode Quantified(RegexNode item)
    {
        int min, max;
        if (Take("*")) (min, max) = (0, -1);
        else if (Take("+")) (min, max) = (1, -1);
        else if (Take("?")) (min, max) = (0, 1);
        else if (!Interval(out min, out max)) return item;
        if (item is RegexNode.Place) throw Wrong("a repeated ^ or $ is not supported");
        Take("?"); // as few as possible: the same texts
        return new RegexNode.Repeat(item, min, max, true);
    }

    private bool Interval(out int min, out int max)
    {
        (min, max) = (0, -1);
        int i = _at;
        if (!More || _pattern[i++] != '{' || Digits(ref i) is not int low) return false;
        (min, max) = (low, low);
        if (i < _pattern.Length && _pattern[i] == ',')
        {
            i++;
            max = Digits(ref i) ?? -1;
        }
        if (i >= _pattern.Length || _pattern[i] != '}') return false; // braces that are no quantifier are text
        _at = i + 1;
        if (min > MaxRepeat || max > MaxRepeat) throw Wrong($"a repetition over {MaxRepeat} times");
        if (max >= 0 && max < min) throw Wrong("a quantifier with its numbers out of order");
        return true;
    }

    private int? Digits(ref int i)
    {
        int start = i;
        long n = 0;
        for (; i < _pattern.Length && char.IsAsciiDigit(_pattern[i]); i++) n = Math.Min(n * 10 + _pattern[i] - '0', int.MaxValue);
        return i == start ? null : (int)n;
    }

    private RegexNode Atom()
    {
        int c = Next();
        switch (c)
        {
            case '(': return Group();
            case '[': return new RegexNode.Set(Class());
            case '.': return new RegexNode.Set(LineEnds.Negate());
            case '^': return new RegexNode.Place(PlaceKind.TextStart);
            case '$': return new RegexNode.Place(PlaceKind.TextEnd);
            case '*' or '+' or '?':
                _at--;
                throw Wrong("nothing to repeat");
            case '\\':
                c = Next();
                if (c is 'b' or 'B') throw Wrong("\\b is not supported");
                if (c is 'k' or >= '1' and <= '9') throw Wrong("back references are not supported");
                return new RegexNode.Set(Escape(c) is CodePointSet set ? set : CodePointSet.Of(Character(c)));
            default: return new RegexNode.Set(CodePointSet.Of(c));
        }
    }

    private RegexNode Group()
    {
        RegexNode node;
        if (!Take("?") || Take(":")) node = Alternatives();
        else if (Take("=")) node = new RegexNode.Look(Alternatives(), Behind: false, Negative: false);
        else if (Take("!")) node = new RegexNode.Look(Alternatives(), Behind: false, Negative: true);
        else if (Take("<=") || Take("<!")) throw Wrong("looks behind are not supported");
        else if (Take("<") || Take("P<"))
        {
            while (Next() != '>') { }
            node = Alternatives();
        }
        else throw Wrong("this kind of group is not supported");
        if (!Take(")")) throw Wrong("a group does not end");
        return node;
    }

    /// <summary>The set of <c>\d</c>, <c>\p{…}</c> and the like; null when the letter is none of them.</summary>
    private CodePointSet? Escape(int c)
    {
        switch (c)
        {
            case 'd': return Digit;
            case 'D': return Digit.Negate();
            case 'w': return Word;
            case 'W': return Word.Negate();
            case 's': return Space;
            case 'S': return Space.Negate();
            case 'p' or 'P' when Take("{"):
                int end = _pattern.IndexOf('}', _at);
                if (end < 0) throw Wrong("\\p{ does not end");
                string name = _pattern[_at..end];
                _at = end + 1;
                name = name[(name.IndexOf('=', StringComparison.Ordinal) + 1)..]; // Script=Latin, sc=Latin, gc=Lu
                CodePointSet set = RegexProperties.Find(name) ?? throw Wrong($"no character property is called \"{name}\"");
                return c == 'P' ? set.Negate() : set;
            default: return null;
        }
    }

    private int Character(int c)
    {
        switch (c)
        {
            case 't': return '\t';
            case 'n': return '\n';
            case 'v': return '\v';
            case 'f': return '\f';
            case 'r': return '\r';
            case '0' when !More || !char.IsAsciiDigit(_pattern[_at]): return 0;
            case 'c' when More && char.IsAsciiLetter(_pattern[_at]): return _pattern[_at++] & 31;
            case 'x': return Hex(2);
            case 'u' when Take("{"):
                int end = _pattern.IndexOf('}', _at);
                if (end < 0 || end == _at || end - _at > 6) throw Wrong("a broken \\u{");
                int braced = Hex(end - _at);
                _at++;
                return braced <= UnicodeData.MaxCodePoint ? braced : throw Wrong("no such code point");
            case 'u':
                int unit = Hex(4);
                if (unit is < 0xD800 or > 0xDBFF || !Take("\\u")) return unit;
                int low = Hex(4);
                return low is >= 0xDC00 and <= 0xDFFF ? char.ConvertToUtf32((char)unit, (char)low) : throw Wrong("half a surrogate pair");
            case < 128 when char.IsAsciiLetterOrDigit((char)c): throw Wrong($"\\{(char)c} is not supported");
            default: return c;
        }
    }

    private int Hex(int digits)
    {
        if (_at + digits > _pattern.Length || !int.TryParse(_pattern.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)) throw Wrong("a broken \\x or \\u");
        _at += digits;
        return value;
    }

    private CodePointSet Class()
    {
        bool negative = Take("^");
        List<(int, int)> ranges = [];
        while (!Take("]"))
        {
            CodePointSet? set = Member(out int from);
            if (More && _pattern[_at] == '-' && _at + 1 < _pattern.Length && _pattern[_at + 1] != ']')
            {
                _at++;
                CodePointSet? other = Member(out int to);
                if (set is null && other is null)
                {
                    if (to < from) throw Wrong("a range runs backwards");
                    ranges.Add((from, to));
                    continue;
                }
                // "\w-.": the hyphen is itself (Annex B).
                ranges.Add(('-', '-'));
                if (other is null) ranges.Add((to, to));
                else ranges.AddRange(other.Ranges.ToArray());
            }
            if (set is null) ranges.Add((from, from));
            else ranges.AddRange(set.Ranges.ToArray());
        }
        CodePointSet all = CodePointSet.From(ranges);
        return negative ? all.Negate() : all;
    }

    private CodePointSet? Member(out int c)
    {
        c = Next();
        if (c != '\\') return null;
        c = Next();
        if (c is >= '1' and <= '9' or 'B' or 'k') throw Wrong($"\\{(char)c} in a class is not supported");
        if (Escape(c) is CodePointSet set) return set;
        c = c == 'b' ? 8 : Character(c);
        return null;
    }
}
