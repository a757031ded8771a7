namespace SeekSharp.Tokenization;

/// <summary>Filters on lists and dictionaries. As in Jinja those that pick or map items are lazy and can be walked through once.</summary>
internal static class SequenceFilters
{
    public static readonly Dictionary<string, Builtin> All = new()
    {
        ["batch"] = (r, args) => Lazy("batch", Batch(r, args.Bind("batch", 2, "value", "linecount", "fill_with"))),
        ["slice"] = (r, args) => Lazy("slice", Slice(r, args.Bind("slice", 2, "value", "slices", "fill_with"))),
        ["dictsort"] = DictSort,
        ["first"] = First,
        ["last"] = Last,
        ["random"] = PickRandom,
        ["groupby"] = GroupBy,
        ["items"] = (r, args) => Lazy("do_items", Items(r, args.Bind("items", 1, "value")[0]!)),
        ["join"] = Join,
        ["list"] = (r, args) => new PyList(PySequence.ToList(r.Budget, args.Bind("list", 1, "value")[0]!)),
        ["map"] = (r, args) => Lazy("sync_do_map", Map(r, args)),
        ["select"] = (r, args) => Lazy("select_or_reject", Select(r, args, keep: true, attribute: false)),
        ["reject"] = (r, args) => Lazy("select_or_reject", Select(r, args, keep: false, attribute: false)),
        ["selectattr"] = (r, args) => Lazy("select_or_reject", Select(r, args, keep: true, attribute: true)),
        ["rejectattr"] = (r, args) => Lazy("select_or_reject", Select(r, args, keep: false, attribute: true)),
        ["min"] = (r, args) => Extreme(r, args, "min", ">"),
        ["max"] = (r, args) => Extreme(r, args, "max", "<"),
        ["reverse"] = Reverse,
        ["sort"] = Sort,
        ["sum"] = Sum,
        ["unique"] = (r, args) => Lazy("sync_do_unique", Unique(r, args.Bind("unique", 1, "value", "case_sensitive", "attribute"))),
    };

    private static PyIterator Lazy(string _, IEnumerable<object> items) => new("generator", items);

    private static object Lower(object value) => value switch { string s => CaseMapping.Lower(s), Markup m => CaseMapping.Lower(m.Text), _ => value };

    private static bool IsTrue(Renderer r, object? value) => value is not null && r.IsTrue(value);

    /// <summary>Python's sort takes only an integer or bool for reverse.</summary>
    private static bool IsReverse(Renderer r, object? value) => value is null || PyNumber.IsInteger(value)
        ? IsTrue(r, value) : throw new TemplateException($"'{PyType.Name(value)}' object cannot be interpreted as an integer");

    /// <summary>Reads an attribute such as <c>a.b.0</c>; null gives the item itself.</summary>
    private static Func<object, object> Getter(Renderer r, object? attribute, bool lower = false, object? otherwise = null)
    {
        if (attribute is null or None) return lower ? Lower : x => x;
        object[] path = PyText.AsText(attribute) is { } text ? [.. text.Split('.').Select(Part)] : [attribute];
        if (otherwise is None) otherwise = null;
        return item =>
        {
            foreach (object part in path)
            {
                item = Attributes.Item(r, item, part);
                if (otherwise is not null && item is Undefined) item = otherwise;
            }
            return lower ? Lower(item) : item;
        };
    }

    private static object Part(string part) =>
        part.Length > 0 && Characters.All(part, Characters.IsDigit) ? PyNumber.ParseInteger(part, 10) ?? part : part;

    private static IEnumerable<object> Batch(Renderer r, object?[] a)
    {
        object size = a[1]!;
        List<object> row = [];
        foreach (object item in PySequence.Iterate(r.Budget, a[0]!))
        {
            r.Budget.Allocate(12);
            if (PyCompare.AreEqual(r.Budget, Boxed.Int(row.Count), size))
            {
                yield return new PyList(row);
                row = [];
            }
            row.Add(item);
        }
        if (row.Count == 0) yield break;
        if (a[2] is { } fill and not None && PyCompare.IsLess(r.Budget, Boxed.Int(row.Count), size, false, "<"))
        {
            if (!PyNumber.TryLong(size, out long count)) throw new TemplateException("can't multiply sequence by non-int");
            r.Budget.AllocateItems(count);
            while (row.Count < count) row.Add(fill);
        }
        yield return new PyList(row);
    }

    private static IEnumerable<object> Slice(Renderer r, object?[] a)
    {
        List<object> items = PySequence.ToList(r.Budget, a[0]!);
        if (!PyNumber.TryLong(a[1]!, out long slices)) throw new TemplateException("slice() wants an integer");
        if (slices == 0) throw new TemplateException("integer division or modulo by zero");
        if (slices < 0) yield break;
        long size = items.Count / slices, longer = items.Count % slices;
        int at = 0;
        for (long i = 0; i < slices; i++)
        {
            int count = (int)size + (i < longer ? 1 : 0);
            r.Budget.AllocateItems(count + 8);
            List<object> part = items.GetRange(at, count);
            at += count;
            if (a[2] is { } fill and not None && i >= longer) part.Add(fill);
            yield return new PyList(part);
        }
    }

    private static PyList DictSort(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("dictsort", 1, "value", "case_sensitive", "by", "reverse");
        string by = a[2] is null ? "key" : PyText.AsText(a[2]) ?? "";
        if (by is not ("key" or "value")) throw new TemplateException("You can only sort by either \"key\" or \"value\"");
        if (a[0] is Undefined u) throw u.Error(r.Budget);
        if (a[0] is not PyDict dict) throw new TemplateException($"'{PyType.Name(a[0]!)}' object has no attribute 'items'");
        bool exact = IsTrue(r, a[1]);
        object[] pairs = [.. dict.Items.Select(p => (object)new PyTuple(p.Key, p.Value))];
        r.Budget.AllocateItems(pairs.Length * 4L);
        int part = by == "key" ? 0 : 1;
        return new PyList([.. PyCompare.Sort(r.Budget, pairs, p => exact ? ((PyTuple)p).Items[part] : Lower(((PyTuple)p).Items[part]), IsReverse(r, a[3]))]);
    }

    private static object First(Renderer r, Arguments args)
    {
        foreach (object item in PySequence.Iterate(r.Budget, args.Bind("first", 1, "seq")[0]!)) return item;
        return new Undefined("No first item, sequence was empty.");
    }

    private static object Last(Renderer r, Arguments args)
    {
        object? last = null;
        object value = args.Bind("last", 1, "seq")[0]!;
        bool reversible = value is not (PyIterator or Callable) && PySequence.TryIterate(r.Budget, value) is not null;
        if (!reversible) throw new TemplateException($"'{PyType.Name(value)}' object is not reversible");
        if (value is PyList list) last = list.Items.LastOrDefault();
        else
            foreach (object item in PySequence.Iterate(r.Budget, value)) last = item;
        return last ?? new Undefined("No last item, sequence was empty.");
    }

    private static object PickRandom(Renderer r, Arguments args)
    {
        object value = args.Bind("random", 1, "seq")[0]!;
        long length = PySequence.Length(r.Budget, value);
        return length == 0 ? new Undefined("No random item, sequence was empty.") : Attributes.Item(r, value, Boxed.Int(System.Random.Shared.NextInt64(length)));
    }

    private static PyList GroupBy(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("groupby", 2, "value", "attribute", "default", "case_sensitive");
        bool exact = IsTrue(r, a[3]);
        Func<object, object> key = Getter(r, a[1], !exact, a[2]), shown = Getter(r, a[1], false, a[2]);
        var groups = new List<object>();
        List<object>? current = null;
        object? last = null;
        foreach (object item in PyCompare.Sort(r.Budget, [.. PySequence.ToList(r.Budget, a[0]!)], key, false))
        {
            object value = key(item);
            if (current is null || !PyCompare.AreEqual(r.Budget, value, last!))
            {
                r.Budget.Allocate(48);
                current = [];
                groups.Add(new GroupTuple(exact ? value : shown(item), new PyList(current)));
                last = value;
            }
            r.Budget.Allocate(8);
            current.Add(item);
        }
        return new PyList(groups);
    }

    private static IEnumerable<object> Items(Renderer r, object value)
    {
        if (value is Undefined) yield break;
        if (value is not PyDict dict) throw new TemplateException("Can only get item pairs from a mapping.");
        foreach ((object key, object item) in dict.Items)
        {
            r.Budget.Allocate(16);
            yield return new PyTuple(key, item);
        }
    }

    private static object Join(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("join", 1, "value", "d", "attribute");
        Func<object, object> get = Getter(r, a[2]);
        object separator = a[1] ?? "";
        IEnumerable<object> items = PySequence.Iterate(r.Budget, a[0]!).Select(get);
        bool escape = false;
        if (r.AutoEscape)
        {
            List<object> all = [];
            foreach (object item in items)
            {
                r.Budget.Allocate(12);
                all.Add(item);
            }
            items = all;
            escape = separator is Markup || all.Exists(item => item is Markup);
        }
        string between = escape ? Markup.Escape(r.Budget, separator) : r.Str(separator);
        var text = new System.Text.StringBuilder();
        bool first = true;
        foreach (object item in items)
        {
            string part = escape ? Markup.Escape(r.Budget, item) : r.Str(item);
            r.Budget.Allocate((long)part.Length + (first ? 0 : between.Length));
            if (!first) text.Append(between);
            text.Append(part);
            first = false;
        }
        r.Budget.Allocate(text.Length);
        return escape ? new Markup(text.ToString()) : text.ToString();
    }

    private static IEnumerable<object> Map(Renderer r, Arguments args)
    {
        object value = args.Count > 0 ? args.Positional[0] : throw new TemplateException("map requires a value");
        if (!r.IsTrue(value)) yield break;
        Arguments rest = args.Skip(1);
        Func<object, object> apply;
        if (rest.Count == 0 && rest.Keywords.Exists(k => k.Name == "attribute"))
        {
            object?[] a = rest.Bind("map", 0, "attribute", "default");
            apply = Getter(r, a[0], false, a[1]);
        }
        else
        {
            if (rest.Count == 0) throw new TemplateException("map requires a filter argument");
            string name = PyText.AsText(rest.Positional[0]) ?? r.Str(rest.Positional[0]);
            if (!Filters.All.TryGetValue(name, out Builtin? filter)) throw new TemplateException($"No filter named '{name}'.");
            Arguments extra = rest.Skip(1);
            apply = item => filter(r, extra.Prepend(item));
        }
        foreach (object item in PySequence.Iterate(r.Budget, value))
        {
            r.Budget.Step(2);
            yield return apply(item);
        }
    }

    private static IEnumerable<object> Select(Renderer r, Arguments args, bool keep, bool attribute)
    {
        object value = args.Count > 0 ? args.Positional[0] : throw new TemplateException("select requires a value");
        if (!r.IsTrue(value)) yield break;
        Arguments rest = args.Skip(1);
        Func<object, object> get = x => x;
        if (attribute)
        {
            if (rest.Count == 0) throw new TemplateException("Missing parameter for attribute name");
            get = Getter(r, rest.Positional[0]);
            rest = rest.Skip(1);
        }
        Builtin? test = null;
        Arguments extra = rest.Skip(1);
        if (rest.Count > 0)
        {
            string name = PyText.AsText(rest.Positional[0]) ?? r.Str(rest.Positional[0]);
            if (!Tests.All.TryGetValue(name, out test)) throw new TemplateException($"No test named '{name}'.");
        }
        foreach (object item in PySequence.Iterate(r.Budget, value))
        {
            r.Budget.Step(2);
            object subject = get(item);
            if (r.IsTrue(test is null ? subject : test(r, extra.Prepend(subject))) == keep) yield return item;
        }
    }

    private static object Extreme(Renderer r, Arguments args, string name, string op)
    {
        object?[] a = args.Bind(name, 1, "value", "case_sensitive", "attribute");
        Func<object, object> key = Getter(r, a[2], !IsTrue(r, a[1]));
        object? best = null, bestKey = null;
        foreach (object item in PySequence.Iterate(r.Budget, a[0]!))
        {
            object k = key(item);
            if (best is null || (op == "<" ? PyCompare.IsLess(r.Budget, bestKey!, k, false, ">") : PyCompare.IsLess(r.Budget, k, bestKey!, false, "<")))
                (best, bestKey) = (item, k);
        }
        return best ?? new Undefined("No aggregated item, sequence was empty.");
    }

    private static object Reverse(Renderer r, Arguments args)
    {
        object value = args.Bind("reverse", 1, "value")[0]!;
        if (value is string or Markup) return PySequence.Slice(r.Budget, value, null, null, Boxed.Int(-1));
        if (PySequence.TryIterate(r.Budget, value) is null) throw new TemplateException("argument must be iterable");
        List<object> items = PySequence.ToList(r.Budget, value);
        items.Reverse();
        return value is PyIterator ? new PyList(items) : new PyIterator(value is PyList ? "list_reverseiterator" : "reversed", items);
    }

    private static PyList Sort(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("sort", 1, "value", "reverse", "case_sensitive", "attribute");
        bool lower = !IsTrue(r, a[2]);
        Func<object, object>[] keys = PyText.AsText(a[3]) is { } text
            ? [.. text.Split(',').Select(part => Getter(r, part, lower))] : [Getter(r, a[3], lower)];
        object[] items = [.. PySequence.ToList(r.Budget, a[0]!)];
        r.Budget.AllocateItems(items.Length * 4L * keys.Length);
        return new PyList([.. PyCompare.Sort(r.Budget, items, x => new PyTuple([.. keys.Select(k => k(x))]), IsReverse(r, a[1]))]);
    }

    private static object Sum(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("sum", 1, "iterable", "attribute", "start");
        Func<object, object> get = Getter(r, a[1]);
        object total = a[2] ?? Boxed.Int(0);
        if (total is string or Markup) throw new TemplateException("sum() can't sum strings [use ''.join(seq) instead]");
        foreach (object item in PySequence.Iterate(r.Budget, a[0]!)) total = Arithmetic.Apply(r, BinaryOperator.Add, total, get(item));
        return total;
    }

    private static IEnumerable<object> Unique(Renderer r, object?[] a)
    {
        Func<object, object> key = Getter(r, a[2], !IsTrue(r, a[1]));
        var seen = new HashSet<object>(r.Budget.Keys);
        foreach (object item in PySequence.Iterate(r.Budget, a[0]!))
        {
            r.Budget.Allocate(24);
            if (seen.Add(key(item))) yield return item;
        }
    }
}
