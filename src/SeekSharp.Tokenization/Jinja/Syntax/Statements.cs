namespace SeekSharp.Tokenization;

/// <summary>Text between the tags.</summary>
internal sealed class TextStatement(int line, string text) : Statement(line)
{
    public bool IsBlank => string.IsNullOrWhiteSpace(text);

    protected override Flow Execute(Renderer r)
    {
        r.Write(text);
        return Flow.Normal;
    }
}

/// <summary><c>{{ value }}</c>.</summary>
internal sealed class PrintStatement(int line, Expression value) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        Print(r, value.Evaluate(r));
        return Flow.Normal;
    }

    public static void Print(Renderer r, object value) => r.Write(r.AutoEscape ? Markup.Escape(r.Budget, value) : r.Str(value));
}

/// <summary><c>{% print a, b %}</c>.</summary>
internal sealed class PrintAllStatement(int line, Expression[] values) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        foreach (Expression value in values) PrintStatement.Print(r, value.Evaluate(r));
        return Flow.Normal;
    }
}

/// <summary><c>if</c>, <c>elif</c>, <c>else</c>.</summary>
internal sealed class IfStatement(int line, (Expression Test, Statement[] Body)[] branches, Statement[] otherwise) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        foreach ((Expression test, Statement[] body) in branches)
            if (r.IsTrue(test.Evaluate(r))) return Run(body, r);
        return Run(otherwise, r);
    }
}

/// <summary><c>break</c> and <c>continue</c>.</summary>
internal sealed class JumpStatement(int line, Flow flow) : Statement(line)
{
    protected override Flow Execute(Renderer r) => flow;
}

/// <summary>Assigning to names, attributes of namespaces, and tuples of these.</summary>
internal static class Assignment
{
    /// <summary>Fails where an attribute's owner is no namespace; Jinja looks before it evaluates the value.</summary>
    public static void Check(Renderer r, Expression target)
    {
        if (target is NamespaceTarget attribute) attribute.Find(r);
        else if (target is TupleExpression tuple)
            foreach (Expression item in tuple.Items) Check(r, item);
    }

    public static void Assign(Renderer r, Expression target, object value)
    {
        switch (target)
        {
            case NameExpression name:
                r.Scope.Set(name.Name, value);
                break;
            case NamespaceTarget attribute:
                attribute.Find(r).Set(r.Budget, attribute.Attribute, value);
                break;
            case TupleExpression tuple:
                Unpack(r, tuple, value);
                break;
        }
    }

    private static void Unpack(Renderer r, TupleExpression tuple, object value)
    {
        int expected = tuple.Items.Length;
        IEnumerable<object> items = PySequence.TryIterate(r.Budget, value) ?? throw new TemplateException($"cannot unpack non-iterable {PyType.Name(value)} object");
        List<object> values = [.. items.Take(expected + 1)];
        if (values.Count > expected) throw new TemplateException($"too many values to unpack (expected {expected})");
        if (values.Count < expected) throw new TemplateException($"not enough values to unpack (expected {expected}, got {values.Count})");
        r.Budget.Enter();
        for (int i = 0; i < expected; i++) Assign(r, tuple.Items[i], values[i]);
        r.Budget.Leave();
    }
}

/// <summary><c>{% set target = value %}</c>.</summary>
internal sealed class SetStatement(int line, Expression target, Expression value) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        Assignment.Check(r, target);
        Assignment.Assign(r, target, value.Evaluate(r));
        return Flow.Normal;
    }
}

/// <summary><c>{% set target %}text{% endset %}</c>, with filters where wanted.</summary>
internal sealed class SetBlockStatement(int line, Expression target, FilterExpression? filter, Statement[] body) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        Flow flow = Flow.Normal;
        string text = r.Capture(() => flow = RunInner(body, r));
        if (flow != Flow.Normal) return flow;
        object value = r.Wrap(text);
        if (filter is not null)
        {
            value = filter.Apply(r, value);
            if (r.AutoEscape && value is not Markup) value = new Markup(r.Str(value));
        }
        Assignment.Assign(r, target, value);
        return Flow.Normal;
    }
}

/// <summary><c>{% filter name %}text{% endfilter %}</c>.</summary>
internal sealed class FilterBlockStatement(int line, FilterExpression filter, Statement[] body) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        Scope before = r.Scope;
        r.Scope = new Scope(before);
        Flow flow = Flow.Normal;
        string text = r.Capture(() => flow = Run(body, r));
        if (flow == Flow.Normal) PrintStatement.Print(r, filter.Apply(r, r.Wrap(text)));
        r.Scope = before;
        return flow;
    }
}

/// <summary><c>{% with a = 1 %}</c>: the values see the scope outside.</summary>
internal sealed class WithStatement(int line, (Expression Target, Expression Value)[] variables, Statement[] body) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        Scope before = r.Scope;
        var inner = new Scope(before);
        foreach ((Expression target, Expression value) in variables)
        {
            object result = value.Evaluate(r);
            r.Scope = inner;
            Assignment.Assign(r, target, result);
            r.Scope = before;
        }
        r.Scope = inner;
        Flow flow = Run(body, r);
        r.Scope = before;
        return flow;
    }
}

/// <summary><c>{% autoescape true %}</c>.</summary>
internal sealed class AutoEscapeStatement(int line, Expression value, Statement[] body) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        bool before = r.AutoEscape;
        r.AutoEscape = r.IsTrue(value.Evaluate(r));
        Flow flow = RunInner(body, r);
        r.AutoEscape = before;
        return flow;
    }
}

/// <summary><c>{% generation %}</c>: what the assistant says; its place in the prompt is kept.</summary>
internal sealed class GenerationStatement(int line, Statement[] body) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        string text = r.Capture(() => RunInner(body, r));
        int start = r.PromptLength();
        r.Spans.Add((start, start + CodePoints.Length(text)));
        r.Write(text);
        return Flow.Normal;
    }
}

/// <summary>include, import, from and extends: chat templates come alone, so there is nothing to load from.</summary>
internal sealed class LoadStatement(int line, Expression template) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        template.Evaluate(r);
        throw new TemplateException("no loader for this environment specified");
    }
}

/// <summary><c>{% block name %}</c>: it sees the template's own variables, or with <c>scoped</c> those around it.</summary>
internal sealed class BlockStatement(int line, string name, bool scoped, bool required) : Statement(line)
{
    public string Name { get; } = name;

    public Statement[] Body { get; set; } = [];

    protected override Flow Execute(Renderer r)
    {
        if (required) throw new TemplateException($"Required block '{Name}' not found");
        Render(r, scoped ? r.Scope : r.Root);
        return Flow.Normal;
    }

    public void Render(Renderer r, Scope around)
    {
        Scope before = r.Scope;
        bool escape = r.AutoEscape;
        r.Scope = new Scope(around);
        r.Scope.Set("super", new Undefined($"there is no parent block called '{Name}'."));
        Run(Body, r);
        r.Scope = before;
        r.AutoEscape = escape;
    }
}

internal sealed class MacroStatement(int line, string name, MacroBody body) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        r.Scope.Set(name, new Macro(name, body, r.Scope, r.AutoEscape));
        return Flow.Normal;
    }
}

/// <summary><c>{% call(args) macro() %}body{% endcall %}</c>.</summary>
internal sealed class CallStatement(int line, MacroBody body, CallExpression call) : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        PrintStatement.Print(r, call.Call(r, new Macro(null, body, r.Scope, r.AutoEscape)));
        return Flow.Normal;
    }
}
