using System.Globalization;

namespace SeekSharp.Tokenization;

/// <summary>What Python's string methods know of characters.</summary>
internal static class Characters
{
    private static UnicodeCategory Category(int point) => CharUnicodeInfo.GetUnicodeCategory(point);

    public static bool IsSpace(int c) => c < 0x10000 && (char.IsWhiteSpace((char)c) || c is >= 0x1c and <= 0x1f);

    /// <summary>Where repr shows the character itself.</summary>
    public static bool IsPrintable(int point) => point == ' ' || Category(point) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    public static bool IsAlpha(int point) => Category(point) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    public static bool IsDecimal(int point) => Category(point) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(int point) => IsDecimal(point) || DigitValue(point) >= 0;

    public static bool IsNumeric(int point) => Category(point) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber
        || CharUnicodeInfo.GetNumericValue(char.ConvertFromUtf32(point is >= 0xD800 and < 0xE000 ? 0xFFFD : point), 0) >= 0;

    private static int DigitValue(int point) => point is >= 0xD800 and < 0xE000 ? -1 : CharUnicodeInfo.GetDigitValue(char.ConvertFromUtf32(point), 0);

    public static bool IsUpper(int point) => Category(point) == UnicodeCategory.UppercaseLetter || point is (>= 0x2160 and <= 0x216f) or (>= 0x24b6 and <= 0x24cf);

    public static bool IsLower(int point) => Category(point) == UnicodeCategory.LowercaseLetter
        || point is 0xaa or 0xba or (>= 0x2b0 and <= 0x2b8) or (>= 0x2c0 and <= 0x2c1) or (>= 0x2e0 and <= 0x2e4) or 0x345 or 0x37a
            or (>= 0x1d2c and <= 0x1d6a) or 0x1d78 or (>= 0x1d9b and <= 0x1dbf) or 0x2071 or 0x207f or (>= 0x2090 and <= 0x209c)
            or (>= 0x2170 and <= 0x217f) or (>= 0x24d0 and <= 0x24e9) or 0x2c7c or 0x2c7d;

    public static bool IsCased(int point) => IsUpper(point) || IsLower(point) || Category(point) == UnicodeCategory.TitlecaseLetter;

    public static bool IsCaseIgnorable(char c) => c is '\'' or '.' or ':' or '^' or '`' or '\u00a8' or '\u00ad' or '\u00b7' or '\u2018' or '\u2019' || Category(c) is UnicodeCategory.NonSpacingMark
        or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    public static bool IsWord(int point) => point == '_' || IsAlpha(point) || IsNumeric(point);

    /// <summary>The value of a digit or letter in numbers up to base 36, -1 for none; i goes to its last unit.</summary>
    public static int Digit(ReadOnlySpan<char> s, ref int i)
    {
        char c = s[i];
        if (char.IsAsciiDigit(c)) return c - '0';
        if (char.IsAsciiLetter(c)) return (c | 0x20) - 'a' + 10;
        if (c < 0x80) return -1;
        if (char.IsHighSurrogate(c) && i + 1 < s.Length && char.IsLowSurrogate(s[i + 1]))
            return CharUnicodeInfo.GetDecimalDigitValue(new string(s.Slice(i++, 2)), 0);
        return char.IsSurrogate(c) ? -1 : CharUnicodeInfo.GetDecimalDigitValue(c);
    }

    /// <summary>Without white space at both ends.</summary>
    public static ReadOnlySpan<char> Strip(ReadOnlySpan<char> s)
    {
        int start = 0, end = s.Length;
        while (start < end && IsSpace(s[start])) start++;
        while (end > start && IsSpace(s[end - 1])) end--;
        return s[start..end];
    }

    /// <summary>True where all code points of a text that is not empty pass.</summary>
    public static bool All(string s, Func<int, bool> test)
    {
        for (int i = 0; i < s.Length;)
        {
            if (!test(CodePoints.At(s, i, out int length))) return false;
            i += length;
        }
        return s.Length > 0;
    }

    /// <summary>Python's islower and isupper: one cased letter at least, and none of the other case.</summary>
    public static bool HasCase(string s, bool upper)
    {
        bool any = false;
        for (int i = 0; i < s.Length;)
        {
            int point = CodePoints.At(s, i, out int length);
            i += length;
            if (IsUpper(point) ? !upper : IsLower(point) ? upper : Category(point) == UnicodeCategory.TitlecaseLetter) return false;
            any |= IsCased(point);
        }
        return any;
    }

    /// <summary>Python's istitle: upper case only behind what has no case, lower case only behind what has.</summary>
    public static bool IsTitle(string s)
    {
        bool any = false, inside = false;
        for (int i = 0; i < s.Length;)
        {
            int point = CodePoints.At(s, i, out int length);
            i += length;
            bool lower = IsLower(point), cased = IsCased(point);
            if (cased && lower != inside) return false;
            any |= cased;
            inside = cased;
        }
        return any;
    }

    public static bool IsIdentifier(string s)
    {
        for (int i = 0; i < s.Length;)
        {
            int point = CodePoints.At(s, i, out int length);
            if (!(point == '_' || IsAlpha(point) || Category(point) == UnicodeCategory.LetterNumber
                || (i > 0 && Category(point) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.ConnectorPunctuation))) return false;
            i += length;
        }
        return s.Length > 0;
    }
}
