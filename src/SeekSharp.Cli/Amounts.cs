namespace SeekSharp.Cli;

/// <summary>Large numbers as people read them.</summary>
internal static class Amounts
{
    /// <summary>98,362,432 → <c>98.4 MB</c>.</summary>
    public static string Bytes(long bytes) => Scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);

    /// <summary>671,000,000,000 → <c>671 B</c>.</summary>
    public static string Count(long count) => Scaled(count, ["", "k", "M", "B", "T"]).TrimEnd();

    private static string Scaled(double value, string[] units)
    {
        int unit = 0;
        for (; Math.Abs(value) >= 999.5 && unit < units.Length - 1; unit++) value /= 1000;
        return $"{(unit == 0 || value >= 99.95 ? value.ToString("0") : value.ToString("0.0"))} {units[unit]}";
    }
}
