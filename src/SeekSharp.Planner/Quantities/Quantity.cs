using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>Numbers as people write them: <c>14.8T</c>, <c>608B</c>, <c>56.3%</c>, <c>1.25M</c>; and the same on the way out.</summary>
internal static class Quantity
{
    private static readonly (char Letter, double Factor)[] Scales = [('K', 1e3), ('M', 1e6), ('B', 1e9), ('G', 1e9), ('T', 1e12), ('Q', 1e15)];

    /// <summary>A positive count, which must carry its scale where a bare number would be absurdly small.</summary>
    /// <param name="text">As typed.</param>
    /// <param name="what">Name of the value, for messages.</param>
    /// <param name="least">Smallest that makes sense.</param>
    /// <param name="most">Largest that makes sense.</param>
    /// <param name="example">A well-written value.</param>
    /// <exception cref="PlannerException">No number, an unknown unit, or out of range.</exception>
    public static double Count(string text, string what, double least, double most, string example)
    {
        string t = text.Trim();
        double factor = 1;
        if (t.Length > 1 && char.IsLetter(t[^1]))
        {
            char letter = char.ToUpperInvariant(t[^1]);
            int at = Array.FindIndex(Scales, s => s.Letter == letter);
            if (at < 0) throw new PlannerException($"{what}: '{t[^1]}' in '{Shown(text)}' is no unit (K, M, B, T are: thousand, million, billion, trillion)");
            factor = Scales[at].Factor;
            t = t[..^1];
        }
        if (!double.TryParse(t, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double value) || !double.IsFinite(value))
            throw new PlannerException($"{what}: expected a number with its unit, as in {example}, found '{Shown(text)}'");
        value *= factor;
        if (value < 0) throw new PlannerException($"{what}: {Shown(text)} is negative");
        if (value < least)
            throw new PlannerException(factor == 1 && value > 0
                ? $"{what}: {Shown(text)} is absurdly small; is a unit missing (K, M, B, T), as in {example}?"
                : $"{what}: expected at least {Short(least)}, found '{Shown(text)}'");
        if (value > most) throw new PlannerException($"{what}: expected at most {Short(most)}, found '{Shown(text)}'");
        return value;
    }

    /// <summary>A share: <c>56.3%</c> or <c>0.563</c>; between 0 and 1.</summary>
    public static double Share(string text, string what)
    {
        string t = text.Trim();
        double scale = 1;
        if (t.EndsWith('%')) (t, scale) = (t[..^1], 0.01);
        if (!double.TryParse(t, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)) throw new PlannerException($"{what}: expected a share as in 56.3%, found '{Shown(text)}'");
        value *= scale;
        if (value is >= 0 and <= 1) return value;
        throw new PlannerException(scale == 1 && value <= 100
            ? $"{what}: {Shown(text)} is more than everything; is a % missing?"
            : $"{what}: expected a share between 0% and 100%, found '{Shown(text)}'");
    }

    /// <summary>A share above nothing and below everything, or all of it where <paramref name="whole"/>.</summary>
    public static double Part(string text, string what, bool whole)
    {
        double share = Share(text, what);
        return share > 0.001 && (whole || share < 0.999) ? share : throw new PlannerException($"{what}: expected a share above 0%{(whole ? "" : " and below 100%")}, found '{Shown(text)}'");
    }

    /// <summary>A plain positive number within a range (money, watts).</summary>
    public static double Number(string text, string what, double least, double most)
    {
        string t = text.Trim().TrimStart('$');
        if (!double.TryParse(t, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out double value)) throw new PlannerException($"{what}: expected a number, found '{Shown(text)}'");
        return value >= least && value <= most ? value : throw new PlannerException($"{what}: expected a number from {Plain(least)} to {Plain(most)}, found '{Shown(text)}'");
    }

    /// <summary>Three to four significant digits and a letter: 1,250,000 → <c>1.25M</c>.</summary>
    public static string Short(double value)
    {
        if (value == 0) return "0";
        double size = Math.Abs(value);
        foreach ((char letter, double factor) in Scales.Reverse())
            if (letter != 'G' && size >= factor * 0.99995) return Digits(value / factor) + letter;
        return Digits(value);
    }

    /// <summary>Bytes in powers of ten.</summary>
    public static string Bytes(double value)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        int unit = 0;
        for (; Math.Abs(value) >= 999.5 && unit < units.Length - 1; unit++) value /= 1000;
        return $"{Digits(value)} {units[unit]}";
    }

    /// <summary>Dollars: cents below a hundred, thousands with commas.</summary>
    public static string Money(double value) =>
        (value < 0 ? "-$" : "$") + Math.Abs(value).ToString(Math.Abs(value) < 0.1 ? "0.0000" : Math.Abs(value) < 100 ? "0.00" : "#,##0", CultureInfo.InvariantCulture);

    /// <summary>A share in percent.</summary>
    public static string Percent(double share) => share.ToString("0.0%", CultureInfo.InvariantCulture);

    /// <summary>Seconds, as what suits.</summary>
    public static string Time(double seconds) => seconds switch
    {
        < 1e-3 => $"{Digits(seconds * 1e6)} µs",
        < 1 => $"{Digits(seconds * 1e3)} ms",
        < 600 => $"{Digits(seconds)} s",
        < 2 * 86400 => $"{Digits(seconds / 3600)} h",
        _ => $"{Digits(seconds / 86400)} days",
    };

    /// <summary>Up to four significant digits, no exponent for common sizes.</summary>
    public static string Plain(double value) => Digits(value);

    private static string Digits(double value)
    {
        double size = Math.Abs(value);
        string format = size >= 999.95 ? "#,##0" : size >= 99.995 ? "0.#" : size >= 9.9995 ? "0.##" : size >= 0.01 || size == 0 ? "0.###" : "0.###e0";
        return value.ToString(format, CultureInfo.InvariantCulture);
    }

    /// <summary>At most 40 characters of what was typed.</summary>
    internal static string Shown(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
