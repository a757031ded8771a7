using System.Diagnostics;
using System.Text.Json;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>run</c> on the real model, as a process.</summary>
public sealed class RunTests
{
    private static JsonElement Prompt(int index) =>
        JsonDocument.Parse(File.ReadAllBytes(Repository.Shared("models/smollm2.expected.json"))).RootElement.GetProperty("prompts")[index];

    private static JsonElement Json(SeekSharpProgram.Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return JsonDocument.Parse(outcome.Output).RootElement;
    }

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(id => id.GetInt32())];

    [Fact]
    public void Exact_greedy_gives_the_golden_ids_and_text()
    {
        JsonElement prompt = Prompt(4), exact = prompt.GetProperty("exact");
        JsonElement messages = prompt.GetProperty("messages");
        JsonElement answer = Json(SeekSharpProgram.Run("run", SmolLm2.File_, messages[1].GetProperty("content").GetString()!, "--system", messages[0].GetProperty("content").GetString()!,
            "--json", "--exact", "--temperature", "0", "--max-tokens", "48", "--ignore-eos"));
        Assert.Equal(Ids(exact.GetProperty("ids")), Ids(answer.GetProperty("ids")));
        Assert.Equal(exact.GetProperty("text").GetString(), answer.GetProperty("text").GetString());
        Assert.Equal("length", answer.GetProperty("finish_reason").GetString());
        Assert.Equal(Ids(prompt.GetProperty("ids")).Length, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(48, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public void Token_ids_take_the_place_of_a_prompt()
    {
        using var folder = new TemporaryFolder();
        JsonElement prompt = Prompt(11);
        string ids = folder.Write("ids.json", prompt.GetProperty("ids").GetRawText());
        JsonElement answer = Json(SeekSharpProgram.Run("run", SmolLm2.File_, "--tokens", ids, "--json", "--exact", "--temperature", "0", "--max-tokens", "16", "--ignore-eos"));
        Assert.Equal(Ids(prompt.GetProperty("exact").GetProperty("ids")).Take(16), Ids(answer.GetProperty("ids")));
    }

    [Fact]
    public void Json_has_every_field()
    {
        JsonElement answer = Json(SeekSharpProgram.Run("run", SmolLm2.File_, "List three fruits that are red.", "--json", "--temperature", "0", "--threads", "1", "--kv", "q8_0", "--ctx", "100"));
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", answer.GetProperty("content").GetString());
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", answer.GetProperty("text").GetString());
        Assert.Equal("", answer.GetProperty("reasoning").GetString());
        Assert.Equal(0, answer.GetProperty("tool_calls").GetArrayLength());
        Assert.Equal("stop", answer.GetProperty("finish_reason").GetString());
        JsonElement usage = answer.GetProperty("usage"), timings = answer.GetProperty("timings");
        Assert.Equal((37, 0, 37), (usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("prompt_cache_hit_tokens").GetInt32(), usage.GetProperty("prompt_cache_miss_tokens").GetInt32()));
        Assert.Equal(answer.GetProperty("ids").GetArrayLength(), usage.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(0, usage.GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32());
        foreach (string time in (string[])["load_ms", "prompt_ms", "first_token_ms", "decode_ms", "prompt_per_second", "decode_per_second"])
            Assert.True(timings.GetProperty(time).GetDouble() > 0, time);
    }

    [Fact]
    public void Text_goes_to_standard_output_and_figures_to_standard_error()
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("run", SmolLm2.File_, "List three fruits that are red.", "--temperature", "0", "--verbose");
        Assert.Equal((0, "1. Bananas\n2. Oranges\n3. Grapes\n"), (outcome.ExitCode, outcome.Output));
        Assert.Matches(@"^15 tokens, [\d.]+ tokens/s, first after [\d.]+ s\n", outcome.Error);
        Assert.Contains("seed", outcome.Error);
        Assert.DoesNotContain('\x1b', outcome.Error);
    }

    [Fact]
    public void Piped_text_is_the_prompt_or_is_appended_to_it()
    {
        SeekSharpProgram.Outcome piped = SeekSharpProgram.RunWith("List three fruits that are red.\n", null, "run", SmolLm2.File_, "--temperature", "0");
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes\n", piped.Output);
        JsonElement both = Json(SeekSharpProgram.RunWith("Bonjour.\n", null, "run", SmolLm2.File_, "Translate to English:", "--json", "--max-tokens", "1"));
        Assert.Equal(40, both.GetProperty("usage").GetProperty("prompt_tokens").GetInt32()); // as with "Translate to English:\n\nBonjour."
        Assert.Equal(2, SeekSharpProgram.Run("run", SmolLm2.File_).ExitCode);
    }

    [Fact]
    public void A_prompt_longer_than_the_context_is_an_error_with_both_lengths()
    {
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("run", SmolLm2.File_, "List three fruits that are red.", "--ctx", "20");
        Assert.Equal((1, "", "seeksharp: the prompt has 37 tokens, the context 20\n"), (outcome.ExitCode, outcome.Output, outcome.Error));
    }

    [Fact]
    public void Interrupt_ends_the_answer()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs POSIX signals");
        using Process process = SeekSharpProgram.Start(null, "run", SmolLm2.File_, "Write a long story.", "--ignore-eos", "--temperature", "0");
        process.StandardInput.Close();
        Assert.NotEqual(-1, process.StandardOutput.Read()); // the answer has begun
        Process.Start("kill", ["-INT", process.Id.ToString()]).WaitForExit();
        string rest = process.StandardOutput.ReadToEnd(), error = process.StandardError.ReadToEnd();
        Assert.True(process.WaitForExit(10_000));
        Assert.Equal(130, process.ExitCode);
        Assert.EndsWith("\n", rest);
        Assert.Contains("interrupted", error);
    }
}
