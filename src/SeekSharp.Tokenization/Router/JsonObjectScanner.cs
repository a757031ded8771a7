namespace SeekSharp.Tokenization;

/// <summary>How far a scan has come.</summary>
internal enum ScanState
{
    /// <summary>All right so far; more text is needed.</summary>
    NeedsMore,

    /// <summary>The object is complete.</summary>
    Complete,

    /// <summary>What stands there is no JSON object.</summary>
    Failed,
}

/// <summary>
/// Finds the end of one JSON object (RFC 8259, nothing laxer) in text that arrives bit by bit. It reads every character
/// once, and its memory is a bit for each open bracket: nesting beyond <see cref="MaxDepth"/> is a failure.
/// </summary>
internal sealed class JsonObjectScanner
{
    public const int MaxDepth = 512;

    private enum Expect
    {
        Start, FirstKeyOrEnd, Key, Colon, Value, FirstValueOrEnd, CommaOrEnd,
        Text, Escape, Hex, Literal,
        Minus, Zero, Digits, Point, Fraction, Exponent, ExponentSign, ExponentDigits,
    }

    private readonly ulong[] _isObject = new ulong[MaxDepth / 64];
    private int _depth;
    private Expect _expect;
    private bool _isKey;         // the string being read is a key
    private int _hexLeft;
    private string _literal = "";
    private int _literalAt;
    private ScanState _state;

    /// <summary>Starts anew.</summary>
    public void Reset()
    {
        _depth = 0;
        _expect = Expect.Start;
        _state = ScanState.NeedsMore;
    }

    /// <summary>Reads on from <paramref name="at"/>, which moves behind what was read: at <see cref="ScanState.Complete"/> behind the closing brace.</summary>
    public ScanState Scan(ReadOnlySpan<char> text, ref int at)
    {
        while (_state == ScanState.NeedsMore && at < text.Length)
        {
            if (_expect == Expect.Text)
            {
                // Strings are most of the text of long arguments: leave the state machine for them.
                while (at < text.Length && text[at] is not ('"' or '\\') and >= ' ') at++;
                if (at == text.Length) break;
            }
            if (!Step(text[at])) _state = ScanState.Failed;
            else at++;
        }
        return _state;
    }

    private bool Step(char c)
    {
        switch (_expect)
        {
            case Expect.Start:
                return c == '{' && Open(isObject: true);
            case Expect.FirstKeyOrEnd:
                return IsSpace(c) || (c == '}' ? Close(isObject: true) : c == '"' && OpenText(isKey: true));
            case Expect.Key:
                return IsSpace(c) || (c == '"' && OpenText(isKey: true));
            case Expect.Colon:
                return IsSpace(c) || (c == ':' && Go(Expect.Value));
            case Expect.FirstValueOrEnd:
                return c == ']' ? Close(isObject: false) : Value(c);
            case Expect.Value:
                return Value(c);
            case Expect.CommaOrEnd:
                return AfterValue(c);
            case Expect.Text:
                return c switch
                {
                    '"' => Go(_isKey ? Expect.Colon : Expect.CommaOrEnd),
                    '\\' => Go(Expect.Escape),
                    _ => c >= ' ',
                };
            case Expect.Escape:
                if (c != 'u') return c is '"' or '\\' or '/' or 'b' or 'f' or 'n' or 'r' or 't' && Go(Expect.Text);
                _hexLeft = 4;
                return Go(Expect.Hex);
            case Expect.Hex:
                return char.IsAsciiHexDigit(c) && (--_hexLeft > 0 || Go(Expect.Text));
            case Expect.Literal:
                return c == _literal[_literalAt] && (++_literalAt < _literal.Length || Go(Expect.CommaOrEnd));
            default:
                return Number(c);
        }
    }

    private bool Value(char c)
    {
        switch (c)
        {
            case '{': return Open(isObject: true);
            case '[': return Open(isObject: false);
            case '"': return OpenText(isKey: false);
            case 't': return OpenLiteral("true");
            case 'f': return OpenLiteral("false");
            case 'n': return OpenLiteral("null");
            case '-': return Go(Expect.Minus);
            case '0': return Go(Expect.Zero);
            default:
                if (char.IsAsciiDigit(c)) return Go(Expect.Digits);
                return IsSpace(c);
        }
    }

    private bool Number(char c)
    {
        bool digit = char.IsAsciiDigit(c);
        switch (_expect)
        {
            case Expect.Minus:
                return digit && Go(c == '0' ? Expect.Zero : Expect.Digits);
            case Expect.Point:
                return digit && Go(Expect.Fraction);
            case Expect.Exponent:
                return c is '+' or '-' ? Go(Expect.ExponentSign) : digit && Go(Expect.ExponentDigits);
            case Expect.ExponentSign:
                return digit && Go(Expect.ExponentDigits);
            case Expect.Zero or Expect.Digits when c == '.':
                return Go(Expect.Point);
            case Expect.Zero or Expect.Digits or Expect.Fraction when c is 'e' or 'E':
                return Go(Expect.Exponent);
            case Expect.Digits or Expect.Fraction or Expect.ExponentDigits when digit:
                return true;
            default:
                return AfterValue(c); // the number is over
        }
    }

    private bool AfterValue(char c)
    {
        bool inObject = (_isObject[(_depth - 1) >> 6] >> ((_depth - 1) & 63) & 1) != 0;
        return c switch
        {
            ',' => Go(inObject ? Expect.Key : Expect.Value),
            '}' or ']' => Close(isObject: c == '}'),
            _ => IsSpace(c) && Go(Expect.CommaOrEnd),
        };
    }

    private bool Open(bool isObject)
    {
        if (_depth == MaxDepth) return false;
        ulong bit = 1UL << (_depth & 63);
        if (isObject) _isObject[_depth >> 6] |= bit;
        else _isObject[_depth >> 6] &= ~bit;
        _depth++;
        return Go(isObject ? Expect.FirstKeyOrEnd : Expect.FirstValueOrEnd);
    }

    private bool Close(bool isObject)
    {
        _depth--;
        if ((_isObject[_depth >> 6] >> (_depth & 63) & 1) != (isObject ? 1UL : 0UL)) return false;
        if (_depth == 0) _state = ScanState.Complete;
        return Go(Expect.CommaOrEnd);
    }

    private bool OpenText(bool isKey)
    {
        _isKey = isKey;
        return Go(Expect.Text);
    }

    private bool OpenLiteral(string literal)
    {
        (_literal, _literalAt) = (literal, 1);
        return Go(Expect.Literal);
    }

    private bool Go(Expect next)
    {
        _expect = next;
        return true;
    }

    private static bool IsSpace(char c) => c is ' ' or '\t' or '\r' or '\n';
}
