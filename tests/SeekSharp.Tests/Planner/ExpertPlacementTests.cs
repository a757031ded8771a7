using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>Replicated and packed experts.</summary>
public sealed class ExpertPlacementTests
{
    // The example of deepseek-ai/EPLB's README: two layers of 12 experts, 16 slots, 4 groups, 2 nodes, 8 GPUs.
    private static readonly double[][] Loads =
    [
        [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
        [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
    ];

    private static readonly int[][] Published =
    [
        [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
        [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void The_published_example_is_placed_as_published(int layer)
    {
        ExpertPlacement placement = ExpertPlacement.Of(Loads[layer], 16, 4, 2, 8);
        Assert.Equal(2, placement.SlotsPerGpu);
        Assert.Equal(Published[layer], placement.Experts);
        Assert.True(placement.Imbalance(Loads[layer]) < 1.4);
    }

    [Fact]
    public void Copies_even_out_what_single_experts_cannot()
    {
        var random = new Random(3);
        double[] loads = [.. Enumerable.Range(0, 256).Select(_ => Math.Exp(2 * random.NextDouble() * random.NextDouble() * 2))];
        double inOrder = ExpertPlacement.InOrder(256, 32).Imbalance(loads), packed = ExpertPlacement.Of(loads, 256, 1, 1, 32).Imbalance(loads), copied = ExpertPlacement.Of(loads, 288, 1, 1, 32).Imbalance(loads);
        Assert.True(inOrder > packed && packed >= copied * 0.999 && copied < 1.05, $"{inOrder} {packed} {copied}");
        ExpertPlacement wide = ExpertPlacement.Of(loads, 288, 8, 18, 144); // 18 nodes do not divide 8 groups: all at once
        Assert.Equal(Enumerable.Range(0, 256), wide.Experts.Distinct().Order());
    }

    [Fact]
    public void Groups_stay_on_their_nodes()
    {
        ExpertPlacement placement = ExpertPlacement.Of(Loads[0], 16, 4, 2, 8);
        for (int node = 0; node < 2; node++) Assert.Equal(2, placement.Experts.Skip(8 * node).Take(8).Select(e => e / 3).Distinct().Count());
    }

    [Theory]
    [InlineData(8, 4, 2, 8)]
    [InlineData(17, 4, 2, 8)]
    [InlineData(16, 5, 2, 8)]
    [InlineData(16, 4, 3, 8)]
    public void What_does_not_divide_is_refused(int slots, int groups, int nodes, int gpus) => Assert.Throws<PlannerException>(() => ExpertPlacement.Of(Loads[0], slots, groups, nodes, gpus));

    [Fact]
    public void Skewed_experts_slow_the_step_and_placement_wins_it_back()
    {
        var random = new Random(5);
        double[][] loads = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, 256).Select(_ => Math.Exp(3 * random.NextDouble())).ToArray())];
        var inputs = new ServingInputs
        {
            Model = PlannedModel.Find("deepseek-r1"),
            Gpu = new HardwareLibrary().Find("h800"),
            Load = ServingLoad.Parse("608B-in,168B-out,56.3%-hit,4989-context"),
            Prices = PriceList.BuiltIn[0],
        };
        ServingPlan even = ServingPlan.Of(inputs), skewed = ServingPlan.Of(inputs with { ExpertLoads = loads });
        Assert.True(skewed.PrefillBalance.InOrder > 1.3 && skewed.PrefillBalance.Placed < 1.1);
        Assert.True(skewed.PrefillSecondsInOrder > skewed.PrefillSeconds && skewed.PrefillSeconds >= even.PrefillSeconds * 0.999);
        Assert.True(skewed.DecodeBalance.InOrder > skewed.DecodeBalance.Placed);
        Assert.True(skewed.Ledger["prefill_balance_gain"].Value > 1);
    }
}
