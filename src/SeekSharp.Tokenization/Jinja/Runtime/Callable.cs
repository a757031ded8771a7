namespace SeekSharp.Tokenization;

/// <summary>Something a template can call.</summary>
internal abstract class Callable(string name)
{
    public string Name { get; } = name;

    public virtual string TypeName => "function";

    public abstract object Call(Renderer r, Arguments args);

    /// <summary>An attribute, or null where there is none.</summary>
    public virtual object? Attribute(Renderer r, string name) => null;

    public virtual string Repr(Budget budget) => $"<{TypeName} {Name}>";
}

internal delegate object Builtin(Renderer r, Arguments args);

/// <summary>A global function such as <c>range</c>.</summary>
internal sealed class Function(string name, Builtin body) : Callable(name)
{
    public override object Call(Renderer r, Arguments args) => body(r, args);
}

internal delegate object Method(Renderer r, object self, Arguments args);

/// <summary>A method of a value, <c>'abc'.upper</c>.</summary>
internal sealed class BoundMethod(string name, object self, Method body) : Callable(name)
{
    public override string TypeName => "builtin_function_or_method";

    public override object Call(Renderer r, Arguments args) => body(r, self, args);

    public override string Repr(Budget budget) => $"<built-in method {Name} of {PyType.Name(self)} object>";
}

/// <summary>A type that is called to make a value: dict, namespace, cycler, joiner.</summary>
internal sealed class TypeObject(string name, Builtin body, Dictionary<string, Builtin>? members = null) : Callable(name)
{
    public override string TypeName => "type";

    public override object Call(Renderer r, Arguments args) => body(r, args);

    public override object? Attribute(Renderer r, string name) =>
        members is not null && members.TryGetValue(name, out Builtin? member) ? new Function(name, member) : null;

    public override string Repr(Budget budget) => $"<class '{Name}'>";
}
