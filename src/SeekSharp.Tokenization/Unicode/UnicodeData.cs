using System.Globalization;

namespace SeekSharp.Tokenization;

/// <summary>
/// Properties of code points. Categories are those of .NET's own table (Unicode 16 in .NET 10; it needs no ICU), the others come from
/// <c>unicode.bin</c>, which <c>generate.py</c> beside it makes.
/// </summary>
internal static class UnicodeData
{
    public const int MaxCodePoint = 0x10FFFF;

    public static UnicodeCategory Category(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint);

    /// <summary>White_Space, which is what <c>\s</c> means: U+0085, U+00A0, U+3000 too, but not U+200B, U+180E, U+FEFF or U+001C to U+001F.</summary>
    public static bool IsWhiteSpace(int c) =>
        c is >= 9 and <= 13 or 0x20 or 0x85 or 0xA0 or 0x1680 or >= 0x2000 and <= 0x200A or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000;

    public static bool IsMark(int c) =>
        c >= 0x300 && Category(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;

    /// <summary>A number of any kind: Nd, Nl, No.</summary>
    public static bool IsNumber(int c) =>
        Category(c) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Punctuation of any kind, and the ASCII symbols $ + &lt; = &gt; ^ ` | ~.</summary>
    public static bool IsPunctuation(int c) =>
        c < 0x80 ? c is > 32 and < 48 or >= 58 and < 65 or >= 91 and < 97 or >= 123 and < 127
            : Category(c) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    /// <summary>What <c>\w</c> means to the Rust regex crate: Alphabetic, marks, decimal digits, connectors, and the two joiners.</summary>
    public static bool IsWord(int c) => RegexProperties.Find("rustword")!.Contains(c);
}
