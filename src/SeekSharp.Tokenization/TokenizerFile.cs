using System.IO.Compression;

namespace SeekSharp.Tokenization;

/// <summary>Reads a tokenizer.json, plain or gzipped, within bounds.</summary>
internal static class TokenizerFile
{
    private const long MaxBytes = 512L << 20;

    public static byte[] Read(string path)
    {
        byte[] data;
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (file.Length > MaxBytes) throw new TokenizerException($"{path}: {file.Length} bytes, expected at most {MaxBytes}");
            data = new byte[file.Length];
            file.ReadExactly(data);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new TokenizerException($"{path}: cannot be read ({e.Message.ReplaceLineEndings(" ")})");
        }
        return data is [0x1F, 0x8B, ..] ? Unzip(path, data) : data;
    }

    private static byte[] Unzip(string path, byte[] data)
    {
        // The last four bytes say how long the text is; deflate makes at most 1,032 bytes of one.
        if (data.Length < 18) throw new TokenizerException($"{path}: broken gzip: {data.Length} bytes");
        long length = BitConverter.ToUInt32(data, data.Length - 4);
        if (length > Math.Min(MaxBytes, 1040L * data.Length)) throw new TokenizerException($"{path}: broken gzip: says that it holds {length} bytes");
        byte[] text = new byte[length];
        try
        {
            using GZipStream zip = new(new MemoryStream(data), CompressionMode.Decompress);
            int read = zip.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            if (read < text.Length || zip.ReadByte() >= 0) throw new TokenizerException($"{path}: broken gzip: does not hold the {length} bytes that it says");
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new TokenizerException($"{path}: broken gzip ({e.Message})");
        }
        return text;
    }
}
