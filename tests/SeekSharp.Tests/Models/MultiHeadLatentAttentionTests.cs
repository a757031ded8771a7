using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The absorbed path against the paper's form, on random weights and inputs.</summary>
public sealed unsafe class MultiHeadLatentAttentionTests
{
    [Theory]
    [InlineData(false, false, 5, 1)]
    [InlineData(true, false, 70, 70)] // over a block's end
    [InlineData(true, true, 70, 9)]
    [InlineData(false, true, 20, 3)]
    public void Absorbed_is_naive(bool compressedQueries, bool split, int tokens, int chunk)
    {
        const int H = 24, N = 3, D = 10, R = 6, V = 14, L = 18, Q = 16;
        using var random = new RandomWeights(11);
        ModelConfig config = RouterTests.Config(1, 1, TopkMethod.Greedy, ScoringFunc.Softmax) with
        {
            HiddenSize = H,
            NumAttentionHeads = N,
            QkNopeHeadDim = D,
            QkRopeHeadDim = R,
            VHeadDim = V,
            KvLoraRank = L,
            MaxPositionEmbeddings = 256,
            Rope = new RopeConfig { Dims = R, ScoreScale = 1.7f },
        };
        float[] kvB = random.Vector(N * (D + V) * L, 0, 1 / Math.Sqrt(L)), qNorm = random.Vector(Q, 1, 0.2), kvNorm = random.Vector(L, 1, 0.2);
        var weights = new LatentAttentionWeights
        {
            QA = compressedQueries ? random.Matrix(Q, H) : null,
            QANorm = compressedQueries ? qNorm : null,
            QB = random.Matrix(N * (D + R), compressedQueries ? Q : H),
            KvA = random.Matrix(L + R, H),
            KvANorm = kvNorm,
            KvB = split ? null : random.Matrix(N * (D + V), L, kvB),
            KB = split ? [.. Enumerable.Range(0, N).Select(h => random.Matrix(L, D, [.. Enumerable.Range(0, L * D).Select(i => kvB[(h * (D + V) + i % D) * L + i / D])]))] : null,
            VB = split ? [.. Enumerable.Range(0, N).Select(h => random.Matrix(V, L, kvB[((h * (D + V) + D) * L)..((h + 1) * (D + V) * L)]))] : null,
            O = random.Matrix(H, N * V),
        };
        float[] input = random.Vector(tokens * H);

        // The paper's form, in double.
        var rotary = new RotaryEmbedding(config.Rope, null);
        var q = new float[tokens * N * (D + R)];
        var c = new float[tokens * (L + R)];
        for (int t = 0; t < tokens; t++)
        {
            double[] x = [.. input.AsSpan(t * H, H).ToArray().Select(v => (double)v)];
            double[] query = weights.QA is null ? x : RandomWeights.RmsNorm(RandomWeights.Multiply(weights.QA, x), qNorm, 1e-6);
            query = RandomWeights.Multiply(weights.QB, query);
            for (int h = 0; h < N; h++) Rotate(query.AsSpan(h * (D + R) + D, R), rotary, t);
            double[] latent = RandomWeights.Multiply(weights.KvA, x);
            Rotate(latent.AsSpan(L, R), rotary, t);
            RandomWeights.RmsNorm(latent[..L], kvNorm, 1e-6).CopyTo(latent, 0);
            for (int i = 0; i < query.Length; i++) q[t * query.Length + i] = (float)query[i];
            for (int i = 0; i < latent.Length; i++) c[t * latent.Length + i] = (float)latent[i];
        }
        float[] heads = MultiHeadLatentAttention.Naive(q, c, kvB, 1.7f / MathF.Sqrt(D + R), (N, D, R, V, L));
        float[] expected = [.. Enumerable.Range(0, tokens).SelectMany(t =>
            RandomWeights.Multiply(weights.O, [.. heads.AsSpan(t * N * V, N * V).ToArray().Select(v => (double)v)]).Select(v => (float)v))];

        // The absorbed path, chunk by chunk.
        using var pool = new WorkerPool(2);
        using var workspace = new Workspace(KernelTable.Current, pool, Arithmetic.Exact);
        using var packer = new WeightPacker(KernelTable.Current, pool, true, 0, null);
        var attention = new MultiHeadLatentAttention(weights, config, RopeLayout.Interleaved, 0, packer, workspace);
        using var cache = new KvCache(KvLayout.Of(config, KvFormat.F32, 1));
        cache.Reserve(tokens);
        ActivationBuffer rows = workspace.Activations("normed", H);
        var found = new float[tokens * H];
        var places = new RowPlace[chunk];
        float[] cos = new float[chunk * R / 2], sin = new float[chunk * R / 2];
        fixed (float* y = found, co = cos, si = sin)
            for (int first = 0; first < tokens; first += chunk)
            {
                int count = Math.Min(chunk, tokens - first);
                rows.Begin(count);
                for (int t = 0; t < count; t++) input.AsSpan((first + t) * H, H).CopyTo(new Span<float>(rows.Row(t), H));
                rotary.Fill(first, cos.AsSpan(0, count * R / 2), sin.AsSpan(0, count * R / 2));
                for (int t = 0; t < count; t++) places[t] = new RowPlace { Position = first + t };
                StepPart[] part = [new StepPart { Cache = cache, Tokens = count, Position = first }];
                fixed (RowPlace* p = places)
                    attention.Run(new Step { Parts = part, PartCount = 1, Rows = p, Tokens = count, Cos = co, Sin = si }, rows, y + first * H, H);
            }
        Golden.AssertClose(expected, found, "absorbed", 1e-5);
    }

    private static void Rotate(Span<double> x, RotaryEmbedding rotary, int position)
    {
        for (int p = 0; p < rotary.Pairs; p++)
        {
            (double sin, double cos) = Math.SinCos(position * rotary.Frequencies[p]);
            (x[2 * p], x[2 * p + 1]) = (x[2 * p] * cos - x[2 * p + 1] * sin, x[2 * p] * sin + x[2 * p + 1] * cos);
        }
    }
}
