using System.Globalization;
using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>A decimal number, exactly: Digits · 10^-Scale, without trailing noughts behind the point.</summary>
internal readonly record struct ExactNumber(BigInteger Digits, int Scale) : IComparable<ExactNumber>
{
    private const int MostScale = 400; // 1.8e308 and 5e-324 are in

    /// <summary>Reads a JSON number; null when its exponent or its length goes beyond every floating-point number.</summary>
    public static ExactNumber? Parse(string json)
    {
        int e = json.IndexOfAny(['e', 'E']);
        int exponent = 0;
        if (e >= 0 && !int.TryParse(json.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent)) return null;
        string mantissa = e >= 0 ? json[..e] : json;
        if (mantissa.Length > 2 * MostScale) return null;
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        int scale = point < 0 ? 0 : mantissa.Length - point - 1;
        BigInteger digits = BigInteger.Parse(mantissa.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        if (digits.IsZero) return new ExactNumber(0, 0);
        long wide = (long)scale - exponent;
        if (Math.Abs(wide) > 2 * MostScale) return null;
        scale = (int)wide;
        while (scale > 0 && (digits % 10).IsZero) (digits, scale) = (digits / 10, scale - 1);
        if (scale < 0) (digits, scale) = (digits * BigInteger.Pow(10, -scale), 0);
        return new ExactNumber(digits, scale);
    }

    public bool IsInteger => Scale == 0;

    public int CompareTo(ExactNumber other) => (Digits * BigInteger.Pow(10, other.Scale)).CompareTo(other.Digits * BigInteger.Pow(10, Scale));

    public bool IsMultipleOf(ExactNumber other) => (Digits * BigInteger.Pow(10, other.Scale) % (other.Digits * BigInteger.Pow(10, Scale))).IsZero;

    /// <summary>The digits before and behind the point, of the absolute value.</summary>
    public (string Whole, string Fraction) Parts()
    {
        string digits = BigInteger.Abs(Digits).ToString(CultureInfo.InvariantCulture).PadLeft(Scale + 1, '0');
        return (digits[..^Scale], digits[^Scale..]);
    }
}

/// <summary>Numbers between bounds, as texts without an exponent: digit by digit against the digits of the bound.</summary>
internal sealed class NumberRegex(ByteRegexPool pool, JsonPieces json)
{
    private readonly ByteRegex _digit = pool.Set(ByteSet.Range('0', '9'));

    private ByteRegex Digits(int from, int to) => from > to ? pool.None : pool.Set(ByteSet.Range('0' + from, '0' + to));

    private ByteRegex Any => pool.Concat(json.Natural, pool.Optional(json.Fraction));

    private ByteRegex Zeros => pool.Optional(pool.Concat(pool.Byte('.'), pool.Plus(pool.Byte('0'))));

    /// <summary>One number, with any noughts behind it.</summary>
    public ByteRegex Exactly(ExactNumber number) => pool.And(Least(number, false), Most(number, false));

    /// <summary>Numbers from the bound upwards.</summary>
    public ByteRegex Least(ExactNumber bound, bool exclusive) => bound.Digits.Sign switch
    {
        > 0 => AboveSize(bound, exclusive),
        < 0 => pool.Or(pool.Concat(pool.Byte('-'), BelowSize(bound, exclusive)), Any),
        _ => exclusive ? AboveSize(bound, true) : Any,
    };

    /// <summary>Numbers from the bound downwards.</summary>
    public ByteRegex Most(ExactNumber bound, bool exclusive) => bound.Digits.Sign switch
    {
        < 0 => pool.Concat(pool.Byte('-'), AboveSize(bound, exclusive)),
        > 0 => pool.Or(BelowSize(bound, exclusive), pool.Concat(pool.Byte('-'), Any)),
        _ => pool.Or(exclusive ? pool.None : pool.Concat(pool.Byte('0'), Zeros), pool.Concat(pool.Byte('-'), exclusive ? AboveSize(bound, true) : Any)),
    };

    /// <summary>At least the size of a number, whatever its sign.</summary>
    private ByteRegex AboveSize(ExactNumber bound, bool exclusive)
    {
        (string whole, string fraction) = bound.Parts();
        ByteRegex same;
        if (fraction.Length == 0 && !exclusive) same = pool.Optional(json.Fraction);
        else
        {
            same = exclusive ? pool.Concat(pool.Star(_digit), Digits(1, 9), pool.Star(_digit)) : pool.Star(_digit);
            for (int i = fraction.Length - 1; i >= 0; i--)
                same = pool.Or(pool.Concat(Digits(fraction[i] - '0' + 1, 9), pool.Star(_digit)), pool.Concat(pool.Byte(fraction[i]), same));
            same = pool.Concat(pool.Byte('.'), same);
        }
        return pool.Or(pool.Concat(WholeAbove(whole), pool.Optional(json.Fraction)), pool.Concat(Text(whole), same));
    }

    /// <summary>At most the size of a number, whatever its sign.</summary>
    private ByteRegex BelowSize(ExactNumber bound, bool exclusive)
    {
        (string whole, string fraction) = bound.Parts();
        ByteRegex same;
        if (fraction.Length == 0) same = exclusive ? pool.None : Zeros;
        else
        {
            same = exclusive ? pool.None : pool.Star(pool.Byte('0'));
            for (int i = fraction.Length - 1; i >= 0; i--)
            {
                // Digits that are not there are noughts: a text that ends here is smaller.
                ByteRegex further = i == fraction.Length - 1 ? same : pool.Optional(same);
                same = pool.Or(pool.Concat(Digits(0, fraction[i] - '0' - 1), pool.Star(_digit)), pool.Concat(pool.Byte(fraction[i]), further));
            }
            same = pool.Optional(pool.Concat(pool.Byte('.'), same));
        }
        return pool.Or(pool.Concat(WholeBelow(whole), pool.Optional(json.Fraction)), pool.Concat(Text(whole), same));
    }

    private ByteRegex Text(string digits) => pool.Concat([.. digits.Select(d => pool.Byte(d))]);

    /// <summary>Natural numbers greater than one.</summary>
    private ByteRegex WholeAbove(string digits)
    {
        ByteRegex same = pool.None;
        for (int i = digits.Length - 1; i >= 0; i--)
            same = pool.Or(pool.Concat(Digits(digits[i] - '0' + 1, 9), pool.Repeat(_digit, digits.Length - 1 - i, digits.Length - 1 - i)), pool.Concat(pool.Byte(digits[i]), same));
        return pool.Or(same, pool.Concat(Digits(1, 9), pool.Repeat(_digit, digits.Length, -1)));
    }

    /// <summary>Natural numbers smaller than one.</summary>
    private ByteRegex WholeBelow(string digits)
    {
        ByteRegex same = pool.None;
        for (int i = digits.Length - 1; i >= 0; i--)
        {
            int least = i == 0 && digits.Length > 1 ? 1 : 0;
            same = pool.Or(pool.Concat(Digits(least, digits[i] - '0' - 1), pool.Repeat(_digit, digits.Length - 1 - i, digits.Length - 1 - i)), pool.Concat(pool.Byte(digits[i]), same));
        }
        return digits.Length == 1 ? same : pool.Or(same, pool.Byte('0'), pool.Concat(Digits(1, 9), pool.Repeat(_digit, 0, digits.Length - 2)));
    }
}
