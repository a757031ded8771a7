using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>Products against their plain twins, bit for bit, for every format and tier of this machine.</summary>
public sealed unsafe class MatrixProductTests
{
    private const int Guard = 3;

    // All that the machine has; in a process for one tier (TierProcessTests) that one.
    internal static IEnumerable<KernelTier> Tiers => Environment.GetEnvironmentVariable(KernelTable.Variable) is { Length: > 0 } ? [KernelTable.Current.Tier]
        : Enum.GetValues<KernelTier>().Where(KernelTable.IsSupported);

    public static TheoryData<NumberFormat, int> FormatsAndTiers()
    {
        var data = new TheoryData<NumberFormat, int>();
        foreach (NumberFormat format in TestMatrix.Formats)
            foreach (KernelTier tier in Tiers) data.Add(format, (int)tier);
        return data;
    }

    // Columns that the format's blocks allow: row lengths of small real models, and odd ones.
    private static int[] Columns(NumberFormat format) => NumberFormats.BlockSize(format) switch
    {
        1 => [1, 12, 40, 129, 576],
        32 => [32, 64, 288, 576, 1408],
        _ => [256, 512, 1536],
    };

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void Every_format_has_its_twins_bits(NumberFormat format, int tier)
    {
        KernelTable kernels = KernelTable.For((KernelTier)tier);
        using var pool = new WorkerPool(2);
        foreach (int cols in Columns(format))
            foreach ((int rows, int m) in new[] { (1, 1), (33, 2), (64, 7), (70, 13) })
            {
                Check(format, kernels, pool, rows, cols, m, Arithmetic.Default);
                if (cols < 1000) Check(format, kernels, pool, rows, cols, m, Arithmetic.Exact);
            }
    }

    private static void Check(NumberFormat format, KernelTable kernels, WorkerPool pool, int rows, int cols, int m, Arithmetic arithmetic)
    {
        using var matrix = new TestMatrix(format, rows, cols, rows + cols + m);
        using PackedMatrix packed = matrix.Pack(kernels, pool);
        using var x = new ActivationBuffer(cols);
        Fill(x, m, new Random(m * 100 + cols));
        float[] bias = Floats(rows, new Random(1)), y = new float[m * (rows + Guard)];
        Array.Fill(y, -1234);
        fixed (float* b = bias, result = y) MatrixProduct.Run(packed, x, m, result, rows + Guard, b, arithmetic, kernels, pool);
        for (int i = 0; i < m; i++)
        {
            for (int r = 0; r < rows; r++)
            {
                string what = $"{format} {kernels.Name} {arithmetic} {rows}×{cols}, row {i} of {m}, output {r}";
                float expected = matrix.Twin(r, x.Row(i), arithmetic) + bias[r], actual = y[i * (rows + Guard) + r];
                if (RoundsInHardware(format, kernels, arithmetic)) Assert.True(Math.Abs(expected - actual) <= 1e-6f * (matrix.Magnitude(r, x.Row(i)) + Math.Abs(bias[r])), $"{what}: {expected:R}, not {actual:R}");
                else Same(expected, actual, what);
            }
            for (int r = rows; r < rows + Guard; r++) Assert.Equal(-1234, y[i * (rows + Guard) + r]);
        }
    }

    // How vdpbf16ps rounds between the two products of a pair, and that it takes subnormals for zero, is the processor's affair.
    private static bool RoundsInHardware(NumberFormat format, KernelTable kernels, Arithmetic arithmetic)
        => kernels.Tier == KernelTier.Assembled && arithmetic == Arithmetic.Default && format is NumberFormat.BF16 or NumberFormat.F8E4M3;

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void A_row_does_not_depend_on_its_batch(NumberFormat format, int tier)
    {
        const int Rows = 96, M = 40;
        int cols = NumberFormats.BlockSize(format) == 256 ? 768 : 576;
        KernelTable kernels = KernelTable.For((KernelTier)tier);
        using var one = new WorkerPool(1);
        using var matrix = new TestMatrix(format, Rows, cols, 5);
        using PackedMatrix packed = matrix.Pack(kernels, one);
        using var x = new ActivationBuffer(cols);
        Fill(x, M, new Random(9));
        foreach (Arithmetic arithmetic in Enum.GetValues<Arithmetic>())
        {
            float[] expected = new float[M * Rows], y = new float[M * Rows];
            using var single = new ActivationBuffer(cols);
            fixed (float* e = expected, result = y)
            {
                for (int i = 0; i < M; i++)
                {
                    single.Wrap(x.Row(i), x.Stride, 1);
                    MatrixProduct.Run(packed, single, 1, e + i * Rows, Rows, null, arithmetic, kernels, one);
                }
                for (int m = 1; m <= M; m += m < 9 ? 1 : 7)
                {
                    using var pool = new WorkerPool(1 + m % 5);
                    MatrixProduct.Run(packed, x, m, result, Rows, null, arithmetic, kernels, pool);
                    for (int i = 0; i < m * Rows; i++) Same(expected[i], y[i], $"{format} {arithmetic} M={m} element {i}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void A_packed_matrix_gives_back_the_decoders_numbers(NumberFormat format, int tier)
    {
        int cols = NumberFormats.BlockSize(format) == 1 ? 301 : 512;
        using var pool = new WorkerPool(1);
        using var matrix = new TestMatrix(format, 40, cols, 77);
        using PackedMatrix packed = matrix.Pack(KernelTable.For((KernelTier)tier), pool);
        float[] expected = new float[cols], actual = new float[cols];
        for (int row = 0; row < 40; row++)
        {
            BlockDecoder.Decode(format, new ReadOnlySpan<byte>(matrix.Row(row), (int)matrix.RowBytes), expected);
            packed.DecodeRow(row, actual);
            for (int k = 0; k < cols; k++)
                Assert.True((matrix.Scales is null ? expected[k] : expected[k] * matrix.Scales[row / 128 * ((cols + 127) / 128) + k / 128]) == actual[k], $"{format} row {row}, {k}: {expected[k]}, {actual[k]}");
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => packed.DecodeRow(40, actual));
        Assert.Throws<ArgumentOutOfRangeException>(() => packed.DecodeRow(-1, actual));
    }

    [Fact]
    public void Integer_arithmetic_stays_near_the_exact_one()
    {
        using var pool = new WorkerPool(1);
        foreach (NumberFormat format in TestMatrix.Formats)
        {
            using var matrix = new TestMatrix(format, 32, 1024, 3);
            using PackedMatrix packed = matrix.Pack(KernelTable.Current, pool);
            using var x = new ActivationBuffer(1024);
            Fill(x, 4, new Random(4));
            float[] y = new float[4 * 32], exact = new float[4 * 32];
            fixed (float* a = y, b = exact)
            {
                MatrixProduct.Run(packed, x, 4, a, 32, null, Arithmetic.Default, KernelTable.Current, pool);
                MatrixProduct.Run(packed, x, 4, b, 32, null, Arithmetic.Exact, KernelTable.Current, pool);
            }
            double error = 0, norm = 0;
            for (int i = 0; i < y.Length; i++)
            {
                error += Math.Pow(y[i] - exact[i], 2);
                norm += exact[i] * (double)exact[i];
            }
            // Activations keep 7 bits and a sign: rounding is 1/254 of a block's largest, about 0.4% of the result.
            Assert.True(Math.Sqrt(error / norm) < 0.02, $"{format}: {Math.Sqrt(error / norm):P2}");
        }
    }

    [Fact]
    public void Packed_weights_take_at_most_7_percent_more_than_the_file()
    {
        using var pool = new WorkerPool(2);
        foreach (NumberFormat format in TestMatrix.Formats)
            foreach ((int rows, int cols) in new[] { (1536, 1536), (576, 2048), (1408, 2048) })
            {
                Assert.InRange(rows / 32 * PackedLayout.PanelBytes(format, cols) / (double)(rows * NumberFormats.ByteCount(format, cols)), 1, 1.07);
            }
        foreach (NumberFormat format in TestMatrix.Formats)
        {
            using var matrix = new TestMatrix(format, 64, 256, 0);
            using PackedMatrix packed = matrix.Pack(KernelTable.Current, pool);
            Assert.InRange(packed.Bytes, 64 * matrix.RowBytes, 64 * matrix.RowBytes * 1.07 + 64);
        }
    }

    [Fact]
    public void Extreme_activations_stay_defined()
    {
        using var pool = new WorkerPool(1);
        foreach (NumberFormat format in TestMatrix.Formats)
            foreach (KernelTier tier in Tiers)
            {
                using var matrix = new TestMatrix(format, 3, 256, 8);
                using PackedMatrix packed = matrix.Pack(KernelTable.For(tier), pool);
                using var x = new ActivationBuffer(256);
                float* rows = x.Begin(5);
                for (int k = 0; k < 5 * x.Stride; k++) rows[k] = 0;
                x.Row(1)[70] = float.NaN;
                x.Row(2)[100] = float.PositiveInfinity;
                x.Row(3)[5] = 1e-38f;
                for (int k = 0; k < 256; k++) x.Row(4)[k] = k % 2 == 0 ? 1e30f : -1e30f;
                float[] y = new float[15];
                fixed (float* result = y) MatrixProduct.Run(packed, x, 5, result, 3, null, Arithmetic.Default, KernelTable.For(tier), pool);
                for (int i = 0; i < 5; i++)
                    for (int r = 0; r < 3; r++)
                    {
                        float expected = matrix.Twin(r, x.Row(i), Arithmetic.Default), actual = y[3 * i + r];
                        if (RoundsInHardware(format, KernelTable.For(tier), Arithmetic.Default) && float.IsFinite(expected)) Assert.True(Math.Abs(expected - actual) <= 1e-6f * matrix.Magnitude(r, x.Row(i)) + 1e-37f);
                        else Same(expected, actual, $"{format} {tier} row {i} output {r}");
                    }
                if (NumberFormats.IsInteger(format)) Assert.All(y[3..9], value => Assert.True(float.IsNaN(value)));
                Assert.All(y[..3], value => Assert.Equal(0, value));
            }
    }

    [Fact]
    public void Infinite_half_precision_weights_stay_infinite()
    {
        using var pool = new WorkerPool(1);
        ushort[] weights = [0x3C00, 0x7C00, 0x4000, 0x3C00, 0x0001, 0x4000];
        float[] row = new float[3];
        fixed (ushort* w = weights)
        {
            using PackedMatrix packed = PackedMatrix.Pack(NumberFormat.F16, 2, 3, (nint)w, null, KernelTable.Current, pool);
            packed.DecodeRow(0, row);
            Assert.Equal([1, float.PositiveInfinity, 2], row);
            packed.DecodeRow(1, row);
            Assert.Equal([1, 5.9604645e-8f, 2], row);
        }
    }

    [Fact]
    public void Fp8_weights_that_are_no_numbers_make_only_their_own_outputs_none()
    {
        using var pool = new WorkerPool(1);
        using var matrix = new TestMatrix(NumberFormat.F8E4M3, 40, 300, 1);
        matrix.Row(33)[299] = 0xFF;
        using PackedMatrix packed = matrix.Pack(KernelTable.Current, pool);
        using var x = new ActivationBuffer(300);
        Fill(x, 2, new Random(1));
        float[] y = new float[80];
        fixed (float* result = y) MatrixProduct.Run(packed, x, 2, result, 40, null, Arithmetic.Exact, KernelTable.Current, pool);
        for (int i = 0; i < 80; i++) Same(matrix.Twin(i % 40, x.Row(i / 40), Arithmetic.Exact), y[i], $"output {i % 40}");
        Assert.True(float.IsNaN(y[33]) && float.IsNaN(y[73]));
    }

    [Fact]
    public void Every_fp8_code_is_decoded()
    {
        using var pool = new WorkerPool(1);
        byte[] codes = [.. Enumerable.Range(0, 256).Select(i => (byte)i).Where(i => (i & 0x7F) != 0x7F)];
        float[] row = new float[codes.Length];
        foreach (KernelTier tier in Tiers)
            fixed (byte* w = codes)
            {
                using PackedMatrix packed = PackedMatrix.Pack(NumberFormat.F8E4M3, 1, codes.Length, (nint)w, null, KernelTable.For(tier), pool);
                Assert.Equal(NumberFormat.F8E4M3, packed.Stored);
                packed.DecodeRow(0, row);
                for (int i = 0; i < codes.Length; i++) Assert.Equal(FloatFormats.E4M3[codes[i]], row[i]);
            }
    }

    [Fact]
    public void Several_jobs_with_chosen_rows_are_one_region()
    {
        using var pool = new WorkerPool(3);
        KernelTable kernels = KernelTable.Current;
        using var x = new ActivationBuffer(64);
        Fill(x, 9, new Random(2));
        var matrices = Enumerable.Range(0, 70).Select(i => new TestMatrix(i % 2 == 0 ? NumberFormat.Q4_0 : NumberFormat.F32, 20 + i, 64, i)).ToArray();
        var packed = matrices.Select(matrix => matrix.Pack(kernels, pool)).ToArray();
        float[] y = new float[70 * 2 * 100];
        int[] chosen = [7, 3];
        fixed (float* result = y)
        fixed (int* rows = chosen)
        {
            var jobs = new ProductJob[70];
            for (int i = 0; i < 70; i++)
                jobs[i] = new ProductJob { Weights = packed[i], Input = x, InputRows = rows, Count = i % 3, Output = result + i * 200, OutputStride = 100 };
            MatrixProduct.Run(jobs, Arithmetic.Default, kernels, pool);
            for (int i = 0; i < 70; i++)
                for (int j = 0; j < i % 3; j++)
                    for (int r = 0; r < 20 + i; r++)
                        Same(matrices[i].Twin(r, x.Row(chosen[j]), Arithmetic.Default), result[i * 200 + j * 100 + r], $"job {i}");
        }
        foreach (TestMatrix matrix in matrices) matrix.Dispose();
        foreach (PackedMatrix matrix in packed) matrix.Dispose();
    }

    [Fact]
    public void A_product_allocates_nothing_once_its_buffers_have_grown()
    {
        using var pool = new WorkerPool(1);
        KernelTable kernels = KernelTable.Current;
        foreach (NumberFormat format in new[] { NumberFormat.Q4_0, NumberFormat.Q8_0, NumberFormat.IQ2_XS, NumberFormat.BF16 })
        {
            using var matrix = new TestMatrix(format, 96, 256, 1);
            using PackedMatrix packed = matrix.Pack(kernels, pool);
            using var x = new ActivationBuffer(256);
            float[] y = new float[9 * 96];
            fixed (float* result = y)
            {
                Fill(x, 9, new Random(1));
                for (int i = 0; i < 3; i++) MatrixProduct.Run(packed, x, 9, result, 96, null, Arithmetic.Default, kernels, pool);
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 10; i++)
                {
                    x.Changed();
                    MatrixProduct.Run(packed, x, 9, result, 96, null, Arithmetic.Default, kernels, pool);
                }
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            }
        }
    }

    [Fact]
    public void What_cannot_be_packed_is_refused_in_one_line()
    {
        using var pool = new WorkerPool(1);
        Assert.Throws<KernelException>(() => PackedMatrix.Pack(NumberFormat.I64, 4, 4, 0, null, KernelTable.Current, pool));
        Assert.Throws<KernelException>(() => PackedMatrix.Pack(NumberFormat.Q4_0, 4, 40, 0, null, KernelTable.Current, pool));
        Assert.Throws<KernelException>(() => PackedMatrix.Pack(NumberFormat.Q4_0, 0, 32, 0, null, KernelTable.Current, pool));
        Assert.Throws<KernelException>(() => PackedMatrix.Pack(NumberFormat.Q4_0, 1L << 40, 32, 0, null, KernelTable.Current, pool));
        Assert.Throws<KernelException>(() => PackedMatrix.Pack(NumberFormat.F8E4M3, 300, 300, 0, new float[8], KernelTable.Current, pool));
        Assert.Throws<KernelException>(() => PackedMatrix.Pack(NumberFormat.F32, 3, 3, 0, new float[1], KernelTable.Current, pool));
    }

    internal static float[] Floats(int count, Random random) => Enumerable.Range(0, count).Select(_ => random.NextSingle() * 4 - 2).ToArray();

    internal static void Fill(ActivationBuffer x, int m, Random random)
    {
        x.Begin(m);
        for (int i = 0; i < m; i++)
            for (int k = 0; k < x.Cols; k++) x.Row(i)[k] = (random.NextSingle() * 4 - 2) * (k % 37 == 0 ? 8 : 1);
    }

    internal static void Same(float expected, float actual, string what)
        => Assert.True(BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(actual) || (expected == 0 && actual == 0)
            || (float.IsNaN(expected) && float.IsNaN(actual)), $"{what}: {expected:R}, not {actual:R}");
}
