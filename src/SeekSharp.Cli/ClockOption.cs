using System.CommandLine;
using System.Globalization;

namespace SeekSharp.Cli;

/// <summary>The option <c>--now</c>: the time that chat templates read.</summary>
internal static class ClockOption
{
    public static Option<DateTimeOffset?> Create() => new("--now")
    {
        Description = "The time for chat templates that write the date, such as 2026-01-31 or 2026-01-31T12:00:00Z (default: the clock)",
        HelpName = "TIME",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)) return time;
            result.AddError($"--now: expected a time such as 2026-01-31T12:00:00Z, found '{text}'");
            return null;
        },
    };
}
