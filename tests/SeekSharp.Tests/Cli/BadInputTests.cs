using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>Whatever is wrong: one line on standard error, nothing on standard output, exit code 1.</summary>
public sealed class BadInputTests
{
    /// <summary>Within this process: what fails before anything is written needs none of its own.</summary>
    private static void FailsAtOnce(int exitCode, string part, params string[] arguments)
    {
        using var error = new StringWriter();
        Assert.Equal(exitCode, SeekSharp.Cli.CommandLine.Run(arguments, error));
        CheckLine(error.ToString(), part);
    }

    private static void FailsInOneLine(int exitCode, string part, params string[] arguments)
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run(arguments);
        Assert.Equal((exitCode, ""), (outcome.ExitCode, outcome.Output));
        CheckLine(outcome.Error, part);
    }

    private static void CheckLine(string error, string part)
    {
        string line = Assert.Single(error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("seeksharp: ", line);
        Assert.Contains(part, line);
        Assert.DoesNotContain("   at ", line);
        Assert.DoesNotContain("unexpected", line);
    }

    [Theory]
    [InlineData("empty.gguf", "")]
    [InlineData("magic.gguf", "GGUX0000000000000000000000000000000")]
    [InlineData("version.gguf", "GGUF\u0009\u0000\u0000\u0000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("tokenizer.json", "{")]
    [InlineData("tokenizer.json", "[]")]
    public void Broken_models(string name, string text)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write(name, text);
        foreach (string verb in (string[])["tokenize", "inspect", "run"])
            if (verb == "run")
            {
                if (name == "magic.gguf") FailsInOneLine(1, name, "run", file, "x");
            }
            else if (verb == "tokenize" || name.EndsWith(".gguf", StringComparison.Ordinal)) FailsAtOnce(1, name, verb == "inspect" ? [verb, file] : [verb, file, "x"]);
    }

    [Theory]
    [InlineData("[1, 2")]
    [InlineData("{}")]
    [InlineData("[1.5]")]
    [InlineData("[\"a\"]")]
    [InlineData("[99999999999]")]
    [InlineData("[]")]
    [InlineData("")]
    public void Broken_token_files(string text)
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("ids.json", text), output = Path.Combine(folder.Root, "o.safetensors");
        FailsAtOnce(1, "ids.json", "logits", Repository.Shared("goldens/models/qwen2"), "--tokens", file, "--out", output);
        Assert.False(File.Exists(output));
    }

    [Fact]
    public void Ids_outside_the_vocabulary_and_places_that_are_not_there()
    {
        using var folder = new TemporaryFolder();
        string model = Repository.Shared("goldens/models/qwen2"), ids = folder.Write("ids.json", "[1,320]"), output = Path.Combine(folder.Root, "o.safetensors");
        FailsAtOnce(1, "320", "logits", model, "--tokens", ids, "--out", output);
        FailsAtOnce(1, "320", "run", model, "--tokens", ids);
        Assert.DoesNotContain(Directory.GetFiles(folder.Root), f => !f.EndsWith("ids.json", StringComparison.Ordinal));
        string fine = folder.Write("fine.json", "[1,2]");
        FailsAtOnce(1, "nowhere", "logits", model, "--tokens", fine, "--out", Path.Combine(folder.Root, "nowhere", "o.safetensors"));
        FailsAtOnce(1, "absent.json", "logits", model, "--tokens", Path.Combine(folder.Root, "absent.json"), "--out", output);
        FailsInOneLine(1, "absent", "run", Path.Combine(folder.Root, "absent"), "hi");
        FailsInOneLine(1, "tokenizer", "run", model, "hi");
        FailsAtOnce(1, "line 1", "tokenize", SmolLm2.File_, "--jsonl", folder.Write("bad.jsonl", "{\"txt\":1}\n"));
        FailsAtOnce(1, "tools.json", "run", SmolLm2.File_, "hi", "--tools", folder.Write("tools.json", "{}"));
        FailsAtOnce(1, "text.txt", "perplexity", SmolLm2.File_, folder.Write("text.txt", ""));
        FailsAtOnce(1, "absent.txt", "perplexity", SmolLm2.File_, Path.Combine(folder.Root, "absent.txt"));
        FailsAtOnce(1, "deepseek_v4", "run", Repository.Shared("goldens/models/deepseek_v4"), "--tokens", fine);
    }

    [Theory]
    [InlineData("--temperature", "-1")]
    [InlineData("--temperature", "hot")]
    [InlineData("--temperature", "NaN")]
    [InlineData("--top-p", "0")]
    [InlineData("--top-k", "1.5")]
    [InlineData("--max-tokens", "0")]
    [InlineData("--think-budget", "-1")]
    [InlineData("--think", "maybe")]
    [InlineData("--kv", "f64")]
    [InlineData("--threads", "0")]
    [InlineData("--ctx", "0")]
    [InlineData("--tool-format", "smoke")]
    [InlineData("--now", "yesterday")]
    [InlineData("--no-such-option", "1")]
    public void Wrong_options_of_run(string option, string value) => FailsAtOnce(2, option, "run", "model", "hi", option, value);

    [Fact]
    public void Wrong_usage_that_only_the_verb_can_see()
    {
        FailsAtOnce(2, "--tokens", "run", "model", "hi", "--tokens", "x.json");
        FailsAtOnce(2, "--jsonl", "tokenize", SmolLm2.File_, "text", "--jsonl", "x");
        FailsAtOnce(2, "ID", "detokenize", SmolLm2.File_);
        FailsAtOnce(2, "--window", "perplexity", "model", "text", "--window", "1");
        FailsAtOnce(2, "MODEL", "run");
    }
}
