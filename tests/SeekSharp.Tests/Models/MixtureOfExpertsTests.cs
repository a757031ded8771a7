using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The mixture, sorted by expert, against its plain twin: one token after the other, one expert after the other.</summary>
public sealed unsafe class MixtureOfExpertsTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(23, 0)]
    [InlineData(23, 2)]
    public void Equals_its_plain_twin(int tokens, int sharedExperts)
    {
        const int H = 20, I = 12, E = 8, K = 3;
        using var random = new RandomWeights(5);
        ModelConfig config = RouterTests.Config(E, K, TopkMethod.NoAuxTc, ScoringFunc.Sigmoid, 4, 2, true, 2.5f) with { HiddenSize = H, MoeIntermediateSize = I };
        var weights = new MixtureOfExpertsWeights
        {
            Router = random.Matrix(E, H),
            RouterBias = random.Vector(E, 0, 0.2),
            Experts = [.. Enumerable.Range(0, E).Select(_ => random.SwiGlu(H, I))],
            Shared = sharedExperts == 0 ? null : random.SwiGlu(H, sharedExperts * I),
        };
        float[] input = random.Vector(tokens * H);

        var router = new Router(config, weights.RouterBias);
        var expected = new float[tokens * H];
        var experts = new int[K];
        var share = new float[K];
        for (int t = 0; t < tokens; t++)
        {
            double[] x = [.. input.AsSpan(t * H, H).ToArray().Select(v => (double)v)];
            router.Route([.. RandomWeights.Multiply(weights.Router, x).Select(v => (float)v)], experts, share, new float[router.ScratchLength], KernelTable.Current);
            double[] sum = weights.Shared is null ? new double[H] : RandomWeights.SwiGlu(weights.Shared, x);
            for (int k = 0; k < K; k++)
            {
                double[] y = RandomWeights.SwiGlu(weights.Experts[experts[k]], x);
                for (int i = 0; i < H; i++) sum[i] += share[k] * y[i];
            }
            for (int i = 0; i < H; i++) expected[t * H + i] = (float)sum[i];
        }

        using var pool = new WorkerPool(2);
        using var workspace = new Workspace(KernelTable.Current, pool, Arithmetic.Exact);
        using var packer = new WeightPacker(KernelTable.Current, pool, true, 0, null);
        var mixture = new MixtureOfExperts(weights, config, 0, packer, workspace);
        ActivationBuffer rows = workspace.Activations("normed", H);
        rows.Begin(tokens);
        for (int t = 0; t < tokens; t++) input.AsSpan(t * H, H).CopyTo(new Span<float>(rows.Row(t), H));
        var found = new float[tokens * H];
        fixed (float* y = found) mixture.Run(new Step { Tokens = tokens }, rows, y, H);
        Golden.AssertClose(expected, found, "mixture", 1e-5);
    }
}
