using System.CommandLine;
using System.Numerics;

namespace SeekSharp.Cli;

/// <summary>Bounds on option values, reported as wrong usage.</summary>
internal static class Range
{
    public static Option<T> AtLeast<T>(Option<T> option, T least) where T : INumber<T>
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && T.TryParse(result.Tokens[0].Value, null, out T? value) && !(value >= least))
                result.AddError($"{option.Name} must be at least {least}, not {value}");
        });
        return option;
    }

    /// <summary>As <see cref="AtLeast{T}(Option{T}, T)"/>, for options without a default.</summary>
    public static Option<T?> AtLeast<T>(Option<T?> option, T least) where T : struct, INumber<T>
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && T.TryParse(result.Tokens[0].Value, null, out T value) && !(value >= least))
                result.AddError($"{option.Name} must be at least {least}, not {value}");
        });
        return option;
    }

    /// <summary>One of a few words.</summary>
    public static Option<string?> OneOf(Option<string?> option, params string[] words)
    {
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !words.Contains(result.Tokens[0].Value))
                result.AddError($"{option.Name}: expected {string.Join(", ", words[..^1])} or {words[^1]}, found '{result.Tokens[0].Value}'");
        });
        return option;
    }
}
