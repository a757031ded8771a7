using System.Globalization;
using System.Numerics;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's <c>'%s: %5.1f' % values</c>.</summary>
internal static class PercentFormat
{
    public static object Format(Renderer r, object format, object values)
    {
        string s = PyText.AsText(format)!;
        bool markup = format is Markup;
        object[] items = values is PyTuple tuple ? tuple.Items : [values];
        int next = 0;
        bool named = false;
        var text = new StringBuilder();
        object Take() => next < items.Length ? items[next++] : throw new TemplateException("not enough arguments for format string");
        r.Budget.Step(s.Length);
        for (int i = 0; i < s.Length; i++)
        {
            if (s[i] != '%')
            {
                text.Append(s[i]);
                continue;
            }
            if (++i == s.Length) throw Incomplete();
            object? value = null;
            if (s[i] == '(')
            {
                int depth = 1, start = ++i;
                for (; i < s.Length; i++)
                {
                    if (s[i] == '(') depth++;
                    else if (s[i] == ')' && --depth == 0) break;
                }
                if (i >= s.Length) throw new TemplateException("incomplete format key");
                if (values is not PyDict dict) throw new TemplateException("format requires a mapping");
                string key = s[start..i++];
                named = true;
                value = dict.TryGet(key, out object found) ? found : throw new TemplateException($"KeyError: '{key}'");
            }
            var f = new FormatSpec();
            bool left = false, zero = false;
            for (; i < s.Length && s[i] is '-' or '+' or ' ' or '#' or '0'; i++)
            {
                if (s[i] == '-') left = true;
                else if (s[i] == '0') zero = true;
                else if (s[i] == '#') f.Alternate = true;
                else if (f.Sign != '+') f.Sign = s[i];
            }
            f.Width = Number(s, ref i, Take);
            if (f.Width < -1)
            {
                left = true;
                f.Width = -f.Width;
            }
            if (i < s.Length && s[i] == '.')
            {
                i++;
                f.Precision = Math.Max(0, Number(s, ref i, Take));
            }
            while (i < s.Length && s[i] is 'h' or 'l' or 'L') i++;
            if (i >= s.Length) throw Incomplete();
            if (s[i] == '%')
            {
                text.Append('%');
                continue;
            }
            string part = Convert(r, s[i], value ?? Take(), f, left, zero, markup);
            r.Budget.Allocate(part.Length);
            text.Append(part);
        }
        if (!named && next < items.Length && !(values is PyDict or PyList && next == 0))
            throw new TemplateException("not all arguments converted during string formatting");
        r.Budget.Allocate(text.Length);
        return markup ? new Markup(text.ToString()) : text.ToString();
    }

    private static TemplateException Incomplete() => new("incomplete format");

    private static int Number(string s, ref int i, Func<object> take)
    {
        if (i < s.Length && s[i] == '*')
        {
            i++;
            return PyNumber.TryLong(take(), out long given) && given is > int.MinValue and < int.MaxValue ? (int)given : throw new TemplateException("* wants int");
        }
        int start = i;
        while (i < s.Length && char.IsAsciiDigit(s[i])) i++;
        if (i == start) return -1;
        return int.TryParse(s.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : throw new TemplateException("width too big");
    }

    private static string Convert(Renderer r, char type, object value, FormatSpec f, bool left, bool zero, bool markup)
    {
        string lead = "", body;
        switch (type)
        {
            case 's' or 'r' or 'a':
                body = type switch { 's' => r.Str(value), 'r' => PyText.Repr(r.Budget, value), _ => PyText.Ascii(r.Budget, value) };
                if (markup) body = Markup.Escape(r.Budget, type == 's' && value is Markup ? value : body);
                if (f.Precision >= 0 && CodePoints.Length(body) > f.Precision) body = CodePoints.Slice(body, 0, f.Precision, 1, f.Precision);
                zero = false;
                break;
            case 'c':
                if (PyText.AsText(value) is { } c && CodePoints.Length(c) == 1) body = c;
                else if (PyNumber.TryLong(value, out long point) && point is >= 0 and <= 0x10FFFF)
                    body = point < 0x10000 ? ((char)point).ToString() : char.ConvertFromUtf32((int)point);
                else throw new TemplateException("%c requires int or char");
                zero = false;
                break;
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                BigInteger n = Integer(type, value, r.Budget);
                lead = n.Sign < 0 ? "-" : f.Sign == '-' ? "" : f.Sign.ToString();
                n = BigInteger.Abs(n);
                body = type switch
                {
                    'x' or 'X' => n.IsZero ? "0" : n.ToString("x", CultureInfo.InvariantCulture).TrimStart('0'),
                    'o' => FormatSpec.ToRadix(n, 3),
                    _ => PyNumber.Digits(n),
                };
                if (f.Alternate && type is 'x' or 'X' or 'o') lead += "0" + char.ToLowerInvariant(type);
                if (type == 'X') (body, lead) = (body.ToUpperInvariant(), lead.ToUpperInvariant());
                if (f.Precision > body.Length)
                {
                    r.Budget.Allocate(f.Precision);
                    body = body.PadLeft(f.Precision, '0');
                }
                break;
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                if (value is Undefined u) throw u.Error(r.Budget);
                if (!PyNumber.IsNumber(value)) throw new TemplateException($"must be real number, not {PyType.Name(value)}");
                string spec = $"{(f.Sign == '-' ? "" : f.Sign)}{(f.Alternate ? "#" : "")}{(f.Precision >= 0 ? "." + f.Precision.ToString(CultureInfo.InvariantCulture) : "")}{type}";
                body = FormatSpec.Format(r, PyNumber.Double(value), spec);
                if (body[0] is '+' or '-' or ' ') (lead, body) = (body[..1], body[1..]);
                break;
            default: throw new TemplateException($"unsupported format character '{type}' (0x{(int)type:x})");
        }
        if (zero && !left) f.Fill = "0";
        return f.Pad(r.Budget, lead + body, lead.Length, left ? '<' : zero ? '=' : '>');
    }

    private static BigInteger Integer(char type, object value, Budget budget) => value switch
    {
        double d when type is 'd' or 'i' or 'u' => PyNumber.Big(PyNumber.Truncate(d)),
        Undefined u => throw u.Error(budget),
        _ when PyNumber.IsInteger(value) => PyNumber.Big(value),
        _ => throw new TemplateException($"%{type} format: a{(type is 'd' or 'i' or 'u' ? " real number" : "n integer")} is required, not {PyType.Name(value)}"),
    };
}
