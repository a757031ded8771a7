using System.Globalization;
using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>
/// Python's format specification, <c>[[fill]align][sign][z][#][0][width][grouping][.precision][type]</c>, for text, integers and floats.
/// </summary>
internal struct FormatSpec
{
    public string Fill = " ";
    public char Align = '\0';
    public char Sign = '-';
    public bool Alternate;
    public bool Zero;
    public int Width = -1;
    public char Grouping = '\0';
    public int Precision = -1;
    public char Type = '\0';

    private const int MaxPrecision = 1000;

    public FormatSpec()
    {
    }

    public static string Format(Renderer r, object value, string spec)
    {
        if (spec.Length == 0) return r.Str(value);
        if (value is not (string or Markup or bool or long or double or BigInteger))
            throw new TemplateException(value is Undefined u ? u.Message(r.Budget) : $"unsupported format string passed to {PyType.Name(value)}.__format__");
        FormatSpec f = Parse(spec);
        if (PyText.AsText(value) is { } text) return f.Text(r.Budget, text);
        if (value is double || f.Type is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%') return f.Float(r.Budget, PyNumber.Double(value));
        return f.Integer(r.Budget, PyNumber.Big(value));
    }

    private static FormatSpec Parse(string spec)
    {
        var f = new FormatSpec();
        int i = 0;
        CodePoints.At(spec, 0, out int fill);
        if (spec.Length > fill && spec[fill] is '<' or '>' or '=' or '^')
        {
            f.Fill = spec[..fill];
            f.Align = spec[fill];
            i = fill + 1;
        }
        else if (spec[0] is '<' or '>' or '=' or '^') f.Align = spec[i++];
        if (i < spec.Length && spec[i] is '+' or '-' or ' ') f.Sign = spec[i++];
        if (i < spec.Length && spec[i] == 'z') i++;
        if (i < spec.Length && spec[i] == '#')
        {
            f.Alternate = true;
            i++;
        }
        if (i < spec.Length && spec[i] == '0')
        {
            f.Zero = true;
            if (f.Align == '\0')
            {
                f.Fill = "0";
                f.Align = '=';
            }
            i++;
        }
        f.Width = Number(spec, ref i);
        if (i < spec.Length && spec[i] is ',' or '_') f.Grouping = spec[i++];
        if (i < spec.Length && spec[i] == '.')
        {
            i++;
            f.Precision = Number(spec, ref i);
            if (f.Precision < 0) throw new TemplateException("Format specifier missing precision");
        }
        if (i < spec.Length) f.Type = spec[i++];
        if (i < spec.Length) throw new TemplateException("Invalid format specifier");
        return f;
    }

    private static int Number(string spec, ref int i)
    {
        int start = i;
        while (i < spec.Length && char.IsAsciiDigit(spec[i])) i++;
        if (i == start) return -1;
        return int.TryParse(spec.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : throw new TemplateException("Too many decimal digits in format string");
    }

    private string Text(Budget budget, string text)
    {
        if (Type is not ('\0' or 's')) throw Unknown("str");
        if (Sign != '-') throw new TemplateException("Sign not allowed in string format specifier");
        if (Align == '=' && !Zero) throw new TemplateException("'=' alignment not allowed in string format specifier");
        if (Precision >= 0 && CodePoints.Length(text) > Precision) text = CodePoints.Slice(text, 0, Precision, 1, Precision);
        return Pad(budget, text, 0, Align is '\0' or '=' ? '<' : Align);
    }

    private TemplateException Unknown(string type) => new($"Unknown format code '{Type}' for object of type '{type}'");

    /// <summary>Fills up to the width; "=" fills behind the first <paramref name="sign"/> characters.</summary>
    public readonly string Pad(Budget budget, string text, int sign, char align)
    {
        int missing = Width - CodePoints.Length(text);
        if (missing <= 0) return text;
        budget.Allocate((long)missing * Fill.Length + text.Length);
        int left = align switch { '<' => 0, '^' => missing / 2, _ => missing };
        if (align == '=') return text[..sign] + Filler(Fill, missing) + text[sign..];
        return Filler(Fill, left) + text + Filler(Fill, missing - left);
    }

    private static string Filler(string fill, int count) => fill.Length == 1 ? new string(fill[0], count) : new System.Text.StringBuilder().Insert(0, fill, count).ToString();

    private readonly string Signed(bool negative) => negative ? "-" : Sign == '-' ? "" : Sign.ToString();

    private string Integer(Budget budget, BigInteger value)
    {
        if (Precision >= 0) throw new TemplateException("Precision not allowed in integer format specifier");
        BigInteger magnitude = BigInteger.Abs(value);
        string digits;
        int group = 3;
        string prefix = "";
        switch (Type)
        {
            case '\0' or 'd' or 'n': digits = PyNumber.Digits(magnitude); break;
            case 'x' or 'X':
                digits = magnitude.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
                if (digits.Length == 0) digits = "0";
                prefix = "0x";
                group = 4;
                break;
            case 'o' or 'b':
                digits = ToRadix(magnitude, Type == 'o' ? 3 : 1);
                prefix = Type == 'o' ? "0o" : "0b";
                group = 4;
                break;
            case 'c':
                if (value < 0 || value > 0x10FFFF) throw new TemplateException("%c arg not in range(0x110000)");
                int point = (int)value;
                return Pad(budget, point < 0x10000 ? ((char)point).ToString() : char.ConvertFromUtf32(point), 0, Align is '\0' or '=' ? '<' : Align);
            default: throw Unknown("int");
        }
        if (!Alternate) prefix = "";
        if (Type == 'X') (digits, prefix) = (digits.ToUpperInvariant(), prefix.ToUpperInvariant());
        return Assemble(budget, Signed(value.Sign < 0) + prefix, digits, "", group);
    }

    public static string ToRadix(BigInteger value, int bitsPerDigit)
    {
        if (value.IsZero) return "0";
        var digits = new List<char>();
        int mask = (1 << bitsPerDigit) - 1;
        for (; !value.IsZero; value >>= bitsPerDigit) digits.Add((char)('0' + (int)(value & mask)));
        digits.Reverse();
        return new string([.. digits]);
    }

    private string Float(Budget budget, double value)
    {
        if (Precision > MaxPrecision) throw new TemplateException($"a precision above {MaxPrecision} was refused");
        string sign = Signed(double.IsNegative(value) && !double.IsNaN(value));
        double magnitude = Math.Abs(value);
        if (FloatText.Special(magnitude) is { } special)
        {
            if (char.IsAsciiLetterUpper(Type)) special = special.ToUpperInvariant();
            return Assemble(budget, sign, special + (Type == '%' ? "%" : ""), "", 0);
        }
        int precision = Precision < 0 ? 6 : Precision;
        string text;
        switch (char.ToLowerInvariant(Type))
        {
            case 'f':
                text = FloatText.Fixed(magnitude, precision) + (Alternate && precision == 0 ? "." : "");
                break;
            case '%':
                text = FloatText.Fixed(magnitude * 100, precision) + (Alternate && precision == 0 ? "." : "") + "%";
                break;
            case 'e': text = FloatText.Exponential(magnitude, precision, Alternate); break;
            case 'g' or 'n': text = FloatText.General(magnitude, precision, Alternate); break;
            case '\0':
                if (Precision < 0) text = FloatText.Repr(magnitude);
                else
                {
                    text = FloatText.General(magnitude, Math.Max(precision, 1), Alternate);
                    // Without a type there is a digit behind the point, and the change to an exponent comes one earlier.
                    if (!text.Contains('.') && !text.Contains('e')) text = text.Length >= Math.Max(precision, 1) && magnitude != 0 && text.Length > 1
                        ? FloatText.Exponential(magnitude, text.TrimEnd('0').Length - 1) : text + ".0";
                }
                break;
            default: throw Unknown("float");
        }
        if (char.IsAsciiLetterUpper(Type)) text = text.ToUpperInvariant();
        int whole = 0;
        while (whole < text.Length && char.IsAsciiDigit(text[whole])) whole++;
        return Assemble(budget, sign, text[..whole], text[whole..], 3);
    }

    private string Assemble(Budget budget, string lead, string whole, string rest, int group)
    {
        if (Grouping != '\0' && group > 0)
        {
            int room = Align == '=' && Fill == "0" ? Width - lead.Length - rest.Length : 0;
            whole = Group(budget, whole, group, room);
        }
        return Pad(budget, lead + whole + rest, lead.Length, Align == '\0' ? '>' : Align);
    }

    private readonly string Group(Budget budget, string digits, int group, int room)
    {
        if (room > 0)
        {
            budget.Allocate(room);
            // Zeros that fill take part in the grouping.
            while (digits.Length + (digits.Length - 1) / group < room) digits = digits.PadLeft(Math.Max(digits.Length + 1, room - (room + group) / (group + 1)), '0');
        }
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < digits.Length; i++)
        {
            if (i > 0 && (digits.Length - i) % group == 0) text.Append(Grouping);
            text.Append(digits[i]);
        }
        return text.ToString();
    }
}
