using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tests.Kernels;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>
/// Batch invariance as a property: for every weight format that there is, in a grouped-query model and in one with latent attention and experts, random
/// chunks of 1 … 130 tokens, 1 … 5 threads and any cache format give the bits of the text computed in one piece.
/// </summary>
public sealed class FormatInvarianceTests
{
    private const int Tokens = 140, Hidden = 256, Vocabulary = 96, Draws = 3;

    public static TheoryData<NumberFormat, bool> Cases()
    {
        var data = new TheoryData<NumberFormat, bool>();
        foreach (NumberFormat format in TestMatrix.Formats)
        {
            data.Add(format, false);
            data.Add(format, true);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Chunks_and_threads_change_no_bit(NumberFormat format, bool latent)
    {
        using var matrices = new RandomModel(format);
        ModelWeights weights = matrices.Weights(latent);
        ModelConfig config = Config(latent);
        var random = new Random(1000 * (int)format + (latent ? 1 : 0));
        int[] ids = [.. Enumerable.Range(0, Tokens).Select(_ => random.Next(Vocabulary))];
        KvFormat kv = (KvFormat)random.Next(Enum.GetValues<KvFormat>().Length);
        float[] whole = Run(config, weights, new ModelOptions { Threads = 1, Kv = kv, ChunkSize = Tokens }, ids, [Tokens]);
        Assert.True(whole.Distinct().Count() > whole.Length / 2 && whole.All(float.IsFinite), "the logits say something");
        for (int draw = 0; draw < Draws; draw++)
        {
            var calls = new List<int>();
            for (int left = Tokens; left > 0; left -= calls[^1]) calls.Add(Math.Min(left, random.Next(1, 131)));
            int threads = random.Next(1, 6), chunk = random.Next(1, 131);
            float[] parts = Run(config, weights, new ModelOptions { Threads = threads, Kv = kv, ChunkSize = chunk }, ids, calls);
            Golden.AssertSameBits(whole, parts, $"{format}, latent {latent}, {kv} cache, {threads} threads, chunks of {chunk}, calls of {string.Join(' ', calls)}");
        }
    }

    private static float[] Run(ModelConfig config, ModelWeights weights, ModelOptions options, int[] ids, IReadOnlyList<int> calls)
    {
        using var model = new LanguageModel(config, weights, options);
        using KvCache cache = model.CreateCache();
        var logits = new float[ids.Length * Vocabulary];
        int done = 0;
        foreach (int count in calls)
        {
            model.ForwardAll(cache, ids.AsSpan(done, count), logits.AsSpan(done * Vocabulary, count * Vocabulary));
            done += count;
        }
        return logits;
    }

    private static ModelConfig Config(bool latent) => new()
    {
        ModelType = latent ? "deepseek_v3" : "llama",
        VocabSize = Vocabulary,
        HiddenSize = Hidden,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        NumKeyValueHeads = latent ? 4 : 2,
        HeadDim = 64,
        IntermediateSize = 512,
        MaxPositionEmbeddings = 256,
        RmsNormEps = 1e-5f,
        Rope = new RopeConfig { Dims = latent ? 32 : 64 },
        KvLoraRank = latent ? 256 : 0,
        QkNopeHeadDim = latent ? 256 : 0,
        QkRopeHeadDim = latent ? 32 : 0,
        VHeadDim = 64,
        NRoutedExperts = latent ? 4 : 0,
        NumExpertsPerTok = 2,
        MoeIntermediateSize = 256,
        IsMoeLayer = latent ? [true, true] : [],
        ScoringFunc = ScoringFunc.Sigmoid,
        TopkMethod = TopkMethod.NoAuxTc,
        NormTopkProb = true,
    };

    // Every matrix in the one format; norms are ones.
    private sealed unsafe class RandomModel(NumberFormat format) : IDisposable
    {
        private readonly List<TestMatrix> _matrices = [];

        public ModelWeights Weights(bool latent)
        {
            MatrixSource embedding = Matrix(Vocabulary, Hidden);
            return new ModelWeights
            {
                Embedding = embedding,
                Output = Matrix(Vocabulary, Hidden),
                FinalNorm = Ones(Hidden),
                RopeLayout = RopeLayout.Interleaved,
                Layers = [.. Enumerable.Range(0, 2).Select(_ => Layer(latent))],
            };
        }

        private LayerWeights Layer(bool latent) => new()
        {
            AttentionNorm = Ones(Hidden),
            FeedForwardNorm = Ones(Hidden),
            GroupedQuery = latent ? null : new GroupedQueryWeights { Q = Matrix(256, Hidden), K = Matrix(128, Hidden), V = Matrix(128, Hidden), O = Matrix(Hidden, 256) },
            Latent = !latent ? null : new LatentAttentionWeights
            {
                QB = Matrix(4 * 288, Hidden),
                KvA = Matrix(288, Hidden),
                KvANorm = Ones(256),
                KB = [.. Enumerable.Range(0, 4).Select(_ => Matrix(256, 256))],
                VB = [.. Enumerable.Range(0, 4).Select(_ => Matrix(64, 256))],
                O = Matrix(Hidden, 256),
            },
            Dense = latent ? null : SwiGlu(512),
            Experts = !latent ? null : new MixtureOfExpertsWeights { Router = Matrix(4, Hidden), RouterBias = [0.01f, 0, -0.01f, 0], Experts = [.. Enumerable.Range(0, 4).Select(_ => SwiGlu(256))], Shared = SwiGlu(256) },
        };

        private SwiGluWeights SwiGlu(int width) => new() { Gate = Matrix(width, Hidden), Up = Matrix(width, Hidden), Down = Matrix(Hidden, width) };

        private MatrixSource Matrix(int rows, int cols)
        {
            var matrix = new TestMatrix(format, rows, cols, _matrices.Count);
            _matrices.Add(matrix);
            return new MatrixSource($"random [{rows}, {cols}]", format, rows, cols, (nint)matrix.Row(0), matrix.Scales);
        }

        private static float[] Ones(int n) => [.. Enumerable.Repeat(1f, n)];

        public void Dispose()
        {
            foreach (TestMatrix matrix in _matrices) matrix.Dispose();
        }
    }
}
