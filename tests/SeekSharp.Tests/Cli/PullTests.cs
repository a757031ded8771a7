using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Cli;
using SeekSharp.Cli.Pull;
using SeekSharp.Tests.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>pull, list and rm as a user types them.</summary>
public sealed class PullTests : IDisposable
{
    private readonly HubServer _hub = new();
    private readonly string _home = Directory.CreateTempSubdirectory("seeksharp-cli").FullName;

    public void Dispose()
    {
        _hub.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    private SeekSharpProgram.Outcome Run(params string[] arguments) =>
        SeekSharpProgram.RunWith(null, new() { ["SEEKSHARP_HOME"] = _home, ["HF_ENDPOINT"] = _hub.Address, ["HF_TOKEN"] = "hf_x", ["http_proxy"] = null, ["HTTP_PROXY"] = null }, arguments);

    [Fact]
    public void Models_are_pulled_listed_and_removed()
    {
        _hub.Add("m-Q4_K_M.gguf", 150_000);
        _hub.Add("m-Q8_0.gguf", 2_500_000);
        SeekSharpProgram.Outcome pulled = Run("pull", "org/repo:Q8_0", "--json");
        Assert.Equal((0, $"pulling org/repo:Q8_0 from {_hub.Address}\npulled 1 file of 1 (2.50 MB)\n"), (pulled.ExitCode, pulled.Error));
        JsonNode report = JsonNode.Parse(pulled.Output)!;
        Assert.Equal(Path.Combine(_home, "org/repo/m-Q8_0.gguf"), (string)report["path"]!);
        Assert.Equal(HubServer.Commit, (string)report["commit"]!);
        Assert.All(_hub.Requests, r => Assert.Equal("Bearer hf_x", r.Headers["authorization"]));

        SeekSharpProgram.Outcome again = Run("pull", "org/repo");
        Assert.Equal((0, Path.Combine(_home, "org/repo/m-Q4_K_M.gguf") + "\n"), (again.ExitCode, again.Output));

        SeekSharpProgram.Outcome list = Run("list");
        string[] lines = list.Output.TrimEnd().Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.StartsWith("org/repo:Q4_K_M    150 kB", lines[1]);
        Assert.EndsWith("main (0123456)", lines[1]);
        JsonNode models = JsonNode.Parse(Run("list", "--json").Output)!["models"]!;
        Assert.Equal(["org/repo:Q4_K_M", "org/repo:Q8_0"], models.AsArray().Select(m => (string)m!["name"]!));

        Assert.Equal((0, "removed org/repo:Q8_0 (2.50 MB)\n"), Run("rm", "org/repo:Q8_0") is var removed ? (removed.ExitCode, removed.Output) : default);
        Assert.False(File.Exists(Path.Combine(_home, "org/repo/m-Q8_0.gguf")));
    }

    [Fact]
    public void A_name_is_pulled_on_first_use_and_then_needs_no_network()
    {
        _hub.Add("llama-F16.gguf", File.ReadAllBytes(Repository.Shared("goldens/gguf/llama.gguf")));
        string output = Path.Combine(_home, "out.gguf");
        SeekSharpProgram.Outcome first = Run("quantize", "org/repo:f16", output, "Q8_0");
        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("pulling org/repo:f16", first.Error);
        byte[] bytes = File.ReadAllBytes(output);
        File.Delete(output);

        int requests = _hub.Requests.Count;
        SeekSharpProgram.Outcome second = Run("quantize", "org/repo:F16", output, "Q8_0");
        Assert.True(second.ExitCode == 0, second.Error);
        Assert.DoesNotContain("pulling", second.Error);
        Assert.Equal(bytes, File.ReadAllBytes(output));
        Assert.Equal(requests, _hub.Requests.Count);

        _hub.Dispose();
        SeekSharpProgram.Outcome without = Run("quantize", "org/other", output, "Q8_0");
        Assert.Equal(1, without.ExitCode);
        Assert.EndsWith($"seeksharp: not on this machine; org/other: cannot be pulled from {_hub.Address}: no connection; is there a network?\n", without.Error);
    }

    [Theory]
    [InlineData(1, "seeksharp: ../x: ", "rm", "../x")]
    [InlineData(1, "seeksharp: org/none: no such model in ", "rm", "org/none")]
    [InlineData(1, "seeksharp: /etc: ", "rm", "/etc")]
    [InlineData(2, "seeksharp: nonsense: expected org/repo[:QUANT][@revision]", "pull", "nonsense")]
    [InlineData(1, "pulling org/none from ", "pull", "org/none")]
    public void What_cannot_be_done_is_one_line(int exitCode, string error, params string[] arguments)
    {
        SeekSharpProgram.Outcome outcome = Run(arguments);
        Assert.Equal((exitCode, ""), (outcome.ExitCode, outcome.Output));
        Assert.StartsWith(error, outcome.Error);
        Assert.Single(outcome.Error.TrimEnd('\n').Split('\n'), l => l.StartsWith("seeksharp: ", StringComparison.Ordinal));
        Assert.True(Directory.Exists(_home));
    }

    [Theory]
    [InlineData("./nothing")]
    [InlineData("nothing")]
    [InlineData("models/nothing.gguf")]
    [InlineData("/nothing/at/all")]
    [InlineData("")]
    public void A_path_that_is_not_there_is_not_sought_on_the_hub(string model) =>
        Assert.Equal($"{model}: no such file or folder, and no model's name on the hub (org/repo[:QUANT][@revision])", Assert.Throws<CliException>(() => PulledModels.Resolve(model)).Message);

    [Fact]
    public void The_bar_shows_rate_and_time_left()
    {
        var progress = new PullProgress("m", 0, 2, 1_120_000_000, 4_700_000_000, 34_100_000, TimeSpan.FromSeconds(105));
        Assert.Equal("████░░░░░░░░░░░░░░░░ 23%  1.12 GB of 4.70 GB, 34.1 MB/s, 1:45 left", PullView.Line(progress, 100));
        Assert.Equal(39, PullView.Line(progress, 40).Length);
        Assert.EndsWith(", 2:05:09 left", PullView.Line(progress with { TimeLeft = new TimeSpan(2, 5, 9) }, 100));
        Assert.EndsWith("100%  4.70 GB of 4.70 GB, checking", PullView.Line(progress with { BytesDone = 4_700_000_000 }, 100));
        Assert.EndsWith("23%  1.12 GB of 4.70 GB", PullView.Line(progress with { BytesPerSecond = 0, TimeLeft = null }, 100));
    }
}
