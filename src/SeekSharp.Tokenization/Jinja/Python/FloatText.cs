using System.Globalization;
using System.Numerics;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Floats as Python prints them, and exact decimal rounding (half to even on the binary value's exact expansion).</summary>
internal static class FloatText
{
    /// <summary>The shortest text that reads back as the same float: <c>1.0</c>, <c>1e-05</c>, <c>1e+16</c>, <c>nan</c>.</summary>
    public static string Repr(double value)
    {
        if (Special(value) is { } special) return special;
        (string digits, int point) = Shortest(Math.Abs(value));
        string sign = double.IsNegative(value) ? "-" : "";
        if (point is > -4 and <= 16) return sign + Positional(digits, point, 1);
        return sign + Scientific(digits, point - 1);
    }

    public static string? Special(double value) =>
        double.IsNaN(value) ? "nan" : double.IsPositiveInfinity(value) ? "inf" : double.IsNegativeInfinity(value) ? "-inf" : null;

    /// <summary>The fewest digits that identify the float; its value is 0.DIGITS × 10^point.</summary>
    public static (string Digits, int Point) Shortest(double value)
    {
        if (value == 0) return ("0", 1);
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        int e = shortest.IndexOf('E');
        int exponent = e < 0 ? 0 : int.Parse(shortest.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? shortest : shortest[..e];
        int dot = mantissa.IndexOf('.');
        int point = (dot < 0 ? mantissa.Length : dot) + exponent;
        string digits = mantissa.Replace(".", "");
        string trimmed = digits.TrimStart('0');
        point -= digits.Length - trimmed.Length;
        trimmed = trimmed.TrimEnd('0');
        return (trimmed, point);
    }

    /// <summary>The exact decimal expansion of a positive float: 0.DIGITS × 10^point.</summary>
    private static (string Digits, int Point) Exact(double value)
    {
        if (value == 0) return ("0", 1);
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)(bits >> 52 & 0x7FF);
        long mantissa = bits & 0xFFFFFFFFFFFFF;
        if (exponent == 0) exponent = 1; else mantissa |= 1L << 52;
        exponent -= 1075;
        BigInteger n = mantissa;
        int scale = 0;
        if (exponent >= 0) n <<= exponent;
        else
        {
            int zeros = Math.Min(BitOperations.TrailingZeroCount(mantissa), -exponent);
            n >>= zeros;
            scale = -exponent - zeros;
            n *= BigInteger.Pow(5, scale);
        }
        string digits = n.ToString(CultureInfo.InvariantCulture);
        return (digits, digits.Length - scale);
    }

    /// <summary>Rounds 0.DIGITS × 10^point to <paramref name="keep"/> digits (which may be 0 or fewer), half to even.</summary>
    private static (string Digits, int Point) RoundTo(string digits, int point, int keep)
    {
        if (keep < 0) return ("0", 1);
        if (keep >= digits.Length) return (digits, point);
        int rest = digits[keep] - '0';
        bool up = rest > 5 || (rest == 5 && (digits.AsSpan(keep + 1).ContainsAnyExcept('0') || (keep > 0 && (digits[keep - 1] - '0') % 2 == 1)));
        char[] kept = digits[..keep].ToCharArray();
        if (!up) return keep == 0 ? ("0", 1) : (new string(kept), point);
        int i = keep - 1;
        while (i >= 0 && kept[i] == '9') kept[i--] = '0';
        if (i >= 0)
        {
            kept[i]++;
            return (new string(kept), point);
        }
        return ("1" + new string(kept), point + 1);
    }

    /// <summary>Python's <c>format(value, '.Nf')</c> of a finite positive value.</summary>
    public static string Fixed(double value, int decimals)
    {
        (string digits, int point) = Exact(value);
        (digits, point) = RoundTo(digits, point, point + decimals);
        return Positional(digits, point, decimals, exact: true);
    }

    /// <summary>Python's <c>format(value, '.Ne')</c> of a finite positive value.</summary>
    public static string Exponential(double value, int decimals, bool alternate = false)
    {
        (string digits, int point) = Exact(value);
        (digits, point) = RoundTo(digits, point, decimals + 1);
        digits = digits.PadRight(decimals + 1, '0')[..(decimals + 1)];
        return Scientific(digits, value == 0 ? 0 : point - 1, alternate);
    }

    /// <summary>Python's <c>format(value, '.Ng')</c> of a finite positive value.</summary>
    public static string General(double value, int precision, bool alternate = false)
    {
        if (precision == 0) precision = 1;
        (string digits, int point) = Exact(value);
        (digits, point) = RoundTo(digits, point, precision);
        int exponent = value == 0 ? 0 : point - 1;
        if (alternate) digits = digits.PadRight(precision, '0');
        else digits = digits.TrimEnd('0');
        if (digits.Length == 0) digits = "0";
        if (exponent < -4 || exponent >= precision) return Scientific(digits, exponent, alternate);
        return Positional(digits, exponent + 1, alternate ? Math.Max(precision - exponent - 1, 0) : 0) + (alternate && digits.Length <= exponent + 1 ? "." : "");
    }

    private static string Positional(string digits, int point, int decimals, bool exact = false)
    {
        var text = new StringBuilder();
        if (point <= 0) text.Append('0');
        else text.Append(digits.Length >= point ? digits[..point] : digits.PadRight(point, '0'));
        string fraction = point < 0 ? new string('0', -point) + digits : point >= digits.Length ? "" : digits[point..];
        fraction = fraction.PadRight(decimals, '0');
        if (exact) fraction = fraction[..decimals];
        if (fraction.Length > 0) text.Append('.').Append(fraction);
        return text.ToString();
    }

    private static string Scientific(string digits, int exponent, bool alternate = false)
    {
        string fraction = digits.Length > 1 ? "." + digits[1..] : alternate ? "." : "";
        return string.Create(CultureInfo.InvariantCulture, $"{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }

    /// <summary>Python's <c>round(value, digits)</c>.</summary>
    public static double Round(double value, int digits)
    {
        if (!double.IsFinite(value) || value == 0 || digits > 330) return value;
        if (digits < -330) return double.CopySign(0, value);
        (string d, int point) = Exact(Math.Abs(value));
        (d, point) = RoundTo(d, point, point + digits);
        double rounded = double.Parse(string.Create(CultureInfo.InvariantCulture, $"0.{d}E{point}"), CultureInfo.InvariantCulture);
        if (double.IsInfinity(rounded)) throw new TemplateException("rounded value too large to represent");
        return double.CopySign(rounded, value);
    }
}
