using System.Text.Json;
using System.Text.Unicode;

namespace SeekSharp.Checkpoints;

/// <summary>Reads small JSON files (configs) whole, with every string checked, so that nothing that reads them later can trip.</summary>
internal static class JsonFile
{
    private const int MaxDepth = 64;

    /// <summary>Parses a file of at most <paramref name="largest"/> bytes.</summary>
    /// <exception cref="CheckpointException">It is missing, too large, or no JSON object.</exception>
    public static JsonElement ReadObject(string path, long largest)
    {
        using FileImage image = FileImage.Open(path);
        return ReadObject(image, largest);
    }

    /// <summary>Parses JSON that lies in memory.</summary>
    public static JsonElement ReadObject(FileImage image, long largest)
    {
        if (image.Length > largest) throw new CheckpointException($"{image.Path}: {image.Length} bytes are too many (at most {largest})");
        ReadOnlySpan<byte> bytes = image.Span(0, (int)image.Length);
        try
        {
            CheckStrings(image.Path, bytes);
            using System.Buffers.MemoryManager<byte> memory = new UnmanagedMemory(image);
            using JsonDocument document = JsonDocument.Parse(memory.Memory, new JsonDocumentOptions { MaxDepth = MaxDepth });
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new CheckpointException($"{image.Path}: expected a JSON object");
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{image.Path}: broken JSON at line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1} of it", e);
        }
    }

    // JsonElement.GetString throws InvalidOperationException on text that is no UTF-8 and on lone surrogates: find them here.
    private static void CheckStrings(string path, ReadOnlySpan<byte> bytes)
    {
        if (!Utf8.IsValid(bytes)) throw new CheckpointException($"{path}: the text is no valid UTF-8");
        if (bytes.IndexOf("\\u"u8) < 0) return;
        var json = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (json.Read())
        {
            if (json.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName) || !json.ValueIsEscaped) continue;
            try
            {
                json.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new CheckpointException($"{path}: the string at byte {json.TokenStartIndex} has half a surrogate pair", e);
            }
        }
    }

    /// <summary>Lets JsonDocument read mapped memory without a copy.</summary>
    private sealed unsafe class UnmanagedMemory(FileImage image) : System.Buffers.MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => new((byte*)image.Address, (int)image.Length);

        public override System.Buffers.MemoryHandle Pin(int elementIndex = 0) => new((byte*)image.Address + elementIndex);

        public override void Unpin() { }

        protected override void Dispose(bool disposing) { }
    }
}
