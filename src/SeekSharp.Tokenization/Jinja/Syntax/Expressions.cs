namespace SeekSharp.Tokenization;

internal sealed class Constant(int line, object value) : Expression(line)
{
    public object Content { get; } = value;

    protected override object Value(Renderer r) => Content;
}

internal sealed class NameExpression(int line, string name) : Expression(line)
{
    public string Name { get; } = name;

    protected override object Value(Renderer r) => r.Scope.Find(Name) ?? new Undefined(name: Name);
}

/// <summary><c>ns.name</c> as the target of set.</summary>
internal sealed class NamespaceTarget(int line, string name, string attribute) : Expression(line)
{
    public string Name { get; } = name;
    public string Attribute { get; } = attribute;

    /// <summary>The namespace; anything else is an error.</summary>
    public Namespace Find(Renderer r) =>
        r.Scope.Find(Name) as Namespace ?? throw new TemplateException("cannot assign attribute on non-namespace object");

    protected override object Value(Renderer r) => throw new TemplateException("cannot assign attribute on non-namespace object");
}

internal sealed class ListExpression(int line, Expression[] items) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        r.Budget.AllocateItems(items.Length);
        var list = new List<object>(items.Length);
        foreach (Expression item in items) list.Add(item.Evaluate(r));
        return new PyList(list);
    }
}

internal sealed class TupleExpression(int line, Expression[] items) : Expression(line)
{
    public Expression[] Items { get; } = items;

    protected override object Value(Renderer r)
    {
        r.Budget.AllocateItems(Items.Length);
        var values = new object[Items.Length];
        for (int i = 0; i < values.Length; i++) values[i] = Items[i].Evaluate(r);
        return new PyTuple(values);
    }
}

internal sealed class DictExpression(int line, (Expression Key, Expression Value)[] pairs) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        r.Budget.AllocateItems(pairs.Length * 8L);
        var dict = new PyDict(r.Budget);
        foreach ((Expression key, Expression value) in pairs)
        {
            object k = key.Evaluate(r);
            dict.Set(k, value.Evaluate(r));
        }
        return dict;
    }
}

internal sealed class AttributeExpression(int line, Expression owner, string name) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object value = owner.Evaluate(r);
        r.Line = Line;
        return Attributes.Get(r, value, name);
    }
}

internal sealed class ItemExpression(int line, Expression owner, Expression key) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object value = owner.Evaluate(r);
        object at = key.Evaluate(r);
        r.Line = Line;
        return Attributes.Item(r, value, at);
    }
}

/// <summary><c>value[start:stop:step]</c>.</summary>
internal sealed class SliceExpression(int line, Expression owner, Expression? start, Expression? stop, Expression? step) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object value = owner.Evaluate(r);
        object? from = start?.Evaluate(r), to = stop?.Evaluate(r), by = step?.Evaluate(r);
        r.Line = Line;
        return PySequence.Slice(r.Budget, value, from, to, by);
    }
}

/// <summary>A slice among several subscripts, <c>value[1:2, 3]</c>: nothing that a template holds can be indexed so.</summary>
internal sealed class LooseSlice(int line) : Expression(line)
{
    protected override object Value(Renderer r) => throw new TemplateException("indices must be integers or slices, not tuple");
}

/// <summary><c>a if test else b</c>.</summary>
internal sealed class ConditionalExpression(int line, Expression test, Expression then, Expression? otherwise) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        if (r.IsTrue(test.Evaluate(r))) return then.Evaluate(r);
        return otherwise?.Evaluate(r)
            ?? new Undefined("the inline if-expression evaluated to false and no else section was defined.");
    }
}

/// <summary>What stands between the parentheses of a call, a filter or a test.</summary>
internal sealed class ArgumentList(Expression[] positional, (string Name, Expression Value)[] keywords, Expression? star, Expression? doubleStar)
{
    public static readonly ArgumentList Empty = new([], [], null, null);

    /// <summary>Evaluates them, <paramref name="first"/> in front where given.</summary>
    public Arguments Evaluate(Renderer r, object? first = null)
    {
        int lead = first is null ? 0 : 1;
        if (lead == 0 && positional.Length == 0 && keywords.Length == 0 && star is null && doubleStar is null) return Arguments.None;
        var values = new object[positional.Length + lead];
        if (first is not null) values[0] = first;
        for (int i = 0; i < positional.Length; i++) values[i + lead] = positional[i].Evaluate(r);
        if (star is not null) values = [.. values, .. PySequence.ToList(r.Budget, star.Evaluate(r))];
        if (keywords.Length == 0 && doubleStar is null) return new Arguments(values);
        var named = new List<(string, object)>();
        foreach ((string name, Expression value) in keywords) Add(named, name, value.Evaluate(r));
        if (doubleStar is not null)
        {
            if (doubleStar.Evaluate(r) is not PyDict dict) throw new TemplateException("argument after ** must be a mapping");
            r.Budget.AllocateItems(dict.Count * 8L);
            foreach ((object key, object value) in dict.Items)
                Add(named, PyText.AsText(key) ?? throw new TemplateException("keywords must be strings"), value);
        }
        return new Arguments(values, named);
    }

    private static void Add(List<(string Name, object Value)> named, string name, object value)
    {
        if (named.Count < 64 && named.Exists(n => n.Name == name)) throw new TemplateException($"got multiple values for keyword argument '{name}'");
        named.Add((name, value));
    }
}

internal sealed class CallExpression(int line, Expression callee, ArgumentList args) : Expression(line)
{
    protected override object Value(Renderer r) => Call(r, null);

    /// <summary>Calls; a call block passes its body as <paramref name="caller"/>.</summary>
    public object Call(Renderer r, Macro? caller)
    {
        object function = callee.Evaluate(r);
        Arguments values = args.Evaluate(r);
        if (caller is not null) values = new Arguments(values.Positional, [.. values.Keywords, ("caller", caller)]);
        r.Line = Line;
        return r.Call(function, values);
    }
}

/// <summary><c>value | name(args)</c>; without a value it filters a block's text.</summary>
internal sealed class FilterExpression(int line, Expression? input, string name, ArgumentList args) : Expression(line)
{
    private readonly Builtin? _filter = Filters.All.GetValueOrDefault(name);

    protected override object Value(Renderer r) => Apply(r, (object?)null);

    /// <summary>Filters; the innermost of a chain without a value gets the block's text.</summary>
    public object Apply(Renderer r, object? block)
    {
        object value = input is FilterExpression inner && block is not null ? inner.Nested(r, block) : input?.Evaluate(r) ?? block!;
        Arguments values = args.Evaluate(r, value);
        r.Line = Line;
        Builtin filter = _filter ?? throw new TemplateException($"No filter named '{name}' found.");
        r.Budget.Step(2);
        return filter(r, values);
    }

    private object Nested(Renderer r, object block)
    {
        r.Budget.Enter();
        object value = Apply(r, block);
        r.Budget.Leave();
        return value;
    }
}

/// <summary><c>value is name(args)</c>.</summary>
internal sealed class TestExpression(int line, Expression input, string name, ArgumentList args) : Expression(line)
{
    private readonly Builtin? _test = Tests.All.GetValueOrDefault(name);

    protected override object Value(Renderer r)
    {
        object value = input.Evaluate(r);
        Arguments values = args.Evaluate(r, value);
        r.Line = Line;
        Builtin test = _test ?? throw new TemplateException($"No test named '{name}' found.");
        return test(r, values);
    }
}
