using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>Python's iteration, length, membership, indexing and slices.</summary>
internal static class PySequence
{
    /// <summary>Walks through a value; null where it cannot be walked.</summary>
    public static IEnumerable<object>? TryIterate(Budget budget, object value) => value switch
    {
        PyList l => Walk(budget, l.Items),
        PyTuple t => Walk(budget, t.Items),
        string s => Walk(budget, CodePoints.Split(s)),
        Markup m => Walk(budget, CodePoints.Split(m.Text).Select(c => new Markup(c))),
        PyDict d => Walk(budget, d.Items.Keys),
        DictView { Kind: DictViewKind.Keys } v => Walk(budget, v.Dict.Items.Keys),
        DictView { Kind: DictViewKind.Values } v => Walk(budget, v.Dict.Items.Values),
        DictView v => Walk(budget, v.Dict.Items.Select(p => new PyTuple(p.Key, p.Value))),
        PyRange r => Range(budget, r),
        PyIterator i => Drain(budget, i),
        PyBytes b => Walk(budget, b.Bytes.Select(x => Boxed.Int(x))),
        LoopContext l => l.Rest(budget),
        Undefined => [],
        _ => null,
    };

    public static IEnumerable<object> Iterate(Budget budget, object value) =>
        TryIterate(budget, value) ?? throw new TemplateException($"'{PyType.Name(value)}' object is not iterable");

    private static IEnumerable<object> Walk(Budget budget, IEnumerable<object> items)
    {
        foreach (object item in items)
        {
            budget.Step();
            yield return item;
        }
    }

    private static IEnumerable<object> Range(Budget budget, PyRange range)
    {
        for (long i = 0; i < range.Count; i++)
        {
            budget.Step();
            yield return range[i];
        }
    }

    private static IEnumerable<object> Drain(Budget budget, PyIterator iterator)
    {
        while (true)
        {
            // A chain of lazy filters over lazy filters is as deep as the chain is long.
            budget.Enter();
            bool more = iterator.Next(out object value);
            budget.Leave();
            if (!more) yield break;
            budget.Step();
            yield return value;
        }
    }

    /// <summary>Everything a value gives, paid for.</summary>
    public static List<object> ToList(Budget budget, object value)
    {
        var list = new List<object>();
        foreach (object item in Iterate(budget, value))
        {
            budget.Allocate(12);
            list.Add(item);
        }
        return list;
    }

    /// <summary>Python's <c>len</c>, -1 where there is none.</summary>
    public static long TryLength(Budget budget, object value)
    {
        switch (value)
        {
            case string s:
                budget.Step(s.Length >> 6);
                return CodePoints.Length(s);
            case Markup m: return CodePoints.Length(m.Text);
            case PyList l: return l.Items.Count;
            case PyTuple t: return t.Items.Length;
            case PyDict d: return d.Count;
            case DictView v: return v.Dict.Count;
            case PyRange r: return r.Count;
            case PyBytes b: return b.Bytes.Length;
            case LoopContext l: return l.Length(budget);
            case Undefined: return 0;
            default: return -1;
        }
    }

    public static long Length(Budget budget, object value)
    {
        long length = TryLength(budget, value);
        return length >= 0 ? length : throw new TemplateException($"object of type '{PyType.Name(value)}' has no len()");
    }

    /// <summary>Python's <c>item in container</c>.</summary>
    public static bool Contains(Budget budget, object container, object item)
    {
        switch (container)
        {
            case string or Markup:
                string text = PyText.AsText(container)!;
                string needle = PyText.AsText(item)
                    ?? throw new TemplateException($"'in <string>' requires string as left operand, not {PyType.Name(item)}");
                return StringSearch.IndexOf(budget, text, needle, 0) >= 0;
            case PyDict d: return d.TryGet(item, out _);
            case DictView { Kind: DictViewKind.Keys } v: return v.Dict.TryGet(item, out _);
            case PyRange r when item is long n:
                return r.Step > 0 ? n >= r.Start && n < r.Stop && (n - r.Start) % r.Step == 0 : n <= r.Start && n > r.Stop && (r.Start - n) % -r.Step == 0;
        }
        IEnumerable<object> items = TryIterate(budget, container) ?? throw new TemplateException($"argument of type '{PyType.Name(container)}' is not iterable");
        foreach (object candidate in items)
            if (PyCompare.AreEqual(budget, candidate, item)) return true;
        return false;
    }

    /// <summary>
    /// Python's <c>value[index]</c>; null where Python raises TypeError or LookupError (then Jinja looks for an attribute, or gives Undefined).
    /// </summary>
    public static object? TryIndex(Budget budget, object value, object index)
    {
        switch (value)
        {
            case Undefined u: throw u.Error(budget);
            case PyDict d:
                if (index is PyList or PyDict) return null;
                return d.TryGet(index, out object found) ? found : null;
            case PyTuple or PyList or string or Markup or PyRange or PyBytes:
                long length = TryLength(budget, value);
                if (!PyNumber.TryLong(index, out long i)) return null;
                if (i < 0) i += length;
                if (i < 0 || i >= length) return null;
                return value switch
                {
                    PyList l => l.Items[(int)i],
                    PyTuple t => t.Items[i],
                    string s => CharAt(budget, s, (int)i),
                    Markup m => new Markup(CharAt(budget, m.Text, (int)i)),
                    PyBytes b => Boxed.Int(b.Bytes[i]),
                    _ => ((PyRange)value)[i],
                };
            default: return null;
        }
    }

    private static string CharAt(Budget budget, string s, int index)
    {
        budget.Step(s.Length >> 6);
        return CodePoints.CharAt(s, index);
    }

    /// <summary>Python's <c>value[start:stop:step]</c>; null stands for a bound that is not there.</summary>
    public static object Slice(Budget budget, object value, object? start, object? stop, object? step)
    {
        if (value is Undefined u) throw u.Error(budget);
        if (value is not (string or Markup or PyList or PyTuple or PyRange or PyBytes))
            throw new TemplateException(value is PyDict ? "unhashable type: 'slice'" : $"'{PyType.Name(value)}' object is not subscriptable");
        long length = TryLength(budget, value);
        long by = Bound(step) ?? 1;
        if (by == 0) throw new TemplateException("slice step cannot be zero");
        long low = by < 0 ? -1 : 0, high = by < 0 ? length - 1 : length;
        long from = Clamp(Bound(start), by < 0 ? high : low, low, high, length);
        long to = Clamp(Bound(stop), by < 0 ? low : high, low, high, length);
        var range = new PyRange(from, to, by);
        int count = (int)range.Count;
        switch (value)
        {
            case string s:
                budget.Allocate(count);
                budget.Step(s.Length >> 6);
                return CodePoints.Slice(s, from, to, by, count);
            case Markup m: return new Markup((string)Slice(budget, m.Text, start, stop, step));
            case PyRange r:
                return new PyRange(r.Start + from * r.Step, r.Start + to * r.Step, r.Step * by);
        }
        budget.AllocateItems(count);
        if (value is PyBytes bytes) return new PyBytes([.. Indices(range).Select(i => bytes.Bytes[i])]);
        IList<object> items = value is PyList list ? list.Items : ((PyTuple)value).Items;
        var part = new object[count];
        for (int i = 0; i < count; i++) part[i] = items[(int)(from + i * by)];
        return value is PyList ? new PyList([.. part]) : new PyTuple(part);
    }

    private static IEnumerable<long> Indices(PyRange range)
    {
        for (long i = 0; i < range.Count; i++) yield return range.Start + i * range.Step;
    }

    private static long? Bound(object? value) => value switch
    {
        null or None => null,
        BigInteger n => n.Sign < 0 ? -long.MaxValue / 4 : long.MaxValue / 4,
        _ => PyNumber.TryLong(value, out long n) ? Math.Clamp(n, -long.MaxValue / 4, long.MaxValue / 4)
            : throw new TemplateException("slice indices must be integers or None or have an __index__ method"),
    };

    private static long Clamp(long? bound, long absent, long low, long high, long length)
    {
        if (bound is not { } b) return absent;
        if (b < 0) b += length;
        return Math.Clamp(b, low, Math.Max(low, high));
    }
}
