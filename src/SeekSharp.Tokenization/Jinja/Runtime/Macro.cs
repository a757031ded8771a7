namespace SeekSharp.Tokenization;

/// <summary>A macro, or the body of a call block; it sees the variables around its definition.</summary>
internal sealed class Macro(string? name, MacroBody body, Scope scope, bool autoEscape) : Callable(name ?? "caller")
{
    private readonly PyTuple _arguments = new([.. body.Parameters.Select(p => (object)p.Name)]);

    public override string TypeName => "Macro";

    public override string Repr(Budget budget) => name is null ? "<Macro anonymous>" : $"<Macro {PyText.Repr(budget, name)}>";

    public override object? Attribute(Renderer r, string attribute) => attribute switch
    {
        "name" => name is null ? None.Value : name,
        "arguments" => _arguments,
        "catch_kwargs" => Boxed.Bool(body.UsesKwargs),
        "catch_varargs" => Boxed.Bool(body.UsesVarargs),
        "caller" => Boxed.Bool(body.UsesCaller),
        "explicit_caller" => Boxed.Bool(body.HasExplicitCaller),
        _ => null,
    };

    public override object Call(Renderer r, Arguments args)
    {
        r.Budget.Allocate(64);
        r.Budget.Step(40);
        var inner = new Scope(scope);
        Parameter[] parameters = body.Parameters;
        List<(string Name, object Value)> keywords = [.. args.Keywords];
        var missing = new List<Parameter>();
        bool foundCaller = body.HasExplicitCaller;
        for (int i = 0; i < parameters.Length; i++)
        {
            if (i < args.Count) inner.Set(parameters[i].Name, args.Positional[i]);
            else if (Take(keywords, parameters[i].Name) is { } value) inner.Set(parameters[i].Name, value);
            else missing.Add(parameters[i]);
        }
        if (body.UsesCaller && !foundCaller) inner.Set("caller", Take(keywords, "caller") ?? new Undefined("No caller defined"));
        if (body.UsesKwargs)
        {
            var rest = new PyDict(r.Budget);
            foreach ((string key, object value) in keywords) rest.Set(key, value);
            inner.Set("kwargs", rest);
        }
        else if (keywords.Count > 0)
        {
            string said = name is null ? "None" : $"'{name}'";
            throw new TemplateException(keywords.Exists(k => k.Name == "caller")
                ? $"macro {said} was invoked with two values for the special caller argument. This is most likely a bug."
                : $"macro {said} takes no keyword argument '{keywords[0].Name}'");
        }
        if (body.UsesVarargs) inner.Set("varargs", new PyTuple(args.Skip(parameters.Length).Positional));
        else if (args.Count > parameters.Length)
            throw new TemplateException($"macro {(name is null ? "None" : $"'{name}'")} takes not more than {parameters.Length} argument(s)");

        Scope before = r.Scope;
        bool escape = r.AutoEscape;
        int line = r.Line;
        r.Scope = inner;
        r.AutoEscape = autoEscape;
        foreach (Parameter p in missing)
            inner.Set(p.Name, p.Default is null ? new Undefined($"parameter '{p.Name}' was not provided") : p.Default.Evaluate(r));
        string text = r.Capture(() => Statement.Run(body.Body, r));
        r.Scope = before;
        r.AutoEscape = escape;
        r.Line = line;
        return r.Wrap(text);
    }

    private static object? Take(List<(string Name, object Value)> keywords, string name)
    {
        int at = keywords.FindIndex(k => k.Name == name);
        if (at < 0) return null;
        object value = keywords[at].Value;
        keywords.RemoveAt(at);
        return value;
    }
}

/// <summary>A parameter of a macro.</summary>
internal sealed record Parameter(string Name, Expression? Default);

/// <summary>What a macro or call block holds.</summary>
internal sealed class MacroBody
{
    public required Parameter[] Parameters { get; init; }
    public required Statement[] Body { get; init; }
    public required bool UsesCaller { get; init; }
    public required bool UsesKwargs { get; init; }
    public required bool UsesVarargs { get; init; }

    public bool HasExplicitCaller => Array.Exists(Parameters, p => p.Name == "caller");
}
