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
}
