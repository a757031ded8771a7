using System.Text.Json;
using SeekSharp.Tests.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>The verbs <c>convert</c> and <c>quantize</c> as a user calls them.</summary>
public sealed class ConvertQuantizeTests
{
    [Fact]
    public void A_folder_is_converted_and_the_file_quantized()
    {
        using SeekSharp.Tests.TemporaryFolder folder = new();
        SmallTokenizer.AddModel(folder, "deepseek_v3_mtp");
        SeekSharpProgram.Outcome converted = SeekSharpProgram.Run("convert", folder.Path, folder["a.gguf"], "--outtype", "bf16");
        Assert.Equal(0, converted.ExitCode);
        Assert.Contains("a.gguf", converted.Output);
        Assert.Contains("multi-token-prediction", converted.Error);
        SeekSharpProgram.Outcome quantized = SeekSharpProgram.Run("quantize", folder["a.gguf"], folder["b.gguf"], "q4_k_m", "--threads", "1", "--json");
        Assert.Equal(0, quantized.ExitCode);
        JsonElement json = JsonDocument.Parse(quantized.Output).RootElement;
        Assert.Equal("Q4_K_M", json.GetProperty("type").GetString());
        Assert.Equal(new FileInfo(folder["b.gguf"]).Length, json.GetProperty("bytes").GetInt64());
        Assert.True(json.GetProperty("tensors").GetProperty("Q5_0").GetInt32() > 0); // rows of 64 are no whole blocks of 256
    }

    [Fact]
    public void Mistakes_are_one_line_and_leave_no_file()
    {
        using SeekSharp.Tests.TemporaryFolder folder = new();
        string golden = Repository.Shared("goldens/gguf/llama.gguf"), target = folder["out.gguf"];
        foreach ((int code, string[] arguments) in new (int, string[])[]
        {
            (1, ["convert", golden, target]), (1, ["convert", folder["none"], target]), (1, ["quantize", folder["none"], target, "Q8_0"]), (2, ["quantize", golden, target, "Q9"]),
            (2, ["convert", folder.Path, target, "--outtype", "q4_0"]), (1, ["quantize", golden, folder["no/such/out.gguf"], "Q8_0"]), (1, ["quantize", golden, folder.Path, "Q8_0"]),
        })
        {
            SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run(arguments);
            Assert.Equal(code, outcome.ExitCode);
            Assert.Single(outcome.Error.Trim().Split('\n'));
            Assert.Empty(outcome.Output);
        }
        Assert.Empty(Directory.GetFiles(folder.Path));
    }
}
