using System.Globalization;
using System.Text.Json;
using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Every kind of metadata value and tensor, as gguf-py wrote them (goldens/gguf/metadata.gguf and .json).</summary>
public sealed class GgufMetadataTests
{
    [Fact]
    public void Every_value_and_tensor_of_the_golden_file()
    {
        using GgufCheckpoint file = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/metadata.gguf"));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Repository.Shared("goldens/gguf/metadata.json")));
        JsonElement golden = json.RootElement;
        Assert.Equal(golden.GetProperty("version").GetUInt32(), file.Version);
        Assert.Equal(golden.GetProperty("alignment").GetUInt32(), file.Alignment);

        var metadata = golden.GetProperty("metadata").EnumerateArray().ToList();
        Assert.Equal(metadata.Select(m => m.GetProperty("key").GetString()), file.Metadata.Values.Keys);
        foreach (JsonElement m in metadata) CheckValue(file.Metadata, m);

        var tensors = golden.GetProperty("tensors").EnumerateArray().ToList();
        Assert.Equal(tensors.Select(t => t.GetProperty("name").GetString()), file.Tensors.Keys);
        foreach (JsonElement t in tensors)
        {
            CheckpointTensor found = file.Tensors[t.GetProperty("name").GetString()!];
            Assert.Equal(t.GetProperty("dimensions").EnumerateArray().Select(d => d.GetInt64()).Reverse(), found.Shape);
            Assert.Equal(t.GetProperty("type").GetString(), found.Format.ToString());
            Assert.Equal(t.GetProperty("data_hex").GetString(), Hex(found));
        }
    }

    [Fact]
    public void An_array_of_arrays_is_refused_as_ggml_does()
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => GgufCheckpoint.Open(Repository.Shared("goldens/gguf/metadata_nested.gguf")));
        Assert.Contains("golden.array.nested is an array of arrays", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_of_another_kind_is_named()
    {
        using GgufCheckpoint file = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/metadata.gguf"));
        GgufMetadata m = file.Metadata;
        Assert.Contains("golden.uint8.0: expected a string, found UInt8", Assert.Throws<CheckpointException>(() => m.GetString("golden.uint8.0")).Message, StringComparison.Ordinal);
        Assert.Contains("general.architecture: expected a whole number, found String", Assert.Throws<CheckpointException>(() => m.GetInteger("general.architecture")).Message, StringComparison.Ordinal);
        Assert.Contains("expected a bool", Assert.Throws<CheckpointException>(() => m.GetBool("golden.uint8.0")).Message, StringComparison.Ordinal);
        Assert.Contains("an array of UInt8", Assert.Throws<CheckpointException>(() => m.GetStrings("golden.array.uint8")).Message, StringComparison.Ordinal);
        Assert.Contains("an array of UInt8", Assert.Throws<CheckpointException>(() => m.GetNumber("golden.array.uint8")).Message, StringComparison.Ordinal);
        Assert.Contains("expected an array of whole numbers, found String", Assert.Throws<CheckpointException>(() => m.GetIntegers("general.architecture")).Message, StringComparison.Ordinal);
        Assert.Contains("32 bits", Assert.Throws<CheckpointException>(() => m.GetIntegers("golden.array.uint32")).Message, StringComparison.Ordinal);
        Assert.Null(m.GetString("absent"));
        Assert.Null(m.GetInteger("absent"));
        Assert.Null(m.GetStrings("absent"));
        Assert.Equal([0, 255], m.GetIntegers("golden.array.uint8")!);
        Assert.Equal([0f, 255f], m.GetFloats("golden.array.uint8")!);
        Assert.Equal(255, m.GetInteger("golden.uint8.1"));
    }

    private static void CheckValue(GgufMetadata found, JsonElement golden)
    {
        GgufValue value = found.Values[golden.GetProperty("key").GetString()!];
        string type = golden.GetProperty("type").GetString()!;
        Assert.Equal(type, value.Type.ToString().ToUpperInvariant());
        JsonElement expected = golden.GetProperty("value");
        if (value.Type != GgufValueType.Array)
        {
            Assert.Equal(Text(expected), Text(found.GetScalar(value)));
            return;
        }
        Assert.Equal(expected.GetProperty("type").GetString(), value.ElementType.ToString().ToUpperInvariant());
        var elements = expected.GetProperty("values").EnumerateArray().ToList();
        Assert.Equal(elements.Count, value.Count);
        for (int i = 0; i < elements.Count; i++) Assert.Equal(Text(elements[i]), Text(found.GetElement(value, i)));
    }

    // 64-bit numbers are strings in the golden, floats have their bits.
    private static string Text(JsonElement e) => e.ValueKind switch
    {
        JsonValueKind.Object => e.GetProperty("bits").GetString()!,
        JsonValueKind.String => e.GetString()!,
        _ => e.GetRawText(),
    };

    private static string Text(object value) => value switch
    {
        float f => "0x" + BitConverter.SingleToUInt32Bits(f).ToString("x8", CultureInfo.InvariantCulture),
        double d => "0x" + BitConverter.DoubleToUInt64Bits(d).ToString("x16", CultureInfo.InvariantCulture),
        bool b => b ? "true" : "false",
        string s => s,
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static unsafe string Hex(CheckpointTensor t) => Convert.ToHexStringLower(new ReadOnlySpan<byte>((byte*)t.Address, (int)t.ByteLength));
}
