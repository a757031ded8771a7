namespace SeekSharp.Tokenization;

/// <summary>Jinja's built-in tests, <c>value is name(args)</c>.</summary>
internal static class Tests
{
    public static readonly Dictionary<string, Builtin> All = new()
    {
        ["defined"] = One(v => v is not Undefined),
        ["undefined"] = One(v => v is Undefined),
        ["none"] = One(v => v is None),
        ["boolean"] = One(v => v is bool),
        ["true"] = One(v => v is true),
        ["false"] = One(v => v is false),
        ["integer"] = One(v => v is long or System.Numerics.BigInteger),
        ["float"] = One(v => v is double),
        ["number"] = One(PyNumber.IsNumber),
        ["string"] = One(v => v is string or Markup),
        ["mapping"] = One(v => v is PyDict),
        ["sequence"] = One(v => v is string or Markup or PyList or PyTuple or PyDict or PyRange or PyBytes or Undefined),
        ["callable"] = One(v => v is Callable or Undefined),
        ["escaped"] = One(v => v is Markup),
        ["iterable"] = (r, args) => Is(Single(args) is not Callable and var v && PySequence.TryIterate(r.Budget, v) is not null || args.Positional[0] is LoopContext),
        ["lower"] = (r, args) => Is(Characters.HasCase(r.Str(Single(args)), upper: false)),
        ["upper"] = (r, args) => Is(Characters.HasCase(r.Str(Single(args)), upper: true)),
        ["odd"] = (r, args) => Is(PyCompare.AreEqual(r.Budget, Modulo(r, Single(args), Boxed.Int(2)), Boxed.Int(1))),
        ["even"] = (r, args) => Is(PyCompare.AreEqual(r.Budget, Modulo(r, Single(args), Boxed.Int(2)), Boxed.Int(0))),
        ["divisibleby"] = (r, args) =>
        {
            object?[] a = args.Bind("divisibleby", 2, "value", "num");
            return Is(PyCompare.AreEqual(r.Budget, Modulo(r, a[0]!, a[1]!), Boxed.Int(0)));
        },
        ["sameas"] = (r, args) =>
        {
            object?[] a = args.Bind("sameas", 2, "value", "other");
            return Is(ReferenceEquals(a[0], a[1]) || (a[0]!.GetType() == a[1]!.GetType() && a[0] is bool or long or string && Equals(a[0], a[1])));
        },
        ["in"] = (r, args) =>
        {
            object?[] a = args.Bind("in", 2, "value", "seq");
            return Is(PySequence.Contains(r.Budget, a[1]!, a[0]!));
        },
        ["filter"] = One(v => PyText.AsText(v) is { } name && Filters.All.ContainsKey(name)),
        ["test"] = One(v => PyText.AsText(v) is { } name && All!.ContainsKey(name)),
        ["eq"] = Compare(Comparison.Equal),
        ["equalto"] = Compare(Comparison.Equal),
        ["=="] = Compare(Comparison.Equal),
        ["ne"] = Compare(Comparison.NotEqual),
        ["!="] = Compare(Comparison.NotEqual),
        ["lt"] = Compare(Comparison.Less),
        ["lessthan"] = Compare(Comparison.Less),
        ["<"] = Compare(Comparison.Less),
        ["le"] = Compare(Comparison.LessOrEqual),
        ["<="] = Compare(Comparison.LessOrEqual),
        ["gt"] = Compare(Comparison.Greater),
        ["greaterthan"] = Compare(Comparison.Greater),
        [">"] = Compare(Comparison.Greater),
        ["ge"] = Compare(Comparison.GreaterOrEqual),
        [">="] = Compare(Comparison.GreaterOrEqual),
    };

    private static object Is(bool value) => Boxed.Bool(value);

    private static object Single(Arguments args) => args.Bind("test", 1, "value")[0]!;

    private static Builtin One(Func<object, bool> test) => (r, args) => Is(test(Single(args)));

    private static object Modulo(Renderer r, object x, object y) => Arithmetic.Apply(r, BinaryOperator.Modulo, x, y);

    private static Builtin Compare(Comparison op) => (r, args) =>
    {
        args.Check("comparison", 2, 2);
        return Is(CompareExpression.Holds(r.Budget, op, args.Positional[0], args.Positional[1]));
    };
}
