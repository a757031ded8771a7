using System.Numerics;

namespace SeekSharp.Tokenization;

// A value of a template is a plain object: None, bool, long, BigInteger (only beyond long), double, string, or one of the classes here.
// Nothing that a template can reach changes after it was made (the sandbox forbids it), but for Namespace, iterators, cycler and joiner.

/// <summary>Python's None.</summary>
internal sealed class None
{
    public static readonly None Value = new();
    private None() { }
}

/// <summary>Boxes made once.</summary>
internal static class Boxed
{
    public static readonly object True = true;
    public static readonly object False = false;
    private static readonly object[] Small = [.. Enumerable.Range(-16, 1040).Select(n => (object)(long)n)];

    public static object Bool(bool value) => value ? True : False;

    public static object Int(long value) => value is >= -16 and < 1024 ? Small[value + 16] : value;

    public static object Int(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? Int((long)value) : value;
}

/// <summary>Jinja's Undefined: prints as nothing, is false, is empty; most other uses of it are errors that tell what was not there.</summary>
internal sealed class Undefined(string? hint = null, object? owner = null, object? name = null)
{
    /// <summary>What a use of this value says.</summary>
    public string Message(Budget budget)
    {
        if (hint is not null) return hint;
        if (owner is null) return $"{PyText.Repr(budget, name ?? None.Value)} is undefined";
        string type = owner is None ? "None" : $"{PyType.Name(owner)} object";
        return name is string or Markup ? $"'{type}' has no attribute {PyText.Repr(budget, name)}" : $"{type} has no element {PyText.Repr(budget, name ?? None.Value)}";
    }

    public TemplateException Error(Budget budget) => new(Message(budget));
}

/// <summary>Text that counts as HTML already (filter <c>safe</c>): what is joined to it is escaped first.</summary>
internal sealed class Markup(string text)
{
    public string Text { get; } = text;

    /// <summary>Escapes text for HTML as markupsafe does; markup stays as it is.</summary>
    public static string Escape(Budget budget, object value)
    {
        if (value is Markup m) return m.Text;
        string text = PyText.Str(budget, value);
        if (text.AsSpan().IndexOfAny("&<>'\"") < 0) return text;
        string escaped = text.Replace("&", "&amp;").Replace(">", "&gt;").Replace("<", "&lt;").Replace("'", "&#39;").Replace("\"", "&#34;");
        budget.Allocate(escaped.Length);
        return escaped;
    }
}

internal sealed class PyList(List<object> items)
{
    public List<object> Items { get; } = items;
}

internal class PyTuple(params object[] items)
{
    public object[] Items { get; } = items;
}

internal sealed class PyBytes(byte[] bytes)
{
    public byte[] Bytes { get; } = bytes;
}

/// <summary>A dictionary in insertion order.</summary>
internal sealed class PyDict(Budget budget)
{
    public OrderedDictionary<object, object> Items { get; } = new(budget.Keys);

    public int Count => Items.Count;

    public void Set(object key, object value) => Items[key] = value;

    public bool TryGet(object key, out object value) => Items.TryGetValue(key, out value!);
}

internal enum DictViewKind { Keys, Values, Items }

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> give.</summary>
internal sealed class DictView(PyDict dict, DictViewKind kind)
{
    public PyDict Dict { get; } = dict;
    public DictViewKind Kind { get; } = kind;
}

internal sealed class PyRange(long start, long stop, long step)
{
    public long Start { get; } = start;
    public long Stop { get; } = stop;
    public long Step { get; } = step;

    public long Count { get; } = step > 0
        ? stop <= start ? 0 : (long)(((Int128)stop - start - 1) / step + 1)
        : stop >= start ? 0 : (long)(((Int128)start - stop - 1) / -(Int128)step + 1);

    public object this[long index] => Boxed.Int(Start + index * Step);
}

/// <summary>A generator or iterator: it can be walked through once.</summary>
internal sealed class PyIterator(string type, IEnumerable<object> items)
{
    private readonly IEnumerator<object> _items = items.GetEnumerator();

    public string Type { get; } = type;

    public bool Next(out object value)
    {
        bool more = _items.MoveNext();
        value = more ? _items.Current : None.Value;
        return more;
    }
}

/// <summary>Jinja's namespace: the only thing a template may assign attributes of.</summary>
internal sealed class Namespace(PyDict attributes)
{
    public PyDict Attributes { get; } = attributes;

    public void Set(Budget budget, object name, object value)
    {
        if (PyText.AsText(name) is { } text && text.StartsWith('_'))
            throw new TemplateException($"Chat templates cannot store underscore-prefixed attributes on a namespace, but got {PyText.Repr(budget, text)}. Please rename the attribute.");
        Attributes.Set(name, value);
    }
}

/// <summary>Python's names of types.</summary>
internal static class PyType
{
    public static string Name(object value) => value switch
    {
        None => "NoneType",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        Markup => "Markup",
        PyList => "list",
        PyTuple => "tuple",
        PyBytes => "bytes",
        PyDict => "dict",
        DictView v => v.Kind switch { DictViewKind.Keys => "dict_keys", DictViewKind.Values => "dict_values", _ => "dict_items" },
        PyRange => "range",
        PyIterator i => i.Type,
        Undefined => "Undefined",
        Namespace => "Namespace",
        Callable c => c.TypeName,
        _ => value.GetType().Name,
    };
}

/// <summary>What the filter <c>groupby</c> gives: a pair whose parts also have names.</summary>
internal sealed class GroupTuple(object grouper, PyList list) : PyTuple(grouper, list);
