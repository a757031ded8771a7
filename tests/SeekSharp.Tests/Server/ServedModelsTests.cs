using System.Net.Http.Json;
using System.Text.Json;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Server;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Server;

/// <summary>Several models and adapters behind one server, which come and go; and what a server keeps on disk.</summary>
[Collection("server")]
public sealed class ServedModelsTests(ServedModel served)
{
    private static string Ask(string model, int most = 12, string more = "") =>
        $$"""{"model":"{{model}}","messages":[{"role":"user","content":"List three fruits that are red."}],"temperature":0,"max_tokens":{{most}}{{more}}}""";

    private static string Content(JsonElement body) => body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

    private static string? Code(JsonElement body) => body.GetProperty("error").GetProperty("code").GetString();

    private static ChatModel Load(ChatModels models, string name, ModelOptions options, EngineOptions? engine = null) =>
        models.Load(name, ModelFolder.Open(SmolLm2.File_), options with { ContextLength = 1024 }, engine);

    private static async Task Until(Func<bool> holds)
    {
        for (int i = 0; i < 1000 && !holds(); i++) await Task.Delay(10);
        Assert.True(holds());
    }

    [Fact]
    public async Task Models_are_loaded_and_unloaded_while_the_server_runs()
    {
        using var budget = new ThreadBudget(2);
        var models = new ChatModels();
        ChatModel a = Load(models, "a", new ModelOptions { Budget = budget });
        await using ApiServer server = await served.StartAsync(new ServerOptions { Port = 0 }, models);
        using var http = new HttpClient { BaseAddress = server.Address };
        Assert.Equal(404, (await served.Post("/v1/chat/completions", Ask("b"), http)).Status);
        ChatModel b = Load(models, "b", new ModelOptions { Budget = budget });
        Assert.Throws<ArgumentException>(() => models.Add("b", a));

        // Both at once, each as alone.
        (int, JsonElement)[] both = await Task.WhenAll(served.Post("/v1/chat/completions", Ask("a"), http), served.Post("/v1/chat/completions", Ask("b"), http));
        string alone = Content((await served.Post("/v1/chat/completions", Ask("smol"))).Body);
        Assert.All(both, r => Assert.Equal((200, alone), (r.Item1, Content(r.Item2))));
        Assert.Same(a.Model.Pool, b.Model.Pool);

        // One that runs may finish; whoever comes later finds nothing.
        Task<(int Status, JsonElement Body)> running = served.Post("/v1/chat/completions", Ask("b", 60, ",\"logit_bias\":{\"2\":-100}"), http);
        await Until(() => b.Engine.Statistics.Running == 1);
        long before = Resident();
        Task<bool> unloading = models.UnloadAsync("b", TimeSpan.FromMinutes(1));
        (int status, JsonElement body) = await served.Post("/v1/chat/completions", Ask("b"), http);
        Assert.Equal((404, "model_not_found"), (status, Code(body)));
        (status, body) = await running;
        Assert.Equal((200, 60), (status, body.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));
        Assert.True(await unloading);
        Assert.False(await models.UnloadAsync("b", TimeSpan.Zero));
        Assert.Throws<ObjectDisposedException>(() => b.Model.Forward(b.Model.CreateCache(), [1], []));
        if (OperatingSystem.IsLinux()) Assert.True(before - Resident() > a.Model.WeightBytes / 2, "its memory was not given back");
        Assert.Equal(alone, Content((await served.Post("/v1/chat/completions", Ask("a"), http)).Body)); // and the threads are there still

        // One that does not end in time is told so, in a stream too.
        using var content = new StringContent(Ask("a", 900, ",\"stream\":true,\"logit_bias\":{\"2\":-100}"));
        using HttpResponseMessage stream = await http.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = content }, HttpCompletionOption.ResponseHeadersRead);
        await Until(() => a.Engine.Statistics.Running == 1);
        Assert.True(await models.UnloadAsync("a", TimeSpan.FromMilliseconds(50)));
        string events = await stream.Content.ReadAsStringAsync();
        Assert.Contains("model_unloaded", events);
        Assert.DoesNotContain("[DONE]", events);
        (status, body) = await served.Post("/v1/chat/completions", "{" + Ask("a")[13..], http); // no model named
        Assert.Equal(404, status);
        Assert.Empty((await http.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data").EnumerateArray());
    }

    private static long Resident()
    {
        foreach (string line in File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status") : [])
            if (line.StartsWith("RssAnon:", StringComparison.Ordinal)) return long.Parse(line.AsSpan(8).TrimEnd("kB ").Trim()) * 1024;
        return 0;
    }

    [Fact]
    public async Task An_adapter_is_chosen_by_its_name()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(1);
        ModelConfig config = served.Model.Model.Config;
        const string Q = "base_model.model.model.layers.3.mlp.down_proj.";
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        SafetensorsWriter.Save(folder["adapter_model.safetensors"], [(Q + "lora_A.weight", [2, config.IntermediateSize], Values(2 * config.IntermediateSize)), (Q + "lora_B.weight", [config.HiddenSize, 2], Values(2 * config.HiddenSize))]);
        File.WriteAllText(folder["adapter_config.json"], """{"peft_type":"LORA","r":2,"lora_alpha":8}""");

        var models = new ChatModels();
        using ModelFolder smol = ModelFolder.Open(SmolLm2.File_);
        using var model = ChatModel.Load(smol, new ModelOptions { ContextLength = 512 });
        model.AddAdapter("mine", folder.Path);
        models.Add("base", model);
        await using ApiServer server = await served.StartAsync(new ServerOptions { Port = 0 }, models);
        using var http = new HttpClient { BaseAddress = server.Address };

        // In one batch, and again alone.
        string[] names = ["base", "mine", "base", "mine"];
        (int Status, JsonElement Body)[] together = await Task.WhenAll(names.Select(n => served.Post("/v1/chat/completions", Ask(n), http)));
        Assert.All(together, r => Assert.Equal(200, r.Status));
        Assert.Equal(names, together.Select(r => r.Body.GetProperty("model").GetString()!));
        string[] texts = [.. together.Select(r => Content(r.Body))];
        Assert.Equal((texts[0], texts[1]), (texts[2], texts[3]));
        Assert.NotEqual(texts[0], texts[1]);
        model.Engine.Clear();
        Assert.Equal(texts[1], Content((await served.Post("/v1/chat/completions", Ask("mine"), http)).Body));
        (int status, JsonElement body) = await served.Post("/v1/completions", """{"model":"mine","prompt":"Once upon","temperature":0,"max_tokens":8}""", http);
        (_, JsonElement plain) = await served.Post("/v1/completions", """{"model":"base","prompt":"Once upon","temperature":0,"max_tokens":8}""", http);
        Assert.Equal(200, status);
        Assert.NotEqual(plain.GetProperty("choices")[0].GetProperty("text").GetString(), body.GetProperty("choices")[0].GetProperty("text").GetString());

        JsonElement listed = await http.GetFromJsonAsync<JsonElement>("/v1/models/mine");
        Assert.Equal("base", listed.GetProperty("parent").GetString());
        (status, body) = await served.Post("/v1/embeddings", """{"model":"mine","input":"hello"}""", http);
        Assert.Equal((400, "unsupported_parameter"), (status, Code(body)));

        Assert.True(await models.UnloadAsync("mine", TimeSpan.Zero)); // the name goes, its model stays
        Assert.Equal(404, (await served.Post("/v1/chat/completions", Ask("mine"), http)).Status);
        Assert.Equal(200, (await served.Post("/v1/chat/completions", Ask("base"), http)).Status);
    }

    [Fact]
    public async Task What_was_read_before_a_restart_is_a_hit_after_it()
    {
        using var folder = new TemporaryFolder();
        string prompt = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 20));
        string body = $$"""{"model":"m","prompt":"{{prompt}}","temperature":0,"max_tokens":8}""";
        var answers = new List<JsonElement>();
        for (int start = 0; start < 2; start++)
        {
            using var disk = new DiskTier(folder.Path, 1 << 30, Assert.Fail);
            var models = new ChatModels();
            ModelFolder smol = ModelFolder.Open(SmolLm2.File_);
            models.Load("m", smol, new ModelOptions { ContextLength = 1024 }, new EngineOptions { Disk = disk, ModelIdentity = ModelIdentity.Of(smol) });
            await using (ApiServer server = await served.StartAsync(new ServerOptions { Port = 0 }, models))
            {
                using var http = new HttpClient { BaseAddress = server.Address };
                answers.Add((await served.Post("/v1/completions", body, http)).Body);
            }
            Assert.True(await models.UnloadAsync("m", TimeSpan.FromSeconds(10)));
            disk.Flush();
        }
        Assert.Equal(0, Hits(answers[0]));
        Assert.True(Hits(answers[1]) >= 192, $"{Hits(answers[1])} tokens were known");
        Assert.Equal(answers[0].GetProperty("choices")[0].GetProperty("text").GetString(), answers[1].GetProperty("choices")[0].GetProperty("text").GetString());

        static int Hits(JsonElement answer) => answer.GetProperty("usage").GetProperty("prompt_cache_hit_tokens").GetInt32();
    }

    [Fact]
    public async Task Choices_of_one_request_share_its_prompt()
    {
        await served.Idle();
        LlmEngine engine = served.Model.Engine;
        engine.Clear();
        string prompt = string.Concat(Enumerable.Range(0, 60).Select(i => $"Item {i} is here. "));
        long before = engine.Statistics.PromptTokens;
        (int status, JsonElement body) = await served.Post("/v1/completions", $$"""{"prompt":"{{prompt}}","n":6,"temperature":1,"seed":3,"max_tokens":6}""");
        Assert.Equal(200, status);
        int length = body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.True(length > 256);
        int shared = (length - 1) / 64 * 64;
        Assert.Equal(length + 5 * (length - shared), engine.Statistics.PromptTokens - before); // the others compute only what follows the last whole block
        Assert.Equal(6, body.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("text").GetString()).Count());
    }
}
