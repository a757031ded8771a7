using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>Training plans beside published runs. Nothing of what is asserted here stands in the planner.</summary>
public sealed class TrainingPlanTests
{
    private static readonly HardwareLibrary Hardware = new();

    private static TrainingPlan Plan(string model, string gpu, int gpus, string tokens, Func<TrainingInputs, TrainingInputs>? change = null)
    {
        PlannedModel planned = PlannedModel.Find(model);
        var inputs = new TrainingInputs { Model = planned, Gpu = Hardware.Find(gpu), Gpus = gpus, Phases = TrainingInputs.ReadPhases(tokens, planned.Recipe.Context ?? 4096) };
        return TrainingPlan.Of(change is null ? inputs : change(inputs));
    }

    // DeepSeek-V3, arXiv 2412.19437, section 1 and table 1.
    private const double PublishedPretraining = 2.664e6, PublishedExtension = 0.119e6, PublishedPostTraining = 0.005e6, PublishedPerTrillion = 180e3, PublishedCost = 5.576e6;

    [Fact]
    public void The_published_hours_are_the_published_money()
    {
        // Hours given, none computed: $2 an hour is the report's assumption.
        TrainingPlan plan = Plan("deepseek-v3", "h800", 2048, "1M", i => i with
        {
            Price = 2,
            Given = [TrainingInputs.ReadGiven("2664K:pre-training"), TrainingInputs.ReadGiven("119K:context"), TrainingInputs.ReadGiven("5K:post-training")],
        });
        Assert.Equal(PublishedPretraining + PublishedExtension + PublishedPostTraining, plan.Ledger["gpu_hours"].Value, 1.0);
        Assert.Equal(PublishedCost, plan.Ledger["cost"].Value, 2.0);
    }

    [Fact]
    public void R1_costs_what_its_makers_published()
    {
        // Nature 645 (2025), supplementary table 4: 101K + 5K + 41K hours, $294K; R1-Zero took 198 hours and R1 80 hours on 64 × 8 H800.
        Assert.Equal(101e3, TrainingInputs.ReadGiven("512x198h:r1-zero").Hours, 1e3);
        Assert.Equal(41e3, TrainingInputs.ReadGiven("512x80h:r1").Hours, 1e3);
        TrainingPlan plan = Plan("deepseek-r1", "h800", 2048, "1M", i => i with { Price = 2, Given = [.. new[] { "101K", "5K", "41K" }.Select(TrainingInputs.ReadGiven)] });
        Assert.Equal(294e3, plan.Ledger["cost"].Value, 10.0);
    }

    [Fact]
    public void V3_pretraining_takes_about_the_published_hours()
    {
        TrainingPlan plan = Plan("deepseek-v3", "h800", 2048, "14.8T");
        Ledger l = plan.Ledger;
        Assert.InRange(l["gpu_hours_per_trillion"].Value / PublishedPerTrillion, 0.8, 1.2); // 180K H800 hours a trillion tokens
        Assert.InRange(l["days_per_trillion"].Value / 3.7, 0.8, 1.2); // 3.7 days on 2,048
        Assert.InRange(l["gpu_hours"].Value / PublishedPretraining, 0.8, 1.2);
        // Under two months, as published.
        Assert.InRange(l["days"].Value, 30, 60);
        Assert.True(plan.Steps[0].Memory.Total < plan.Inputs.Gpu.Memory, "it fitted");
        Assert.Empty(l.Warnings);
    }

    [Fact]
    public void V3_in_all_costs_about_the_published_money()
    {
        // Context extension: 1,000 steps of 1,920 sequences of 32K, 1,000 of 480 of 128K (section 4.3): 63B tokens each. Post-training's tokens are not published: its hours are given.
        TrainingPlan plan = Plan("deepseek-v3", "h800", 2048, "14.8T,62.9B@32K,62.9B@128K", i => i with { Price = 2, Given = [TrainingInputs.ReadGiven("5K:post-training")] });
        Assert.InRange(plan.Ledger["cost"].Value / PublishedCost, 0.8, 1.2);
        // The extension alone is the model's worst: long sequences on the layout of short ones.
        Assert.InRange((plan.Hours(1) + plan.Hours(2)) / PublishedExtension, 0.5, 1.2);
    }

    [Fact]
    public void MFU_is_what_follows_from_the_hours()
    {
        PlannedModel v3 = PlannedModel.Find("deepseek-v3");
        double peak = Hardware.Find("h800").PeakBf16;
        double causal = TrainingPlan.Mfu(FlopCount.Training(v3.Shape, 4096), 1e12, PublishedPerTrillion, peak), whole = TrainingPlan.Mfu(FlopCount.Training(v3.Shape, 4096, causal: false), 1e12, PublishedPerTrillion, peak);
        // "Insights into DeepSeek-V3", table 4 (arXiv 2505.09343): 38.94% causal, 43.73% not.
        Assert.Equal(0.3894, causal, 0.004);
        Assert.Equal(0.4373, whole, 0.004);
        TrainingPlan plan = Plan("deepseek-v3", "h800", 2048, "14.8T");
        Assert.InRange(plan.Ledger["mfu"].Value / causal, 1 / 1.2, 1.25);
        // One identity holds exactly: the plan's own hours give the plan's own MFU.
        Assert.Equal(TrainingPlan.Mfu(FlopCount.Training(v3.Shape, 4096), 14.8e12, plan.Ledger["gpu_hours"].Value, peak), plan.Ledger["mfu"].Value, 9);
    }

    [Fact]
    public void A_step_is_made_up_as_the_published_one()
    {
        StepEstimate step = Plan("deepseek-v3", "h800", 2048, "14.8T").Steps[0];
        // The same table 4: 19.926 s a step, of which 2.06 s bubble and 0.29 s optimizer.
        Assert.InRange(step.StepSeconds / 19.926, 0.8, 1.2);
        Assert.InRange(step.Run.Bubble / 2.06, 0.6, 1.4);
        Assert.InRange(step.OptimizerSeconds / 0.29, 0.7, 1.4);
        // deepseek-ai/profile-data, train.json: a forward and a backward chunk of four MoE layers compute for 124 ms of 129; their all-to-all is hidden.
        (double compute, double wire) = step.TypicalChunk;
        Assert.Equal(4, step.Stages[8].Layers);
        Assert.InRange(compute / 0.1243, 0.85, 1.15);
        Assert.True(wire < compute);
    }

    [Fact]
    public void Without_DualPipe_V3_would_have_cost_more()
    {
        double dual = Plan("deepseek-v3", "h800", 2048, "14.8T").Ledger["gpu_hours"].Value;
        double zb1p = Plan("deepseek-v3", "h800", 2048, "14.8T", i => i with { Parallel = "pp16,ep64,zero1", Schedule = "zb1p" }).Ledger["gpu_hours"].Value;
        double plain = Plan("deepseek-v3", "h800", 2048, "14.8T", i => i with { Parallel = "pp16,ep64,zero1", Schedule = "1f1b" }).Ledger["gpu_hours"].Value;
        Assert.True(dual * 1.15 < zb1p && zb1p < plain);
        double bf16 = Plan("deepseek-v3", "h800", 2048, "14.8T", i => i with { Parallel = "pp16,ep64,zero1", Schedule = "dualpipe", Precision = Precision.Bf16 }).Ledger["gpu_hours"].Value;
        Assert.True(bf16 > dual * 1.15);
    }

    [Fact]
    public void Llama_405B_took_what_its_utilization_and_downtime_say()
    {
        // Llama 3.1's model card: 30.84M H100 hours; arXiv 2407.21783: 15.6T tokens, 38 to 43% while running (table 4), more than 90% effective time (section 3.3.4).
        ModelShape m = PlannedModel.Find("llama3-405b").Shape;
        double peak = Hardware.Find("h100").PeakBf16;
        double causal = TrainingPlan.Mfu(FlopCount.Training(m, 8192), 15.6e12, 30.84e6, peak), whole = TrainingPlan.Mfu(FlopCount.Training(m, 8192, causal: false), 15.6e12, 30.84e6, peak);
        Assert.InRange(causal, 0.35, 0.375);
        Assert.InRange(whole, 0.35, 0.375);
        Assert.InRange(causal, 0.38 * 0.9, 0.43); // the published range, less up to a tenth of downtime

        // Simulated: tp8, pp16, interleaved; steps run somewhat better than the published 400 TFLOP/s at 16,384 GPUs.
        TrainingPlan plan = Plan("llama3-405b", "h100", 16384, "15.6T", i => i with { Uptime = 0.9 });
        Assert.InRange(plan.Ledger["flops_per_gpu"].Value / 400e12, 0.8, 1.2);
        Assert.InRange(plan.Ledger["gpu_hours"].Value / 30.84e6, 0.8, 1.2);
    }

    [Fact]
    public void Eleven_times_less_compute_than_Llama_405B()
    {
        // 30.84M H100 hours beside 2.788M H800 hours: 11 times in hours; in FLOPs, 250 GFLOP · 14.8T beside 2.5 TFLOP · 15.6T, a little less.
        Assert.Equal(11, 30.84 / 2.788, 0.1);
        double flops = FlopCount.Training(PlannedModel.Find("llama3-405b").Shape, 8192) * 15.6e12 / (FlopCount.Training(PlannedModel.Find("deepseek-v3").Shape, 4096) * 14.8e12);
        Assert.Equal(10.6, flops, 0.2);
    }

    [Theory]
    [InlineData("pp3,ep64", "does not divide")]
    [InlineData("pp128,ep8", "more than the 61 layers")]
    [InlineData("pp16,ep48", "does not divide the 256 experts")]
    [InlineData("pp16,tp3", "does not divide")]
    [InlineData("pp16,xx3", "is not known")]
    [InlineData("pp16,pp16", "given twice")]
    [InlineData("pp0", "at least 1")]
    [InlineData("pp16,zero9", "zero")]
    [InlineData("pp32,ep128", "data-parallel ranks")]
    [InlineData("pp16,ep64,dp7", "leaves dp128")]
    public void Impossible_parallelism_is_one_clear_line(string parallel, string says)
    {
        var e = Assert.Throws<PlannerException>(() => Plan("deepseek-v3", "h800", 2048, "14.8T", i => i with { Parallel = parallel }));
        Assert.Contains(says, e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void What_does_not_fit_or_was_never_compared_is_said()
    {
        TrainingPlan full = Plan("deepseek-v3", "h800", 2048, "14.8T", i => i with { Parallel = "pp8,ep8,zero1", Schedule = "1f1b" });
        Assert.Contains(full.Ledger.Warnings, w => w.Contains("does not fit"));
        TrainingPlan small = Plan("qwen2.5-7b", "a100", 64, "1T");
        Assert.Contains(small.Ledger.Warnings, w => w.Contains("outside what was compared"));
        Assert.True(small.Steps[0].Memory.Total < small.Inputs.Gpu.Memory);
        Assert.Throws<PlannerException>(() => Plan("deepseek-v3", "a100", 2048, "14.8T", i => i with { Precision = Precision.Fp8 }));
        Gpu slow = Hardware.Find("h800") with { ScaleOut = 5e9 };
        TrainingPlan starved = TrainingPlan.Of(new TrainingInputs { Model = PlannedModel.Find("deepseek-v3"), Gpu = slow, Gpus = 2048, Phases = [new(1e12, 4096)] });
        Assert.Contains(starved.Ledger.Warnings, w => w.Contains("network would not keep up"));
    }
}
