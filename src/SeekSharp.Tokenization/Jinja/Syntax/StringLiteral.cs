using System.Globalization;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's escapes in string literals; an unknown one stays as it is.</summary>
internal static class StringLiteral
{
    public static string Unescape(ReadOnlySpan<char> s, int line)
    {
        if (!s.Contains('\\')) return s.ToString();
        var text = new StringBuilder(s.Length);
        for (int i = 0; i < s.Length; i++)
        {
            if (s[i] != '\\')
            {
                text.Append(s[i]);
                continue;
            }
            i++;
            if (i == s.Length) throw Error("\\ at end of string", line);
            switch (s[i])
            {
                case '\n': break;
                case '\\' or '\'' or '"': text.Append(s[i]); break;
                case 'a': text.Append('\a'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'v': text.Append('\v'); break;
                case >= '0' and <= '7':
                    int octal = 0, end = Math.Min(i + 3, s.Length);
                    for (; i < end && s[i] is >= '0' and <= '7'; i++) octal = octal * 8 + s[i] - '0';
                    i--;
                    text.Append((char)octal);
                    break;
                case 'x': Hex(s, ref i, 2, text, line); break;
                case 'u': Hex(s, ref i, 4, text, line); break;
                case 'U': Hex(s, ref i, 8, text, line); break;
                case 'N': throw Error("\\N{…} names of characters are not supported", line);
                default:
                    // Jinja writes what is beyond ASCII as an escape first, and this backslash then takes that escape's own away.
                    text.Append('\\');
                    int point = CodePoints.At(s, i, out int length);
                    if (point < 0x80) text.Append(s[i]);
                    else text.Append(CultureInfo.InvariantCulture, $"{(point < 0x100 ? $"x{point:x2}" : point < 0x10000 ? $"u{point:x4}" : $"U{point:x8}")}");
                    i += length - 1;
                    break;
            }
        }
        return text.ToString();
    }

    private static void Hex(ReadOnlySpan<char> s, ref int i, int digits, StringBuilder text, int line)
    {
        char kind = s[i];
        if (i + digits >= s.Length || !int.TryParse(s.Slice(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point))
            throw Error($"truncated \\{kind}{new string('X', digits)} escape", line);
        if (point is < 0 or > 0x10FFFF) throw Error("illegal Unicode character", line);
        if (point < 0x10000) text.Append((char)point);
        else text.Append(char.ConvertFromUtf32(point));
        i += digits;
    }

    private static TemplateException Error(string message, int line) => new($"{message} (line {line})") { Line = line };
}
