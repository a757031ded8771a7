using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The router's rules on numbers made for each, and against a plain twin on random ones.</summary>
public sealed class RouterTests
{
    internal static ModelConfig Config(int experts, int chosen, TopkMethod method, ScoringFunc scoring, int groups = 1, int chosenGroups = 1,
        bool normalize = false, float scale = 1) => new()
        {
            ModelType = "deepseek_v3",
            VocabSize = 8,
            HiddenSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 1,
            NumKeyValueHeads = 1,
            IntermediateSize = 8,
            MaxPositionEmbeddings = 8,
            RmsNormEps = 1e-6f,
            Rope = new RopeConfig { Dims = 2 },
            NRoutedExperts = experts,
            NumExpertsPerTok = chosen,
            TopkMethod = method,
            ScoringFunc = scoring,
            NGroup = groups,
            TopkGroup = chosenGroups,
            NormTopkProb = normalize,
            RoutedScalingFactor = scale,
        };

    private static (int[] Experts, float[] Weights) Route(ModelConfig c, float[]? bias, params float[] logits)
    {
        var router = new Router(c, bias);
        var experts = new int[c.NumExpertsPerTok];
        var weights = new float[c.NumExpertsPerTok];
        router.Route(logits, experts, weights, new float[router.ScratchLength], KernelTable.Current);
        return (experts, weights);
    }

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));

    [Fact]
    public void Bias_chooses_and_does_not_weigh()
    {
        (int[] experts, float[] weights) = Route(Config(4, 2, TopkMethod.NoAuxTc, ScoringFunc.Sigmoid), [0, 0, 0.9f, 0], 2, 1, -3, 0);
        Assert.Equal([0, 2], experts);
        Assert.Equal(Sigmoid(2), weights[0], 1e-6f);
        Assert.Equal(Sigmoid(-3), weights[1], 1e-6f);
    }

    [Fact]
    public void Masked_groups_are_minus_infinity_and_not_zero()
    {
        // All biased scores are negative: with 0 for refused groups the experts 2 and 3 would win.
        float[] bias = [-2, -2, -5, -5];
        (int[] experts, _) = Route(Config(4, 2, TopkMethod.NoAuxTc, ScoringFunc.Sigmoid, 2, 1), bias, 1, 0, 3, 3);
        Assert.Equal([0, 1], experts);
    }

    [Fact]
    public void V3_scores_a_group_by_its_two_best_and_V2_by_its_best()
    {
        float[] logits = [3, -9, 2.5f, 2.4f];
        Assert.Equal([2, 3], Route(Config(4, 2, TopkMethod.NoAuxTc, ScoringFunc.Sigmoid, 2, 1), null, logits).Experts);
        Assert.Equal([0, 1], Route(Config(4, 2, TopkMethod.GroupLimitedGreedy, ScoringFunc.Softmax, 2, 1), null, logits).Experts);
    }

    [Fact]
    public void V2_scales_without_normalizing()
    {
        float[] weights = Route(Config(4, 2, TopkMethod.GroupLimitedGreedy, ScoringFunc.Softmax, 2, 2, scale: 16), null, 1, 2, 3, 4).Weights;
        float sum = MathF.Exp(-3) + MathF.Exp(-2) + MathF.Exp(-1) + 1;
        Assert.Equal(16 * MathF.Exp(-1) / sum, weights[0], 1e-5f);
        Assert.Equal(16 * 1 / sum, weights[1], 1e-5f);
    }

    [Fact]
    public void Normalization_survives_scores_that_are_all_zero()
    {
        float[] weights = Route(Config(3, 2, TopkMethod.NoAuxTc, ScoringFunc.Sigmoid, normalize: true, scale: 2.5f), null, -200, -200, -200).Weights;
        Assert.All(weights, w => Assert.Equal(0, w));
    }

    [Fact]
    public void Ties_go_to_the_lowest_index()
    {
        Assert.Equal([0, 1], Route(Config(4, 2, TopkMethod.Greedy, ScoringFunc.Softmax), null, 1, 1, 1, 1).Experts);
        Assert.Equal([1, 2], Route(Config(4, 2, TopkMethod.Greedy, ScoringFunc.Softmax), null, 0, 1, 1, 1).Experts);
        Assert.Equal([0, 1], Route(Config(6, 2, TopkMethod.NoAuxTc, ScoringFunc.Sigmoid, 3, 1), null, 1, 1, 1, 1, 1, 1).Experts);
    }

    [Theory]
    [InlineData(TopkMethod.Greedy, ScoringFunc.Softmax)]
    [InlineData(TopkMethod.GroupLimitedGreedy, ScoringFunc.Softmax)]
    [InlineData(TopkMethod.NoAuxTc, ScoringFunc.Sigmoid)]
    public void Any_numbers_have_a_valid_choice(TopkMethod method, ScoringFunc scoring)
    {
        float[] poison = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, float.MaxValue, -1];
        var random = new Random(3);
        for (int trial = 0; trial < 2000; trial++)
        {
            float[] logits = Enumerable.Range(0, 12).Select(_ => poison[random.Next(poison.Length)]).ToArray();
            float[] bias = Enumerable.Range(0, 12).Select(_ => poison[random.Next(poison.Length)]).ToArray();
            int[] experts = Route(Config(12, 5, method, scoring, 4, 2), method == TopkMethod.NoAuxTc ? bias : null, logits).Experts;
            Assert.Equal(5, experts.Distinct().Count());
            Assert.All(experts, e => Assert.InRange(e, 0, 11));
            Assert.Equal(experts.Order(), experts);
        }
    }

    /// <summary>The plain twin: sorting in place of selecting, sets in place of masks.</summary>
    [Theory]
    [InlineData(TopkMethod.Greedy, ScoringFunc.Softmax, false)]
    [InlineData(TopkMethod.Greedy, ScoringFunc.Softmax, true)]
    [InlineData(TopkMethod.GroupLimitedGreedy, ScoringFunc.Softmax, false)]
    [InlineData(TopkMethod.NoAuxTc, ScoringFunc.Sigmoid, true)]
    public void Equals_its_plain_twin(TopkMethod method, ScoringFunc scoring, bool normalize)
    {
        var random = new Random(7);
        for (int trial = 0; trial < 500; trial++)
        {
            int size = random.Next(2, 6), groups = random.Next(1, 5), experts = size * groups, chosenGroups = random.Next(1, groups + 1);
            int chosen = random.Next(1, (method == TopkMethod.Greedy ? experts : size * chosenGroups) + 1);
            ModelConfig config = Config(experts, chosen, method, scoring, groups, chosenGroups, normalize, 1.5f);
            float[] logits = Enumerable.Range(0, experts).Select(_ => random.Next(-8, 8) / 4f).ToArray(); // many ties
            float[] bias = Enumerable.Range(0, experts).Select(_ => random.Next(-4, 4) / 4f).ToArray();
            if (method != TopkMethod.NoAuxTc) Array.Clear(bias);

            float max = logits.Max(), sum = logits.Sum(x => MathF.Exp(x - max));
            float[] scores = logits.Select(x => scoring == ScoringFunc.Sigmoid ? Sigmoid(x) : MathF.Exp(x - max) / sum).ToArray();
            float[] choice = scores.Select((s, e) => s + bias[e]).ToArray();
            float GroupScore(int g)
            {
                float[] best = choice.Skip(g * size).Take(size).OrderDescending().ToArray();
                return method == TopkMethod.NoAuxTc ? best[0] + best[1] : best[0];
            }
            HashSet<int> allowed = method == TopkMethod.Greedy ? [.. Enumerable.Range(0, groups)]
                : [.. Enumerable.Range(0, groups).OrderByDescending(GroupScore).Take(chosenGroups)]; // a stable sort: the lowest index first
            int[] expected = Enumerable.Range(0, experts).Where(e => allowed.Contains(e / size)).OrderByDescending(e => choice[e]).Take(chosen).Order().ToArray();
            float total = normalize ? expected.Sum(e => scores[e]) : 1;

            (int[] found, float[] weights) = Route(config, method == TopkMethod.NoAuxTc ? bias : null, logits);
            Assert.Equal(expected, found);
            for (int i = 0; i < chosen; i++) Assert.Equal(scores[expected[i]] / total * 1.5f, weights[i], 1e-5f);
        }
    }
}
