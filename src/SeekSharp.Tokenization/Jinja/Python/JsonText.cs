using System.Globalization;
using System.Numerics;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's <c>json.dumps</c> with the options that transformers' <c>tojson</c> passes on.</summary>
internal sealed class JsonText(Budget budget, bool ascii, string? indent, string itemSeparator, string keySeparator, bool sortKeys)
{
    private readonly StringBuilder _text = new();

    /// <summary>The filter <c>tojson(ensure_ascii, indent, separators, sort_keys)</c>.</summary>
    public static object Filter(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("tojson", 1, "x", "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = null;
        if (a[2] is { } given and not None)
        {
            if (PyText.AsText(given) is { } text) indent = text;
            else if (PyNumber.IsInteger(given))
            {
                BigInteger width = BigInteger.Max(0, PyNumber.Big(given));
                r.Budget.Allocate(width > int.MaxValue ? long.MaxValue / 2 : (long)width);
                indent = new string(' ', (int)width);
            }
            else throw new TemplateException($"can't multiply sequence by non-int of type '{PyType.Name(given)}'");
        }
        string item = indent is null ? ", " : ",", key = ": ";
        if (a[3] is { } separators and not None)
        {
            List<object> pair = PySequence.ToList(r.Budget, separators);
            if (pair.Count != 2 || PyText.AsText(pair[0]) is not { } first || PyText.AsText(pair[1]) is not { } second)
                throw new TemplateException("separators must be two strings");
            (item, key) = (first, second);
        }
        var json = new JsonText(r.Budget, a[1] is { } e && r.IsTrue(e), indent, item, key, a[4] is { } s && r.IsTrue(s));
        json.Write(a[0]!, 0);
        return json._text.ToString();
    }

    private void Append(string text)
    {
        budget.Allocate(text.Length);
        _text.Append(text);
    }

    private void Write(object value, int depth)
    {
        budget.Step();
        switch (value)
        {
            case None: Append("null"); break;
            case bool b: Append(b ? "true" : "false"); break;
            case long n: Append(n.ToString(CultureInfo.InvariantCulture)); break;
            case BigInteger n: Append(PyNumber.Digits(n)); break;
            case double d: Append(Number(d)); break;
            case string s: Quote(s); break;
            case Markup m: Quote(m.Text); break;
            case PyList l: Items(l.Items, depth); break;
            case PyTuple t: Items(t.Items, depth); break;
            case PyDict d: Pairs(d, depth); break;
            default: throw new TemplateException($"Object of type {PyType.Name(value)} is not JSON serializable");
        }
    }

    private static string Number(double d) => double.IsNaN(d) ? "NaN" : double.IsInfinity(d) ? d > 0 ? "Infinity" : "-Infinity" : FloatText.Repr(d);

    private void Break(int depth)
    {
        if (indent is null) return;
        budget.Allocate((long)indent.Length * depth + 1);
        _text.Append('\n').Insert(_text.Length, indent, depth);
    }

    private void Items(IList<object> items, int depth)
    {
        if (items.Count == 0)
        {
            Append("[]");
            return;
        }
        budget.Enter();
        _text.Append('[');
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0) Append(itemSeparator);
            Break(depth + 1);
            Write(items[i], depth + 1);
        }
        Break(depth);
        _text.Append(']');
        budget.Leave();
    }

    private void Pairs(PyDict dict, int depth)
    {
        if (dict.Count == 0)
        {
            Append("{}");
            return;
        }
        budget.Enter();
        _text.Append('{');
        bool first = true;
        IEnumerable<object> keys = dict.Items.Keys;
        if (sortKeys) keys = PyCompare.Sort(budget, [.. keys], null, false);
        foreach (object key in keys)
        {
            if (!first) Append(itemSeparator);
            first = false;
            Break(depth + 1);
            Quote(Key(key));
            Append(keySeparator);
            dict.TryGet(key, out object value);
            Write(value, depth + 1);
        }
        Break(depth);
        _text.Append('}');
        budget.Leave();
    }

    private static string Key(object key) => key switch
    {
        string s => s,
        Markup m => m.Text,
        None => "null",
        bool b => b ? "true" : "false",
        long n => n.ToString(CultureInfo.InvariantCulture),
        BigInteger n => PyNumber.Digits(n),
        double d => Number(d),
        _ => throw new TemplateException($"keys must be str, int, float, bool or None, not {PyType.Name(key)}"),
    };

    private void Quote(string s)
    {
        budget.Allocate(s.Length + 2);
        _text.Append('"');
        foreach (char c in s)
        {
            switch (c)
            {
                case '"': _text.Append("\\\""); break;
                case '\\': _text.Append("\\\\"); break;
                case '\n': _text.Append("\\n"); break;
                case '\r': _text.Append("\\r"); break;
                case '\t': _text.Append("\\t"); break;
                case '\b': _text.Append("\\b"); break;
                case '\f': _text.Append("\\f"); break;
                default:
                    if (c < ' ' || (ascii && c > '~'))
                    {
                        if (c == '\x7f') _text.Append(c);
                        else _text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    }
                    else _text.Append(c);
                    break;
            }
        }
        _text.Append('"');
    }
}
