using System.Text;
using System.Text.Json;

namespace SeekSharp.Tests.Fuzz;

/// <summary>
/// Mutates JSON by its grammar: numbers, strings, literals, whole values and properties; and now and then by bytes.
/// Works on any text; one that is no JSON is mutated by bytes only.
/// </summary>
internal sealed class JsonMutator
{
    private const int MostSpans = 20_000, Dense = 24, Sparse = 61;

    private static readonly string[] Numbers =
    [
        "0", "-0", "1", "-1", "2", "3", "7", "31", "33", "255", "256", "65536", "1e6", "0.5", "-0.5", "1e-30", "1e308", "1e999", "-1e999", "2147483647", "2147483648", "4294967296",
        "1152921504606846976", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1.5", "0.0", "123456789012345678901234567890",
    ];

    private static readonly string[] Texts =
    [
        "\"\"", "\"x\"", "\"\\ud800\"", "\"\\u0000\"", "\"\\ud83c\\udf0d\"", "\"F32\"", "\"F16\"", "\"BF16\"", "\"F8_E4M3\"", "\"F8_E8M0\"", "\"I64\"", "\"U8\"", "\"F4\"", "\"yarn\"", "\"linear\"",
        "\"llama3\"", "\"dynamic\"", "\"default\"", "\"llama\"", "\"qwen2\"", "\"qwen3\"", "\"qwen3_moe\"", "\"deepseek_v2\"", "\"deepseek_v3\"", "\"deepseek_v32\"", "\"deepseek_v4\"", "\"greedy\"",
        "\"sigmoid\"", "\"softmax\"", "\"noaux_tc\"", "\"group_limited_greedy\"", "\"../../x\"", "\"fp8\"", "\"BPE\"", "\"ByteLevel\"", "\"Split\"", "\"Sequence\"", "\"Metaspace\"", "\"Replace\"", "\"NFC\"",
        "\"(a+)+$\"", "\"[\"", "\"\\\\p{L}+\"", "\"(?=a)\"", "\"(a|a)*b\"", "\".{0,1000}\"", "\"Isolated\"", "\"Removed\"", "\"MergedWithPrevious\"",
    ];

    private static readonly string[] Whole = ["null", "true", "false", "{}", "[]", "[[]]", "[null]", "{\"\":{}}", "[1,2,3]", "[\"a\",\"b\"]", "{\"type\":\"ByteLevel\"}"];

    private readonly record struct Span(int NameStart, int Start, int End);

    private readonly byte[] _source;
    private readonly List<Span> _spans = [];

    public JsonMutator(byte[] source)
    {
        _source = source;
        try
        {
            Scan();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // no JSON: what was found so far will do
        }
    }

    /// <summary>The text with a few mutations.</summary>
    public byte[] Mutate(FuzzRandom r)
    {
        if (_spans.Count == 0 || r.Once(12)) return MutateBytes(_source, r);
        Span s = r.Pick(_spans);
        byte[] once = Mutate(s, r);
        if (!r.Once(4)) return once;
        // A second one elsewhere, where the text has not moved.
        Span t = r.Pick(_spans);
        if (t.End >= s.Start && t.Start <= s.End || t.NameStart >= 0 && t.NameStart <= s.End && t.End >= s.Start) return once;
        return t.End < s.Start ? Splice(once, t.Start, t.End, Replacement(t, r)) : Splice(once, t.Start + once.Length - _source.Length, t.End + once.Length - _source.Length, Replacement(t, r));
    }

    /// <summary>Flips, inserts, deletes or cuts bytes of anything.</summary>
    public static byte[] MutateBytes(byte[] source, FuzzRandom r)
    {
        if (source.Length == 0) return [(byte)r.Bits()];
        int at = r.Next(source.Length);
        switch (r.Next(5))
        {
            case 0: return source[..at];
            case 1: return Splice(source, at, Math.Min(source.Length, at + 1 + r.Next(16)), []);
            case 2: return Splice(source, at, at, Enumerable.Range(0, 1 + r.Next(8)).Select(_ => (byte)r.Bits()).ToArray());
            case 3:
                int from = r.Next(source.Length), length = Math.Min(1 + r.Next(64), source.Length - from);
                return Splice(source, at, at, source.AsSpan(from, length));
            default:
                byte[] copy = (byte[])source.Clone();
                for (int i = 1 + r.Next(3); i > 0; i--) copy[r.Next(copy.Length)] ^= (byte)(1 << r.Next(8));
                return copy;
        }
    }

    public static byte[] Splice(ReadOnlySpan<byte> source, int start, int end, ReadOnlySpan<byte> with)
    {
        var result = new byte[source.Length - (end - start) + with.Length];
        source[..start].CopyTo(result);
        with.CopyTo(result.AsSpan(start));
        source[end..].CopyTo(result.AsSpan(start + with.Length));
        return result;
    }

    private byte[] Mutate(Span s, FuzzRandom r)
    {
        if (s.NameStart < 0 || !r.Once(5)) return Splice(_source, s.Start, s.End, Replacement(s, r));
        ReadOnlySpan<byte> property = _source.AsSpan(s.NameStart, s.End - s.NameStart);
        switch (r.Next(3))
        {
            case 0: // twice
                return Splice(_source, s.NameStart, s.NameStart, (byte[])[.. property, (byte)',']);
            case 1: // gone, with the comma after it or before it
                int end = s.End, start = s.NameStart;
                while (end < _source.Length && char.IsWhiteSpace((char)_source[end])) end++;
                if (end < _source.Length && _source[end] == ',') end++;
                else
                {
                    end = s.End;
                    while (start > 0 && _source[start - 1] is not ((byte)',' or (byte)'{')) start--;
                    if (start > 0 && _source[start - 1] == ',') start--;
                }
                return Splice(_source, start, end, []);
            default: // under another name
                Span other = r.Pick(_spans);
                ReadOnlySpan<byte> name = other.NameStart >= 0 ? NameOf(other) : Encoding.UTF8.GetBytes(r.Pick(Texts));
                return Splice(_source, s.NameStart, s.NameStart + NameOf(s).Length, name);
        }
    }

    private ReadOnlySpan<byte> NameOf(Span s)
    {
        int end = s.NameStart + 1;
        while (_source[end] != '"') end += _source[end] == '\\' ? 2 : 1;
        return _source.AsSpan(s.NameStart, end + 1 - s.NameStart);
    }

    private byte[] Replacement(Span s, FuzzRandom r)
    {
        char first = (char)_source[s.Start];
        bool number = first is '-' or (>= '0' and <= '9');
        return r.Next(8) switch
        {
            0 => Bytes(r.Pick(Whole)),
            1 => Other(r),
            2 => r.Once(20) ? Deep(r) : Bytes(r.Pick(Numbers)),
            3 => Bytes(r.Pick(Texts)),
            _ when number => Near(s, r),
            _ when first == '"' => r.Once(2) ? Bytes(r.Pick(Texts)) : Edited(s, r),
            _ when first is 't' or 'f' or 'n' => Bytes(r.Pick(Whole)),
            _ => Other(r),
        };
    }

    private byte[] Other(FuzzRandom r)
    {
        Span other = r.Pick(_spans);
        return other.End - other.Start > 4096 ? "null"u8.ToArray() : _source[other.Start..other.End];
    }

    private byte[] Near(Span s, FuzzRandom r)
    {
        string text = Encoding.ASCII.GetString(_source, s.Start, s.End - s.Start);
        return ulong.TryParse(text, out ulong n) ? Bytes(r.Number(n).ToString(System.Globalization.CultureInfo.InvariantCulture)) : Bytes(r.Pick(Numbers));
    }

    private byte[] Edited(Span s, FuzzRandom r)
    {
        byte[] text = _source[s.Start..s.End];
        int inner = text.Length - 2;
        return r.Next(3) switch
        {
            0 when inner > 0 => [.. text.AsSpan(0, 1 + r.Next(inner)), (byte)'"'],
            1 => [.. text.AsSpan(0, text.Length - 1), .. text.AsSpan(1)],
            _ => [.. text.AsSpan(0, text.Length - 1), (byte)"\\\"[(*|^. a"[r.Next(10)], (byte)'"'],
        };
    }

    private static byte[] Deep(FuzzRandom r)
    {
        int depth = 10 + r.Next(2000);
        return Bytes(new string('[', depth) + new string(']', depth));
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private void Scan()
    {
        var open = new Stack<(int Name, int Start, int Children)>();
        var json = new Utf8JsonReader(_source, new JsonReaderOptions { MaxDepth = 256 });
        int name = -1;
        while (_spans.Count < MostSpans && json.Read())
        {
            int start = (int)json.TokenStartIndex, end = (int)json.BytesConsumed;
            switch (json.TokenType)
            {
                case JsonTokenType.PropertyName:
                    name = start;
                    continue;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    open.Push((name, start, 0));
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    (int outer, int from, _) = open.Pop();
                    Add(open, new Span(outer, from, end));
                    break;
                default:
                    Add(open, new Span(name, start, end));
                    break;
            }
            name = -1;
        }
    }

    // Of long lists (a vocabulary) only some members count, or nothing else would ever be mutated.
    private void Add(Stack<(int Name, int Start, int Children)> open, Span span)
    {
        int index = 0;
        if (open.TryPop(out (int Name, int Start, int Children) parent))
        {
            index = parent.Children;
            open.Push(parent with { Children = index + 1 });
        }
        if (index < Dense || index % Sparse == 0) _spans.Add(span);
    }
}
