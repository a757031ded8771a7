using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>Every encoder: ggml's bytes where ggml has one answer, at most 1.02 × ggml's error where both search.</summary>
public sealed class FormatsEncodeTests
{
    [Theory]
    [InlineData(NumberFormat.F16)]
    [InlineData(NumberFormat.BF16)]
    [InlineData(NumberFormat.Q4_0)]
    [InlineData(NumberFormat.Q4_1)]
    [InlineData(NumberFormat.Q5_0)]
    [InlineData(NumberFormat.Q5_1)]
    [InlineData(NumberFormat.Q8_0)]
    [InlineData(NumberFormat.MXFP4)]
    public void Blocks_are_ggmls_byte_for_byte(NumberFormat format)
    {
        GoldenFile golden = Open(format);
        float[] source = golden.Floats("source");
        byte[] expected = golden.Bytes("quantized").ToArray(), actual = new byte[expected.Length];
        BlockEncoder.Encode(format, source, actual);
        int block = NumberFormats.BlockBytes(format);
        for (int i = 0; i < actual.Length; i++)
            if (actual[i] != expected[i]) Assert.Fail($"{format} block {i / block} byte {i % block}: expected {expected[i]}, got {actual[i]}");
    }

    [Theory]
    [InlineData(NumberFormat.Q2_K)]
    [InlineData(NumberFormat.Q3_K)]
    [InlineData(NumberFormat.Q4_K)]
    [InlineData(NumberFormat.Q5_K)]
    [InlineData(NumberFormat.Q6_K)]
    public void K_blocks_err_no_more_than_ggmls(NumberFormat format)
    {
        GoldenFile golden = Open(format);
        float[] source = golden.Floats("source"), theirs = golden.Floats("quantized_floats"), ours = RoundTrip(format, source);
        int rows = golden.Shape("source")[0], cols = golden.Shape("source")[1];
        List<string> worse = [];
        for (int row = 0; row <= rows; row++) // the last: all together
        {
            Range range = row < rows ? (row * cols)..((row + 1) * cols) : Range.All;
            double mine = Error(source[range], ours[range]), golds = Error(source[range], theirs[range]);
            if (!(mine <= 1.02 * golds)) worse.Add($"row {row}: {mine:G5} > 1.02 × {golds:G5}");
        }
        Assert.True(worse.Count == 0, $"{format}: {string.Join("; ", worse)}");
    }

    [Theory]
    [InlineData("f16")]
    [InlineData("bf16")]
    public void Floats_round_as_in_PyTorch(string name)
    {
        GoldenFile golden = GoldenFile.Open(Repository.Shared($"goldens/quants/round_{name}.safetensors"));
        float[] input = golden.Floats("round_input"), rounded = golden.Floats("round_floats");
        ushort[] bits = golden.UShorts("round_bits");
        for (int i = 0; i < input.Length; i++)
        {
            ushort code = name == "f16" ? FloatFormats.ToF16(input[i]) : FloatFormats.ToBF16(input[i]);
            float back = name == "f16" ? FloatFormats.RoundF16(input[i]) : FloatFormats.RoundBF16(input[i]);
            if (float.IsNaN(rounded[i])) Assert.True(float.IsNaN(back), $"{input[i]:R}");
            else Assert.True(code == bits[i] && BitConverter.SingleToUInt32Bits(back) == BitConverter.SingleToUInt32Bits(rounded[i]), $"{input[i]:R}: {code:X4}, expected {bits[i]:X4}");
        }
    }

    [Fact]
    public void Floats_round_to_E4M3_as_in_PyTorch()
    {
        GoldenFile golden = GoldenFile.Open(Repository.Shared("goldens/quants/fp8_e4m3.safetensors"));
        float[] input = golden.Floats("round_input");
        byte[] codes = golden.Bytes("round_codes").ToArray();
        for (int i = 0; i < input.Length; i++)
            Assert.True(FloatFormats.ToE4M3(input[i]) == codes[i], $"{input[i]:R}: {FloatFormats.ToE4M3(input[i]):X2}, expected {codes[i]:X2}");
    }

    [Theory]
    [InlineData(NumberFormat.Q2_K, 0.30)]
    [InlineData(NumberFormat.Q3_K, 0.17)]
    [InlineData(NumberFormat.Q4_K, 0.08)]
    [InlineData(NumberFormat.Q5_K, 0.04)]
    [InlineData(NumberFormat.Q6_K, 0.025)]
    [InlineData(NumberFormat.Q4_0, 0.10)]
    [InlineData(NumberFormat.Q8_0, 0.006)]
    public void Any_weights_come_back_nearly(NumberFormat format, double relative)
    {
        Random random = new(20251);
        for (int trial = 0; trial < 40; trial++)
        {
            double size = Math.Pow(10, random.Next(-2, 4));
            float[] x = [.. Enumerable.Range(0, 512).Select(_ => (float)(size * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5)))];
            double rms = Math.Sqrt(x.Sum(v => (double)v * v) / x.Length);
            Assert.True(Error(x, RoundTrip(format, x)) <= relative * rms, $"{format}, size {size}: {Error(x, RoundTrip(format, x)) / rms}");
        }
    }

    [Theory]
    [InlineData(NumberFormat.Q2_K)]
    [InlineData(NumberFormat.Q3_K)]
    [InlineData(NumberFormat.Q4_K)]
    [InlineData(NumberFormat.Q5_K)]
    [InlineData(NumberFormat.Q6_K)]
    public void Absurd_weights_end_and_stay_finite(NumberFormat format)
    {
        float[][] rows = [Fill(float.NaN), Fill(float.PositiveInfinity), Fill(1e38f), Fill(-1e38f), Fill(1e-44f), Mixed(float.NaN), Mixed(float.NegativeInfinity), Mixed(3e38f)];
        foreach (float[] row in rows) Assert.All(RoundTrip(format, row), v => Assert.True(float.IsFinite(v)));

        static float[] Fill(float v) => [.. Enumerable.Repeat(v, 256)];
        static float[] Mixed(float v) => [.. Enumerable.Range(0, 256).Select(i => i % 40 == 7 ? v : i * 0.01f)];
    }

    [Fact]
    public void Formats_that_are_only_read_are_refused() =>
        Assert.Throws<ArgumentException>(() => BlockEncoder.Encode(NumberFormat.IQ2_XS, new float[256], new byte[74]));

    private static GoldenFile Open(NumberFormat format) =>
        GoldenFile.Open(Repository.Shared($"goldens/quants/{format.ToString().ToLowerInvariant()}.safetensors"));

    private static float[] RoundTrip(NumberFormat format, float[] x)
    {
        byte[] bytes = new byte[NumberFormats.ByteCount(format, x.Length)];
        BlockEncoder.Encode(format, x, bytes);
        float[] back = new float[x.Length];
        BlockDecoder.Decode(format, bytes, back);
        return back;
    }

    private static double Error(float[] x, float[] y) => Math.Sqrt(x.Zip(y, (a, b) => ((double)a - b) * ((double)a - b)).Sum() / x.Length);
}
