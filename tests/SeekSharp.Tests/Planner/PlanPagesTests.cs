using System.Xml.Linq;
using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>The pages with charts.</summary>
public sealed class PlanPagesTests
{
    private static readonly ServingInputs Serving = new()
    {
        Model = PlannedModel.Find("deepseek-r1"),
        Gpu = new HardwareLibrary().Find("h800"),
        Load = ServingLoad.Parse("608B-in,168B-out,56.3%-hit"),
        Prices = PriceList.BuiltIn[0],
    };

    private static void Check(string page, params string[] holds)
    {
        Assert.StartsWith("<!doctype html>", page);
        Assert.Contains("prefers-color-scheme:dark", page);
        foreach (string text in holds) Assert.Contains(text, page);
        Assert.DoesNotContain("<script", page);
        Assert.DoesNotContain("src=", page);
        Assert.DoesNotContain("href=", page);
        Assert.DoesNotContain("@import", page);
        Assert.DoesNotContain("NaN", page);
        for (int at = 0; (at = page.IndexOf("<svg", at, StringComparison.Ordinal)) >= 0;)
        {
            int end = page.IndexOf("</svg>", at, StringComparison.Ordinal) + 6;
            XElement svg = XElement.Parse(page[at..end]); // well-formed
            Assert.True(svg.Descendants().Count() > 5);
            at = end;
        }
    }

    [Fact]
    public void A_training_page_has_its_charts()
    {
        TrainingPlan plan = TrainingPlan.Of(new TrainingInputs { Model = PlannedModel.Find("deepseek-v3"), Gpu = new HardwareLibrary().Find("h800"), Gpus = 2048, Phases = [new(14.8e12, 4096)] });
        string page = PlanPages.Training("title <&>", plan);
        Check(page, "Cost against tokens", "schedule", "Memory", "dualpipe", "zb1p", "title &lt;&amp;&gt;");
        Assert.Equal(3, page.Split("<svg").Length - 1);
    }

    [Fact]
    public void A_serving_page_has_its_charts() => Check(PlanPages.Serving("title", ServingPlan.Of(Serving)), "Nodes over the day", "Buying against the API", "even after");

    [Fact]
    public void A_comparison_has_a_row_and_a_line_for_every_model()
    {
        ModelComparison c = ModelComparison.Of([.. new[] { "deepseek-v3", "llama3-405b", "qwen2.5-7b" }.Select(PlannedModel.Find)], Serving.Gpu, 2048, 14.8e12, 4096, "10B-in,2B-out,50%-hit", PriceList.BuiltIn[0], 2);
        Assert.Equal(3, c.Rows.Count);
        Assert.All(c.Rows, r => Assert.Equal(ModelComparison.Head.Count, r.Cells.Count));
        Assert.All(c.Rows, r => Assert.True(r.Training is not null && r.Serving is not null, r.Reason));
        double v3 = c.Rows[0].Training!.Ledger["cost"].Value, llama = c.Rows[1].Training!.Ledger["cost"].Value;
        Assert.True(llama > 6 * v3); // the same tokens, ten times the FLOPs, half the precision's rate
        Check(PlanPages.Compare(c), "DeepSeek-V3", "Llama 3.1 405B", "Qwen2.5-7B", "Side by side", "Buying against the API");
    }
}
