using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Kernels;

/// <summary>Attention in tiles against its plain twins, bit for bit: every cache format, tier, chunking and number of threads.</summary>
public sealed unsafe class AttentionTests
{
    // The assembled tier has three forms of products with a bf16 cache; all run on every machine that has the instructions.
    private const int InPairs = 100, InFloats = 101;

    public static TheoryData<KvFormat, int> FormatsAndTiers()
    {
        var data = new TheoryData<KvFormat, int>();
        foreach (KvFormat format in Enum.GetValues<KvFormat>())
            foreach (KernelTier tier in MatrixProductTests.Tiers) data.Add(format, (int)tier);
        if (!KernelTable.IsSupported(KernelTier.Assembled)) return data;
        data.Add(KvFormat.BF16, InPairs);
        data.Add(KvFormat.BF16, InFloats);
        return data;
    }

    private static KernelTable Table(int tier) => tier switch
    {
        InPairs => KernelTable.WithAttention<AttentionTiles.InPairs>(),
        InFloats => KernelTable.WithAttention<AttentionTiles.InFloats>(),
        _ => KernelTable.For((KernelTier)tier),
    };

    // Assembled tiles form their sums in an order of their own: near the twin's result (a weight may be rounded the other way), and then the same bits however the work is cut.
    private static void Settle(KernelTable kernels, KvFormat format, float[] expected, Action<float[]> whole)
    {
        if (kernels.Tier != KernelTier.Assembled || format != KvFormat.BF16) return;
        float[] result = new float[expected.Length];
        whole(result);
        double sum = 0;
        for (int i = 0; i < result.Length; i++)
        {
            Assert.Equal(expected[i], result[i], 2e-3f);
            sum += Math.Abs(expected[i] - result[i]);
        }
        Assert.InRange(sum / result.Length, 0, 2e-6);
        result.CopyTo(expected, 0);
    }

    // Heads, key/value heads, D, E, tokens in all, and what queries are multiplied by: scores far apart have weights of nothing.
    public static readonly (int N, int H, int D, int E, int Tokens, float Spread)[] GroupedShapes = [(1, 1, 13, 12, 5, 1), (6, 2, 40, 24, 70, 1), (4, 1, 64, 33, 131, 1), (8, 1, 64, 64, 129, 1), (8, 1, 64, 64, 129, 100)];

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void Grouped_query_attention_has_its_twins_bits_however_the_prompt_is_cut(KvFormat format, int tier)
    {
        KernelTable kernels = Table(tier);
        foreach ((int n, int h, int d, int e, int tokens, float spread) in GroupedShapes)
        {
            if (spread > 1 && kernels.Tier == KernelTier.Assembled && format == KvFormat.BF16) continue; // its scores differ in their last places, and such weights with them
            var random = new Random(n * 31 + d);
            using Blocks keys = new(tokens, KvBlock.KeyBytes(format, h, d)), values = new(tokens, KvBlock.ValueBytes(format, h, e));
            for (int t = 0; t < tokens; t++)
            {
                fixed (float* k = MatrixProductTests.Floats(h * d, random), v = MatrixProductTests.Floats(h * e, random))
                {
                    KvBlock.WriteKeys(format, keys.Of(t), t % 64, h, d, k, d);
                    KvBlock.WriteValues(format, values.Of(t), t % 64, h, e, v, e);
                }
            }
            float[] queries = MatrixProductTests.Floats(tokens * n * d, random), expected = new float[tokens * n * e];
            for (int i = 0; i < queries.Length; i++) queries[i] *= spread;
            fixed (float* q = queries, y = expected)
            {
                var all = new GroupedQueryArguments
                {
                    Query = q,
                    QueryStride = n * d,
                    KeyBlocks = keys.Pointers,
                    ValueBlocks = values.Pointers,
                    Format = format,
                    Tokens = tokens,
                    Heads = n,
                    KvHeads = h,
                    KeyDim = d,
                    ValueDim = e,
                    Position = 0,
                    Scale = 0.3f,
                    Output = y,
                    OutputStride = n * e,
                };
                for (int t = 0; t < tokens; t++)
                    for (int head = 0; head < n; head++) PlainAttention.GroupedQuery(all, t, head);
                Settle(kernels, format, expected, result =>
                {
                    using var pool = new WorkerPool(1);
                    GroupedQueryArguments whole = all;
                    fixed (float* z = result)
                    {
                        whole.Output = z;
                        Attention.GroupedQuery(whole, kernels, pool);
                    }
                });
                foreach (int chunk in new[] { 1, 7, 64, tokens })
                {
                    using var pool = new WorkerPool(1 + chunk % 4);
                    float[] result = new float[expected.Length];
                    fixed (float* z = result)
                        for (int t = 0; t < tokens; t += chunk)
                        {
                            GroupedQueryArguments part = all;
                            part.Query = q + t * n * d;
                            part.Output = z + t * n * e;
                            part.Position = t;
                            part.Tokens = Math.Min(chunk, tokens - t);
                            Attention.GroupedQuery(part, kernels, pool);
                        }
                    for (int i = 0; i < expected.Length; i++) MatrixProductTests.Same(expected[i], result[i], $"{format} {kernels.Name} heads {n}/{h} D {d} E {e} chunk {chunk}, token {i / (n * e)}, element {i % (n * e)}");
                }
                // Parts of any length, as of several sequences, in one region.
                using (var pool = new WorkerPool(3))
                {
                    float[] result = new float[expected.Length];
                    var parts = new List<GroupedQueryArguments>();
                    fixed (float* z = result)
                    {
                        for (int t = 0; t < tokens; t += parts[^1].Tokens)
                        {
                            GroupedQueryArguments part = all;
                            part.Query = q + t * n * d;
                            part.Output = z + t * n * e;
                            part.Position = t;
                            part.Tokens = Math.Min(random.Next(1, 12), tokens - t);
                            parts.Add(part);
                        }
                        Attention.GroupedQuery(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(parts), kernels, pool);
                    }
                    for (int i = 0; i < expected.Length; i++) MatrixProductTests.Same(expected[i], result[i], $"{format} {kernels.Name} several parts, element {i}");
                }
            }
        }
    }

    // Heads, L, P, tokens.
    public static readonly (int N, int L, int P, int Tokens, float Spread)[] LatentShapes = [(3, 12, 4, 9, 1), (4, 40, 12, 70, 1), (9, 64, 32, 67, 1), (5, 96, 32, 130, 1), (5, 96, 32, 130, 100)];

    [Theory]
    [MemberData(nameof(FormatsAndTiers))]
    public void Latent_attention_has_its_twins_bits_however_the_prompt_is_cut(KvFormat format, int tier)
    {
        KernelTable kernels = Table(tier);
        foreach ((int n, int l, int p, int tokens, float spread) in LatentShapes)
        {
            if (spread > 1 && kernels.Tier == KernelTier.Assembled && format == KvFormat.BF16) continue;
            var random = new Random(n * 17 + l);
            int row = l + p;
            using var blocks = new Blocks(tokens, LatentBlock.Bytes(format, l, p));
            for (int t = 0; t < tokens; t++)
                fixed (float* c = MatrixProductTests.Floats(row, random)) LatentBlock.Write(format, blocks.Of(t), t % 64, l, p, c);
            float[] queries = MatrixProductTests.Floats(tokens * n * row, random), expected = new float[tokens * n * l];
            for (int i = 0; i < queries.Length; i++) queries[i] *= spread;
            fixed (float* q = queries, y = expected)
            {
                var all = new LatentArguments
                {
                    Query = q,
                    QueryStride = n * row,
                    Blocks = blocks.Pointers,
                    Format = format,
                    Tokens = tokens,
                    Heads = n,
                    LatentDim = l,
                    RopeDim = p,
                    Scale = 0.2f,
                    Output = y,
                    OutputStride = n * l,
                };
                for (int t = 0; t < tokens; t++)
                    for (int head = 0; head < n; head++) PlainAttention.Latent(all, t, head);
                Settle(kernels, format, expected, result =>
                {
                    using var pool = new WorkerPool(1);
                    LatentArguments whole = all;
                    fixed (float* z = result)
                    {
                        whole.Output = z;
                        Attention.Latent(whole, kernels, pool);
                    }
                });
                foreach (int chunk in new[] { 1, 5, 64, tokens })
                {
                    using var pool = new WorkerPool(1 + chunk % 3);
                    float[] result = new float[expected.Length];
                    fixed (float* z = result)
                        for (int t = 0; t < tokens; t += chunk)
                        {
                            LatentArguments part = all;
                            part.Query = q + t * n * row;
                            part.Output = z + t * n * l;
                            part.Position = t;
                            part.Tokens = Math.Min(chunk, tokens - t);
                            Attention.Latent(part, kernels, pool);
                        }
                    for (int i = 0; i < expected.Length; i++) MatrixProductTests.Same(expected[i], result[i], $"{format} {kernels.Name} heads {n} L {l} P {p} chunk {chunk}, token {i / (n * l)}, element {i % (n * l)}");
                }
                // Parts of any length, as of several sequences, in one region.
                using (var pool = new WorkerPool(3))
                {
                    float[] result = new float[expected.Length];
                    var parts = new List<LatentArguments>();
                    fixed (float* z = result)
                    {
                        for (int t = 0; t < tokens; t += parts[^1].Tokens)
                        {
                            LatentArguments part = all;
                            part.Query = q + t * n * (l + p);
                            part.Output = z + t * n * l;
                            part.Position = t;
                            part.Tokens = Math.Min(random.Next(1, 12), tokens - t);
                            parts.Add(part);
                        }
                        Attention.Latent(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(parts), kernels, pool);
                    }
                    for (int i = 0; i < expected.Length; i++) MatrixProductTests.Same(expected[i], result[i], $"{format} {kernels.Name} several parts, element {i}");
                }
            }
        }
    }

    [Fact]
    public void Attention_is_softmax_of_the_scores_times_the_values()
    {
        const int D = 8, Tokens = 150;
        var random = new Random(3);
        using var pool = new WorkerPool(2);
        using Blocks keys = new(Tokens, KvBlock.KeyBytes(KvFormat.F32, 1, D)), values = new(Tokens, KvBlock.ValueBytes(KvFormat.F32, 1, D));
        float[] k = MatrixProductTests.Floats(Tokens * D, random), v = MatrixProductTests.Floats(Tokens * D, random), q = MatrixProductTests.Floats(D, random), y = new float[D];
        fixed (float* kp = k, vp = v, qp = q, yp = y)
        {
            for (int t = 0; t < Tokens; t++)
            {
                KvBlock.WriteKeys(KvFormat.F32, keys.Of(t), t % 64, 1, D, kp + t * D, D);
                KvBlock.WriteValues(KvFormat.F32, values.Of(t), t % 64, 1, D, vp + t * D, D);
            }
            Attention.GroupedQuery(new GroupedQueryArguments
            {
                Query = qp,
                QueryStride = D,
                KeyBlocks = keys.Pointers,
                ValueBlocks = values.Pointers,
                Format = KvFormat.F32,
                Tokens = 1,
                Heads = 1,
                KvHeads = 1,
                KeyDim = D,
                ValueDim = D,
                Position = Tokens - 1,
                Scale = 0.5f,
                Output = yp,
                OutputStride = D,
            }, KernelTable.Current, pool);
        }
        double[] p = Enumerable.Range(0, Tokens).Select(t => Math.Exp(0.5 * Enumerable.Range(0, D).Sum(d => (double)q[d] * k[t * D + d]))).ToArray();
        for (int d = 0; d < D; d++)
            Assert.Equal(Enumerable.Range(0, Tokens).Sum(t => p[t] * v[t * D + d]) / p.Sum(), y[d], 1e-5);
    }

    // A rotated part 20 times as large as the latent must not cost the latent its precision.
    [Theory]
    [InlineData(KvFormat.BF16)]
    [InlineData(KvFormat.Q8_0)]
    public void Latent_attention_over_a_rounded_cache_is_near_the_exact_one(KvFormat format)
    {
        const int N = 4, L = 128, P = 32, Tokens = 200;
        var random = new Random(8);
        using var pool = new WorkerPool(2);
        float[] rows = MatrixProductTests.Floats(Tokens * (L + P), random), queries = MatrixProductTests.Floats(N * (L + P), random), y = new float[N * L];
        for (int i = 0; i < rows.Length; i++) rows[i] *= i % (L + P) < L ? 1 : 20;
        for (int i = 0; i < queries.Length; i++) queries[i] *= i % (L + P) < L ? 1 : 0.05f;
        using var blocks = new Blocks(Tokens, LatentBlock.Bytes(format, L, P));
        fixed (float* c = rows, q = queries, z = y)
        {
            for (int t = 0; t < Tokens; t++) LatentBlock.Write(format, blocks.Of(t), t % 64, L, P, c + t * (L + P));
            float latent = rows[..L].Max(MathF.Abs), rope = rows[L..(L + P)].Max(MathF.Abs);
            for (int i = 0; i < L + P; i++) Assert.Equal(rows[i], LatentBlock.Read(format, blocks.Of(0), L, P, 0, i), format == KvFormat.Q8_0 ? (i < L ? latent : rope) / 253 : MathF.Abs(rows[i]) / 256);
            Attention.Latent(new LatentArguments
            {
                Query = q,
                QueryStride = N * (L + P),
                Blocks = blocks.Pointers,
                Format = format,
                Tokens = 1,
                Heads = N,
                LatentDim = L,
                RopeDim = P,
                Position = Tokens - 1,
                Scale = 0.5f,
                Output = z,
                OutputStride = N * L,
            }, KernelTable.Current, pool);
        }
        for (int n = 0; n < N; n++)
        {
            double[] p = [.. Enumerable.Range(0, Tokens).Select(t => Math.Exp(0.5 * Enumerable.Range(0, L + P).Sum(i => (double)queries[n * (L + P) + i] * rows[t * (L + P) + i])))];
            double error = 0, size = 0;
            for (int i = 0; i < L; i++)
            {
                double exact = Enumerable.Range(0, Tokens).Sum(t => p[t] * rows[t * (L + P) + i]) / p.Sum();
                error += (y[n * L + i] - exact) * (y[n * L + i] - exact);
                size += exact * exact;
            }
            Assert.InRange(Math.Sqrt(error / size), 1e-4, 0.03);
        }
    }

    [Fact]
    public void A_block_gives_back_what_was_written_to_it()
    {
        foreach (KvFormat format in Enum.GetValues<KvFormat>())
            foreach (int dim in new[] { 1, 12, 40, 64, 576 })
            {
                using Blocks keys = new(64, KvBlock.KeyBytes(format, 2, dim)), values = new(64, KvBlock.ValueBytes(format, 2, dim));
                float[] x = MatrixProductTests.Floats(2 * dim, new Random(dim));
                fixed (float* p = x)
                {
                    KvBlock.WriteKeys(format, keys.Of(0), 63, 2, dim, p, dim);
                    KvBlock.WriteValues(format, values.Of(0), 63, 2, dim, p, dim);
                }
                for (int i = 0; i < 2 * dim; i++)
                {
                    float key = KvBlock.ReadKey(format, keys.Of(0), i / dim, dim, 63, i % dim), value = KvBlock.ReadValue(format, values.Of(0), i / dim, dim, 63, i % dim);
                    Assert.Equal(key, value);
                    Assert.Equal(x[i], key, format switch { KvFormat.F32 => 0f, KvFormat.BF16 => 2f / 256, _ => 2.01f / 254 });
                }
            }
    }

    private sealed class Blocks : IDisposable
    {
        private readonly List<NativeBuffer> _blocks = [];
        private readonly NativeBuffer _pointers;

        public Blocks(int tokens, long bytes)
        {
            int count = (tokens + 63) / 64;
            _pointers = new NativeBuffer(count * sizeof(byte*));
            for (int i = 0; i < count; i++)
            {
                var block = new NativeBuffer(bytes);
                new Span<byte>(block.Address, (int)bytes).Fill(0xFF); // what nobody has written must not matter: NaN
                _blocks.Add(block);
                Pointers[i] = block.Address;
            }
        }

        public byte** Pointers => (byte**)_pointers.Address;

        public byte* Of(int token) => Pointers[token / 64];

        public void Dispose()
        {
            _pointers.Dispose();
            foreach (NativeBuffer block in _blocks) block.Dispose();
        }
    }
}
