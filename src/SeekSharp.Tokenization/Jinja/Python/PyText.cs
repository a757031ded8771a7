using System.Globalization;
using System.Numerics;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's <c>str</c> and <c>repr</c>.</summary>
internal static class PyText
{
    /// <summary>The text of a string or of markup; null for everything else.</summary>
    public static string? AsText(object? value) => value as string ?? (value as Markup)?.Text;

    /// <summary>Python's <c>str(value)</c>.</summary>
    public static string Str(Budget budget, object value) => value switch
    {
        string s => s,
        Markup m => m.Text,
        Undefined => "",
        long n when n is >= 0 and < 10 => ((char)('0' + n)).ToString(),
        _ => Repr(budget, value),
    };

    /// <summary>Python's <c>repr(value)</c>.</summary>
    public static string Repr(Budget budget, object value)
    {
        var text = new StringBuilder();
        Repr(budget, value, text);
        budget.Allocate(text.Length);
        return text.ToString();
    }

    private static void Repr(Budget budget, object value, StringBuilder text)
    {
        budget.Step();
        int before = text.Length;
        switch (value)
        {
            case None: text.Append("None"); return;
            case bool b: text.Append(b ? "True" : "False"); return;
            case long n: text.Append(n); return;
            case BigInteger n: text.Append(PyNumber.Digits(n)); return;
            case double d: text.Append(FloatText.Repr(d)); return;
            case string s:
                budget.Allocate(s.Length);
                Quote(s, text);
                return;
            case Markup m:
                budget.Allocate(m.Text.Length);
                text.Append("Markup(");
                Quote(m.Text, text);
                text.Append(')');
                return;
            case PyBytes b:
                Quote(b.Bytes, text);
                return;
            case Undefined: text.Append("Undefined"); return;
            case PyRange r:
                text.Append(CultureInfo.InvariantCulture, $"range({r.Start}, {r.Stop}");
                if (r.Step != 1) text.Append(CultureInfo.InvariantCulture, $", {r.Step}");
                text.Append(')');
                return;
            case Callable c: text.Append(c.Repr(budget)); return;
            case PyIterator i: text.Append(CultureInfo.InvariantCulture, $"<{i.Type} object>"); return;
        }
        budget.Enter();
        switch (value)
        {
            case PyList l: Items(budget, l.Items, text, '[', ']'); break;
            case PyTuple t:
                Items(budget, t.Items, text, '(', ')');
                if (t.Items.Length == 1) text.Insert(text.Length - 1, ',');
                break;
            case PyDict d: Pairs(budget, d, text); break;
            case Namespace n:
                text.Append("<Namespace ");
                Pairs(budget, n.Attributes, text);
                text.Append('>');
                break;
            case DictView v:
                text.Append(PyType.Name(v)).Append('(');
                Items(budget, PySequence.Iterate(budget, v), text, '[', ']');
                text.Append(')');
                break;
            default: text.Append(CultureInfo.InvariantCulture, $"<{PyType.Name(value)} object>"); break;
        }
        budget.Leave();
        budget.Step((text.Length - before) >> 6);
    }

    private static void Items(Budget budget, IEnumerable<object> items, StringBuilder text, char open, char close)
    {
        text.Append(open);
        bool first = true;
        foreach (object item in items)
        {
            if (!first) text.Append(", ");
            first = false;
            Repr(budget, item, text);
            budget.Allocate(8);
        }
        text.Append(close);
    }

    private static void Pairs(Budget budget, PyDict dict, StringBuilder text)
    {
        text.Append('{');
        bool first = true;
        foreach ((object key, object item) in dict.Items)
        {
            if (!first) text.Append(", ");
            first = false;
            Repr(budget, key, text);
            text.Append(": ");
            Repr(budget, item, text);
            budget.Allocate(8);
        }
        text.Append('}');
    }

    /// <summary>Text in quotes: single ones, unless it holds single and no double ones; what cannot be printed is escaped.</summary>
    private static void Quote(string s, StringBuilder text, bool ascii = false)
    {
        char quote = s.Contains('\'') && !s.Contains('"') ? '"' : '\'';
        text.Append(quote);
        for (int i = 0; i < s.Length; i++)
        {
            char c = s[i];
            if (c == quote || c == '\\') text.Append('\\').Append(c);
            else if (c is >= ' ' and < '\x7f') text.Append(c);
            else if (c == '\n') text.Append("\\n");
            else if (c == '\r') text.Append("\\r");
            else if (c == '\t') text.Append("\\t");
            else
            {
                int point = CodePoints.At(s, i, out int length);
                if (!ascii && Characters.IsPrintable(point)) text.Append(s, i, length);
                else if (point < 0x100) text.Append(CultureInfo.InvariantCulture, $"\\x{point:x2}");
                else if (point < 0x10000) text.Append(CultureInfo.InvariantCulture, $"\\u{point:x4}");
                else text.Append(CultureInfo.InvariantCulture, $"\\U{point:x8}");
                i += length - 1;
            }
        }
        text.Append(quote);
    }

    private static void Quote(byte[] bytes, StringBuilder text)
    {
        char quote = bytes.Contains((byte)'\'') && !bytes.Contains((byte)'"') ? '"' : '\'';
        text.Append('b').Append(quote);
        foreach (byte b in bytes)
        {
            char c = (char)b;
            if (c == quote || c == '\\') text.Append('\\').Append(c);
            else if (c == '\n') text.Append("\\n");
            else if (c == '\r') text.Append("\\r");
            else if (c == '\t') text.Append("\\t");
            else if (c is >= ' ' and < '\x7f') text.Append(c);
            else text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
        }
        text.Append(quote);
    }

    /// <summary>Python's <c>ascii(value)</c>: repr with everything beyond ASCII escaped.</summary>
    public static string Ascii(Budget budget, object value)
    {
        string repr = Repr(budget, value);
        if (System.Text.Ascii.IsValid(repr)) return repr;
        var text = new StringBuilder();
        for (int i = 0; i < repr.Length; i++)
        {
            int point = CodePoints.At(repr, i, out int length);
            if (point < 0x80) text.Append((char)point);
            else if (point < 0x100) text.Append(CultureInfo.InvariantCulture, $"\\x{point:x2}");
            else if (point < 0x10000) text.Append(CultureInfo.InvariantCulture, $"\\u{point:x4}");
            else text.Append(CultureInfo.InvariantCulture, $"\\U{point:x8}");
            i += length - 1;
        }
        budget.Allocate(text.Length);
        return text.ToString();
    }
}
