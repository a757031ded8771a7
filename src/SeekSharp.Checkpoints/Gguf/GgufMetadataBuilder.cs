using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace SeekSharp.Checkpoints;

/// <summary>
/// Metadata to be written to a GGUF file, in the order in which the keys were set. A value is one of .NET's numbers, a
/// bool, a string, or an array of one of these; its .NET type is its type in the file (<c>uint</c> is UInt32).
/// </summary>
internal sealed class GgufMetadataBuilder : IEnumerable<KeyValuePair<string, object>>
{
    private readonly OrderedDictionary<string, object> values = new(StringComparer.Ordinal);

    public int Count => values.Count;

    /// <summary>Sets a key; one that is there keeps its place.</summary>
    /// <exception cref="ArgumentException">GGUF has no such type.</exception>
    public void Set(string key, object value)
    {
        if (TypeOf(value.GetType().GetElementType() ?? value.GetType()) is null)
            throw new ArgumentException($"{key}: GGUF has no type for {value.GetType().Name}");
        values[key] = value;
    }

    public bool Remove(string key) => values.Remove(key);

    public bool TryGet<T>(string key, [NotNullWhen(true)] out T? value)
    {
        value = values.TryGetValue(key, out object? o) && o is T t ? t : default;
        return value is not null && values.ContainsKey(key) && values[key] is T;
    }

    /// <summary>All keys of a file that was read.</summary>
    public static GgufMetadataBuilder CopyOf(GgufMetadata source)
    {
        GgufMetadataBuilder copy = new();
        foreach ((string key, GgufValue value) in source.Values)
            copy.Set(key, value.Type != GgufValueType.Array ? source.GetScalar(value)
                : value.ElementType == GgufValueType.String ? source.GetStrings(key)!
                : CopyArray(source, value));
        return copy;
    }

    /// <summary>The type in the file of a .NET type that is no array; null where there is none.</summary>
    public static GgufValueType? TypeOf(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.Byte => GgufValueType.UInt8,
        TypeCode.SByte => GgufValueType.Int8,
        TypeCode.UInt16 => GgufValueType.UInt16,
        TypeCode.Int16 => GgufValueType.Int16,
        TypeCode.UInt32 => GgufValueType.UInt32,
        TypeCode.Int32 => GgufValueType.Int32,
        TypeCode.Single => GgufValueType.Float32,
        TypeCode.Boolean => GgufValueType.Bool,
        TypeCode.String => GgufValueType.String,
        TypeCode.UInt64 => GgufValueType.UInt64,
        TypeCode.Int64 => GgufValueType.Int64,
        TypeCode.Double => GgufValueType.Float64,
        _ => null,
    };

    public IEnumerator<KeyValuePair<string, object>> GetEnumerator() => values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static Array CopyArray(GgufMetadata source, GgufValue value)
    {
        return value.ElementType switch
        {
            GgufValueType.UInt8 => Elements<byte>(),
            GgufValueType.Int8 => Elements<sbyte>(),
            GgufValueType.UInt16 => Elements<ushort>(),
            GgufValueType.Int16 => Elements<short>(),
            GgufValueType.UInt32 => Elements<uint>(),
            GgufValueType.Int32 => Elements<int>(),
            GgufValueType.Float32 => Elements<float>(),
            GgufValueType.Bool => Elements<bool>(),
            GgufValueType.UInt64 => Elements<ulong>(),
            GgufValueType.Int64 => Elements<long>(),
            _ => Elements<double>(),
        };

        T[] Elements<T>()
        {
            T[] array = new T[value.Count];
            for (int i = 0; i < array.Length; i++) array[i] = (T)source.GetElement(value, i);
            return array;
        }
    }
}
