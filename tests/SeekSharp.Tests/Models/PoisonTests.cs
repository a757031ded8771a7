using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>Weights of NaN and ∞ give useless logits, and nothing worse.</summary>
public sealed class PoisonTests
{
    public static TheoryData<string, float> Cases
    {
        get
        {
            var cases = new TheoryData<string, float>();
            foreach (string name in (string[])["llama3", "qwen3_moe", "deepseek_v3", "deepseek_v2"])
                foreach (float poison in (float[])[float.NaN, float.PositiveInfinity, float.MaxValue, -3e38f])
                    cases.Add(name, poison);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Any_weights_run(string name, float poison)
    {
        int[] ids = Golden.Expected(name).Ints("input_ids")[..9];
        using var model = new Mutation(name);
        float[] Spoiled(float[] values) => [.. values.Select((v, i) => i % 5 == 3 ? poison : v)];
        MatrixSource Spoil(MatrixSource m) => model.Matrix(m.Name, (int)m.Rows, (int)m.Cols, Spoiled(Mutation.Values(m)));
        foreach (bool exact in (bool[])[true, false])
        {
            using LanguageModel spoiled = model.Load(weights: w => Mutation.Layers(w, l => l with
            {
                AttentionNorm = Spoiled(l.AttentionNorm),
                GroupedQuery = l.GroupedQuery is null ? null : l.GroupedQuery with { Q = Spoil(l.GroupedQuery.Q), V = Spoil(l.GroupedQuery.V) },
                Latent = l.Latent is null ? null : l.Latent with { KvA = Spoil(l.Latent.KvA) },
                Experts = l.Experts is null ? null : l.Experts with { Router = Spoil(l.Experts.Router), RouterBias = l.Experts.RouterBias is null ? null : Spoiled(l.Experts.RouterBias) },
            }), options: new ModelOptions { Threads = 2, Exact = exact, Kv = exact ? KvFormat.F32 : KvFormat.Q8_0 });
            var trace = new ForwardTrace();
            float[] logits = Golden.Logits(spoiled, ids, trace);
            Assert.Contains(logits, float.IsNaN);
            foreach (RouterTrace router in trace.Routers.Values)
                Assert.All(router.Experts, e => Assert.InRange(e, 0, spoiled.Config.NRoutedExperts - 1));
        }
    }
}
