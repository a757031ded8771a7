namespace SeekSharp.Tokenization;

/// <summary>Jinja's built-in filters, with transformers' <c>tojson</c>. The value to filter is the first argument.</summary>
internal static class Filters
{
    public static readonly Dictionary<string, Builtin> All = Join(
        new Dictionary<string, Builtin>
        {
            ["abs"] = Abs,
            ["attr"] = Attr,
            ["count"] = Length,
            ["length"] = Length,
            ["d"] = Default,
            ["default"] = Default,
            ["float"] = Float,
            ["int"] = Int,
            ["round"] = Round,
            ["filesizeformat"] = FileSize,
            ["pprint"] = (r, args) => PrettyPrint.Format(r.Budget, args.Bind("pprint", 1, "value")[0]!),
            ["string"] = (r, args) => args.Bind("string", 1, "s")[0] is { } v && v is string or Markup ? v : r.Str(args.Positional[0]),
            ["tojson"] = JsonText.Filter,
        },
        SequenceFilters.All,
        TextFilters.All);

    private static Dictionary<string, Builtin> Join(params Dictionary<string, Builtin>[] tables)
    {
        var all = new Dictionary<string, Builtin>(StringComparer.Ordinal);
        foreach (Dictionary<string, Builtin> table in tables)
            foreach ((string name, Builtin filter) in table) all.Add(name, filter);
        return all;
    }

    private static object Abs(Renderer r, Arguments args)
    {
        object value = args.Bind("abs", 1, "x")[0]!;
        if (value is Undefined u) throw u.Error(r.Budget);
        return PyNumber.IsNumber(value) ? PyNumber.Absolute(value) : throw new TemplateException($"bad operand type for abs(): '{PyType.Name(value)}'");
    }

    /// <summary>An attribute, never an item.</summary>
    private static object Attr(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("attr", 2, "obj", "name");
        string name = TextMethods.Required("attr", a[1]!);
        if (a[0] is Undefined) return Attributes.Get(r, a[0]!, name);
        return Attributes.Attribute(r, a[0]!, name) ?? new Undefined(owner: a[0], name: name);
    }

    private static object Length(Renderer r, Arguments args) => Boxed.Int(PySequence.Length(r.Budget, args.Bind("len", 1, "obj")[0]!));

    private static object Default(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("default", 1, "value", "default_value", "boolean");
        bool replace = a[0] is Undefined || (a[2] is { } boolean && r.IsTrue(boolean) && !r.IsTrue(a[0]!));
        return replace ? a[1] ?? "" : a[0]!;
    }

    private static object Int(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("int", 1, "value", "default", "base");
        object otherwise = a[1] ?? Boxed.Int(0);
        long radix = 10;
        if (a[2] is { } b && (!PyNumber.TryLong(b, out radix) || radix is 1 or < 0 or > 36))
            radix = -1;
        switch (a[0])
        {
            case Undefined u: throw u.Error(r.Budget);
            case string or Markup:
                string text = PyText.AsText(a[0])!;
                r.Budget.Step(text.Length);
                if (radix >= 0 && PyNumber.ParseInteger(text, (int)radix) is { } whole) return whole;
                return PyNumber.ParseFloat(text) is { } parsed && double.IsFinite(parsed) ? PyNumber.Truncate(parsed) : otherwise;
            case double d: return double.IsFinite(d) ? PyNumber.Truncate(d) : double.IsNaN(d) ? otherwise : throw new TemplateException("cannot convert float infinity to integer");
            case { } n when PyNumber.IsInteger(n): return Boxed.Int(PyNumber.Big(n));
            default: return otherwise;
        }
    }

    private static object Float(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("float", 1, "value", "default");
        switch (a[0])
        {
            case Undefined u: throw u.Error(r.Budget);
            case string or Markup:
                string text = PyText.AsText(a[0])!;
                r.Budget.Step(text.Length);
                return PyNumber.ParseFloat(text) ?? a[1] ?? 0.0;
            case { } n when PyNumber.IsNumber(n): return PyNumber.Double(n);
            default: return a[1] ?? 0.0;
        }
    }

    private static object Round(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("round", 1, "value", "precision", "method");
        string method = a[2] is null ? "common" : PyText.AsText(a[2]) ?? "";
        if (method is not ("common" or "ceil" or "floor")) throw new TemplateException("method must be common, ceil or floor");
        object value = a[0]!, precision = a[1] ?? Boxed.Int(0);
        if (value is Undefined u) throw u.Error(r.Budget);
        if (method == "common")
        {
            if (!PyNumber.IsNumber(value)) throw new TemplateException($"type {PyType.Name(value)} doesn't define __round__ method");
            return precision is None ? value is double d ? PyNumber.Truncate(FloatText.Round(d, 0)) : PyNumber.Round(value, Boxed.Int(0)) : PyNumber.Round(value, precision);
        }
        object scale = Arithmetic.Apply(r, BinaryOperator.Power, Boxed.Int(10), precision);
        object scaled = Arithmetic.Apply(r, BinaryOperator.Multiply, value, scale);
        if (!PyNumber.IsNumber(scaled)) throw new TemplateException($"must be real number, not {PyType.Name(scaled)}");
        object whole = scaled is double x ? PyNumber.Truncate(method == "ceil" ? Math.Ceiling(x) : Math.Floor(x)) : scaled;
        return PyNumber.Divide(whole, scale);
    }

    private static string FileSize(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("filesizeformat", 1, "value", "binary");
        double bytes = a[0] is string or Markup
            ? PyNumber.ParseFloat(PyText.AsText(a[0])!) ?? throw new TemplateException($"could not convert string to float: {PyText.Repr(r.Budget, a[0]!)}")
            : a[0] is Undefined u ? throw u.Error(r.Budget) : PyNumber.Double(a[0]!);
        bool binary = a[1] is { } b && r.IsTrue(b);
        double unit = binary ? 1024 : 1000;
        if (bytes == 1) return "1 Byte";
        if (bytes < unit) return PyText.Str(r.Budget, PyNumber.Truncate(bytes)) + " Bytes";
        string[] prefixes = binary ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
        double size = unit;
        int i = 0;
        for (; i < prefixes.Length; i++)
        {
            size *= unit;
            if (bytes < size) break;
        }
        return FormatSpec.Format(r, unit * bytes / size, ".1f") + " " + prefixes[Math.Min(i, prefixes.Length - 1)];
    }
}
