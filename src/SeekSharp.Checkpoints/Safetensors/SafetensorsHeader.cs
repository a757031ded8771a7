using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Reads the header of a safetensors file: 8 bytes length, JSON of that length, data. The checks are the reference
/// implementation's (huggingface/safetensors, <c>tensor.rs</c>): a header of at most 100 MB, offsets that follow each
/// other without hole or overlap and end where the file ends, and lengths that are exactly dimensions × element size.
/// </summary>
internal static class SafetensorsHeader
{
    private const long LargestHeader = 100_000_000;
    private const int MostDimensions = 32;

    internal const string Supported = "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, I8, U8, I16, I32, I64, BOOL";

    private readonly record struct Entry(string Name, NumberFormat Format, long[] Shape, long Begin, long End);

    /// <summary>The tensors of a mapped file in the order of its header.</summary>
    /// <exception cref="CheckpointException">The file is not a whole safetensors file.</exception>
    public static List<CheckpointTensor> Read(FileImage image)
    {
        if (image.Length < 8) throw new CheckpointException($"{image.Path}: {image.Length} bytes are too few for a safetensors file");
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(image.Span(0, 8));
        if (headerLength > LargestHeader)
            throw new CheckpointException($"{image.Path}: the header's length at byte 0 is {headerLength}, more than the {LargestHeader} that safetensors allows");
        if ((long)headerLength > image.Length - 8)
            throw new CheckpointException($"{image.Path}: a header of {headerLength} bytes does not fit in a file of {image.Length}");
        long dataStart = 8 + (long)headerLength, dataLength = image.Length - dataStart;

        List<Entry> entries = Parse(image, image.Span(8, (int)headerLength));
        var tensors = new List<CheckpointTensor>(entries.Count);
        foreach (Entry e in entries)
        {
            string tensor = $"{image.Path}: tensor {Checkpoint.Show(e.Name)}";
            if (e.Begin > e.End || e.End > dataLength)
                throw new CheckpointException($"{tensor}: data_offsets [{e.Begin}, {e.End}] do not lie within the {dataLength} bytes of data");
            if (!Checkpoint.TryByteCount(e.Format, e.Shape, out long bytes))
                throw new CheckpointException($"{tensor}: the dimensions {Checkpoint.Show(e.Shape)} overflow");
            if (bytes != e.End - e.Begin)
                throw new CheckpointException($"{tensor}: {Checkpoint.Show(e.Shape)} of {e.Format} takes {bytes} bytes, data_offsets give {e.End - e.Begin}");
            tensors.Add(new CheckpointTensor(e.Name, e.Format, e.Shape, image.Path, image.Address + (nint)(dataStart + e.Begin), bytes));
        }
        CheckCovered(image, entries, dataLength);
        return tensors;
    }

    // Every byte of data belongs to exactly one tensor.
    private static void CheckCovered(FileImage image, List<Entry> entries, long dataLength)
    {
        Entry[] sorted = [.. entries];
        Array.Sort(sorted, static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long at = 0;
        foreach (Entry e in sorted)
        {
            if (e.Begin != at)
                throw new CheckpointException($"{image.Path}: tensor {Checkpoint.Show(e.Name)} begins at byte {e.Begin} of the data, " +
                    (e.Begin < at ? $"inside the tensor before it, which ends at {at}" : $"but the tensor before it ends at {at}"));
            at = e.End;
        }
        if (at != dataLength)
            throw new CheckpointException($"{image.Path}: the tensors end at byte {at} of the data, the file has {dataLength}");
    }

    private static List<Entry> Parse(FileImage image, ReadOnlySpan<byte> header)
    {
        var entries = new List<Entry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
        try
        {
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject) throw Broken(image, "it is not a JSON object");
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string name = json.GetString()!;
                if (!names.Add(name)) throw new CheckpointException($"{image.Path}: tensor {Checkpoint.Show(name)} is there twice");
                json.Read();
                if (name == "__metadata__") json.Skip();
                else entries.Add(ReadEntry(image, name, ref json));
            }
            if (json.Read()) throw Broken(image, "something follows the JSON object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Utf8JsonReader reports text that is no UTF-8 with InvalidOperationException.
            throw new CheckpointException($"{image.Path}: the header's JSON is broken near byte {8 + json.BytesConsumed}", e);
        }
        return entries;
    }

    private static Entry ReadEntry(FileImage image, string name, ref Utf8JsonReader json)
    {
        string tensor = $"{image.Path}: tensor {Checkpoint.Show(name)}";
        if (json.TokenType != JsonTokenType.StartObject) throw new CheckpointException($"{tensor}: expected an object with dtype, shape and data_offsets");
        NumberFormat? format = null;
        long[]? shape = null, offsets = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string key = json.GetString()!;
            json.Read();
            switch (key)
            {
                case "dtype" when format is null: format = ReadType(tensor, ref json); break;
                case "shape" when shape is null: shape = ReadNumbers(tensor, "shape", MostDimensions, ref json); break;
                case "data_offsets" when offsets is null: offsets = ReadNumbers(tensor, "data_offsets", 2, ref json); break;
                case "dtype" or "shape" or "data_offsets": throw new CheckpointException($"{tensor}: {key} is there twice");
                default: json.Skip(); break;
            }
        }
        if (format is null || shape is null || offsets is not { Length: 2 })
            throw new CheckpointException($"{tensor}: expected dtype, shape and two data_offsets");
        return new Entry(name, format.Value, shape, offsets[0], offsets[1]);
    }

    private static NumberFormat ReadType(string tensor, ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.String) throw new CheckpointException($"{tensor}: dtype is no string");
        string name = json.GetString()!;
        return name switch
        {
            "F64" => NumberFormat.F64,
            "F32" => NumberFormat.F32,
            "F16" => NumberFormat.F16,
            "BF16" => NumberFormat.BF16,
            "F8_E4M3" => NumberFormat.F8E4M3,
            "F8_E5M2" => NumberFormat.F8E5M2,
            "F8_E8M0" => NumberFormat.F8E8M0,
            "I8" => NumberFormat.I8,
            "U8" or "BOOL" => NumberFormat.U8,
            "I16" => NumberFormat.I16,
            "I32" => NumberFormat.I32,
            "I64" => NumberFormat.I64,
            _ => throw new CheckpointException($"{tensor}: dtype {Checkpoint.Show(name)} is not supported ({Supported} are)"),
        };
    }

    private static long[] ReadNumbers(string tensor, string key, int most, ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray) throw new CheckpointException($"{tensor}: {key} is no array");
        var numbers = new List<long>(4);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out long n) || n < 0)
                throw new CheckpointException($"{tensor}: {key} holds {Text(ref json)}, expected whole numbers from 0 to {long.MaxValue}");
            if (numbers.Count == most) throw new CheckpointException($"{tensor}: {key} has more than {most} numbers");
            numbers.Add(n);
        }
        return [.. numbers];
    }

    private static string Text(ref Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.Number ? Checkpoint.Show(Encoding.ASCII.GetString(json.ValueSpan)) : $"a {json.TokenType}";

    private static CheckpointException Broken(FileImage image, string why) => new($"{image.Path}: the header is broken: {why}");
}
