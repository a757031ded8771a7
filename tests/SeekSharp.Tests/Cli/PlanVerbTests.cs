using System.Text.Json;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>seeksharp plan</c> as a process.</summary>
public sealed class PlanVerbTests
{
    [Fact]
    public void Every_result_comes_with_its_formula_and_inputs()
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("plan", "train", "--model", "deepseek-v3", "--gpu", "h800", "--gpus", "2048", "--tokens", "14.8T", "--price", "2.00",
            "--parallel", "pp16,ep64,zero1", "--schedule", "dualpipe", "--precision", "fp8", "--json");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement results = JsonDocument.Parse(outcome.Output).RootElement.GetProperty("results");
        foreach (string key in (string[])["parameters", "active_parameters", "flops_per_token", "memory", "traffic_experts_network", "traffic_pipeline", "traffic_data", "bubble_share", "mfu", "gpu_hours", "days", "cost", "energy_kwh", "co2_tonnes"])
            Assert.True(results.TryGetProperty(key, out _), key);
        foreach (JsonProperty result in results.EnumerateObject()) Assert.NotEqual("", result.Value.GetProperty("formula").GetString());
        Assert.Equal(2 * results.GetProperty("gpu_hours").GetProperty("value").GetDouble(), results.GetProperty("cost").GetProperty("value").GetDouble(), 0.01);
    }

    [Fact]
    public void Explain_shows_formulas_and_a_page_is_written()
    {
        using var folder = new TemporaryFolder();
        string page = Path.Combine(folder.Root, "plan.html");
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("plan", "serve", "--model", "deepseek-r1", "--gpu", "h800", "--load", "608B-in,168B-out,56.3%-hit", "--explain", "--html", page);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("= revenue / cost", outcome.Output);
        Assert.Contains("hits: 342.3B", outcome.Output);
        Assert.Contains("<svg", File.ReadAllText(page));
    }

    [Fact]
    public void Any_config_and_any_GGUF_can_be_planned()
    {
        SeekSharpProgram.Outcome gguf = SeekSharpProgram.Run("plan", "compare", SmolLm2.File_, Repository.Shared("goldens/models/deepseek_v3/config.json"), "--gpus", "8", "--gpu", "a100", "--tokens", "1B", "--load", "1B-in,100M-out");
        Assert.True(gguf.ExitCode == 0, gguf.Error);
        Assert.Contains("134.5M", gguf.Output);
    }

    [Theory]
    [InlineData(1, "nearest: deepseek-v3", "--model", "deepsek-v3", "--tokens", "14.8T")]
    [InlineData(1, "nearest: h800", "--model", "deepseek-v3", "--gpu", "h8000", "--tokens", "14.8T")]
    [InlineData(1, "unit missing", "--model", "deepseek-v3", "--tokens", "14.8")]
    [InlineData(1, "at most", "--model", "deepseek-v3", "--tokens", "14.8T", "--gpus", "99999999B")]
    [InlineData(1, "does not divide", "--model", "deepseek-v3", "--tokens", "14.8T", "--parallel", "pp7")]
    [InlineData(1, "at least 32 micro-batches", "--model", "deepseek-v3", "--tokens", "14.8T", "--parallel", "pp16,ep64", "--batch", "128")]
    [InlineData(1, "--price", "--model", "deepseek-v3", "--tokens", "14.8T", "--price", "free")]
    [InlineData(2, "--tokens", "--model", "deepseek-v3")]
    [InlineData(2, "dualpipe, 1f1b or zb1p", "--model", "deepseek-v3", "--tokens", "14.8T", "--schedule", "gpipe")]
    [InlineData(1, "above 0%", "--model", "deepseek-v3", "--tokens", "14.8T", "--uptime", "0%")]
    [InlineData(1, "no such file", "--model", "deepseek-v3", "--tokens", "14.8T", "--hardware", "/nowhere.json")]
    [InlineData(1, "no 8-bit floats", "--model", "deepseek-v3", "--tokens", "14.8T", "--gpu", "a100", "--precision", "fp8")]
    public void Bad_input_is_one_clear_line(int exit, string says, params string[] arguments)
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run(["plan", "train", .. arguments]);
        Assert.Equal(exit, outcome.ExitCode);
        Assert.Contains(says, outcome.Error);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'));
        Assert.Equal("", outcome.Output);
    }

    [Fact]
    public void A_file_adds_hardware()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("more.json", """
            { "gpus": [ { "name": "b9000", "source": "invented", "peak": { "bf16": 5000, "fp8": 10000 }, "sustained": { "bf16": 4000, "fp8": 7000 }, "units": 160, "clock_ghz": 2, "exp_per_clock": 32,
              "vector_tflops": 150, "memory_gb": 288, "bandwidth_gbs": 8000, "gpus_per_node": 8, "scale_up_gbs": 900, "scale_up_share": 0.8, "scale_out_gbs": 100, "scale_out_share": 0.9, "watts": 1200, "rent_hour": 5, "purchase": 40000 } ] }
            """);
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("plan", "train", "--model", "deepseek-v3", "--gpu", "b9000", "--gpus", "1024", "--tokens", "1T", "--hardware", file);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("outside what was compared", outcome.Output);
        string broken = folder.Write("broken.json", File.ReadAllText(file).Replace("\"clock_ghz\": 2", "\"clock_ghz\": 0"));
        Assert.Contains("clock_ghz", SeekSharpProgram.Run("plan", "train", "--model", "deepseek-v3", "--gpu", "b9000", "--tokens", "1T", "--hardware", broken).Error);
    }

    [Fact]
    public void This_machine_is_measured_and_priced()
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("plan", "serve", "--model", SmolLm2.File_, "--gpu", "this", "--json");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement results = JsonDocument.Parse(outcome.Output).RootElement.GetProperty("results");
        foreach (string key in (string[])["decode_tps", "prefill_tps", "cost_per_million_input", "cost_per_million_output", "api_per_million_output"]) Assert.True(results.GetProperty(key).GetProperty("value").GetDouble() > 0, key);
    }
}
