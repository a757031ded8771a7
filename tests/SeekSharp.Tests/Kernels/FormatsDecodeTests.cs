using System.Runtime.InteropServices;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>Every block decoder against gguf-py's and ggml's floats, and the small floats against PyTorch's, bit for bit.</summary>
public sealed class FormatsDecodeTests
{
    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("Q4_0")]
    [InlineData("Q4_1")]
    [InlineData("Q5_0")]
    [InlineData("Q5_1")]
    [InlineData("Q8_0")]
    [InlineData("Q2_K")]
    [InlineData("Q3_K")]
    [InlineData("Q4_K")]
    [InlineData("Q5_K")]
    [InlineData("Q6_K")]
    [InlineData("IQ1_S")]
    [InlineData("IQ1_M")]
    [InlineData("IQ2_XXS")]
    [InlineData("IQ2_XS")]
    [InlineData("IQ2_S")]
    [InlineData("IQ3_XXS")]
    [InlineData("IQ3_S")]
    [InlineData("IQ4_NL")]
    [InlineData("IQ4_XS")]
    [InlineData("MXFP4")]
    public void Blocks_decode_as_in_ggml_bit_for_bit(string name)
    {
        GoldenFile golden = GoldenFile.Open(Repository.Shared($"goldens/quants/{name.ToLowerInvariant()}.safetensors"));
        NumberFormat format = Enum.Parse<NumberFormat>(name);
        AssertDecodes(format, golden.Bytes("bytes"), golden.Floats("floats"));
        AssertDecodes(format, golden.Bytes("quantized"), golden.Floats("quantized_floats"));
    }

    [Theory]
    [InlineData(NumberFormat.F8E4M3, "floats")]
    [InlineData(NumberFormat.F8E5M2, "e5m2_floats")]
    [InlineData(NumberFormat.F8E8M0, "ue8m0_floats")]
    public void Eight_bit_floats_decode_as_in_PyTorch(NumberFormat format, string tensor)
    {
        GoldenFile golden = GoldenFile.Open(Repository.Shared("goldens/quants/fp8_e4m3.safetensors"));
        AssertDecodes(format, golden.Bytes("codes"), golden.Floats(tensor));
    }

    [Fact]
    public void Every_binary16_widens_as_the_runtime_widens_it()
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        float[] expected = [.. bits.Select(b => (float)BitConverter.UInt16BitsToHalf(b))];
        AssertDecodes(NumberFormat.F16, MemoryMarshal.AsBytes<ushort>(bits), expected);
        AssertDecodes(NumberFormat.F16, MemoryMarshal.AsBytes<ushort>(bits).Slice(0, 26), expected[..13]); // a length with a rest
    }

    [Fact]
    public void Plain_numbers_become_floats()
    {
        float[] expected = [0, 1, -2, 100];
        AssertDecodes(NumberFormat.F32, MemoryMarshal.AsBytes<float>([0, 1, -2, 100]), expected);
        AssertDecodes(NumberFormat.F64, MemoryMarshal.AsBytes<double>([0, 1, -2, 100]), expected);
        AssertDecodes(NumberFormat.I8, MemoryMarshal.AsBytes<sbyte>([0, 1, -2, 100]), expected);
        AssertDecodes(NumberFormat.I16, MemoryMarshal.AsBytes<short>([0, 1, -2, 100]), expected);
        AssertDecodes(NumberFormat.I32, MemoryMarshal.AsBytes<int>([0, 1, -2, 100]), expected);
        AssertDecodes(NumberFormat.I64, MemoryMarshal.AsBytes<long>([0, 1, -2, 100]), expected);
        AssertDecodes(NumberFormat.U8, [0, 1, 254, 100], [0, 1, 254, 100]);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => BlockDecoder.Decode(NumberFormat.Q4_0, new byte[18], new float[31]));
        Assert.Throws<ArgumentException>(() => BlockDecoder.Decode(NumberFormat.Q4_0, new byte[17], new float[32]));
    }

    private static void AssertDecodes(NumberFormat format, ReadOnlySpan<byte> bytes, float[] expected)
    {
        float[] actual = new float[expected.Length];
        BlockDecoder.Decode(format, bytes, actual);
        for (int i = 0; i < actual.Length; i++)
        {
            if (float.IsNaN(expected[i]) && float.IsNaN(actual[i])) continue;
            if (BitConverter.SingleToUInt32Bits(expected[i]) != BitConverter.SingleToUInt32Bits(actual[i]))
                Assert.Fail($"{format} value {i}: expected {expected[i]:R}, got {actual[i]:R}");
        }
    }
}
