using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Writes a safetensors file of any size in constant memory: the tensors are declared first, then their bytes follow in
/// that order, in pieces of any length. The file gets its name when <see cref="Complete"/> has found it whole.
/// (Format: github.com/huggingface/safetensors, "Format".)
/// </summary>
internal sealed class SafetensorsWriter : IDisposable
{
    private readonly OutputFile file;
    private readonly long length;

    /// <summary>Writes the header.</summary>
    /// <param name="path">The file's final name.</param>
    /// <param name="tensors">Name, format (floats and integers, no blocks) and shape of each tensor.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>, if any.</param>
    /// <exception cref="CheckpointException">A format that safetensors does not have, a name used twice, or no place to write to.</exception>
    public SafetensorsWriter(string path, IReadOnlyList<(string Name, NumberFormat Format, long[] Shape)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        byte[] header = Header(path, tensors, metadata, out length);
        file = new OutputFile(path);
        Span<byte> size = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(size, header.Length);
        file.Write(size);
        file.Write(header);
        length += file.Position;
    }

    /// <summary>Writes a file of F32 tensors that are in memory already.</summary>
    public static void Save(string path, IReadOnlyList<(string Name, long[] Shape, float[] Values)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        using SafetensorsWriter writer = new(path, [.. tensors.Select(t => (t.Name, NumberFormat.F32, t.Shape))], metadata);
        foreach ((string name, long[] shape, float[] values) in tensors)
        {
            if (values.LongLength != Count(shape)) throw new ArgumentException($"{name}: {values.Length} values for [{string.Join(", ", shape)}]");
            writer.Write(values);
        }
        writer.Complete();
    }

    /// <summary>Appends bytes of the tensors, in the order in which they were declared.</summary>
    public void Write(ReadOnlySpan<byte> bytes) => file.Write(bytes);

    /// <summary>Appends floats of an F32 tensor.</summary>
    public void Write(ReadOnlySpan<float> values) => file.Write(MemoryMarshal.AsBytes(values));

    /// <summary>Moves the file to its name.</summary>
    /// <exception cref="InvalidOperationException">Fewer or more bytes were written than the tensors have.</exception>
    public void Complete()
    {
        if (file.Position != length) throw new InvalidOperationException($"{file.Position} bytes written of {length}");
        file.Complete();
    }

    /// <summary>Deletes the file unless it was completed.</summary>
    public void Dispose() => file.Dispose();

    private static byte[] Header(string path, IReadOnlyList<(string Name, NumberFormat Format, long[] Shape)> tensors,
        IReadOnlyDictionary<string, string>? metadata, out long length)
    {
        length = 0;
        HashSet<string> names = [];
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            foreach ((string name, NumberFormat format, long[] shape) in tensors)
            {
                if (!names.Add(name)) throw new CheckpointException($"{path}: tensor {name} twice");
                json.WriteStartObject(name);
                json.WriteString("dtype", TypeName(format) ?? throw new CheckpointException($"{path}: safetensors has no type for {format} (tensor {name})"));
                json.WriteStartArray("shape");
                foreach (long d in shape) json.WriteNumberValue(d);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(length);
                length = checked(length + NumberFormats.ByteCount(format, Count(shape)));
                json.WriteNumberValue(length);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' '); // the data begins at a multiple of 8
        return buffer.ToArray();
    }

    private static long Count(long[] shape) => shape.Aggregate(1L, (n, d) => checked(n * d));

    private static string? TypeName(NumberFormat format) => format switch
    {
        NumberFormat.F8E4M3 => "F8_E4M3",
        NumberFormat.F8E5M2 => "F8_E5M2",
        NumberFormat.F8E8M0 => "F8_E8M0",
        < NumberFormat.Q4_0 => format.ToString(),
        _ => null,
    };
}
