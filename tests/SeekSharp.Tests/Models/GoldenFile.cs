using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace SeekSharp.Tests.Models;

/// <summary>
/// A safetensors file of expected results, read in the plainest way and without the code under test: 8 bytes of length, a
/// JSON header with name, dtype, shape and offsets, then the data.
/// </summary>
internal sealed class GoldenFile
{
    private readonly byte[] _data;
    private readonly int _start;
    private readonly Dictionary<string, JsonElement> _header = [];

    public GoldenFile(string path)
    {
        _data = File.ReadAllBytes(path);
        int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(_data));
        _start = 8 + length;
        foreach (JsonProperty p in JsonDocument.Parse(_data.AsMemory(8, length)).RootElement.EnumerateObject())
            if (p.Name != "__metadata__") _header[p.Name] = p.Value;
    }

    public IEnumerable<string> Names => _header.Keys;

    public bool Has(string name) => _header.ContainsKey(name);

    public int[] Shape(string name) => _header[name].GetProperty("shape").EnumerateArray().Select(e => e.GetInt32()).ToArray();

    public float[] Floats(string name)
    {
        Assert(name, "F32");
        return MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();
    }

    public int[] Ints(string name)
    {
        if (_header[name].GetProperty("dtype").GetString() == "I64")
            return MemoryMarshal.Cast<byte, long>(Bytes(name)).ToArray().Select(v => checked((int)v)).ToArray();
        Assert(name, "I32");
        return MemoryMarshal.Cast<byte, int>(Bytes(name)).ToArray();
    }

    private void Assert(string name, string dtype) => Xunit.Assert.Equal(dtype, _header[name].GetProperty("dtype").GetString());

    private ReadOnlySpan<byte> Bytes(string name)
    {
        JsonElement offsets = _header[name].GetProperty("data_offsets");
        int from = offsets[0].GetInt32(), to = offsets[1].GetInt32();
        return _data.AsSpan(_start + from, to - from);
    }
}
