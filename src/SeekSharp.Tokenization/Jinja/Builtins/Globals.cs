namespace SeekSharp.Tokenization;

/// <summary>Global functions: Jinja's own, and those that transformers adds.</summary>
internal static class Globals
{
    private const int MaxRange = 100_000;

    public static readonly Dictionary<string, object> All = new()
    {
        ["range"] = new Function("safe_range", Range),
        ["dict"] = new TypeObject("dict", MakeDict, new() { ["fromkeys"] = Methods.FromKeys }),
        ["namespace"] = new TypeObject("jinja2.utils.Namespace", (r, args) =>
        {
            var space = new Namespace(new PyDict(r.Budget));
            foreach ((object key, object value) in MakeDict(r, args).Items) space.Set(r.Budget, key, value);
            return space;
        }),
        ["cycler"] = new TypeObject("jinja2.utils.Cycler", (r, args) => args.Count == 0
            ? throw new TemplateException("at least one item has to be provided") : new Cycler(args.Positional)),
        ["joiner"] = new TypeObject("jinja2.utils.Joiner", (r, args) => new Joiner(args.Bind("joiner", 0, "sep")[0] ?? ", ")),
        ["lipsum"] = new Function("generate_lorem_ipsum", Lipsum),
        ["raise_exception"] = new Function("raise_exception", (r, args) =>
            throw new TemplateException(r.Str(args.Bind("raise_exception", 1, "message")[0]!)) { RaisedByTemplate = true }),
        ["strftime_now"] = new Function("strftime_now", (r, args) =>
            Strftime.Format(r.Budget, r.Now, TextMethods.Required("strftime", args.Bind("strftime_now", 1, "format")[0]!))),
    };

    private static PyRange Range(Renderer r, Arguments args)
    {
        args.Check("range", 1, 3);
        long Int(int i) => PyNumber.TryLong(args.Positional[i], out long n) ? n
            : args.Positional[i] is System.Numerics.BigInteger ? throw TooBig()
            : args.Positional[i] is Undefined u ? throw u.Error(r.Budget)
            : throw new TemplateException($"'{PyType.Name(args.Positional[i])}' object cannot be interpreted as an integer");
        long step = args.Count == 3 ? Int(2) : 1;
        if (step == 0) throw new TemplateException("range() arg 3 must not be zero");
        var range = args.Count == 1 ? new PyRange(0, Int(0), 1) : new PyRange(Int(0), Int(1), step);
        return range.Count > MaxRange ? throw TooBig() : range;
    }

    private static TemplateException TooBig() => new($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MaxRange}).");

    private static PyDict MakeDict(Renderer r, Arguments args)
    {
        if (args.Count > 1) throw new TemplateException($"dict expected at most 1 argument, got {args.Count}");
        var dict = new PyDict(r.Budget);
        if (args.Count == 1 && args.Positional[0] is Undefined u) throw u.Error(r.Budget);
        if (args.Count == 1 && args.Positional[0] is PyDict given) dict = Methods.Copy(r.Budget, given);
        else if (args.Count == 1)
        {
            int at = 0;
            foreach (object item in PySequence.Iterate(r.Budget, args.Positional[0]))
            {
                List<object> pair = PySequence.ToList(r.Budget, item);
                if (pair.Count != 2) throw new TemplateException($"dictionary update sequence element #{at} has length {pair.Count}; 2 is required");
                dict.Set(pair[0], pair[1]);
                at++;
            }
        }
        foreach ((string key, object value) in args.Keywords)
        {
            r.Budget.Allocate(32);
            dict.Set(key, value);
        }
        return dict;
    }

    private static readonly string[] Lorem =
        ["lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod", "tempor", "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua"];

    /// <summary>Filler text; Jinja's is random, so only its form can be the same.</summary>
    private static object Lipsum(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("lipsum", 0, "n", "html", "min", "max");
        long Int(int i, long otherwise) => a[i] is null ? otherwise : PyNumber.TryLong(a[i]!, out long n) ? n : throw new TemplateException("lipsum() wants integers");
        long paragraphs = Int(0, 5), min = Int(2, 20), max = Int(3, 100);
        if (max <= min) throw new TemplateException("empty range for randrange()");
        bool html = a[1] is null || r.IsTrue(a[1]!);
        var text = new System.Text.StringBuilder();
        for (long p = 0; p < paragraphs; p++)
        {
            long words = min + p % (max - min);
            r.Budget.Allocate(32);
            if (p > 0) text.Append(html ? "\n" : "\n\n");
            if (html) text.Append("<p>");
            for (long w = 0; w < words; w++)
            {
                string word = Lorem[(int)((p + w) % Lorem.Length)];
                r.Budget.Allocate(word.Length + 1);
                if (w > 0) text.Append(' ');
                text.Append(w == 0 ? CaseMapping.Capitalize(word) : word);
            }
            text.Append(html ? ".</p>" : ".");
        }
        return html ? new Markup(text.ToString()) : text.ToString();
    }
}

/// <summary>Jinja's cycler: gives its items in turn.</summary>
internal sealed class Cycler(object[] items) : Callable("cycler")
{
    private int _at;

    public override string TypeName => "Cycler";

    public override object? Attribute(Renderer r, string name) => name switch
    {
        "current" => items[_at],
        "pos" => Boxed.Int(_at),
        "items" => new PyTuple(items),
        "next" => new Function("next", (_, args) =>
        {
            object item = items[_at];
            _at = (_at + 1) % items.Length;
            return item;
        }),
        "reset" => new Function("reset", (_, args) =>
        {
            _at = 0;
            return None.Value;
        }),
        _ => null,
    };

    public override object Call(Renderer r, Arguments args) => throw new TemplateException("'Cycler' object is not callable");
}

/// <summary>Jinja's joiner: nothing when first called, then the separator.</summary>
internal sealed class Joiner(object separator) : Callable("joiner")
{
    private bool _used;

    public override string TypeName => "Joiner";

    public override object? Attribute(Renderer r, string name) => name switch { "sep" => separator, "used" => Boxed.Bool(_used), _ => null };

    public override object Call(Renderer r, Arguments args)
    {
        if (_used) return separator;
        _used = true;
        return "";
    }
}
