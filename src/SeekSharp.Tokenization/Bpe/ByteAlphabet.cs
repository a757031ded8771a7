namespace SeekSharp.Tokenization;

/// <summary>
/// GPT-2's alphabet of bytes: each byte has a printable character, so that byte-level tokens can be written as text.
/// Printable Latin-1 stands for itself, the other 68 bytes are U+0100… in order (GPT-2, encoder.py, bytes_to_unicode).
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Chars = MakeChars();
    private static readonly short[] Bytes = MakeBytes();

    public static char CharOf(byte b) => Chars[b];

    /// <summary>The byte that a character stands for, or -1.</summary>
    public static int ByteOf(int c) => (uint)c < (uint)Bytes.Length ? Bytes[c] : -1;

    private static char[] MakeChars()
    {
        char[] chars = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is >= 33 and <= 126 or >= 161 and <= 172 or >= 174;
            chars[b] = (char)(printable ? b : next++);
        }
        return chars;
    }

    private static short[] MakeBytes()
    {
        short[] bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++) bytes[Chars[b]] = (short)b;
        return bytes;
    }
}
