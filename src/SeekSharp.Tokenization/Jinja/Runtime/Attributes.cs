namespace SeekSharp.Tokenization;

/// <summary>
/// Jinja's <c>value.name</c> and <c>value[key]</c> in the immutable sandbox: attribute first or item first, and Undefined where neither is.
/// What would change a list or a dict, and names with an underscore in front, give an Undefined that fails when used.
/// </summary>
internal static class Attributes
{
    private static readonly HashSet<string> ListChanges = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
    private static readonly HashSet<string> DictChanges = ["clear", "pop", "popitem", "setdefault", "update"];

    // Attributes that every Python object has.
    private static readonly HashSet<string> ObjectAttributes =
    [
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__", "__hash__", "__init__",
        "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
    ];

    private static readonly HashSet<string> TypeAttributes =
    [
        "__base__", "__bases__", "__basicsize__", "__call__", "__dict__", "__mro__", "__module__", "__name__", "__qualname__", "__subclasses__", "mro",
    ];

    private static readonly HashSet<string> ContainerAttributes =
    [
        "__add__", "__contains__", "__getitem__", "__iter__", "__len__", "__mul__", "__rmul__", "__getnewargs__", "__class_getitem__", "__reversed__",
    ];

    /// <summary><c>value.name</c>.</summary>
    public static object Get(Renderer r, object value, string name)
    {
        r.Budget.Step();
        if (value is Undefined u)
        {
            // Python asks for names such as __len__ by the same way, so they answer without the message.
            if (!(name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal))) throw u.Error(r.Budget);
            return ObjectAttributes.Contains(name) ? Unsafe(value, name) : throw u.Error(r.Budget);
        }
        return Attribute(r, value, name) ?? PySequence.TryIndex(r.Budget, value, name) ?? (object?)Block(r, value, name) ?? new Undefined(owner: value, name: name);
    }

    /// <summary><c>value[key]</c>.</summary>
    public static object Item(Renderer r, object value, object key)
    {
        r.Budget.Step();
        if (PySequence.TryIndex(r.Budget, value, key) is { } item) return item;
        if (PyText.AsText(key) is { } name && (Attribute(r, value, name) ?? Block(r, value, name)) is { } attribute) return attribute;
        return new Undefined(owner: value, name: key);
    }

    /// <summary>True where Python's object itself has the attribute (the filter <c>attr</c> asks for no items).</summary>
    public static object? Attribute(Renderer r, object value, string name)
    {
        if (value is Namespace n) return name == "__class__" ? Unsafe(value, name) : n.Attributes.TryGet(name, out object found) ? found : null;
        if (name.StartsWith('_')) return HasUnderscored(value, name) ? Unsafe(value, name) : null;
        if (value is PyList && ListChanges.Contains(name)) return Unsafe(value, name);
        if (value is PyDict && DictChanges.Contains(name)) return Unsafe(value, name);
        if (value is TypeObject && name == "mro") return Unsafe(value, name);
        return value switch
        {
            Callable c => c.Attribute(r, name),
            PyTuple { Items.Length: 2 } t when t is GroupTuple => name switch { "grouper" => t.Items[0], "list" => t.Items[1], _ => Methods.Find(value, name) },
            _ => Methods.Find(value, name),
        };
    }

    private static BlockReference? Block(Renderer r, object value, string name) =>
        value is BlockTable && r.Template.Blocks.TryGetValue(name, out BlockStatement? block) ? new BlockReference(name, block) : null;

    private static bool HasUnderscored(object value, string name) =>
        ObjectAttributes.Contains(name)
        || (value is TypeObject && TypeAttributes.Contains(name))
        || (value is Callable and not Macro && name is "__call__" or "__name__" or "__qualname__" or "__self__" or "__text_signature__" or "__globals__" or "__code__" && value is Function or BoundMethod)
        || (value is Macro && name is "__call__" or "__dict__" or "__module__" or "__weakref__")
        || (value is string or Markup or PyList or PyTuple or PyDict or PyRange && ContainerAttributes.Contains(name));

    private static Undefined Unsafe(object value, string name) =>
        new($"access to attribute '{name}' of '{PyType.Name(value)}' object is unsafe.");
}
