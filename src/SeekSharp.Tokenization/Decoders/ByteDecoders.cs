using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>ByteLevel: letters of <see cref="ByteAlphabet"/> become bytes, and all bytes together UTF-8. A token with any other letter is its own text.</summary>
internal sealed class ByteLevelDecoder : DecoderStep
{
    public override bool Fuses => true;

    public override List<string> Apply(List<string> tokens)
    {
        Utf8Assembler text = new();
        StringBuilder result = new();
        foreach (string token in tokens) text.Push(BytesOf(token), result);
        text.Flush(result);
        return [result.ToString()];
    }

    public override StreamStep? CreateStream(bool fused) => fused ? null : new Stream();

    public static byte[] BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            int b = ByteAlphabet.ByteOf(token[i]);
            if (b < 0) return Encoding.UTF8.GetBytes(token);
            bytes[i] = (byte)b;
        }
        return bytes;
    }

    private sealed class Stream : StreamStep
    {
        private readonly Utf8Assembler _text = new();

        public override void Push(string token, List<string> output)
        {
            StringBuilder result = new();
            _text.Push(BytesOf(token), result);
            output.Add(result.ToString());
        }

        public override void Flush(List<string> output)
        {
            StringBuilder result = new();
            _text.Flush(result);
            output.Add(result.ToString());
        }
    }
}

/// <summary>
/// ByteFallback: tokens <c>&lt;0x00&gt;</c>… become bytes. A run of them that is no UTF-8 becomes one U+FFFD for each byte, the finished characters in it too;
/// a stream has released those by then, and only what is not finished becomes U+FFFD.
/// </summary>
internal sealed class ByteFallbackDecoder : DecoderStep
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public override List<string> Apply(List<string> tokens)
    {
        List<string> result = new(tokens.Count);
        List<byte> run = [];
        foreach (string token in tokens)
        {
            int b = ByteOf(token);
            if (b >= 0)
            {
                run.Add((byte)b);
                continue;
            }
            End(run, result);
            result.Add(token);
        }
        End(run, result);
        return result;
    }

    public override StreamStep? CreateStream(bool fused) => fused ? null : new Stream();

    /// <summary>The byte of a token like <c>&lt;0x0A&gt;</c>, or -1.</summary>
    public static int ByteOf(string token)
    {
        if (token.Length != 6 || !token.StartsWith("<0x", StringComparison.Ordinal) || token[5] != '>') return -1;
        // Rust's from_str_radix takes a sign too.
        if (token[3] == '+' && char.IsAsciiHexDigit(token[4])) return Convert.ToInt32(token[4..5], 16);
        return char.IsAsciiHexDigit(token[3]) && char.IsAsciiHexDigit(token[4]) ? Convert.ToInt32(token[3..5], 16) : -1;
    }

    private static void End(List<byte> run, List<string> result)
    {
        if (run.Count == 0) return;
        byte[] bytes = run.ToArray();
        run.Clear();
        if (System.Text.Unicode.Utf8.IsValid(bytes)) result.Add(Strict.GetString(bytes));
        else result.AddRange(Enumerable.Repeat("\ufffd", bytes.Length));
    }

    private sealed class Stream : StreamStep
    {
        private readonly Utf8Assembler _run = new() { PerByte = true };

        public override void Push(string token, List<string> output)
        {
            StringBuilder result = new();
            int b = ByteOf(token);
            if (b >= 0) _run.Push([(byte)b], result);
            else _run.Flush(result);
            if (result.Length > 0) output.Add(result.ToString());
            if (b < 0) output.Add(token);
        }

        public override void Flush(List<string> output)
        {
            StringBuilder result = new();
            _run.Flush(result);
            if (result.Length > 0) output.Add(result.ToString());
        }
    }
}

/// <summary>Puts bytes together to text and keeps back what is not a whole character yet.</summary>
internal sealed class Utf8Assembler
{
    private readonly byte[] _pending = new byte[4];
    private int _count;

    /// <summary>One U+FFFD for every byte that belongs to no character, not one for each maximal broken part.</summary>
    public bool PerByte { get; init; }

    public bool IsEmpty => _count == 0;

    public void Push(ReadOnlySpan<byte> bytes, StringBuilder output)
    {
        if (_count > 0)
        {
            // Finish the pending character byte by byte; at most three go by.
            while (bytes.Length > 0 && _count > 0)
            {
                _pending[_count++] = bytes[0];
                bytes = bytes[1..];
                Decode(_pending.AsSpan(0, _count), output, out int kept);
                int from = _count - kept;
                _pending.AsSpan(from, kept).CopyTo(_pending);
                _count = kept;
            }
            if (bytes.IsEmpty) return;
        }
        Decode(bytes, output, out int rest);
        bytes[^rest..].CopyTo(_pending);
        _count = rest;
    }

    public void Flush(StringBuilder output)
    {
        if (_count > 0) output.Append('\ufffd', PerByte ? _count : 1);
        _count = 0;
    }

    private void Decode(ReadOnlySpan<byte> bytes, StringBuilder output, out int kept)
    {
        kept = 0;
        Span<char> chars = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            System.Buffers.OperationStatus status = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length);
            if (status == System.Buffers.OperationStatus.NeedMoreData)
            {
                kept = bytes.Length;
                return;
            }
            if (status == System.Buffers.OperationStatus.Done) output.Append(chars[..rune.EncodeToUtf16(chars)]);
            else output.Append('\ufffd', PerByte ? length : 1);
            bytes = bytes[length..];
        }
    }
}
