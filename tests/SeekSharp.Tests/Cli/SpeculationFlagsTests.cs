using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Cli;

public sealed class SpeculationFlagsTests
{
    private static string Model(string name) => Repository.Shared($"goldens/models/{name}");

    [Fact]
    public void Guesses_change_no_token_of_an_answer_and_an_adapter_does()
    {
        using var folder = new Tests.TemporaryFolder();
        File.WriteAllText(folder["ids.json"], "[5,6,7,5,6,7,5,6,7,5,6]");
        const string Q = "base_model.model.model.layers.0.mlp.down_proj.";
        var random = new Random(1);
        SafetensorsWriter.Save(folder["adapter_model.safetensors"],
            [(Q + "lora_A.weight", [2, 128], [.. Enumerable.Range(0, 256).Select(_ => random.NextSingle() - 0.5f)]), (Q + "lora_B.weight", [64, 2], [.. Enumerable.Range(0, 128).Select(_ => random.NextSingle() - 0.5f)])]);
        File.WriteAllText(folder["adapter_config.json"], """{"peft_type":"LORA","r":2,"lora_alpha":8}""");
        string Ids(params string[] more)
        {
            SeekSharpProgram.Outcome o = SeekSharpProgram.Run(["run", Model("deepseek_v3_mtp"), "--tokens", folder["ids.json"], "--temperature", "0", "--max-tokens", "24", "--threads", "1", "--ctx", "128", "--json", .. more]);
            Assert.True(o.ExitCode == 0, o.Error);
            return JsonNode.Parse(o.Output)!["ids"]!.ToJsonString();
        }
        string plain = Ids("--no-speculation");
        Assert.Equal(plain, Ids("--mtp", "--lookup"));
        Assert.Equal(plain, Ids("--draft", Model("qwen2")));
        Assert.NotEqual(plain, Ids("--adapter", "mine=" + folder.Path));
    }

    [Fact]
    public void What_cannot_be_is_told_in_one_line()
    {
        Told(2, "--no-speculation goes with none of", "run", Model("qwen2"), "hi", "--lookup", "--no-speculation");
        Told(2, "expected NAME=FOLDER, found 'mine'", "run", Model("qwen2"), "hi", "--adapter", "mine");
        Told(1, "has no multi-token-prediction module", "bench", Model("qwen2"), "--prefill", "4", "--decode", "4", "--mtp");

        static void Told(int code, string message, params string[] arguments)
        {
            SeekSharpProgram.Outcome o = SeekSharpProgram.Run(arguments);
            Assert.Equal(code, o.ExitCode);
            Assert.Contains(message, o.Error);
            if (code == 1) Assert.Single(o.Error.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void Bench_reports_acceptance_where_it_speculates_only()
    {
        JsonNode with = Bench("--lookup"), without = Bench();
        Assert.Null(without["speculation"]);
        JsonNode lookup = with["speculation"]!["lookup"]!;
        Assert.Equal((double)lookup["accepted"]! / (double)lookup["proposed"]!, (double)lookup["rate"]!, 1e-3);

        static JsonNode Bench(params string[] more)
        {
            // It repeats itself, so there is something to look up.
            SeekSharpProgram.Outcome o = SeekSharpProgram.Run(["bench", Model("llama3"), "--prefill", "0", "--decode", "500", "--threads", "1", "--json", .. more]);
            Assert.True(o.ExitCode == 0, o.Error);
            return JsonNode.Parse(o.Output)!;
        }
    }
}
