using System.Numerics;
using System.Text;
using SeekSharp.Kernels;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Parses one GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3, whose layout is
/// the same:
/// 1. magic, version, number of tensors, number of keys;
/// 2. the keys, each a string, a kind and a value;
/// 3. the tensors, each a name, dimensions (fastest first), a type and an offset into the data;
/// 4. padding up to the alignment, then the data.
/// </summary>
internal static class GgufFile
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const int MostDimensions = 4;  // GGML_MAX_DIMS
    private const uint DefaultAlignment = 32;

    /// <summary>What a file holds.</summary>
    public sealed record Contents(uint Version, GgufMetadata Metadata, List<CheckpointTensor> Tensors, uint Alignment, long DataOffset);

    private readonly record struct Entry(string Name, NumberFormat Format, long[] Shape, ulong Offset, long Bytes);

    /// <summary>Parses a mapped file.</summary>
    /// <exception cref="CheckpointException">The file is no GGUF file, of another version, or broken; the message says where.</exception>
    public static Contents Read(FileImage image)
    {
        var cursor = new GgufCursor(image);

        // 1. The header.
        uint version = ReadVersion(ref cursor);
        ulong tensorCount = cursor.ReadUInt64("the number of tensors"), keyCount = cursor.ReadUInt64("the number of keys");

        // 2. The keys. The least key has 8 + 4 + 1 bytes, the least tensor 8 + 4 + 4 + 8: larger counts cannot fit.
        if (keyCount > (ulong)cursor.Remaining / 13) throw new CheckpointException($"{image.Path}: {keyCount} keys do not fit in a file of {image.Length} bytes");
        if (tensorCount > (ulong)cursor.Remaining / 24) throw new CheckpointException($"{image.Path}: {tensorCount} tensors do not fit in a file of {image.Length} bytes");
        GgufMetadata metadata = ReadKeys(ref cursor, keyCount);
        uint alignment = Alignment(metadata);

        // 3. The tensors.
        List<Entry> entries = ReadTensors(ref cursor, tensorCount, alignment);

        // 4. The data.
        long start = (cursor.Position + alignment - 1) / alignment * alignment;
        long length = Math.Max(0, image.Length - start);
        var tensors = new List<CheckpointTensor>(entries.Count);
        foreach (Entry e in entries)
        {
            if (e.Offset > (ulong)length || e.Bytes > length - (long)e.Offset)
                throw new CheckpointException($"{image.Path}: tensor {Checkpoint.Show(e.Name)}: {e.Bytes} bytes from {e.Offset} do not lie within the {length} bytes of data (is the file cut off?)");
            tensors.Add(new CheckpointTensor(e.Name, e.Format, e.Shape, image.Path, image.Address + (nint)(start + (long)e.Offset), e.Bytes));
        }
        CheckDisjoint(image, entries);
        return new Contents(version, metadata, tensors, alignment, start);
    }

    private static uint ReadVersion(ref GgufCursor cursor)
    {
        string path = cursor.Image.Path;
        uint magic = cursor.ReadUInt32("the magic");
        if (magic == BinaryPrimitivesReverse(Magic)) throw new CheckpointException($"{path}: a big-endian GGUF file; only little-endian ones are read");
        if (magic != Magic) throw new CheckpointException($"{path}: not a GGUF file: it begins with {magic:x8}, expected {Magic:x8} (\"GGUF\")");
        uint version = cursor.ReadUInt32("the version");
        if (version != 0 && (version & 0xFFFF) == 0) throw new CheckpointException($"{path}: a big-endian GGUF file (version {BinaryPrimitivesReverse(version)}); only little-endian ones are read");
        if (version is not (2 or 3)) throw new CheckpointException($"{path}: GGUF version {version} is not supported; versions 2 and 3 are");
        return version;
    }

    private static uint BinaryPrimitivesReverse(uint value) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);

    private static GgufMetadata ReadKeys(ref GgufCursor cursor, ulong count)
    {
        FileImage image = cursor.Image;
        var values = new OrderedDictionary<string, GgufValue>(StringComparer.Ordinal);
        for (ulong i = 0; i < count; i++)
        {
            (long at, int length) = cursor.ReadString($"key {i}");
            string key = Encoding.UTF8.GetString(image.Span(at, length));
            string place = $"the value of {Checkpoint.Show(key)}";
            var type = (GgufValueType)cursor.ReadUInt32(place);
            GgufValue value = ReadValue(ref cursor, key, place, type);
            if (!values.TryAdd(key, value)) throw new CheckpointException($"{image.Path}: key {Checkpoint.Show(key)} is there twice");
        }
        return new GgufMetadata(image, values);
    }

    private static GgufValue ReadValue(ref GgufCursor cursor, string key, string place, GgufValueType type)
    {
        string path = cursor.Image.Path;
        if (type == GgufValueType.String)
        {
            (long at, int length) = cursor.ReadString(place);
            return new GgufValue(type, at, length, default, 0);
        }
        if (type != GgufValueType.Array)
        {
            long at = cursor.Position;
            cursor.Skip(1, SizeOf(path, key, type), place);
            return new GgufValue(type, at, 0, default, 0);
        }

        var element = (GgufValueType)cursor.ReadUInt32(place);
        // As ggml: an array of arrays is refused.
        if (element == GgufValueType.Array) throw new CheckpointException($"{path}: {Checkpoint.Show(key)} is an array of arrays, which GGUF readers do not take");
        ulong count = cursor.ReadUInt64(place);
        if (count > int.MaxValue) throw new CheckpointException($"{path}: {Checkpoint.Show(key)}: an array of {count} values is too long");
        long start = cursor.Position;
        if (element == GgufValueType.String)
        {
            if (count > (ulong)cursor.Remaining / 8) throw new CheckpointException($"{path}: {Checkpoint.Show(key)}: {count} strings do not fit in the {cursor.Remaining} bytes that follow");
            for (ulong i = 0; i < count; i++) cursor.ReadString(place);
        }
        else cursor.Skip(count, SizeOf(path, key, element), place);
        return new GgufValue(type, start, 0, element, (long)count);
    }

    private static int SizeOf(string path, string key, GgufValueType type)
    {
        int size = GgufMetadata.SizeOf(type);
        return size > 0 ? size : throw new CheckpointException($"{path}: {Checkpoint.Show(key)}: unknown kind of value {(uint)type} (0 to 12 exist)");
    }

    private static uint Alignment(GgufMetadata metadata)
    {
        const string Key = "general.alignment";
        if (!metadata.Values.TryGetValue(Key, out GgufValue value)) return DefaultAlignment;
        long alignment = metadata.GetInteger(Key) ?? 0;
        if (value.Type != GgufValueType.UInt32 || !BitOperations.IsPow2(alignment) || alignment > 1 << 30)
            throw new CheckpointException($"{metadata.File}: {Key} is {alignment} ({value.Type}), expected a power of two (UInt32)");
        return (uint)alignment;
    }

    private static List<Entry> ReadTensors(ref GgufCursor cursor, ulong count, uint alignment)
    {
        FileImage image = cursor.Image;
        var entries = new List<Entry>();
        Span<long> dimensions = stackalloc long[MostDimensions];
        for (ulong i = 0; i < count; i++)
        {
            (long at, int length) = cursor.ReadString($"the name of tensor {i}");
            string name = Encoding.UTF8.GetString(image.Span(at, length)), place = $"tensor {Checkpoint.Show(name)}", tensor = $"{image.Path}: {place}";
            uint rank = cursor.ReadUInt32(place);
            if (rank > MostDimensions) throw new CheckpointException($"{tensor} has {rank} dimensions, expected at most {MostDimensions}");
            for (int d = 0; d < rank; d++)
            {
                ulong n = cursor.ReadUInt64(place);
                if (n > long.MaxValue) throw new CheckpointException($"{tensor}: dimension {d} is {n}, which overflows");
                dimensions[(int)rank - 1 - d] = (long)n; // the file has the fastest dimension first
            }
            long[] shape = dimensions[..(int)rank].ToArray();
            uint type = cursor.ReadUInt32(place);
            if (!GgufTypes.TryGetFormat(type, out NumberFormat format))
                throw new CheckpointException($"{tensor}: type {GgufTypes.NameOf(type)} is not supported ({GgufTypes.Supported} are)");
            int block = NumberFormats.BlockSize(format);
            if ((rank == 0 ? 1 : shape[^1]) % block != 0)
                throw new CheckpointException($"{tensor}: rows of {(rank == 0 ? 1 : shape[^1])} are no whole number of {format} blocks of {block}");
            if (!Checkpoint.TryByteCount(format, shape, out long bytes))
                throw new CheckpointException($"{tensor}: the dimensions {Checkpoint.Show(shape)} overflow");
            ulong offset = cursor.ReadUInt64(place);
            if (offset % alignment != 0) throw new CheckpointException($"{tensor}: offset {offset} is no multiple of the alignment {alignment}");
            entries.Add(new Entry(name, format, shape, offset, bytes));
        }
        return entries;
    }

    private static void CheckDisjoint(FileImage image, List<Entry> entries)
    {
        Entry[] sorted = [.. entries.Where(e => e.Bytes > 0)];
        Array.Sort(sorted, static (a, b) => a.Offset.CompareTo(b.Offset));
        for (int i = 1; i < sorted.Length; i++)
            if (sorted[i].Offset < sorted[i - 1].Offset + (ulong)sorted[i - 1].Bytes)
                throw new CheckpointException($"{image.Path}: tensor {Checkpoint.Show(sorted[i].Name)} at {sorted[i].Offset} lies inside tensor {Checkpoint.Show(sorted[i - 1].Name)}");
    }
}
