using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>
/// A serving plan beside the day that DeepSeek published: 27 to 28 February 2025, "DeepSeek-V3/R1 Inference System Overview" (deepseek-ai/open-infra-index, day 6).
/// The load is an input; nodes, cost and margin are results.
/// </summary>
public sealed class ServingPlanTests
{
    private const double PublishedNodes = 226.75, PublishedPeak = 278, PublishedCost = 87_072, PublishedRevenue = 562_027, PublishedMargin = 5.45;

    private static ServingInputs Day(string load = "608B-in,168B-out,56.3%-hit,4989-context") => new()
    {
        Model = PlannedModel.Find("deepseek-r1"),
        Gpu = new HardwareLibrary().Find("h800"),
        Load = ServingLoad.Parse(load),
        Prices = PriceList.Find("deepseek-r1"),
        Price = 2,
    };

    [Fact]
    public void Revenue_is_the_published_one() => Assert.Equal(PublishedRevenue, ServingPlan.Of(Day()).Ledger["revenue"].Value, PublishedRevenue * 0.001);

    [Theory]
    [InlineData("608B-in,168B-out,56.3%-hit,4989-context")]
    [InlineData("608B-in,168B-out,56.3%-hit")]
    public void Nodes_cost_and_margin_are_about_the_published_ones(string load)
    {
        Ledger l = ServingPlan.Of(Day(load)).Ledger;
        Assert.InRange(l["nodes"].Value / PublishedNodes, 0.75, 1.25);
        Assert.InRange(l["nodes_peak"].Value / PublishedPeak, 0.75, 1.25);
        Assert.InRange(l["cost"].Value / PublishedCost, 0.75, 1.25);
        Assert.InRange(l["margin"].Value / PublishedMargin, 0.75, 1.25);
        Assert.Empty(l.Warnings);
    }

    [Fact]
    public void The_published_nodes_cost_the_published_money()
    {
        Assert.Equal(PublishedCost, PublishedNodes * 8 * 24 * 2, 1e-6);
        Assert.Equal(PublishedMargin, PublishedRevenue / PublishedCost - 1, 0.01);
    }

    [Fact]
    public void Rates_are_those_of_the_published_profile()
    {
        // What the same system does under full load, from its traces (deepseek-ai/profile-data, as worked out by LMSYS, "Large-scale EP", 2025-05-05): 62,713 tokens/s read and 18,598 written
        // a node, at lengths of 4,096 and 128 sequences a GPU. The averages of the day (32.2K computed, 14.8K) are lower by what its fleet waited.
        ServingPlan plan = ServingPlan.Of(Day("608B-in,168B-out,0%-hit,4096-context"));
        Assert.InRange(plan.Ledger["prefill_per_node"].Value / 62_713, 0.75, 1.25);
        Assert.InRange(plan.Ledger["decode_per_node"].Value / 18_598, 0.75, 1.45);
        ServingPlan day = ServingPlan.Of(Day());
        Assert.True(day.Ledger["prefill_per_node"].Value > 32_200 && day.Ledger["decode_per_node"].Value > 14_800);
        Assert.InRange(day.Ledger["decode_speed"].Value, 20, 30); // 20 to 22 tokens/s were published
    }

    [Fact]
    public void A_token_keeps_70272_bytes() => Assert.Equal(70_272, ServingPlan.Of(Day()).Ledger["kv_bytes_per_token"].Value);

    [Fact]
    public void More_load_needs_more_nodes_and_a_flat_day_fewer_at_its_top()
    {
        ServingPlan one = ServingPlan.Of(Day()), two = ServingPlan.Of(Day("1216B-in,336B-out,56.3%-hit,4989-context")), flat = ServingPlan.Of(Day() with { Curve = LoadCurve.Flat });
        Assert.InRange(two.Cost / one.Cost, 1.9, 2.05);
        Assert.True(flat.PeakGpus < one.PeakGpus);
        Assert.Equal(0, one.DecodeGpus[3] % 144);
        Assert.True(ServingPlan.Of(Day() with { Speed = 30 }).Batch < one.Batch);
        Assert.True(ServingPlan.Of(Day() with { KvBits = 8 }).BatchOfMemory > 1.9 * one.BatchOfMemory);
    }

    [Fact]
    public void Dense_models_are_served_by_tensor_parallelism()
    {
        var inputs = new ServingInputs { Model = PlannedModel.Find("llama3-70b"), Gpu = new HardwareLibrary().Find("h100"), Load = ServingLoad.Parse("1B-in,300M-out"), Prices = PriceList.Find("0.1,0.5,1") };
        ServingPlan plan = ServingPlan.Of(inputs);
        Assert.True(plan.DecodeUnit.Tensor >= 2);
        Assert.Contains(plan.Ledger.Warnings, w => w.Contains("outside what was compared"));
        Assert.True(plan.Ledger["break_even_days"].Value > 0);
        ServingPlan dear = ServingPlan.Of(inputs with { Prices = PriceList.Find("0,0,0.001") });
        Assert.Contains(dear.Ledger.Warnings, w => w.Contains("never pays"));
    }

    [Theory]
    [InlineData("608-in,168B-out", "unit missing")]
    [InlineData("608B-in", "written tokens")]
    [InlineData("168B-out", "prompt tokens")]
    [InlineData("608B-in,168B-out,56.3-hit", "is a % missing")]
    [InlineData("608B-in,608B-in,168B-out", "twice")]
    [InlineData("608B-inn,168B-out", "is not understood")]
    public void A_load_that_is_none_is_one_clear_line(string load, string says) => Assert.Contains(says, Assert.Throws<PlannerException>(() => ServingLoad.Parse(load)).Message);

    [Fact]
    public void What_cannot_be_served_is_one_clear_line()
    {
        Assert.Contains("do not fit", Assert.Throws<PlannerException>(() => ServingPlan.Of(Day() with { Decode = "ep4" })).Message);
        Assert.Contains("do not divide", Assert.Throws<PlannerException>(() => ServingPlan.Of(Day() with { Decode = "ep144,r0" })).Message);
        Assert.Contains("is not understood", Assert.Throws<PlannerException>(() => ServingPlan.Of(Day() with { Prefill = "xx4" })).Message);
        Assert.Contains("even a single sequence", Assert.Throws<PlannerException>(() => ServingPlan.Of(Day() with { Speed = 5000 })).Message);
        Assert.Contains("no room", Assert.Throws<PlannerException>(() => ServingPlan.Of(Day("1B-in,1B-out,4M-context"))).Message);
        Assert.Contains("deepseek-r1", Assert.Throws<PlannerException>(() => PriceList.Find("deepseek-r2")).Message);
        Assert.Contains("24 numbers", Assert.Throws<PlannerException>(() => LoadCurve.Parse("1,2,3")).Message);
    }
}
