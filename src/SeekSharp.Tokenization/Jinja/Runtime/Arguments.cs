namespace SeekSharp.Tokenization;

/// <summary>Arguments of a call: first the positional ones, then those with names.</summary>
internal readonly struct Arguments(object[] positional, List<(string Name, object Value)>? keywords = null)
{
    public static readonly Arguments None = new([]);

    public object[] Positional { get; } = positional;

    public List<(string Name, object Value)> Keywords { get; } = keywords ?? [];

    public int Count => Positional.Length;

    public static Arguments Of(params object[] values) => new(values);

    /// <summary>
    /// Sorts the arguments by parameter: one slot for each name, null where an optional one was not given.
    /// </summary>
    /// <exception cref="TemplateException">Too many, too few, unknown or doubled arguments.</exception>
    public object?[] Bind(string function, int required, params ReadOnlySpan<string> parameters)
    {
        if (Count > parameters.Length) throw new TemplateException($"{function}() takes at most {parameters.Length} argument(s) ({Count} given)");
        var bound = new object?[parameters.Length];
        Positional.CopyTo(bound, 0);
        foreach ((string name, object value) in Keywords)
        {
            int at = parameters.IndexOf(name);
            if (at < 0) throw new TemplateException($"{function}() got an unexpected keyword argument '{name}'");
            if (bound[at] is not null) throw new TemplateException($"{function}() got multiple values for argument '{name}'");
            bound[at] = value;
        }
        for (int i = 0; i < required; i++)
            if (bound[i] is null) throw new TemplateException($"{function}() missing required argument: '{parameters[i]}'");
        return bound;
    }

    /// <summary>Refuses names, and any other number of arguments than min to max.</summary>
    public void Check(string function, int min, int max)
    {
        if (Keywords.Count > 0) throw new TemplateException($"{function}() takes no keyword arguments");
        if (Count < min || Count > max)
            throw new TemplateException($"{function}() takes {(min == max ? $"{min}" : $"{min} to {max}")} argument(s) ({Count} given)");
    }

    /// <summary>The arguments without the first <paramref name="count"/> positional ones.</summary>
    public Arguments Skip(int count) => new(Positional[Math.Min(count, Count)..], Keywords);

    /// <summary>The arguments with one more in front.</summary>
    public Arguments Prepend(object first) => new([first, .. Positional], Keywords);
}
