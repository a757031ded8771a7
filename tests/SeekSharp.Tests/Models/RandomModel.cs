using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Tests.Kernels;

namespace SeekSharp.Tests.Models;

/// <summary>Weights of a small model with every matrix in one format, of random blocks (norms are ones): one with grouped queries, or one with latent attention and experts.</summary>
internal sealed unsafe class RandomModel(NumberFormat format) : IDisposable
{
    public const int Hidden = 256, Vocabulary = 96;

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

    public static ModelConfig Config(bool latent) => new()
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
}
