using System.Globalization;

namespace SeekSharp.Cli;

/// <summary>Large numbers as people read them.</summary>
internal static class Amounts
{
    /// <summary>98,362,432 → <c>98.4 MB</c>.</summary>
    public static string Bytes(long bytes) => Scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);

    /// <summary><c>20GB</c>, <c>1.5 GiB</c>, <c>800M</c>, <c>1000000</c> → bytes; false for anything else, and for what is not between 1 and 2⁶².</summary>
    public static bool TryParseBytes(string text, out long bytes)
    {
        bytes = 0;
        string number = text.Trim();
        int unit = number.Length;
        while (unit > 0 && char.IsAsciiLetter(number[unit - 1])) unit--;
        double? scale = number[unit..].ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "K" or "KB" => 1e3,
            "M" or "MB" => 1e6,
            "G" or "GB" => 1e9,
            "T" or "TB" => 1e12,
            "KIB" => 1024,
            "MIB" => 1024 * 1024,
            "GIB" => 1024.0 * 1024 * 1024,
            "TIB" => 1024.0 * 1024 * 1024 * 1024,
            _ => null,
        };
        if (scale is null || !double.TryParse(number.AsSpan(0, unit).TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)) return false;
        value *= scale.Value;
        if (!(value >= 1 && value < 1L << 62)) return false;
        bytes = (long)value;
        return true;
    }

    /// <summary>671,000,000,000 → <c>671 B</c>.</summary>
    public static string Count(long count) => Scaled(count, ["", "k", "M", "B", "T"]).TrimEnd();

    private static string Scaled(double value, string[] units)
    {
        int unit = 0;
        for (; Math.Abs(value) >= 999.5 && unit < units.Length - 1; unit++) value /= 1000;
        return $"{(unit == 0 || value >= 99.95 ? value.ToString("0") : value.ToString("0.0"))} {units[unit]}";
    }
}
