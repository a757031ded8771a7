using System.Runtime.Intrinsics;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

public sealed unsafe class ElementwiseTests
{
    private static readonly int[] Lengths = [1, 3, 15, 16, 17, 33, 64, 100, 576];

    public static TheoryData<int> Tiers() => [.. MatrixProductTests.Tiers.Select(tier => (int)tier)];

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Every_operation_has_its_twins_bits_wherever_a_value_lies(int tier)
    {
        KernelTable kernels = KernelTable.For((KernelTier)tier);
        foreach (int n in Lengths)
        {
            var random = new Random(n);
            float[] a = MatrixProductTests.Floats(n, random), b = MatrixProductTests.Floats(n, random), y = new float[n], z = new float[n];
            for (int i = 0; i < n; i++) a[i] *= MathF.Pow(10, random.Next(-3, 3));
            fixed (float* p = a, q = b, r = y, s = z)
            {
                void Compare(string what)
                {
                    for (int i = 0; i < n; i++) MatrixProductTests.Same(z[i], y[i], $"{what} {kernels.Name} {i} of {n}");
                }
                Elementwise.RmsNorm(p, q, r, n, 1e-6f, kernels);
                PlainElementwise.RmsNorm(p, q, s, n, 1e-6f);
                Compare("RmsNorm");
                Elementwise.SwiGlu(p, q, r, n, kernels);
                PlainElementwise.SwiGlu(p, q, s, n);
                Compare("SwiGlu");
                Elementwise.Sigmoid(p, r, n, kernels);
                PlainElementwise.Sigmoid(p, s, n);
                Compare("Sigmoid");
                Elementwise.Softmax(p, r, n, kernels);
                PlainElementwise.Softmax(p, s, n);
                Compare("Softmax");
                Assert.Equal(1, y.Sum(), 1e-5f);
                for (int i = 0; i < n; i++) (y[i], z[i]) = (b[i], b[i] + a[i]);
                Elementwise.Add(p, r, n, kernels);
                Compare("Add");
                for (int i = 0; i < n; i++) (y[i], z[i]) = (b[i], MathF.FusedMultiplyAdd(0.37f, a[i], b[i]));
                Elementwise.AddScaled(p, 0.37f, r, n, kernels);
                Compare("AddScaled");
                Array.Copy(a, y, n);
                Elementwise.RmsNorm(r, q, r, n, 1e-6f, kernels); // in place
                PlainElementwise.RmsNorm(p, q, s, n, 1e-6f);
                Compare("RmsNorm in place");
            }
        }
    }

    [Fact]
    public void Exp_is_within_two_units_in_the_last_place()
    {
        double worst = 0;
        for (float x = -103; x < 88.7f; x += 0.0007f)
        {
            double exact = Math.Exp(x);
            float value = VectorMath.Exp(x);
            double unit = Math.Max(MathF.BitIncrement((float)exact) - (double)(float)exact, float.Epsilon);
            worst = Math.Max(worst, Math.Abs(value - exact) / unit);
        }
        Assert.InRange(worst, 0, 2);
        Assert.Equal(1, VectorMath.Exp(0));
        Assert.Equal(1, VectorMath.Exp(-0f));
        Assert.Equal(0, VectorMath.Exp(float.NegativeInfinity));
        Assert.Equal(0, VectorMath.Exp(-110));
        Assert.Equal(float.PositiveInfinity, VectorMath.Exp(float.PositiveInfinity));
        Assert.Equal(float.PositiveInfinity, VectorMath.Exp(89));
        Assert.True(float.IsNaN(VectorMath.Exp(float.NaN)));
        Assert.Equal(0, VectorMath.Weight(-64.00001f));
        Assert.Equal(0, VectorMath.Weight(float.NegativeInfinity));
        Assert.Equal(VectorMath.Exp(-64), VectorMath.Weight(-64));
        Assert.True(float.IsNaN(VectorMath.Weight(float.NaN)));
    }

    // Attention's sums would not show it: a weight that small is lost in them.
    [Fact]
    public void A_weight_in_a_vector_has_the_bits_of_one_by_itself()
    {
        for (float x = -70; x < 0; x += 0.01f) AssertSame(x);
        foreach (float x in (float[])[0, -0f, -64, MathF.BitDecrement(-64), -90, -104, float.MinValue, float.NegativeInfinity, float.NaN]) AssertSame(x);

        static void AssertSame(float x)
        {
            int expected = BitConverter.SingleToInt32Bits(VectorMath.Weight(x));
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(VectorKernels<Simd128, Vector128<float>, Vector128<int>>.Weight(Vector128.Create(x))[1]));
            if (KernelTable.IsSupported(KernelTier.Avx2)) Assert.Equal(expected, BitConverter.SingleToInt32Bits(VectorKernels<Simd256, Vector256<float>, Vector256<int>>.Weight(Vector256.Create(x))[5]));
            if (!KernelTable.IsSupported(KernelTier.Vector512)) return;
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(VectorKernels<Simd512, Vector512<float>, Vector512<int>>.Weight(Vector512.Create(x))[5]));
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(AssembledLatent8.Weight(Vector512.Create(x))[5]));
        }
    }

    [Theory]
    [MemberData(nameof(Tiers))]
    public void Extremes_stay_what_they_are(int tier)
    {
        KernelTable kernels = KernelTable.For((KernelTier)tier);
        float[] x = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 200, -200, 0, 88.5f, -88.5f], y = new float[8], z = new float[8];
        fixed (float* p = x, r = y, s = z)
        {
            Elementwise.Sigmoid(p, r, 8, kernels);
            PlainElementwise.Sigmoid(p, s, 8);
        }
        for (int i = 0; i < 8; i++) MatrixProductTests.Same(z[i], y[i], $"{x[i]}");
        Assert.True(float.IsNaN(y[0]));
        Assert.Equal([1, 0, 1, 0, 0.5f], y[1..6]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotation_turns_each_pair_by_its_angle(bool interleaved)
    {
        const int Pairs = 5, Heads = 3, Stride = 13;
        float[] x = MatrixProductTests.Floats(Heads * Stride, new Random(1)), y = (float[])x.Clone(), angles = MatrixProductTests.Floats(Pairs, new Random(2));
        float[] cos = [.. angles.Select(MathF.Cos)], sin = [.. angles.Select(MathF.Sin)];
        fixed (float* p = y, c = cos, s = sin)
            Elementwise.Rotate(p, Heads, Stride, c, s, Pairs, interleaved ? RotaryLayout.Interleaved : RotaryLayout.HalfSplit, KernelTable.Current);
        for (int h = 0; h < Heads; h++)
            for (int i = 0; i < Stride; i++)
            {
                int pair = interleaved ? i / 2 : i % Pairs, index = h * Stride + i;
                if (i >= 2 * Pairs)
                {
                    Assert.Equal(x[index], y[index]);
                    continue;
                }
                bool first = interleaved ? i % 2 == 0 : i < Pairs;
                int other = h * Stride + (interleaved ? i ^ 1 : (i + Pairs) % (2 * Pairs));
                float expected = first ? x[index] * cos[pair] - x[other] * sin[pair] : x[other] * sin[pair] + x[index] * cos[pair];
                Assert.Equal(expected, y[index]); // bits
            }
    }

    [Fact]
    public void The_largest_come_first_and_ties_go_to_the_lowest_index()
    {
        var random = new Random(5);
        for (int round = 0; round < 300; round++)
        {
            float[] x = new float[random.Next(1, 40)];
            for (int i = 0; i < x.Length; i++) x[i] = random.Next(6) == 0 ? float.NaN : random.Next(-5, 5);
            int[] chosen = new int[random.Next(0, x.Length + 1)];
            Choice.TopK(x, chosen);
            int[] expected = Enumerable.Range(0, x.Length).OrderBy(i => float.IsNaN(x[i])).ThenByDescending(i => x[i]).ThenBy(i => i).Take(chosen.Length).ToArray();
            Assert.Equal(expected, chosen);
            if (!float.IsNaN(x[Choice.ArgMax(x)])) Assert.Equal(Enumerable.Range(0, x.Length).Where(i => !float.IsNaN(x[i])).OrderByDescending(i => x[i]).ThenBy(i => i).First(), Choice.ArgMax(x));
        }
        Assert.Throws<ArgumentException>(() => Choice.TopK([1f], new int[2]));
    }
}
