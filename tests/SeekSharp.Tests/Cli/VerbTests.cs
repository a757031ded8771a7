using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Kernels;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary>The other verbs against the goldens, as processes.</summary>
public sealed class VerbTests
{
    private static JsonElement Json(SeekSharpProgram.Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return JsonDocument.Parse(outcome.Output).RootElement;
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen2_5")]
    [InlineData("llama3_1")]
    public void Tokenize_gives_the_goldens_of_published_tokenizers(string name)
    {
        using var folder = new TemporaryFolder();
        var cases = new List<JsonElement>();
        using (var reader = new StreamReader(new GZipStream(File.OpenRead(Repository.Shared($"goldens/tokenizers/{name}/cases.jsonl.gz")), CompressionMode.Decompress)))
            while (reader.ReadLine() is { } line) cases.Add(JsonDocument.Parse(line).RootElement);
        cases.RemoveAll(c => c.GetProperty("kind").GetString() == "new_unicode"); // tables of another Unicode version
        Assert.True(cases.Count > 1000);
        string file = folder.Write("texts.jsonl", string.Concat(cases.Select(c => new JsonObject { ["text"] = c.GetProperty("text").GetString() }.ToJsonString() + "\n")));
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("tokenize", Repository.Shared($"goldens/tokenizers/{name}/tokenizer.json.gz"), "--jsonl", file);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        string[] lines = outcome.Output.TrimEnd('\n').Split('\n');
        Assert.Equal(cases.Count, lines.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            JsonElement found = JsonDocument.Parse(lines[i]).RootElement;
            foreach (string field in (string[])["ids", "ids_special", "decoded", "decoded_skip"])
                Assert.True(JsonElement.DeepEquals(cases[i].GetProperty(field), found.GetProperty(field)), $"case {i}: {field} of {cases[i].GetProperty("text").GetRawText()}");
        }
    }

    [Fact]
    public void Tokenize_gives_the_goldens_of_a_GGUF_vocabulary()
    {
        using var folder = new TemporaryFolder();
        JsonElement[] cases = [.. File.ReadLines(Repository.Shared("models/smollm2.tokens.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        string file = folder.Write("texts.jsonl", string.Concat(cases.Select(c => new JsonObject { ["text"] = c.GetProperty("text").GetString() }.ToJsonString() + "\n")));
        string[] lines = SeekSharpProgram.Run("tokenize", SmolLm2.File_, "--jsonl", file).Output.TrimEnd('\n').Split('\n');
        Assert.Equal(62, lines.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            JsonElement found = JsonDocument.Parse(lines[i]).RootElement;
            foreach (string field in (string[])["ids", "ids_special"])
                Assert.True(JsonElement.DeepEquals(cases[i].GetProperty(field), found.GetProperty(field)), $"case {i}: {field}");
            Assert.Equal(cases[i].GetProperty("text").GetString(), found.GetProperty("decoded").GetString());
        }
    }

    [Fact]
    public void Tokenize_and_detokenize_are_each_others_reverse()
    {
        string ids = SeekSharpProgram.Run("tokenize", SmolLm2.File_, "Hello, 日本 𝐀!").Output.Trim();
        Assert.Matches(@"^\d+( \d+)+$", ids);
        Assert.Equal("Hello, 日本 𝐀!\n", SeekSharpProgram.Run(["detokenize", SmolLm2.File_, .. ids.Split(' ')]).Output);
        SeekSharpProgram.Outcome outside = SeekSharpProgram.Run("detokenize", SmolLm2.File_, "49152");
        Assert.Equal((1, ""), (outside.ExitCode, outside.Output));
        Assert.Contains("49152", outside.Error);
        Assert.Equal(2, SeekSharpProgram.Run("detokenize", SmolLm2.File_, "x").ExitCode);
    }

    [Theory]
    [InlineData("deepseek_v3_mtp", "7")]
    [InlineData("qwen2", "512")]
    public void Logits_are_the_goldens(string name, string chunk)
    {
        using var folder = new TemporaryFolder();
        GoldenFile golden = GoldenFile.Open(Repository.Shared($"goldens/models/{name}/expected.safetensors"));
        string ids = folder.Write("ids.json", JsonSerializer.Serialize(golden.Ints("input_ids"))), output = Path.Combine(folder.Root, "out.safetensors");
        SeekSharpProgram.Outcome outcome = SeekSharpProgram.Run("logits", Repository.Shared($"goldens/models/{name}"), "--tokens", ids, "--out", output, "--exact", "--chunk", chunk);
        Assert.Equal((0, "", ""), (outcome.ExitCode, outcome.Output, outcome.Error));
        GoldenFile found = GoldenFile.Open(output);
        Assert.Equal(golden.Has("mtp_logits"), found.Has("mtp_logits"));
        foreach (string tensor in (string[])["logits", "mtp_logits"])
        {
            if (!golden.Has(tensor)) continue;
            Assert.Equal(golden.Shape(tensor), found.Shape(tensor));
            float[] expected = golden.Floats(tensor), actual = found.Floats(tensor);
            float bound = 1e-4f * expected.Max(MathF.Abs);
            for (int i = 0; i < expected.Length; i++) Assert.True(MathF.Abs(expected[i] - actual[i]) <= bound, $"{tensor}[{i}]");
        }
    }

    [Fact]
    public void Perplexity_is_llama_cpps()
    {
        JsonElement found = Json(SeekSharpProgram.Run("perplexity", SmolLm2.File_, Repository.Shared("models/smollm2.text.txt"), "--json"));
        Assert.Equal((2175, 2170), (found.GetProperty("tokens").GetInt32(), found.GetProperty("predictions").GetInt32()));
        Assert.Equal(32.015285, found.GetProperty("perplexity").GetDouble(), 32.015285 * 0.005);
    }

    [Fact]
    public void Perplexity_of_second_halves_is_that_of_llama_cpps_tool()
    {
        using var folder = new TemporaryFolder();
        string text = File.ReadAllText(Repository.Shared("models/smollm2.text.txt"))[..2500];
        JsonElement found = Json(SeekSharpProgram.Run("perplexity", SmolLm2.File_, folder.Write("text.txt", text), "--second-half", "--window", "128", "--json"));
        Assert.Equal((4, 4 * 63), (found.GetProperty("windows").GetInt32(), found.GetProperty("predictions").GetInt32()));
        Assert.Equal(27.6629, found.GetProperty("perplexity").GetDouble(), 27.6629 * 0.01); // llama-perplexity -c 128 on this text
    }

    [Fact]
    public void Bench_writes_several_answers_together()
    {
        JsonElement found = Json(SeekSharpProgram.Run("bench", Repository.Shared("goldens/gguf/llama_q4_0.gguf"), "--sequences", "5", "--decode", "4", "--depth", "20", "--join", "50", "--json"));
        Assert.Equal((5, 20, 4), (found.GetProperty("sequences").GetInt32(), found.GetProperty("prompt").GetInt32(), found.GetProperty("decode").GetInt32()));
        Assert.True(found.GetProperty("decode_tps").GetDouble() > 0 && found.GetProperty("prefill_tps").GetDouble() > 0);
        Assert.InRange(found.GetProperty("engine_share").GetDouble(), 0, 1);
        Assert.InRange(found.GetProperty("pause_ms_p50").GetDouble(), 1e-3, found.GetProperty("pause_ms_longest").GetDouble());
        Assert.Equal(2, SeekSharpProgram.Run("bench", Repository.Shared("goldens/gguf/llama_q4_0.gguf"), "--sequences", "0").ExitCode);
    }

    [Fact]
    public void Bench_measures_the_first_token_after_a_known_prefix_and_a_text_written_again()
    {
        string model = Repository.Shared("goldens/gguf/llama_q4_0.gguf");
        JsonElement prefix = Json(SeekSharpProgram.Run("bench", model, "--prefix", "100", "--suffix", "5", "--json"));
        Assert.Equal((64, 100, 5), (prefix.GetProperty("known_tokens").GetInt32(), prefix.GetProperty("prefix").GetInt32(), prefix.GetProperty("suffix").GetInt32()));
        foreach (string figure in (string[])["first_token_ms", "first_token_ms_memory", "first_token_ms_disk", "memory_ratio", "disk_ratio", "disk_bytes"])
            Assert.True(prefix.GetProperty(figure).GetDouble() > 0, figure);
        Assert.Equal(3, prefix.GetProperty("runs").GetProperty("first_token_ms").GetArrayLength());

        JsonElement copy = Json(SeekSharpProgram.Run("bench", model, "--copy", "40", "--decode", "60", "--repeats", "4", "--json"));
        Assert.Equal((40, 60), (copy.GetProperty("copy").GetInt32(), copy.GetProperty("decode").GetInt32()));
        Assert.Equal(copy.GetProperty("proposed").GetInt64(), copy.GetProperty("accepted").GetInt64()); // the text is what was looked up
        Assert.True(copy.GetProperty("plain_tps").GetDouble() > 0 && copy.GetProperty("lookup_tps").GetDouble() > 0);
        foreach (string figure in (string[])["plain_tps", "lookup_tps", "ratio"])
        {
            double[] values = [.. copy.GetProperty("runs").GetProperty(figure).EnumerateArray().Select(v => v.GetDouble()).Order()];
            Assert.Equal(4, values.Length);
            Assert.Equal((values[1] + values[2]) / 2, copy.GetProperty(figure).GetDouble(), 0.011); // rounded before and after
        }
        Assert.Equal(2, SeekSharpProgram.Run("bench", model, "--prefix", "9", "--copy", "9").ExitCode);
        Assert.Equal(2, SeekSharpProgram.Run("bench", model, "--repeats", "2").ExitCode);
    }

    [Fact]
    public void Bench_tells_its_figures()
    {
        JsonElement found = Json(SeekSharpProgram.Run("bench", SmolLm2.File_, "--prefill", "64", "--decode", "8", "--depth", "16", "--json"));
        Assert.Equal("SmolLM2-135M-Instruct.Q4_1.gguf", found.GetProperty("model").GetString());
        Assert.NotEqual("", found.GetProperty("tier").GetString());
        foreach (string figure in (string[])["threads", "prefill_tps", "decode_tps", "bandwidth_gbs", "bandwidth_median_gbs", "prefill_product_gops", "int8_tile_gops", "int8_tile_median_gops", "fp32_tile_gflops", "fp32_tile_median_gflops", "kv_bytes_read_per_token", "decode_bandwidth_share", "decode_bandwidth_share_in_turn"])
            Assert.True(found.GetProperty(figure).GetDouble() > 0, figure);
    }

    [Fact]
    public void Inspect_adds_up()
    {
        JsonElement found = Json(SeekSharpProgram.Run("inspect", SmolLm2.File_, "--json"));
        Assert.Equal(134515008, found.GetProperty("parameters").GetInt64());
        Assert.Equal(134515008 + 576, found.GetProperty("active_parameters").GetInt64()); // the tied matrix as output, and one of its rows as embedding
        Assert.Equal(30 * 2 * 3 * 64 * 2, found.GetProperty("kv_bytes_per_token").GetProperty("bf16").GetInt32());
        Assert.Equal(272, found.GetProperty("tensors").GetArrayLength());
        Assert.Equal("llama", found.GetProperty("config").GetProperty("model_type").GetString());
        JsonElement experts = Json(SeekSharpProgram.Run("inspect", Repository.Shared("goldens/models/deepseek_v3"), "--json"));
        Assert.True(experts.GetProperty("active_parameters").GetInt64() < experts.GetProperty("parameters").GetInt64() / 2);
        Assert.Equal(4 * (32 + 8) * 2, experts.GetProperty("kv_bytes_per_token").GetProperty("bf16").GetInt32());
        Assert.Contains("deepseek_v4", Json(SeekSharpProgram.Run("inspect", Repository.Shared("goldens/models/deepseek_v4"), "--json")).GetProperty("cannot_run").GetString());
    }

    [Fact]
    public void Info_knows_the_machine()
    {
        JsonElement found = Json(SeekSharpProgram.Run("info", "--json"));
        Assert.NotEqual("", found.GetProperty("cpu").GetString());
        foreach (string figure in (string[])["cores", "threads", "memory_bytes", "bandwidth_one_thread_gbs", "bandwidth_gbs", "fp32_gflops", "int8_gops"])
            Assert.True(found.GetProperty(figure).GetDouble() > 0, figure);
    }

    [Fact]
    public void Info_prints_the_tier_that_the_variable_names()
    {
        string tier = KernelTable.IsSupported(KernelTier.Avx2) ? "avx2" : "portable"; // never the one that is chosen anyway on a machine with AVX-512
        SeekSharpProgram.Outcome info = SeekSharpProgram.RunWith(null, new() { [KernelTable.Variable] = tier }, "info", "--json");
        Assert.Equal(tier, Json(info).GetProperty("tier").GetString());
    }

    [Fact]
    public void Info_prints_what_attention_multiplies_with()
    {
        Assert.Equal(KernelTable.Current.AttentionForm, Json(SeekSharpProgram.Run("info", "--json")).GetProperty("attention").GetString());
        if (KernelTable.Current.Tier == KernelTier.Assembled)
            Assert.Equal(MatrixUnit.IsSupported ? "amx-bf16" : MachineProbe.HasFastBF16 ? "avx512-bf16" : "fp32", KernelTable.Current.AttentionForm);
        string without = Json(SeekSharpProgram.RunWith(null, new() { [MatrixUnit.Variable] = "0" }, "info", "--json")).GetProperty("attention").GetString()!; // as where the system refuses the unit
        Assert.Equal(KernelTable.Current.Tier == KernelTier.Assembled && MachineProbe.HasFastBF16 ? "avx512-bf16" : "fp32", without);
    }
}
