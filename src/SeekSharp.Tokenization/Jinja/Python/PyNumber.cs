using System.Globalization;
using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>Python's arithmetic on int (unbounded, within <see cref="Budget.MaxIntegerBits"/>), float and bool.</summary>
internal static class PyNumber
{
    public static bool IsNumber(object value) => value is long or double or bool or BigInteger;

    public static bool IsInteger(object value) => value is long or bool or BigInteger;

    /// <summary>An integer's value; bools count as 0 and 1.</summary>
    public static BigInteger Big(object value) => value switch { long n => n, bool b => b ? 1 : 0, _ => (BigInteger)value };

    /// <summary>An int or bool as long, where it fits.</summary>
    public static bool TryLong(object value, out long n)
    {
        n = value switch { long x => x, bool b => b ? 1 : 0, _ => 0 };
        return value is long or bool;
    }

    public static double Double(object value) => value switch
    {
        double d => d,
        long n => n,
        bool b => b ? 1 : 0,
        BigInteger n => double.IsInfinity((double)n) ? throw new TemplateException("int too large to convert to float") : (double)n,
        _ => throw new TemplateException($"must be a number, not {PyType.Name(value)}"),
    };

    /// <summary>The digits of a big integer, refused beyond Python's limit.</summary>
    public static string Digits(BigInteger n)
    {
        if (n.GetBitLength() > (Budget.MaxIntegerDigits + 1) * 3.33) throw TooManyDigits();
        string digits = n.ToString(CultureInfo.InvariantCulture);
        return digits.Length > Budget.MaxIntegerDigits + 1 ? throw TooManyDigits() : digits;
    }

    public static TemplateException TooManyDigits() => new($"Exceeds the limit ({Budget.MaxIntegerDigits} digits) for integer string conversion");

    private static object Checked(BigInteger n) =>
        n.GetBitLength() > Budget.MaxIntegerBits ? throw new TemplateException($"an integer of more than {Budget.MaxIntegerBits} bits was refused") : Boxed.Int(n);

    /// <summary>Compares exactly, also an integer with a float.</summary>
    public static int Compare(object x, object y)
    {
        if (TryLong(x, out long a) && TryLong(y, out long b)) return a.CompareTo(b);
        if (x is double || y is double)
        {
            double dx = x is double d ? d : double.NaN, dy = y is double e ? e : double.NaN;
            if (x is double && y is double) return dx == dy ? 0 : dx < dy ? -1 : 1;
            if (x is double) return -CompareInteger(Big(y), dx);
            return CompareInteger(Big(x), dy);
        }
        return Big(x).CompareTo(Big(y));
    }

    private static int CompareInteger(BigInteger n, double d)
    {
        if (double.IsNaN(d)) return 1;
        if (double.IsInfinity(d)) return d > 0 ? -1 : 1;
        double floor = Math.Floor(d);
        int order = n.CompareTo(new BigInteger(floor));
        return order == 0 && floor < d ? -1 : order;
    }

    public static object Add(object x, object y)
    {
        if (x is double || y is double) return Double(x) + Double(y);
        if (TryLong(x, out long a) && TryLong(y, out long b))
        {
            long sum = unchecked(a + b);
            if (((a ^ sum) & (b ^ sum)) >= 0) return Boxed.Int(sum);
        }
        return Checked(Big(x) + Big(y));
    }

    public static object Subtract(object x, object y)
    {
        if (x is double || y is double) return Double(x) - Double(y);
        return Checked(Big(x) - Big(y));
    }

    public static object Multiply(object x, object y)
    {
        if (x is double || y is double) return Double(x) * Double(y);
        return Checked(Big(x) * Big(y));
    }

    public static object Divide(object x, object y)
    {
        if (x is double || y is double)
        {
            double divisor = Double(y);
            return divisor == 0 ? throw new TemplateException("float division by zero") : Double(x) / divisor;
        }
        if (Big(y).IsZero) throw new TemplateException("division by zero");
        if (x is not BigInteger && y is not BigInteger && Math.Abs(Double(x)) <= 1L << 53 && Math.Abs(Double(y)) <= 1L << 53) return Double(x) / Double(y);
        return DivideExactly(Big(x), Big(y));
    }

    // Correctly rounded: a quotient of 64 or more bits with a sticky last bit, then one rounding (two only below the normal range).
    private static double DivideExactly(BigInteger x, BigInteger y)
    {
        bool negative = x.Sign * y.Sign < 0;
        (x, y) = (BigInteger.Abs(x), BigInteger.Abs(y));
        long shift = 66 - (x.GetBitLength() - y.GetBitLength());
        if (shift > 0) x <<= (int)shift; else y <<= (int)-shift;
        BigInteger quotient = BigInteger.DivRem(x, y, out BigInteger rest);
        if (!rest.IsZero) quotient |= 1;
        double result = Math.ScaleB((double)quotient, (int)-shift);
        if (double.IsInfinity(result)) throw new TemplateException("integer division result too large for a float");
        return negative ? -result : result;
    }

    public static object FloorDivide(object x, object y)
    {
        if (x is double || y is double)
        {
            double a = Double(x), b = Double(y);
            if (b == 0) throw new TemplateException("float floor division by zero");
            double mod = a % b;
            double div = (a - mod) / b;
            if (mod != 0 && (b < 0) != (mod < 0)) div -= 1;
            if (div == 0) return double.CopySign(0, a / b);
            double floor = Math.Floor(div);
            return div - floor > 0.5 ? floor + 1 : floor;
        }
        BigInteger n = Big(x), d = Big(y);
        if (d.IsZero) throw new TemplateException("integer division or modulo by zero");
        BigInteger q = BigInteger.DivRem(n, d, out BigInteger r);
        return Checked(!r.IsZero && (r.Sign < 0) != (d.Sign < 0) ? q - 1 : q);
    }

    public static object Modulo(object x, object y)
    {
        if (x is double || y is double)
        {
            double a = Double(x), b = Double(y);
            if (b == 0) throw new TemplateException("float modulo");
            double mod = a % b;
            if (mod == 0) return double.CopySign(0, b);
            return (b < 0) != (mod < 0) ? mod + b : mod;
        }
        BigInteger n = Big(x), d = Big(y);
        if (d.IsZero) throw new TemplateException("integer modulo by zero");
        BigInteger r = BigInteger.Remainder(n, d);
        return Checked(!r.IsZero && (r.Sign < 0) != (d.Sign < 0) ? r + d : r);
    }

    public static object Power(object x, object y)
    {
        if (x is not double && y is not double && Big(y).Sign >= 0)
        {
            BigInteger b = Big(x), e = Big(y);
            if (b.IsZero || b.IsOne) return e.IsZero ? Boxed.Int(1) : Boxed.Int(b);
            if (b == BigInteger.MinusOne) return Boxed.Int(e.IsEven ? 1 : -1);
            if (e > Budget.MaxPowerBits || (BigInteger.Abs(b).GetBitLength() - 1) * (long)e >= Budget.MaxPowerBits)
                throw new TemplateException($"a power of more than {Budget.MaxPowerBits} bits was refused");
            return Checked(BigInteger.Pow(b, (int)e));
        }
        double a = Double(x), p = Double(y);
        if (a == 0 && p < 0) throw new TemplateException("0.0 cannot be raised to a negative power");
        if (a < 0 && double.IsFinite(a) && double.IsFinite(p) && Math.Floor(p) != p) throw new TemplateException("complex numbers are not supported");
        double result = Math.Pow(a, p);
        if (double.IsInfinity(result) && double.IsFinite(a) && double.IsFinite(p)) throw new TemplateException("(34, 'Numerical result out of range')");
        return result;
    }

    public static object Negate(object x) => x is double d ? -d : Checked(-Big(x));

    public static object Absolute(object x) => x is double d ? Math.Abs(d) : Checked(BigInteger.Abs(Big(x)));

    /// <summary>Python's <c>int(float)</c>.</summary>
    public static object Truncate(double d) =>
        double.IsNaN(d) ? throw new TemplateException("cannot convert float NaN to integer")
        : double.IsInfinity(d) ? throw new TemplateException("cannot convert float infinity to integer")
        : Boxed.Int(new BigInteger(Math.Truncate(d)));

    /// <summary>Python's <c>round(number, digits)</c>; an int stays an int.</summary>
    public static object Round(object x, object digits)
    {
        if (!IsInteger(digits)) throw new TemplateException($"'{PyType.Name(digits)}' object cannot be interpreted as an integer");
        BigInteger places = Big(digits);
        if (x is double d) return FloatText.Round(d, (int)BigInteger.Max(-400, BigInteger.Min(400, places)));
        if (places.Sign >= 0) return Boxed.Int(Big(x));
        if (places < -20000) return Boxed.Int(0);
        BigInteger unit = BigInteger.Pow(10, (int)-places), n = Big(x);
        BigInteger rest = ((n % unit) + unit) % unit;
        BigInteger low = n - rest;
        int half = (rest * 2).CompareTo(unit);
        return Checked(half > 0 || (half == 0 && !(low / unit).IsEven) ? low + unit : low);
    }

    /// <summary>Python's <c>int(text, base)</c>, null where the text is no such number.</summary>
    public static object? ParseInteger(string text, int radix)
    {
        ReadOnlySpan<char> s = Characters.Strip(text);
        bool negative = false;
        if (s.Length > 0 && s[0] is '+' or '-')
        {
            negative = s[0] == '-';
            s = s[1..];
        }
        int prefix = s.Length > 1 && s[0] == '0' ? (s[1] | 0x20) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefix != 0 && (radix == 0 || radix == prefix))
        {
            radix = prefix;
            s = s[2..];
            if (s.Length > 0 && s[0] == '_') s = s[1..];
        }
        else if (radix == 0)
        {
            radix = 10;
            if (s.Length > 1 && s[0] == '0' && s.ContainsAnyExcept('0', '_')) return null;
        }
        if (s.Length == 0 || s[0] == '_' || s[^1] == '_' || s.IndexOf("__") >= 0) return null;
        BigInteger value = 0;
        int count = 0;
        for (int i = 0; i < s.Length; i++)
        {
            if (s[i] == '_') continue;
            int digit = Characters.Digit(s, ref i);
            if (digit < 0 || digit >= radix) return null;
            if (++count > Budget.MaxIntegerDigits) return null;
            value = value * radix + digit;
        }
        return Boxed.Int(negative ? -value : value);
    }

    /// <summary>Python's <c>float(text)</c>, null where the text is no number.</summary>
    public static double? ParseFloat(string text)
    {
        string s = new string(Characters.Strip(text)).ToLowerInvariant();
        if (s.Length > 100_000) return null;
        string unsigned = s.TrimStart('+', '-');
        if (s.Length - unsigned.Length > 1) return null;
        double sign = s.StartsWith('-') ? -1 : 1;
        if (unsigned is "inf" or "infinity") return sign * double.PositiveInfinity;
        if (unsigned is "nan") return double.NaN;
        for (int i = 0; i < unsigned.Length; i++)
            if (unsigned[i] == '_' && (i == 0 || i == unsigned.Length - 1 || !char.IsAsciiDigit(unsigned[i - 1]) || !char.IsAsciiDigit(unsigned[i + 1]))) return null;
        unsigned = unsigned.Replace("_", "");
        if (unsigned.Length == 0 || !(char.IsAsciiDigit(unsigned[0]) || unsigned[0] == '.')) return null;
        return double.TryParse(unsigned, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double d) ? sign * d : null;
    }
}
