namespace SeekSharp.Tokenization;

/// <summary>Python's truth, equality and order.</summary>
internal static class PyCompare
{
    public static bool IsTrue(Budget budget, object value) => value switch
    {
        bool b => b,
        None or Undefined => false,
        string s => s.Length > 0,
        Markup m => m.Text.Length > 0,
        long n => n != 0,
        double d => d != 0,
        PyList l => l.Items.Count > 0,
        PyTuple t => t.Items.Length > 0,
        PyDict d => d.Count > 0,
        DictView v => v.Dict.Count > 0,
        PyRange r => r.Count > 0,
        PyBytes b => b.Bytes.Length > 0,
        LoopContext l => l.Length(budget) > 0,
        _ => true,
    };

    public static bool AreEqual(Budget budget, object x, object y)
    {
        budget.Step();
        if (ReferenceEquals(x, y) && x is not double) return true;
        if (PyText.AsText(x) is { } a)
        {
            budget.Step(a.Length >> 6);
            return PyText.AsText(y) is { } b && a == b;
        }
        if (PyNumber.IsNumber(x)) return PyNumber.IsNumber(y) && PyNumber.Compare(x, y) == 0;
        switch (x, y)
        {
            case (Undefined, Undefined): return true;
            case (PyList l, PyList m): return AreEqual(budget, l.Items, m.Items);
            case (PyTuple l, PyTuple m): return AreEqual(budget, l.Items, m.Items);
            case (PyBytes l, PyBytes m): return l.Bytes.AsSpan().SequenceEqual(m.Bytes);
            case (PyRange l, PyRange m):
                return l.Count == m.Count && (l.Count == 0 || (l.Start == m.Start && (l.Count == 1 || l.Step == m.Step)));
            case (PyDict l, PyDict m):
                if (l.Count != m.Count) return false;
                budget.Enter();
                bool same = true;
                foreach ((object key, object value) in l.Items)
                    if (!m.TryGet(key, out object other) || !AreEqual(budget, value, other))
                    {
                        same = false;
                        break;
                    }
                budget.Leave();
                return same;
            case (DictView { Kind: DictViewKind.Keys } l, DictView { Kind: DictViewKind.Keys } m):
                if (l.Dict.Count != m.Dict.Count) return false;
                foreach (object key in l.Dict.Items.Keys)
                    if (!m.Dict.TryGet(key, out _)) return false;
                return true;
            default: return false;
        }
    }

    private static bool AreEqual(Budget budget, IList<object> x, IList<object> y)
    {
        if (x.Count != y.Count) return false;
        budget.Enter();
        bool same = true;
        for (int i = 0; same && i < x.Count; i++) same = AreEqual(budget, x[i], y[i]);
        budget.Leave();
        return same;
    }

    /// <summary>x &lt; y, or x &lt;= y with <paramref name="orEqual"/>; <paramref name="name"/> is the operator for the message.</summary>
    public static bool IsLess(Budget budget, object x, object y, bool orEqual, string name)
    {
        budget.Step();
        if (x is Undefined u) throw u.Error(budget);
        if (y is Undefined v) throw v.Error(budget);
        if (PyNumber.IsNumber(x) && PyNumber.IsNumber(y))
        {
            if (x is double.NaN || y is double.NaN) return false;
            int order = PyNumber.Compare(x, y);
            return order < 0 || (orEqual && order == 0);
        }
        if (PyText.AsText(x) is { } a && PyText.AsText(y) is { } b)
        {
            budget.Step(Math.Min(a.Length, b.Length) >> 6);
            int order = CodePoints.Compare(a, b);
            return order < 0 || (orEqual && order == 0);
        }
        IList<object>? l = null, m = null;
        if (x is PyList lx && y is PyList ly) (l, m) = (lx.Items, ly.Items);
        else if (x is PyTuple tx && y is PyTuple ty) (l, m) = (tx.Items, ty.Items);
        if (l is null || m is null)
            throw new TemplateException($"'{name}' not supported between instances of '{PyType.Name(x)}' and '{PyType.Name(y)}'");
        budget.Enter();
        int i = 0;
        while (i < l.Count && i < m.Count && AreEqual(budget, l[i], m[i])) i++;
        bool less = i < l.Count && i < m.Count ? IsLess(budget, l[i], m[i], orEqual, name) : l.Count < m.Count || (orEqual && l.Count == m.Count);
        budget.Leave();
        return less;
    }

    /// <summary>Sorts as Python's <c>sorted</c>: stable, with nothing but <c>&lt;</c>.</summary>
    public static object[] Sort(Budget budget, object[] items, Func<object, object>? key, bool reverse)
    {
        object[] keys = key is null ? items : Array.ConvertAll(items, x => key(x));
        int[] order = [.. Enumerable.Range(0, items.Length)];
        int[] scratch = new int[items.Length];
        budget.AllocateItems(items.Length * 3L);
        // What stands first may stay in front of what stands later, unless the later one is less (greater, in reverse order).
        bool InOrder(int a, int b) => reverse
            ? !IsLess(budget, keys[a], keys[b], false, "<")
            : !IsLess(budget, keys[b], keys[a], false, "<");
        MergeSort(order, scratch, 0, items.Length, InOrder);
        return Array.ConvertAll(order, i => items[i]);
    }

    private static void MergeSort(int[] order, int[] scratch, int from, int to, Func<int, int, bool> inOrder)
    {
        if (to - from < 2) return;
        int middle = (from + to) / 2;
        MergeSort(order, scratch, from, middle, inOrder);
        MergeSort(order, scratch, middle, to, inOrder);
        int a = from, b = middle;
        for (int i = from; i < to; i++)
            scratch[i] = b >= to || (a < middle && inOrder(order[a], order[b])) ? order[a++] : order[b++];
        Array.Copy(scratch, from, order, from, to - from);
    }
}
