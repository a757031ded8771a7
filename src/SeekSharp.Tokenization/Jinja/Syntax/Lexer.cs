using System.Globalization;
using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>
/// Cuts a template into tokens as Jinja2 3.1 does with <c>trim_blocks</c> and <c>lstrip_blocks</c>: the line break behind a block tag or comment
/// goes, and so do the blanks between a line's start and a block tag or comment; <c>-</c> strips all white space, <c>+</c> keeps all.
/// </summary>
internal sealed class Lexer
{
    private static readonly string[] Operators =
        ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;
    private bool _lineStarts = true;

    private Lexer(string source) => _source = source;

    public static List<Token> Read(string source)
    {
        source = source.Replace("\r\n", "\n").Replace('\r', '\n');
        if (source.EndsWith('\n')) source = source[..^1];
        var lexer = new Lexer(source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int tag = FindTag();
            if (tag < 0)
            {
                Add(TokenKind.Data, _source[_at..]);
                break;
            }
            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : ' ';
            int raw = kind == '%' ? RawBegin(tag) : -1;
            Text(tag, sign, isVariable: kind == '{');
            Move(tag + (sign == ' ' ? 2 : 3));
            if (raw >= 0) Raw(raw);
            else if (kind == '#') Comment();
            else Tag(kind == '%');
        }
        _tokens.Add(new Token(TokenKind.End, "", _line));
    }

    private int FindTag()
    {
        for (int i = _at; (i = _source.IndexOf('{', i)) >= 0 && i + 1 < _source.Length; i++)
            if (_source[i + 1] is '{' or '%' or '#') return i;
        return -1;
    }

    /// <summary>The text up to a tag, stripped as the tag's sign and lstrip_blocks say.</summary>
    private void Text(int end, char sign, bool isVariable)
    {
        string text = _source[_at..end];
        string kept = text;
        if (sign == '-')
        {
            int length = text.Length;
            while (length > 0 && Characters.IsSpace(text[length - 1])) length--;
            kept = text[..length];
        }
        else if (sign != '+' && !isVariable)
        {
            int lineStart = text.LastIndexOf('\n') + 1;
            if ((lineStart > 0 || _lineStarts) && IsBlank(text.AsSpan(lineStart))) kept = text[..lineStart];
        }
        if (kept.Length > 0) _tokens.Add(new Token(TokenKind.Data, kept, _line));
        Move(end);
    }

    private static bool IsBlank(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
            if (!Characters.IsSpace(c)) return false;
        return true;
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, _line));

    /// <summary>Goes on to a place, counting lines.</summary>
    private void Move(int to)
    {
        _line += _source.AsSpan(_at, to - _at).Count('\n');
        if (to > _at) _lineStarts = _source[to - 1] == '\n';
        _at = to;
    }

    private void SkipSpace()
    {
        int i = _at;
        while (i < _source.Length && Characters.IsSpace(_source[i])) i++;
        Move(i);
    }

    /// <summary>Goes behind a block tag's or comment's end: -% takes all white space, % one line break, +% nothing.</summary>
    private bool TryEnd(string mark, bool trim, bool plus = true)
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_at);
        if (rest.StartsWith(mark))
        {
            Move(_at + 2);
            if (trim && _at < _source.Length && _source[_at] == '\n') Move(_at + 1);
            return true;
        }
        if (rest.Length > 2 && rest[0] is '-' or '+' && (plus || rest[0] == '-') && rest[1..].StartsWith(mark))
        {
            bool strip = rest[0] == '-';
            Move(_at + 3);
            if (strip) SkipSpace();
            return true;
        }
        return false;
    }

    private void Comment()
    {
        // With nothing behind it Jinja takes an open comment or raw tag for complete.
        if (_at == _source.Length) return;
        int i = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (i < 0) throw Error("Missing end of comment tag");
        Move(i > _at && _source[i - 1] is '-' or '+' ? i - 1 : i);
        TryEnd("#}", trim: true);
    }

    /// <summary>Where a raw tag that starts here ends, -1 where it is another tag.</summary>
    private int RawBegin(int tag)
    {
        int i = tag + 2;
        if (i < _source.Length && _source[i] is '-' or '+') i++;
        while (i < _source.Length && Characters.IsSpace(_source[i])) i++;
        if (string.CompareOrdinal(_source, i, "raw", 0, 3) != 0) return -1;
        i += 3;
        while (i < _source.Length && Characters.IsSpace(_source[i])) i++;
        if (string.CompareOrdinal(_source, i, "%}", 0, 2) == 0) return i + 2;
        if (string.CompareOrdinal(_source, i, "-%}", 0, 3) != 0) return -1;
        i += 3;
        while (i < _source.Length && Characters.IsSpace(_source[i])) i++;
        return i;
    }

    private void Raw(int start)
    {
        Move(start);
        for (int i = _at; (i = _source.IndexOf("{%", i, StringComparison.Ordinal)) >= 0; i++)
        {
            int j = i + 2;
            char sign = j < _source.Length && _source[j] is '-' or '+' ? _source[j++] : ' ';
            while (j < _source.Length && Characters.IsSpace(_source[j])) j++;
            if (string.CompareOrdinal(_source, j, "endraw", 0, 6) != 0) continue;
            j += 6;
            while (j < _source.Length && Characters.IsSpace(_source[j])) j++;
            if (!(string.CompareOrdinal(_source, j, "%}", 0, 2) == 0 || string.CompareOrdinal(_source, j, "-%}", 0, 3) == 0 || string.CompareOrdinal(_source, j, "+%}", 0, 3) == 0)) continue;
            Text(i, sign, isVariable: false);
            Move(j);
            TryEnd("%}", trim: true);
            return;
        }
        if (_at < _source.Length) throw Error("Missing end of raw directive");
    }

    /// <summary>The tokens of one tag, up to its end.</summary>
    private void Tag(bool isBlock)
    {
        string mark = isBlock ? "%}" : "}}";
        Add(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, "");
        var open = new Stack<char>();
        while (_at < _source.Length)
        {
            int line = _line;
            if (open.Count == 0 && TryEnd(mark, trim: isBlock, plus: isBlock))
            {
                _tokens.Add(new Token(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, "", line));
                return;
            }
            char c = _source[_at];
            if (Characters.IsSpace(c)) SkipSpace();
            else if (char.IsAsciiDigit(c)) Number();
            else if (Characters.IsWord(CodePoints.At(_source, _at, out _))) Name();
            else if (c is '\'' or '"') String(c);
            else Operator(open);
        }
    }

    private void Operator(Stack<char> open)
    {
        foreach (string symbol in Operators)
        {
            if (string.CompareOrdinal(_source, _at, symbol, 0, symbol.Length) != 0) continue;
            char c = symbol[0];
            if (c is '(' or '[' or '{') open.Push(c == '(' ? ')' : c == '[' ? ']' : '}');
            else if (c is ')' or ']' or '}')
            {
                if (!open.TryPop(out char expected)) throw Error($"unexpected '{c}'");
                if (expected != c) throw Error($"unexpected '{c}', expected '{expected}'");
            }
            Add(TokenKind.Operator, symbol);
            Move(_at + symbol.Length);
            return;
        }
        throw Error($"unexpected char '{_source[_at]}' at {_at}");
    }

    private void Name()
    {
        int i = _at;
        while (i < _source.Length)
        {
            int point = CodePoints.At(_source, i, out int length);
            if (!Characters.IsWord(point) && !(point > 0x7f && Characters.IsIdentifier("a" + char.ConvertFromUtf32(point is >= 0xD800 and < 0xE000 ? 0xFFFD : point)))) break;
            i += length;
        }
        string name = _source[_at..i];
        if (!Characters.IsIdentifier(name)) throw Error("Invalid character in identifier");
        Add(TokenKind.Name, name);
        Move(i);
    }

    private void String(char quote)
    {
        int i = _at + 1;
        while (i < _source.Length && _source[i] != quote) i += _source[i] == '\\' ? 2 : 1;
        if (i >= _source.Length) throw Error($"unexpected char \"{quote}\" at {_at}");
        string text = StringLiteral.Unescape(_source.AsSpan(_at + 1, i - _at - 1), _line);
        Add(TokenKind.String, text);
        Move(i + 1);
    }

    private void Number()
    {
        bool afterDot = _at > 0 && _source[_at - 1] == '.';
        int i = Digits(_at);
        int whole = i;
        bool isFloat = false;
        if (!afterDot && DigitsEnd(_at) is int end and > 0)
        {
            i = end;
            if (i + 1 < _source.Length && _source[i] == '.' && char.IsAsciiDigit(_source[i + 1]) && DigitsEnd(i + 1) is int fraction)
            {
                i = fraction;
                isFloat = true;
            }
            if (i < _source.Length && (_source[i] | 0x20) == 'e')
            {
                int j = i + 1;
                if (j < _source.Length && _source[j] is '+' or '-') j++;
                if (j < _source.Length && char.IsAsciiDigit(_source[j]))
                {
                    i = DigitsEnd(j);
                    isFloat = true;
                }
            }
        }
        if (isFloat)
        {
            string text = _source[_at..i].Replace("_", "");
            _tokens.Add(new Token(TokenKind.Float, text, _line, double.Parse(text, CultureInfo.InvariantCulture)));
            Move(i);
            return;
        }
        string digits = _source[_at..whole].Replace("_", "");
        if (digits.Length > Budget.MaxIntegerDigits) throw Error($"Exceeds the limit ({Budget.MaxIntegerDigits} digits) for integer string conversion");
        object value = PyNumber.ParseInteger(digits, digits.Length > 1 && char.IsAsciiLetter(digits[1]) ? 0 : 10) ?? Boxed.Int(BigInteger.Zero);
        _tokens.Add(new Token(TokenKind.Integer, digits, _line, value));
        Move(whole);
    }

    /// <summary>Behind a run of decimal digits with single underscores between them.</summary>
    private int DigitsEnd(int i)
    {
        while (i < _source.Length && (char.IsAsciiDigit(_source[i]) || (_source[i] == '_' && i + 1 < _source.Length && char.IsAsciiDigit(_source[i + 1])))) i++;
        return i;
    }

    /// <summary>Behind an integer as Jinja reads it: 0x1f, 0o17, 0b11, 1_000; a leading zero stands alone.</summary>
    private int Digits(int i)
    {
        if (_source[i] != '0') return DigitsEnd(i);
        int radix = i + 1 < _source.Length ? (_source[i + 1] | 0x20) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 } : 10;
        if (radix != 10)
        {
            int j = i + 2;
            bool IsDigit(int k) => k < _source.Length && _source[k] < 0x80 && Characters.Digit(_source, ref k) is var d && d >= 0 && d < radix;
            while (IsDigit(j) || (j < _source.Length && _source[j] == '_' && IsDigit(j + 1))) j++;
            if (j > i + 2) return j;
            return i + 1;
        }
        while (i + 1 < _source.Length && (_source[i + 1] == '0' || (_source[i + 1] == '_' && i + 2 < _source.Length && _source[i + 2] == '0'))) i++;
        return i + 1;
    }

    private TemplateException Error(string message) => new($"{message} (line {_line})") { Line = _line };
}
