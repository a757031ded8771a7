using System.Globalization;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// The pieces of JSON text (RFC 8259) as byte expressions. Where a string's content matters (keys, enums, patterns, formats) it stands in one canonical form, so that
/// a complement over texts is a complement over strings: characters are themselves, and only what must be escaped is, the short way where there is one (\u001f may
/// be written with either case). Other strings may use every escape.
/// </summary>
internal sealed class JsonPieces
{
    /// <summary>The longest indentation behind a line break.</summary>
    public const int MostIndent = 256;

    private static readonly CodePointSet Special = CodePointSet.Of((0, 0x1F), ('"', '"'), ('\\', '\\'));

    private static readonly CodePointSet Plain = Special.Negate();

    private readonly ByteRegexPool _pool;
    private ByteRegex? _free;

    public JsonPieces(ByteRegexPool pool)
    {
        _pool = pool;
        ByteRegex blank = pool.Set(ByteSet.Of(' ') | ByteSet.Of('\t'));
        Space = pool.Or(pool.Empty, blank, pool.Concat(pool.Optional(pool.Byte('\r')), pool.Byte('\n'), pool.Repeat(blank, 0, MostIndent)));
        Character = pool.Json(CodePointSet.All);
        ByteRegex digit = pool.Set(ByteSet.Range('0', '9'));
        Natural = pool.Or(pool.Byte('0'), pool.Concat(pool.Set(ByteSet.Range('1', '9')), pool.Star(digit)));
        Minus = pool.Optional(pool.Byte('-'));
        Fraction = pool.Concat(pool.Byte('.'), pool.Plus(digit));
        Exponent = pool.Concat(pool.Set(ByteSet.Of('e') | ByteSet.Of('E')), pool.Optional(pool.Set(ByteSet.Of('+') | ByteSet.Of('-'))), pool.Plus(digit));
    }

    /// <summary>Nothing, one blank, or a line break and an indentation: what stands between two tokens of JSON.</summary>
    public ByteRegex Space { get; }

    /// <summary>Any character of a string, canonical.</summary>
    public ByteRegex Character { get; }

    /// <summary>Any character of a string, in every way to write it.</summary>
    public ByteRegex FreeCharacter => _free ??= Free(_pool);

    /// <summary>0, or digits that do not begin with it.</summary>
    public ByteRegex Natural { get; }

    public ByteRegex Minus { get; }

    public ByteRegex Fraction { get; }

    public ByteRegex Exponent { get; }

    public ByteRegex Integer => _pool.Concat(Minus, Natural);

    public ByteRegex Number => _pool.Concat(Minus, Natural, _pool.Optional(Fraction), _pool.Optional(Exponent));

    /// <summary>A string of min to max characters (-1: any number).</summary>
    public ByteRegex FreeString(int min = 0, int max = -1) => Quoted(_pool.Repeat(FreeCharacter, min, max));

    public ByteRegex Quoted(ByteRegex content) => _pool.Concat(_pool.Byte('"'), content, _pool.Byte('"'));

    /// <summary>A mark of punctuation with the space around it.</summary>
    public ByteRegex Mark(char mark, bool before, bool after) => _pool.Concat(before ? Space : _pool.Empty, _pool.Byte(mark), after ? Space : _pool.Empty);

    /// <summary>One text as the content of a string, canonical.</summary>
    public ByteRegex Content(string text) => AnyContent([text]);

    /// <summary>Any of the texts as the content of a string.</summary>
    public ByteRegex AnyContent(params IEnumerable<string> texts) => _pool.AnyOf([.. texts.SelectMany(Spellings).Select(Encoding.UTF8.GetBytes)]);

    /// <summary>One code point of the set in canonical form.</summary>
    public static ByteRegex Canonical(ByteRegexPool pool, CodePointSet set)
    {
        if (ReferenceEquals(set, CodePointSet.All)) return pool.Or(pool.Utf8(Plain), AllEscapes(pool));
        CodePointSet plain = set.Intersect(Plain);
        List<ByteRegex> ways = [pool.Utf8(plain)];
        foreach ((int first, int last) in set.Intersect(Special).Ranges)
            for (int c = first; c <= last; c++) ways.Add(pool.Concat(pool.Byte('\\'), Escape(pool, c)));
        return pool.Or([.. ways]);
    }

    /// <summary>The escapes of all characters that need one.</summary>
    private static ByteRegex AllEscapes(ByteRegexPool pool)
    {
        ByteSet letters = default;
        foreach (char c in "\"\\bfnrt") letters |= ByteSet.Of(c);
        ByteSet hex = ByteSet.Range('0', '9') | ByteSet.Range('a', 'f') | ByteSet.Range('A', 'F');
        ByteSet low = hex & ~ByteSet.Of('8') & ~ByteSet.Of('9'); // 8, 9, a, c and d have letters
        foreach (char c in "acdACD") low &= ~ByteSet.Of(c);
        ByteRegex control = pool.Or(pool.Concat(pool.Byte('0'), pool.Set(low)), pool.Concat(pool.Byte('1'), pool.Set(hex)));
        return pool.Concat(pool.Byte('\\'), pool.Or(pool.Set(letters), pool.Concat(pool.Literal("u00"u8), control)));
    }

    private static ByteRegex Escape(ByteRegexPool pool, int c)
    {
        if (Short(c) is char letter) return pool.Byte(letter);
        ByteRegex low = pool.Set((c & 15) < 10 ? ByteSet.Of('0' + (c & 15)) : ByteSet.Of('a' + (c & 15) - 10) | ByteSet.Of('A' + (c & 15) - 10));
        return pool.Concat(pool.Literal("u00"u8), pool.Byte('0' + (c >> 4)), low);
    }

    private static char? Short(int c) => c switch { '"' => '"', '\\' => '\\', 8 => 'b', 9 => 't', 10 => 'n', 12 => 'f', 13 => 'r', _ => null };

    /// <summary>The canonical spellings of a text: more than one only where a control character has a hexadecimal letter.</summary>
    private static IEnumerable<string> Spellings(string text)
    {
        string upper = Escaped(text, "X4");
        string lower = Escaped(text, "x4");
        return upper == lower ? [upper] : [upper, lower];
    }

    /// <summary>A text as the content of a string, canonical.</summary>
    public static string Escape(string text) => Escaped(text, "x4");

    private static string Escaped(string text, string format)
    {
        StringBuilder result = new(text.Length);
        foreach (char c in text)
        {
            if (Short(c) is char letter) result.Append('\\').Append(letter);
            else if (c < ' ') result.Append("\\u").Append(((int)c).ToString(format, CultureInfo.InvariantCulture));
            else result.Append(c);
        }
        return result.ToString();
    }

    private static ByteRegex Free(ByteRegexPool pool)
    {
        ByteSet digits = ByteSet.Range('0', '9') | ByteSet.Range('a', 'f') | ByteSet.Range('A', 'F');
        ByteRegex hex = pool.Set(digits);
        ByteSet d = ByteSet.Of('d') | ByteSet.Of('D');
        ByteRegex single = pool.Or(pool.Concat(pool.Set(digits & ~d), hex, hex, hex), pool.Concat(pool.Set(d), pool.Set(ByteSet.Range('0', '7')), hex, hex));
        ByteRegex high = pool.Concat(pool.Set(d), pool.Set(ByteSet.Of('8') | ByteSet.Of('9') | ByteSet.Of('a') | ByteSet.Of('b') | ByteSet.Of('A') | ByteSet.Of('B')), hex, hex);
        ByteRegex low = pool.Concat(pool.Set(d), pool.Set(ByteSet.Range('c', 'f') | ByteSet.Range('C', 'F')), hex, hex);
        ByteRegex unicode = pool.Concat(pool.Byte('u'), pool.Or(single, pool.Concat(high, pool.Literal("\\u"u8), low)));
        ByteSet letters = default;
        foreach (char c in "\"\\/bfnrt") letters |= ByteSet.Of(c);
        return pool.Or(pool.Utf8(Plain), pool.Concat(pool.Byte('\\'), pool.Or(pool.Set(letters), unicode)));
    }
}
