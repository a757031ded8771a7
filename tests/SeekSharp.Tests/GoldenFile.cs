using System.Runtime.InteropServices;
using System.Text.Json;

namespace SeekSharp.Tests;

/// <summary>
/// A plain reader of safetensors for goldens (format: 8 bytes header length, JSON header, data). It shares nothing with
/// the program's own reader, so that a mistake there cannot hide.
/// </summary>
internal sealed class GoldenFile
{
    private readonly byte[] file;
    private readonly Dictionary<string, (string Type, int[] Shape, int Start, int Length)> tensors = [];

    /// <summary>The header's <c>__metadata__</c>.</summary>
    public Dictionary<string, string> Metadata { get; } = [];

    public IReadOnlyCollection<string> Names => tensors.Keys;

    private GoldenFile(string path)
    {
        file = File.ReadAllBytes(path);
        int header = checked((int)BitConverter.ToInt64(file, 0));
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        foreach (JsonProperty p in json.RootElement.EnumerateObject())
        {
            if (p.Name == "__metadata__")
            {
                foreach (JsonProperty m in p.Value.EnumerateObject()) Metadata[m.Name] = m.Value.GetString()!;
                continue;
            }
            int[] offsets = [.. p.Value.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt32())];
            int[] shape = [.. p.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];
            tensors[p.Name] = (p.Value.GetProperty("dtype").GetString()!, shape, 8 + header + offsets[0], offsets[1] - offsets[0]);
        }
    }

    /// <summary>Opens a file; use with <see cref="Repository.Shared"/>.</summary>
    public static GoldenFile Open(string path) => new(path);

    public bool Has(string name) => tensors.ContainsKey(name);

    public int[] Shape(string name) => tensors[name].Shape;

    /// <summary>The safetensors name of the type: F32, I32, U8, BF16, F8_E4M3…</summary>
    public string Type(string name) => tensors[name].Type;

    /// <summary>The bytes as they are.</summary>
    public ReadOnlySpan<byte> Bytes(string name) => file.AsSpan(tensors[name].Start, tensors[name].Length);

    /// <summary>An F32 tensor; F16 and BF16 are widened.</summary>
    public float[] Floats(string name) => Type(name) switch
    {
        "F32" => Cast<float>(name),
        "F16" => [.. Cast<Half>(name).Select(h => (float)h)],
        "BF16" => [.. Cast<ushort>(name).Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16))],
        string other => throw new InvalidOperationException($"{name} is {other}"),
    };

    /// <summary>An I32, I64 or U8 tensor.</summary>
    public int[] Ints(string name) => Type(name) switch
    {
        "I32" => Cast<int>(name),
        "I64" => [.. Cast<long>(name).Select(v => checked((int)v))],
        "U8" => [.. Cast<byte>(name).Select(v => (int)v)],
        string other => throw new InvalidOperationException($"{name} is {other}"),
    };

    public ushort[] UShorts(string name) => Cast<ushort>(name);

    private T[] Cast<T>(string name) where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes(name)).ToArray();
}
