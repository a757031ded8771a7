namespace SeekSharp.Tokenization;

/// <summary>Variables of one scope; what it does not hold is looked for in the scope around it.</summary>
internal sealed class Scope(Scope? outer)
{
    private Dictionary<string, object>? _variables;

    /// <summary>The value, or null.</summary>
    public object? Find(string name)
    {
        for (Scope? s = this; s is not null; s = s.Outer)
            if (s._variables is not null && s._variables.TryGetValue(name, out object? value)) return value;
        return null;
    }

    public Scope? Outer { get; } = outer;

    public void Set(string name, object value) => (_variables ??= new(4, StringComparer.Ordinal))[name] = value;

}
