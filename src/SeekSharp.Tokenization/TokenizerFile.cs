using System.IO.Compression;

namespace SeekSharp.Tokenization;

/// <summary>Reads a tokenizer.json, plain or gzipped, within bounds.</summary>
internal static class TokenizerFile
{
    private const long MaxBytes = 512L << 20, LeastLimit = 32 << 20;
    private const int PartBytes = 1 << 20, MostRatio = 32; // published ones are packed to a quarter

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
        // The last four bytes say how long the text is, and may lie: what is allocated grows with what is really there.
        long most = Math.Min(MaxBytes, Math.Max(LeastLimit, (long)MostRatio * data.Length));
        List<byte[]> parts = [];
        long length = 0;
        try
        {
            using GZipStream zip = new(new MemoryStream(data), CompressionMode.Decompress);
            while (true)
            {
                byte[] part = new byte[PartBytes];
                int read = zip.ReadAtLeast(part, part.Length, throwOnEndOfStream: false);
                length += read;
                if (length > most) throw new TokenizerException($"{path}: broken gzip: more than {most} bytes of text in {data.Length}");
                parts.Add(read == part.Length ? part : part[..read]);
                if (read < part.Length) break;
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new TokenizerException($"{path}: broken gzip ({e.Message})");
        }
        // GZipStream does not notice every kind of end that comes too early.
        if (data.Length < 18 || (uint)length != BitConverter.ToUInt32(data, data.Length - 4))
            throw new TokenizerException($"{path}: broken gzip: cut off, or its length is wrong");
        byte[] text = new byte[length];
        long at = 0;
        foreach (byte[] part in parts)
        {
            part.CopyTo(text, at);
            at += part.Length;
        }
        return text;
    }
}
