using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>How a day's load is spread over its hours, relative to the mean.</summary>
/// <param name="Hours">24 numbers with mean 1.</param>
internal sealed record LoadCurve(IReadOnlyList<double> Hours)
{
    /// <summary>A service for one region: a wave with its top at three in the afternoon, 1.4 times the mean, and 0.6 at night. An assumption, not anybody's statistics.</summary>
    public static LoadCurve Day { get; } = new([.. Enumerable.Range(0, 24).Select(h => 1 + 0.4 * Math.Cos(2 * Math.PI * (h - 15) / 24))]);

    public static LoadCurve Flat { get; } = new([.. Enumerable.Repeat(1.0, 24)]);

    /// <summary>Reads <c>day</c>, <c>flat</c> or 24 numbers.</summary>
    /// <exception cref="PlannerException">Neither.</exception>
    public static LoadCurve Parse(string text)
    {
        if (text == "day") return Day;
        if (text == "flat") return Flat;
        string[] parts = text.Split(',');
        if (parts.Length != 24) throw new PlannerException($"--curve: expected day, flat or 24 numbers with commas, found {(parts.Length == 1 ? $"'{Quantity.Shown(text)}'" : $"{parts.Length} numbers")}");
        double[] hours = [.. parts.Select(p => double.TryParse(p, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double v) && v is >= 0 and < 1e12
            ? v : throw new PlannerException($"--curve: expected numbers of at least 0, found '{Quantity.Shown(p)}'"))];
        double mean = hours.Average();
        if (mean <= 0) throw new PlannerException("--curve: all 24 numbers are 0");
        return new LoadCurve([.. hours.Select(h => h / mean)]);
    }
}
