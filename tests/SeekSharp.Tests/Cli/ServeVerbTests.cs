using System.Net.Http.Json;
using System.Text.Json;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Chat;
using SeekSharp.Tests.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Cli;

/// <summary><c>seeksharp serve</c> as a process.</summary>
public sealed class ServeVerbTests
{
    [Fact]
    public void What_cannot_be_is_told_in_one_line()
    {
        using var folder = new Tests.TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        string model = Repository.Shared("goldens/models/qwen2");
        Told(2, "expected NAME=FOLDER, found 'mine'", model, "--adapter", "mine");
        Told(2, "the name 'qwen2' is given twice", model, "--adapter", "qwen2=" + folder.Path);
        Told(2, "--cache-size needs a --cache-dir", model, "--cache-size", "1GB");
        Told(2, "expected a size such as 20GB", model, "--cache-dir", folder.Path, "--cache-size", "much");
        Told(2, "--draft goes with one MODEL", model, "b=" + model, "--draft", model);
        Told(2, "--no-speculation goes with none of", model, "--lookup", "--no-speculation");
        Told(1, $"--cache-dir {folder["file"]}", model, "--cache-dir", folder["file"]);

        static void Told(int code, string message, params string[] arguments)
        {
            SeekSharpProgram.Outcome o = SeekSharpProgram.Run(["serve", "--port", "0", .. arguments]);
            Assert.Equal((code, true), (o.ExitCode, o.Error.Contains(message)));
            if (code == 1) Assert.Single(o.Error.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public async Task Flags_of_a_server_do_what_they_say()
    {
        using var folder = new Tests.TemporaryFolder();
        string prompt = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 20));
        for (int start = 0; start < 2; start++) // what was read the first time is on disk the second, though the process is killed
        {
            await using ServeProcess server = await ServeProcess.StartAsync("--ctx", "1024", "--threads", "2", "--lookup", "--cache-dir", folder.Path, "--cache-size", "100MB", "a=" + SmolLm2.File_, "b=" + SmolLm2.File_);
            JsonElement models = await server.Http.GetFromJsonAsync<JsonElement>("v1/models");
            Assert.Equal(["a", "b"], models.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()));
            (_, JsonElement answer) = await server.Post("v1/completions", new { model = "b", prompt, temperature = 0, max_tokens = 4 });
            Assert.Equal(start == 0 ? 0 : 192, answer.GetProperty("usage").GetProperty("prompt_cache_hit_tokens").GetInt32());
            await Written(folder.Path, 3);
        }
    }

    [Fact]
    public async Task Guesses_adapters_and_the_disk_give_the_answers_of_the_engine_alone()
    {
        using Tests.TemporaryFolder main = Model("deepseek_v3_mtp"), draft = Model("qwen2"), mine = Adapter("mlp.down_proj", 128, 64), cache = new();
        string name = Path.GetFileName(main.Path);
        int[] prompt = [.. Enumerable.Range(0, 100).Select(i => 2 + 7 * i % 50)];
        using ModelFolder opened = ModelFolder.Open(main.Path);
        using var alone = ChatModel.Load(opened, new ModelOptions { ContextLength = 256, MultiTokenPrediction = false }, engine: new EngineOptions { Speculation = SpeculationOptions.None });
        alone.AddAdapter("mine", mine.Path);
        var expected = new Dictionary<(string, int), string>();
        foreach (string? adapter in (string?[])[null, "mine"])
            foreach (int temperature in (int[])[0, 1])
                expected[(adapter ?? name, temperature)] = await Alone(adapter, temperature);
        Assert.Equal(4, expected.Values.Distinct().Count());

        // The module guesses, with the text and then with a smaller model. What the first server read is on the disk for the second.
        (string[] Guesses, int OnDisk)[] servers = [(["--mtp", "--lookup"], 0), (["--mtp", "--draft", draft.Path], 64)];
        foreach ((string[] guesses, int onDisk) in servers)
        {
            await using ServeProcess server = await ServeProcess.StartAsync([main.Path, "--ctx", "256", "--threads", "1", "--adapter", "mine=" + mine.Path, "--cache-dir", cache.Path, .. guesses]);
            foreach (((string model, int temperature), string text) in expected)
            {
                (int status, JsonElement answer) = await server.Post("v1/completions", new { model, prompt, temperature, seed = 5, max_tokens = 40 });
                Assert.Equal((200, text), (status, answer.GetProperty("choices")[0].GetProperty("text").GetString()));
                Assert.Equal(temperature == 0 ? onDisk : 64, answer.GetProperty("usage").GetProperty("prompt_cache_hit_tokens").GetInt32()); // another adapter's blocks are not its own
            }
            (int missing, JsonElement error) = await server.Post("v1/completions", new { model = "yours", prompt });
            Assert.Equal((404, "model_not_found"), (missing, error.GetProperty("error").GetProperty("code").GetString()));
            await Written(cache.Path, 2); // the prompt's block, as the model and as the adapter have it
        }

        async Task<string> Alone(string? adapter, int temperature)
        {
            var request = new ChatRequest
            {
                Prompt = new ChatPrompt(opened.Tokenizer!.Decode(prompt), prompt),
                Sampling = alone.Defaults with { Temperature = temperature, Seed = 5, MaxTokens = 40 },
                Adapter = adapter is null ? null : alone.Adapters[adapter],
            };
            return Assert.Single(await ChatRun.Begin(alone, request).AnswersAsync()).Content;
        }
    }

    [Fact]
    public void What_was_made_for_another_model_is_refused_at_the_start()
    {
        using Tests.TemporaryFolder main = Model("qwen2"), wide = Adapter("mlp.down_proj", 96, 64);
        Told("expected [2, 128], found [2, 96]", "--adapter", "mine=" + wide.Path);
        Told("the model has no multi-token-prediction module", "--mtp");
        Told("--draft: has other tokens than the model", "--draft", SmolLm2.File_);

        void Told(string message, params string[] arguments)
        {
            SeekSharpProgram.Outcome o = SeekSharpProgram.Run(["serve", main.Path, "--port", "0", "--threads", "1", .. arguments]);
            Assert.Equal(1, o.ExitCode);
            Assert.Contains(message, Assert.Single(o.Error.TrimEnd().Split('\n')));
        }
    }

    private static Tests.TemporaryFolder Model(string golden)
    {
        var folder = new Tests.TemporaryFolder();
        SmallTokenizer.AddModel(folder, golden);
        return folder;
    }

    // A change of one matrix of layer 0.
    private static Tests.TemporaryFolder Adapter(string matrix, int inputs, int outputs)
    {
        var folder = new Tests.TemporaryFolder();
        var random = new Random(1);
        string q = $"base_model.model.model.layers.0.{matrix}.";
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        SafetensorsWriter.Save(folder["adapter_model.safetensors"], [(q + "lora_A.weight", [2, inputs], Values(2 * inputs)), (q + "lora_B.weight", [outputs, 2], Values(2 * outputs))]);
        File.WriteAllText(folder["adapter_config.json"], """{"peft_type":"LORA","r":2,"lora_alpha":8}""");
        return folder;
    }

    // The files are written behind.
    private static async Task Written(string folder, int files)
    {
        int found;
        for (int i = 0; (found = Directory.GetFiles(folder, "*.kv").Length) < files && i < 500; i++) await Task.Delay(10);
        Assert.True(found >= files, $"{found} files");
    }
}
