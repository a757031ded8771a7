using System.Text;

namespace SeekSharp.Checkpoints;

/// <summary>Reads text files of bounded size.</summary>
internal static class TextFile
{
    /// <summary>The text of a UTF-8 file of at most <paramref name="largest"/> bytes; an empty file is an empty text.</summary>
    /// <exception cref="CheckpointException">It is too large, no UTF-8, or cannot be read.</exception>
    public static string Read(string path, long largest)
    {
        if (new FileInfo(path) is { Exists: true, Length: 0 }) return "";
        using FileImage image = FileImage.Open(path);
        if (image.Length > largest) throw new CheckpointException($"{path}: {image.Length} bytes are too many (at most {largest})");
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(image.Span(0, (int)image.Length));
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException($"{path}: the text is no valid UTF-8", e);
        }
    }
}
