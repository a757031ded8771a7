using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>Numbers with units, names that nearly are.</summary>
public sealed class QuantityTests
{
    [Theory]
    [InlineData("14.8T", 14.8e12)]
    [InlineData("608B", 608e9)]
    [InlineData("2.664m", 2.664e6)]
    [InlineData("5K", 5e3)]
    public void Units_are_read(string text, double value) => Assert.Equal(value, Quantity.Count(text, "--tokens", 1e3, 1e17, "14.8T"), value * 1e-12);

    [Theory]
    [InlineData("14.8", "unit missing")]
    [InlineData("14.8X", "no unit")]
    [InlineData("-3T", "negative")]
    [InlineData("999999T", "at most")]
    [InlineData("many", "is no unit")]
    [InlineData("1e400T", "expected a number")]
    [InlineData("T", "expected a number")]
    [InlineData("", "expected a number")]
    [InlineData("NaNT", "expected a number")]
    public void What_is_no_sensible_number_is_refused(string text, string says) =>
        Assert.Contains(says, Assert.Throws<PlannerException>(() => Quantity.Count(text, "--tokens", 1e6, 1e17, "14.8T")).Message);

    [Theory]
    [InlineData("56.3%", 0.563)]
    [InlineData("0.5", 0.5)]
    public void Shares_are_read(string text, double value) => Assert.Equal(value, Quantity.Share(text, "hit"), 12);

    [Theory]
    [InlineData("56.3", "is a % missing")]
    [InlineData("156%", "between 0% and 100%")]
    public void Impossible_shares_are_refused(string text, string says) => Assert.Contains(says, Assert.Throws<PlannerException>(() => Quantity.Share(text, "hit")).Message);

    [Theory]
    [InlineData(2_664_000, "2.664M")]
    [InlineData(671_026_419_200, "671B")]
    [InlineData(180_000, "180K")]
    [InlineData(12, "12")]
    public void Numbers_are_shortened(double value, string text) => Assert.Equal(text, Quantity.Short(value));

    [Theory]
    [InlineData("deepsek-v3", "deepseek-v3")]
    [InlineData("llama-405b", "llama3-405b")]
    [InlineData("qwen2.5-8b", "qwen2.5-7b")]
    [InlineData("Distill-Llama-8B", "r1-distill-llama-8b")]
    public void The_nearest_model_is_offered(string typed, string name)
    {
        var e = Assert.Throws<PlannerException>(() => PlannedModel.Find(typed));
        Assert.Contains(name, e.Message);
    }

    [Theory]
    [InlineData("h80", "h800")]
    [InlineData("b100", "h100")]
    [InlineData("mi300", null)]
    [InlineData("910B", null)]
    public void The_nearest_GPU_is_offered(string typed, string? name)
    {
        if (name is null) Assert.NotNull(new HardwareLibrary().Find(typed));
        else Assert.Contains(name, Assert.Throws<PlannerException>(() => new HardwareLibrary().Find(typed)).Message);
    }
}
