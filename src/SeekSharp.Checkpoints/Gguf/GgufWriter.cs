using System.Numerics;
using System.Text;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Writes a GGUF file (version 3) of any size in constant memory: metadata and the tensors' names, formats and shapes
/// first, then the tensors' bytes in that order, in pieces of any length; the padding between tensors is the writer's.
/// The file gets its name when <see cref="Complete"/> has found it whole. (Format: ggml's docs/gguf.md.)
/// </summary>
internal sealed class GgufWriter : IDisposable
{
    private const string AlignmentKey = "general.alignment";
    private readonly OutputFile file;
    private readonly long[] lengths;
    private readonly int alignment = 32;
    private int tensor;      // the tensor that is being written
    private long written;    // bytes of it

    /// <summary>Writes everything but the data.</summary>
    /// <param name="path">The file's final name.</param>
    /// <param name="metadata">Keys and values; <c>general.alignment</c> is honoured.</param>
    /// <param name="tensors">Name, format and shape (outermost first) of each tensor.</param>
    /// <exception cref="CheckpointException">A format or shape that GGUF does not have, a name used twice, or no place to write to.</exception>
    public GgufWriter(string path, GgufMetadataBuilder metadata, IReadOnlyList<(string Name, NumberFormat Format, long[] Shape)> tensors)
    {
        if (metadata.TryGet(AlignmentKey, out uint wanted))
        {
            if (!BitOperations.IsPow2(wanted) || wanted > 1 << 20) throw new CheckpointException($"{path}: {AlignmentKey} is {wanted}, expected a power of two");
            alignment = (int)wanted;
        }
        lengths = new long[tensors.Count];
        byte[] header = Header(path, metadata, tensors);
        file = new OutputFile(path);
        file.Write(header);
        file.Pad(alignment);
        SkipEmpty();
    }

    /// <summary>Appends bytes of the tensors, in the order in which they were declared.</summary>
    /// <exception cref="InvalidOperationException">More bytes than the tensors have.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (tensor == lengths.Length) throw new InvalidOperationException("more bytes than the tensors have");
            int n = (int)Math.Min(bytes.Length, lengths[tensor] - written);
            file.Write(bytes[..n]);
            bytes = bytes[n..];
            written += n;
            SkipEmpty();
        }
    }

    /// <summary>Moves the file to its name.</summary>
    /// <exception cref="InvalidOperationException">Bytes are missing.</exception>
    public void Complete()
    {
        if (tensor != lengths.Length) throw new InvalidOperationException($"{tensor} tensors written of {lengths.Length}");
        file.Complete();
    }

    /// <summary>Deletes the file unless it was completed.</summary>
    public void Dispose() => file.Dispose();

    /// <summary>Ends every tensor that has all its bytes.</summary>
    private void SkipEmpty()
    {
        while (tensor < lengths.Length && written == lengths[tensor])
        {
            file.Pad(alignment);
            tensor++;
            written = 0;
        }
    }

    private byte[] Header(string path, GgufMetadataBuilder metadata, IReadOnlyList<(string Name, NumberFormat Format, long[] Shape)> tensors)
    {
        using MemoryStream buffer = new();
        using BinaryWriter w = new(buffer);
        w.Write("GGUF"u8);
        w.Write(3u);
        w.Write((ulong)tensors.Count);
        w.Write((ulong)metadata.Count);
        foreach ((string key, object value) in metadata)
        {
            WriteString(w, key);
            WriteValue(w, value);
        }
        HashSet<string> names = new(StringComparer.Ordinal);
        long offset = 0;
        for (int i = 0; i < tensors.Count; i++)
        {
            (string name, NumberFormat format, long[] shape) = tensors[i];
            if (!names.Add(name)) throw new CheckpointException($"{path}: tensor {name} twice");
            if (shape.Length > 4) throw new CheckpointException($"{path}: tensor {name} has {shape.Length} dimensions, GGUF at most 4");
            if (!Checkpoint.TryByteCount(format, shape, out lengths[i]))
                throw new CheckpointException($"{path}: tensor {name}: rows of [{string.Join(", ", shape)}] are no whole number of {format} blocks");
            WriteString(w, name);
            w.Write((uint)shape.Length);
            for (int d = shape.Length - 1; d >= 0; d--) w.Write((ulong)shape[d]); // fastest first
            w.Write(GgufTypes.IdOf(format) ?? throw new CheckpointException($"{path}: GGUF has no type for {format} (tensor {name})"));
            w.Write((ulong)offset);
            offset = checked(offset + lengths[i] + (alignment - lengths[i] % alignment) % alignment);
        }
        w.Flush();
        return buffer.ToArray();
    }

    private static void WriteValue(BinaryWriter w, object value)
    {
        if (value is not Array array)
        {
            w.Write((uint)GgufMetadataBuilder.TypeOf(value.GetType())!);
            WriteScalar(w, value);
            return;
        }
        w.Write((uint)GgufValueType.Array);
        w.Write((uint)GgufMetadataBuilder.TypeOf(array.GetType().GetElementType()!)!);
        w.Write((ulong)array.LongLength);
        foreach (object element in array) WriteScalar(w, element);
    }

    private static void WriteScalar(BinaryWriter w, object value)
    {
        switch (value)
        {
            case string s: WriteString(w, s); break;
            case byte v: w.Write(v); break;
            case sbyte v: w.Write(v); break;
            case ushort v: w.Write(v); break;
            case short v: w.Write(v); break;
            case uint v: w.Write(v); break;
            case int v: w.Write(v); break;
            case ulong v: w.Write(v); break;
            case long v: w.Write(v); break;
            case float v: w.Write(v); break;
            case double v: w.Write(v); break;
            case bool v: w.Write(v); break;
            default: throw new ArgumentException($"GGUF has no type for {value.GetType().Name}");
        }
    }

    private static void WriteString(BinaryWriter w, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        w.Write((ulong)utf8.Length);
        w.Write(utf8);
    }
}
