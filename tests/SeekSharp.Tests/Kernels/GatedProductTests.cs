using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>A SwiGLU made in one parallel region, and products that are added to what is there, have the bits of their parts one after the other.</summary>
public sealed unsafe class GatedProductTests
{
    public static TheoryData<NumberFormat, int> FormatsAndTiers() => MatrixProductTests.FormatsAndTiers();

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void Gate_up_swiglu_and_the_next_form_in_one(NumberFormat format, int tier)
    {
        KernelTable kernels = KernelTable.For((KernelTier)tier);
        int cols = NumberFormats.BlockSize(format) == 256 ? 256 : 64;
        foreach ((int width, int m, int threads) in new[] { (32, 1, 1), (96, 5, 2), (45, 17, 3), (64, 150, 2) })
            foreach (Arithmetic arithmetic in Enum.GetValues<Arithmetic>())
            {
                if (arithmetic == Arithmetic.Exact && m > 20) continue;
                foreach (ActivationForm form in Forms(kernels, width)) Check(format, kernels, cols, width, m, threads, arithmetic, form);
            }
    }

    private static IEnumerable<ActivationForm> Forms(KernelTable kernels, int width)
    {
        yield return ActivationForm.Floats;
        yield return ActivationForm.RoundedPairs;
        bool assembled = kernels.Tier == KernelTier.Assembled;
        if (assembled) yield return ActivationForm.BF16;
        if (width % 32 != 0) yield break;
        yield return ActivationForm.Unsigned;
        yield return ActivationForm.Signed;
        if (assembled) yield return ActivationForm.Biased;
    }

    private static void Check(NumberFormat format, KernelTable kernels, int cols, int width, int m, int threads, Arithmetic arithmetic, ActivationForm form)
    {
        const int Before = 2; // rows of the result that belong to others
        using var pool = new WorkerPool(threads);
        using var gateMatrix = new TestMatrix(format, width, cols, 11);
        using var upMatrix = new TestMatrix(format, width, cols, 12);
        using PackedMatrix gate = gateMatrix.Pack(kernels, pool), up = upMatrix.Pack(kernels, pool);
        using ActivationBuffer x = Input(cols, m, 3), expected = new(width), actual = new(width);
        float[] bias = Floats(width, 5), g = new float[m * width], u = new float[m * width];
        string what = $"{format} {kernels.Name} {arithmetic} {form} {width}×{cols}, {m} rows";
        fixed (float* b = bias, pg = g, pu = u)
        {
            MatrixProduct.Run(gate, x, m, pg, width, b, arithmetic, kernels, pool);
            MatrixProduct.Run(up, x, m, pu, width, null, arithmetic, kernels, pool);
            expected.Begin(m);
            for (int i = 0; i < m; i++) Elementwise.SwiGlu(pg + i * width, pu + i * width, expected.Row(i), width, kernels);
            float* rows = actual.Begin(m + Before);
            new Span<float>(rows, (m + Before) * actual.Stride).Fill(7);
            var job = new ProductJob { Weights = gate, Bias = b, Up = up, Input = x, Count = m, Gated = actual, GatedRow = Before, GatedForm = form };
            MatrixProduct.Run(new ReadOnlySpan<ProductJob>(in job), arithmetic, kernels, pool);
        }
        byte* right = expected.Form(form, out long rightBytes, kernels, pool), made = actual.Form(form, out long bytes, kernels, pool);
        Assert.Equal(rightBytes, bytes);
        long whole = form == ActivationForm.Floats ? width * sizeof(float) : Written(form, width);
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; form == ActivationForm.Floats && j < width; j++) Assert.True(BitConverter.SingleToInt32Bits(expected.Row(i)[j]) == BitConverter.SingleToInt32Bits(actual.Row(Before + i)[j]), $"{what}: row {i}, {j}: {expected.Row(i)[j]:R}, not {actual.Row(Before + i)[j]:R}");
            Assert.True(new ReadOnlySpan<byte>(right + i * bytes, (int)whole).SequenceEqual(new ReadOnlySpan<byte>(made + (Before + i) * bytes, (int)whole)), $"{what}: form of row {i}");
        }
        for (int i = 0; i < Before; i++)
            for (int j = 0; j < width; j++) Assert.Equal(7, actual.Row(i)[j]);
    }

    [Fact]
    public void A_second_form_can_be_had_only_where_the_numbers_themselves_are()
    {
        KernelTable kernels = KernelTable.For(KernelTier.Portable);
        using var pool = new WorkerPool(1);
        using ActivationBuffer x = new(64);
        x.Begin(4);
        x.MadeOnly(ActivationForm.Floats);
        x.Form(ActivationForm.Unsigned, out _, kernels, pool);
        x.Form(ActivationForm.Signed, out _, kernels, pool);
        x.Begin(4);
        x.MadeOnly(ActivationForm.Unsigned);
        x.MadeOnly(ActivationForm.Floats); // other rows
        x.Form(ActivationForm.Unsigned, out _, kernels, pool);
        x.Form(ActivationForm.Floats, out _, kernels, pool);
        Assert.Throws<InvalidOperationException>(() => x.Form(ActivationForm.Signed, out _, kernels, pool));
    }

    // Bytes of a row that the form defines.
    private static long Written(ActivationForm form, int width) => form switch
    {
        ActivationForm.RoundedPairs => (width + 1 & ~1) * sizeof(float),
        _ => ActivationBuffer.Offset(form, width + 31 & ~31),
    };

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void A_product_can_be_added(NumberFormat format, int tier)
    {
        KernelTable kernels = KernelTable.For((KernelTier)tier);
        using var pool = new WorkerPool(2);
        int cols = NumberFormats.BlockSize(format) == 256 ? 256 : 64;
        foreach ((int rows, int m) in new[] { (32, 1), (45, 3), (70, 20) })
            foreach (Arithmetic arithmetic in Enum.GetValues<Arithmetic>())
            {
                using var matrix = new TestMatrix(format, rows, cols, 21);
                using PackedMatrix packed = matrix.Pack(kernels, pool);
                using ActivationBuffer x = Input(cols, m, 4);
                float[] bias = Floats(rows, 6), product = new float[m * rows], sum = Floats(m * rows, 7), before = [.. sum];
                fixed (float* b = bias, p = product, s = sum)
                {
                    MatrixProduct.Run(packed, x, m, p, rows, b, arithmetic, kernels, pool);
                    var job = new ProductJob { Weights = packed, Bias = b, Input = x, Count = m, Output = s, OutputStride = rows, Adds = true };
                    MatrixProduct.Run(new ReadOnlySpan<ProductJob>(in job), arithmetic, kernels, pool);
                }
                for (int i = 0; i < sum.Length; i++) Assert.Equal(BitConverter.SingleToInt32Bits(before[i] + product[i]), BitConverter.SingleToInt32Bits(sum[i]));
            }
    }

    [Fact]
    public void Gate_and_up_must_have_one_shape()
    {
        KernelTable kernels = KernelTable.Current;
        using var pool = new WorkerPool(1);
        using var a = new TestMatrix(NumberFormat.Q8_0, 32, 64, 1);
        using var b = new TestMatrix(NumberFormat.Q8_0, 64, 64, 1);
        using PackedMatrix gate = a.Pack(kernels, pool), up = b.Pack(kernels, pool);
        using ActivationBuffer x = Input(64, 1, 1), y = new(32);
        y.Begin(1);
        Assert.Throws<ArgumentException>(() =>
        {
            var job = new ProductJob { Weights = gate, Up = up, Input = x, Count = 1, Gated = y };
            MatrixProduct.Run(new ReadOnlySpan<ProductJob>(in job), Arithmetic.Default, kernels, pool);
        });
    }

    private static ActivationBuffer Input(int cols, int rows, int seed)
    {
        var x = new ActivationBuffer(cols);
        float* p = x.Begin(rows);
        Floats(rows * x.Stride, seed).CopyTo(new Span<float>(p, rows * x.Stride));
        return x;
    }

    private static float[] Floats(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 4 - 2)];
    }
}
