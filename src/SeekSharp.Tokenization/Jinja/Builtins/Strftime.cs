using System.Globalization;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's <c>datetime.strftime</c> in the C locale on Linux, of a time without a zone.</summary>
internal static class Strftime
{
    private static readonly string[] Days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

    private static readonly string[] Months =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

    public static string Format(Budget budget, DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        Append(text, budget, time.DateTime, format);
        budget.Allocate(text.Length);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Budget budget, DateTime t, string format)
    {
        for (int i = 0; i < format.Length; i++)
        {
            budget.Step();
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            int start = i++;
            // The C library's flags: no padding, blanks, zeros, upper case, other case; then a width.
            char flag = '\0';
            for (; i < format.Length && format[i] is '-' or '_' or '0' or '^' or '#'; i++) flag = format[i];
            int width = 0;
            for (; i < format.Length && char.IsAsciiDigit(format[i]); i++) width = Math.Min(width * 10 + format[i] - '0', 10_000);
            if (i < format.Length && format[i] is 'E' or 'O') i++;
            if (i >= format.Length)
            {
                text.Append(format, start, format.Length - start);
                break;
            }
            string? part = Directive(budget, t, format[i], flag, out bool numeric);
            if (part is null)
            {
                text.Append(format, start, i + 1 - start);
                continue;
            }
            if (flag == '^') part = part.ToUpperInvariant();
            else if (flag == '#') part = part.Any(char.IsAsciiLetterLower) ? part.ToUpperInvariant() : part.ToLowerInvariant();
            budget.Allocate(width);
            if (width > part.Length) part = part.PadLeft(width, flag == '_' || (!numeric && flag != '0') ? ' ' : '0');
            text.Append(part);
        }
    }

    private static string? Directive(Budget budget, DateTime t, char directive, char flag, out bool numeric)
    {
        numeric = true;
        string Padded(int value, int digits, char fill = '0') => flag switch
        {
            '-' => value.ToString(CultureInfo.InvariantCulture),
            '_' => value.ToString(CultureInfo.InvariantCulture).PadLeft(digits, ' '),
            '0' => value.ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0'),
            _ => value.ToString(CultureInfo.InvariantCulture).PadLeft(digits, fill),
        };
        string Nested(string format)
        {
            var text = new StringBuilder();
            Append(text, budget, t, format);
            return text.ToString();
        }
        int hour = t.Hour % 12 == 0 ? 12 : t.Hour % 12, weekday = (int)t.DayOfWeek;
        switch (directive)
        {
            case 'd': return Padded(t.Day, 2);
            case 'e': return Padded(t.Day, 2, ' ');
            case 'm': return Padded(t.Month, 2);
            case 'y': return Padded(t.Year % 100, 2);
            case 'Y': return Padded(t.Year, 1);
            case 'C': return Padded(t.Year / 100, 2);
            case 'H': return Padded(t.Hour, 2);
            case 'k': return Padded(t.Hour, 2, ' ');
            case 'I': return Padded(hour, 2);
            case 'l': return Padded(hour, 2, ' ');
            case 'M': return Padded(t.Minute, 2);
            case 'S': return Padded(t.Second, 2);
            case 'f': return ((t.Ticks % TimeSpan.TicksPerSecond) / 10).ToString("000000", CultureInfo.InvariantCulture);
            case 'j': return Padded(t.DayOfYear, 3);
            case 'u': return Padded(weekday == 0 ? 7 : weekday, 1);
            case 'w': return Padded(weekday, 1);
            case 'U': return Padded((t.DayOfYear - 1 + 7 - weekday) / 7, 2);
            case 'W': return Padded((t.DayOfYear - 1 + 7 - (weekday + 6) % 7) / 7, 2);
            case 'V': return Padded(ISOWeek.GetWeekOfYear(t), 2);
            case 'G': return Padded(ISOWeek.GetYear(t), 1);
            case 'g': return Padded(ISOWeek.GetYear(t) % 100, 2);
            case 's': return new DateTimeOffset(t, TimeSpan.Zero).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        }
        numeric = false;
        return directive switch
        {
            'a' => Days[weekday][..3],
            'A' => Days[weekday],
            'b' or 'h' => Months[t.Month - 1][..3],
            'B' => Months[t.Month - 1],
            'p' => t.Hour < 12 ? "AM" : "PM",
            'P' => t.Hour < 12 ? "am" : "pm",
            'c' => Nested("%a %b %e %H:%M:%S %Y"),
            'x' or 'D' => Nested("%m/%d/%y"),
            'X' or 'T' => Nested("%H:%M:%S"),
            'F' => Nested("%Y-%m-%d"),
            'R' => Nested("%H:%M"),
            'r' => Nested("%I:%M:%S %p"),
            'n' => "\n",
            't' => "\t",
            'z' or 'Z' => "",
            '%' => "%",
            _ => null,
        };
    }
}
