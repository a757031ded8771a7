using System.Buffers.Binary;
using System.Text;

namespace SeekSharp.Checkpoints;

/// <summary>One metadata value: its kind and where its bytes lie. For arrays the kind and number of elements.</summary>
internal readonly record struct GgufValue(GgufValueType Type, long Offset, int Length, GgufValueType ElementType, long Count);

/// <summary>
/// The key–value pairs of a GGUF file. Values stay in the mapped file and are decoded when asked for: a vocabulary of
/// 150,000 strings costs nothing until somebody tokenizes. Every offset was checked when the file was opened.
/// </summary>
internal sealed class GgufMetadata
{
    private readonly FileImage _image;
    private readonly OrderedDictionary<string, GgufValue> _values;

    public GgufMetadata(FileImage image, OrderedDictionary<string, GgufValue> values)
    {
        _image = image;
        _values = values;
    }

    /// <summary>The file, for messages.</summary>
    public string File => _image.Path;

    /// <summary>All keys with the kinds of their values, in file order.</summary>
    public IReadOnlyDictionary<string, GgufValue> Values => _values;

    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>Number of elements of an array; null where the key is missing or no array.</summary>
    public long? ArrayLength(string key) => _values.TryGetValue(key, out GgufValue v) && v.Type == GgufValueType.Array ? v.Count : null;

    /// <summary>A string; null where the key is missing.</summary>
    public string? GetString(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        if (v.Type != GgufValueType.String) throw Wrong(key, "a string", v);
        return Encoding.UTF8.GetString(_image.Span(v.Offset, v.Length));
    }

    /// <summary>A whole number of any integer kind; null where the key is missing.</summary>
    public long? GetInteger(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        return ReadInteger(v.Type, v.Offset) ?? throw Wrong(key, "a whole number", v);
    }

    /// <summary>A number of any kind; null where the key is missing.</summary>
    public double? GetNumber(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        return ReadNumber(v.Type, v.Offset) ?? throw Wrong(key, "a number", v);
    }

    /// <summary>A truth value; null where the key is missing.</summary>
    public bool? GetBool(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        if (v.Type != GgufValueType.Bool) throw Wrong(key, "a bool", v);
        return _image.Span(v.Offset, 1)[0] != 0;
    }

    /// <summary>An array of strings; null where the key is missing. The whole array takes at most a small multiple of its bytes in the file.</summary>
    public string[]? GetStrings(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        if (v.Type != GgufValueType.Array || v.ElementType != GgufValueType.String) throw Wrong(key, "an array of strings", v);
        var strings = new string[checked((int)v.Count)]; // each takes 8 bytes of the file at least
        long at = v.Offset;
        for (int i = 0; i < strings.Length; i++)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(_image.Span(at, 8));
            strings[i] = Encoding.UTF8.GetString(_image.Span(at + 8, length));
            at += 8 + length;
        }
        return strings;
    }

    /// <summary>An array of whole numbers that fit in 32 bits; null where the key is missing.</summary>
    public int[]? GetIntegers(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        if (v.Type != GgufValueType.Array) throw Wrong(key, "an array of whole numbers", v);
        var numbers = new int[checked((int)v.Count)];
        int size = SizeOf(v.ElementType);
        for (int i = 0; i < numbers.Length; i++)
        {
            long n = (size == 0 ? null : ReadInteger(v.ElementType, v.Offset + (long)i * size)) ?? throw Wrong(key, "an array of whole numbers", v);
            if (n is < int.MinValue or > int.MaxValue) throw new CheckpointException($"{File}: {Checkpoint.Show(key)}[{i}] is {n}, expected a number of 32 bits");
            numbers[i] = (int)n;
        }
        return numbers;
    }

    /// <summary>An array of numbers; null where the key is missing.</summary>
    public float[]? GetFloats(string key)
    {
        if (!_values.TryGetValue(key, out GgufValue v)) return null;
        if (v.Type != GgufValueType.Array) throw Wrong(key, "an array of numbers", v);
        var numbers = new float[checked((int)v.Count)];
        int size = SizeOf(v.ElementType);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (float)((size == 0 ? null : ReadNumber(v.ElementType, v.Offset + (long)i * size)) ?? throw Wrong(key, "an array of numbers", v));
        return numbers;
    }

    /// <summary>Where the given texts stand in an array of strings, in the array's order; reads the bytes in place.</summary>
    public List<int> IndexesOf(string key, IReadOnlyList<string> texts)
    {
        if (!_values.TryGetValue(key, out GgufValue v) || v.Type != GgufValueType.Array || v.ElementType != GgufValueType.String) throw Wrong(key, "an array of strings", v);
        byte[][] wanted = [.. texts.Select(Encoding.UTF8.GetBytes)];
        var found = new List<int>();
        long at = v.Offset;
        for (int i = 0; i < v.Count; i++)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(_image.Span(at, 8));
            ReadOnlySpan<byte> text = _image.Span(at + 8, length);
            foreach (byte[] w in wanted)
                if (text.SequenceEqual(w)) found.Add(i);
            at += 8 + length;
        }
        return found;
    }

    /// <summary>One element of an array as the file has it: text for strings, a number otherwise; for listings and tests.</summary>
    public object GetElement(GgufValue array, long index)
    {
        if (array.ElementType != GgufValueType.String) return Scalar(array.ElementType, array.Offset + index * SizeOf(array.ElementType));
        long at = array.Offset;
        for (long i = 0; i < index; i++) at += 8 + BinaryPrimitives.ReadInt64LittleEndian(_image.Span(at, 8));
        return Encoding.UTF8.GetString(_image.Span(at + 8, (int)BinaryPrimitives.ReadInt64LittleEndian(_image.Span(at, 8))));
    }

    /// <summary>A value that is no array, as .NET's matching type; for listings and tests.</summary>
    public object GetScalar(GgufValue value) =>
        value.Type == GgufValueType.String ? Encoding.UTF8.GetString(_image.Span(value.Offset, value.Length)) : Scalar(value.Type, value.Offset);

    /// <summary>Bytes of a value of fixed size; 0 for strings and arrays.</summary>
    public static int SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };

    private object Scalar(GgufValueType type, long at)
    {
        ReadOnlySpan<byte> b = _image.Span(at, SizeOf(type));
        return type switch
        {
            GgufValueType.UInt8 => b[0],
            GgufValueType.Int8 => (sbyte)b[0],
            GgufValueType.Bool => b[0] != 0,
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(b),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(b),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(b),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(b),
            GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(b),
            GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(b),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(b),
            _ => BinaryPrimitives.ReadDoubleLittleEndian(b),
        };
    }

    private long? ReadInteger(GgufValueType type, long at)
    {
        ReadOnlySpan<byte> b = _image.Span(at, Math.Max(SizeOf(type), 0));
        return type switch
        {
            GgufValueType.UInt8 => b[0],
            GgufValueType.Int8 => (sbyte)b[0],
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(b),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(b),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(b),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(b),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(b),
            GgufValueType.UInt64 => (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(b), long.MaxValue),
            _ => null,
        };
    }

    private double? ReadNumber(GgufValueType type, long at) => type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(_image.Span(at, 4)),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(_image.Span(at, 8)),
        _ => ReadInteger(type, at),
    };

    private CheckpointException Wrong(string key, string expected, GgufValue found) =>
        new($"{File}: {Checkpoint.Show(key)}: expected {expected}, found {(found.Type == GgufValueType.Array ? $"an array of {found.ElementType}" : found.Type.ToString())}");
}
