using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>Parameters, FLOPs and cache bytes that follow from the built-in configs, beside what was published.</summary>
public sealed class ModelCountTests
{
    private static ModelShape Shape(string name) => PlannedModel.Find(name).Shape;

    // Total and active parameters in billions, with the digits that were published.
    [Theory]
    [InlineData("deepseek-v3", 671.0264, 36.7, 0.1)]    // README_WEIGHTS.md of deepseek-ai/DeepSeek-V3: 671B, 36.7B; the total is that of the safetensors without the MTP module
    [InlineData("deepseek-v2", 236, 21, 0.7)]           // arXiv 2405.04434, abstract
    [InlineData("deepseek-v2-lite", 15.7, 2.4, 0.3)]    // arXiv 2405.04434, appendix B (2.4B does not count the embedding)
    [InlineData("deepseek-67b", 67.4, 66.6, 0.1)]             // arXiv 2401.02954: 67B
    [InlineData("llama3-8b", 8.03, 7.5, 0.1)]           // model cards of meta-llama
    [InlineData("llama3-70b", 70.6, 69.5, 0.2)]
    [InlineData("llama3-405b", 405.85, 403.75, 0.1)]
    [InlineData("qwen2.5-0.5b", 0.494, 0.494, 0.01)]    // model cards of Qwen2.5: 0.49B, 1.54B, 3.09B, 7.61B, 14.7B, 32.5B, 72.7B
    [InlineData("qwen2.5-1.5b", 1.544, 1.544, 0.01)]
    [InlineData("qwen2.5-3b", 3.086, 3.086, 0.01)]
    [InlineData("qwen2.5-7b", 7.616, 7.07, 0.02)]
    [InlineData("qwen2.5-14b", 14.77, 13.99, 0.05)]
    [InlineData("qwen2.5-32b", 32.76, 31.99, 0.1)]
    [InlineData("qwen2.5-72b", 72.71, 71.46, 0.1)]
    [InlineData("r1-distill-qwen-1.5b", 1.777, 1.54, 0.01)]
    [InlineData("r1-distill-llama-70b", 70.55, 69.5, 0.2)]
    public void Parameters_are_the_published_ones(string name, double total, double active, double within)
    {
        ModelShape m = Shape(name);
        Assert.Equal(total, m.Parameters / 1e9, Math.Max(total * 0.003, 0.001));
        Assert.Equal(active, m.ActiveParameters / 1e9, within);
        Assert.Equal(m.Parameters + (m.Mtp?.Parameters ?? 0), m.ByKind.Values.Sum());
    }

    [Fact]
    public void DeepSeek_V3_has_exactly_its_parameters()
    {
        // 671,026,419,200: numbers in the published safetensors of layers 0 to 60, embedding, output and norm (scales apart). 11.5B: the MTP module's own (README_WEIGHTS.md).
        Assert.Equal(671_026_419_200, Shape("deepseek-v3").Parameters);
        Assert.Equal(11.5e9, Shape("deepseek-v3").Mtp!.Parameters, 0.2e9);
        Assert.Equal(Shape("deepseek-v3").Parameters, Shape("deepseek-r1").Parameters);
        Assert.True(Shape("deepseek-v3.2").Parameters > Shape("deepseek-v3").Parameters);
    }

    // "Insights into DeepSeek-V3", table 2 (arXiv 2505.09343): training cost a token at length 4,096, causal attention, in GFLOP.
    [Theory]
    [InlineData("deepseek-v2", 155)]
    [InlineData("deepseek-v3", 250)]
    [InlineData("qwen2.5-72b", 394)]
    [InlineData("llama3-405b", 2448)]
    public void A_training_token_costs_what_was_published(string name, double gflop) => Assert.Equal(gflop, FlopCount.Training(Shape(name), 4096) / 1e9, gflop * 0.15);

    [Fact]
    public void A_training_token_of_V3_costs_250_GFLOP() => Assert.Equal(250, FlopCount.Training(Shape("deepseek-v3"), 4096) / 1e9, 1.0);

    [Theory]
    [InlineData("deepseek-v3", 70_272)] // table 1 of arXiv 2505.09343: 70.272 KB
    [InlineData("qwen2.5-72b", 327_680)] // 327.680 KB
    [InlineData("llama3-405b", 516_096)] // 516.096 KB
    public void Cache_bytes_a_token_are_the_published_ones(string name, double bytes) => Assert.Equal(bytes, KvCacheSize.BytesPerToken(Shape(name)));

    [Fact]
    public void V2_keeps_93_percent_less_than_DeepSeek_67B()
    {
        // arXiv 2405.04434, abstract and section 3.2.3: V2's cache is quantized to 6 bits a number on average, 67B's has 16.
        double saved = 1 - KvCacheSize.BytesPerToken(Shape("deepseek-v2"), 6) / KvCacheSize.BytesPerToken(Shape("deepseek-67b"), 16);
        Assert.Equal(0.933, saved, 0.0005);
    }

    [Fact]
    public void Every_built_in_model_has_a_source_and_a_shape()
    {
        Assert.True(PlannedModel.BuiltIn.Count >= 22);
        foreach (string name in PlannedModel.BuiltIn)
        {
            PlannedModel model = PlannedModel.Find(name);
            Assert.StartsWith("https://", model.Source);
            Assert.True(model.Shape.Parameters > 100_000_000);
        }
        foreach (Gpu gpu in new HardwareLibrary().All) Assert.NotEqual("", gpu.Source);
    }
}
