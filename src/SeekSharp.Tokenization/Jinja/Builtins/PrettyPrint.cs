using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>The filter <c>pprint</c>: Python's <c>pprint.pformat</c>, which sorts keys and breaks what is wider than 80 columns.</summary>
internal static class PrettyPrint
{
    private const int Width = 80;

    public static string Format(Budget budget, object value)
    {
        var text = new StringBuilder();
        Write(budget, value, text, 0, 0);
        budget.Allocate(text.Length);
        return text.ToString();
    }

    private static void Write(Budget budget, object value, StringBuilder text, int indent, int allowance)
    {
        budget.Enter();
        string line = Line(budget, value);
        if (line.Length <= Width - indent - allowance) text.Append(line);
        else if (value is PyDict dict) Pairs(budget, dict, text, indent, allowance);
        else if (value is PyList list) Items(budget, list.Items, text, indent, allowance, "[", "]");
        else if (value is PyTuple tuple) Items(budget, tuple.Items, text, indent, allowance, "(", tuple.Items.Length == 1 ? ",)" : ")");
        else text.Append(line);
        budget.Allocate(line.Length);
        budget.Leave();
    }

    private static void Items(Budget budget, IList<object> items, StringBuilder text, int indent, int allowance, string open, string close)
    {
        text.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            bool last = i == items.Count - 1;
            Write(budget, items[i], text, indent + 1, last ? allowance + close.Length : 1);
            if (!last) Break(budget, text, indent + 1);
        }
        text.Append(close);
    }

    private static void Pairs(Budget budget, PyDict dict, StringBuilder text, int indent, int allowance)
    {
        text.Append('{');
        object[] keys = Sorted(budget, dict);
        for (int i = 0; i < keys.Length; i++)
        {
            bool last = i == keys.Length - 1;
            string key = PyText.Repr(budget, keys[i]);
            text.Append(key).Append(": ");
            dict.TryGet(keys[i], out object value);
            Write(budget, value, text, indent + 1 + key.Length + 2, last ? allowance + 1 : 1);
            if (!last) Break(budget, text, indent + 1);
        }
        text.Append('}');
    }

    private static void Break(Budget budget, StringBuilder text, int indent)
    {
        budget.Allocate(indent + 2);
        text.Append(",\n").Append(' ', indent);
    }

    /// <summary>Like repr, with sorted keys.</summary>
    private static string Line(Budget budget, object value)
    {
        budget.Enter();
        string line;
        switch (value)
        {
            case PyDict dict:
                line = "{" + string.Join(", ", Sorted(budget, dict).Select(key =>
                {
                    dict.TryGet(key, out object item);
                    return PyText.Repr(budget, key) + ": " + Line(budget, item);
                })) + "}";
                break;
            case PyList list: line = "[" + string.Join(", ", list.Items.Select(item => Line(budget, item))) + "]"; break;
            case PyTuple tuple: line = "(" + string.Join(", ", tuple.Items.Select(item => Line(budget, item))) + (tuple.Items.Length == 1 ? ",)" : ")"); break;
            default: line = PyText.Repr(budget, value); break;
        }
        budget.Allocate(line.Length);
        budget.Leave();
        return line;
    }

    private static object[] Sorted(Budget budget, PyDict dict)
    {
        object[] keys = [.. dict.Items.Keys];
        bool text = Array.TrueForAll(keys, k => k is string), numbers = Array.TrueForAll(keys, PyNumber.IsNumber);
        return text || numbers ? PyCompare.Sort(budget, keys, null, false) : PyCompare.Sort(budget, keys, k => PyType.Name(k), false);
    }
}
