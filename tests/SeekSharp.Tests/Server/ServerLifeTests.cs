using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Server;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Server;

/// <summary>Connections that are cut, clients that do not read, queues that are full, and the end of a server.</summary>
[Collection("server")]
public sealed class ServerLifeTests(ServedModel served)
{
    private static string Long(bool stream, int most = 4000) =>
        $$"""{"messages":[{"role":"user","content":"Tell me a long story."}],"temperature":1,"max_tokens":{{most}},"logit_bias":{"2":-100},"stream":{{(stream ? "true" : "false")}}}""";

    /// <summary>Sends a request over a connection of its own.</summary>
    private static async Task<TcpClient> Open(Uri server, string body, int receiveBuffer = 0)
    {
        var client = new TcpClient();
        if (receiveBuffer > 0) client.ReceiveBufferSize = receiveBuffer;
        await client.ConnectAsync(server.Host, server.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        return client;
    }

    private static async Task Until(Func<bool> holds)
    {
        for (int i = 0; i < 1000 && !holds(); i++) await Task.Delay(10);
        Assert.True(holds());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cut_connection_gives_its_sequence_back(bool stream)
    {
        await served.Idle();
        LlmEngine engine = served.Model.Engine;
        long before = engine.Statistics.GeneratedTokens;
        using (TcpClient client = await Open(served.Server.Address, Long(stream)))
            await Until(() => engine.Statistics.GeneratedTokens > before + 2);
        await served.Idle();
        Assert.Equal(engine.Statistics.BlocksIdle, engine.Statistics.BlocksUsed); // what is used is only kept
        Assert.True(engine.Statistics.GeneratedTokens < before + 1000, "it went on without a reader");
        await Until(() => served.Server.Running == 0);
    }

    [Fact]
    public async Task Who_does_not_read_stops_nobody_and_stops_by_himself()
    {
        await served.Idle();
        ChatModel model = served.Model;
        long before = model.Engine.Statistics.GeneratedTokens;
        using (ChatRun unread = ChatRun.Begin(model, new ChatRequest
        {
            Messages = [ChatMessages.Of("user", "Tell me a long story.")],
            Sampling = SamplingParams.Greedy with { MaxTokens = 1000 },
            MostUnread = 8,
        }))
        using (TcpClient silent = await Open(served.Server.Address, Long(stream: true), receiveBuffer: 1024))
        {
            (int status, _) = await served.Post("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hi"}],"temperature":0,"max_tokens":12}""");
            Assert.Equal(200, status);
            await Until(() => model.Engine.Statistics.GeneratedTokens >= before + 8);
        }
        await served.Idle();
        Assert.True(model.Engine.Statistics.GeneratedTokens < before + 1000);
    }

    /// <summary>Eight long answers with all their log probabilities to somebody who never reads: others are served meanwhile, and in the end the connection is cut.</summary>
    [Fact]
    public async Task Who_never_reads_is_dropped()
    {
        await served.Idle();
        await using ApiServer server = await served.StartAsync(new ServerOptions { Port = 0, SlowestReader = 1e6, Patience = TimeSpan.FromSeconds(1.5) });
        using var http = new HttpClient { BaseAddress = server.Address };
        LlmEngine engine = served.Model.Engine;
        long before = engine.Statistics.GeneratedTokens;
        using TcpClient silent = await Open(server.Address, Long(stream: true, most: 900).Replace("{\"messages", "{\"n\":8,\"logprobs\":true,\"top_logprobs\":20,\"messages"), receiveBuffer: 1024);
        await Until(() => server.Running == 1 && engine.Statistics.GeneratedTokens > before);
        (int status, _) = await served.Post("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hi"}],"temperature":0,"max_tokens":12}""", http);
        Assert.Equal(200, status);
        var watch = Stopwatch.StartNew();
        while (server.Running > 0 && watch.Elapsed < TimeSpan.FromSeconds(60)) await Task.Delay(20);
        Assert.Equal(0, server.Running);
        await served.Idle();
        Assert.True(engine.Statistics.GeneratedTokens < before + 8 * 900, "everything was computed for nobody");
        Assert.Equal(engine.Statistics.BlocksIdle, engine.Statistics.BlocksUsed);
    }

    [Fact]
    public async Task An_answer_that_is_not_read_rests()
    {
        await served.Idle();
        ChatModel model = served.Model;
        long before = model.Engine.Statistics.GeneratedTokens;
        using (ChatRun.Begin(model, new ChatRequest { Messages = [ChatMessages.Of("user", "Tell me a long story.")], Sampling = SamplingParams.Greedy with { MaxTokens = 1000 }, MostUnread = 8 }))
        {
            await Until(() => model.Engine.Statistics.GeneratedTokens >= before + 8);
            long steps = model.Engine.Statistics.Steps;
            await Task.Delay(100);
            Assert.InRange(model.Engine.Statistics.GeneratedTokens, before + 8, before + 24); // what was drafted when it was told to rest may still come
            Assert.InRange(model.Engine.Statistics.Steps, steps, steps + 1); // the engine sleeps
        }
        await served.Idle();
    }

    [Fact]
    public async Task A_server_that_ends_finishes_what_runs_and_takes_nothing_new()
    {
        await served.Idle();
        await using ApiServer server = await served.StartAsync(new ServerOptions { Port = 0 });
        using TcpClient running = await Open(server.Address, Long(stream: true, most: 40));
        using TcpClient later = new();
        await later.ConnectAsync(server.Address.Host, server.Address.Port);
        await Until(() => served.Model.Engine.Statistics.Running == 1);
        Task ending = server.DrainAsync(TimeSpan.FromSeconds(60));
        await later.GetStream().WriteAsync("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8.ToArray());
        string refused = await new StreamReader(later.GetStream()).ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 503", refused);
        Assert.Contains("\"code\":\"stopping\"", refused);
        Assert.Contains("data: [DONE]", await new StreamReader(running.GetStream()).ReadToEndAsync());
        await ending;
    }

    [Fact]
    public async Task A_server_that_must_end_cuts_what_runs()
    {
        await served.Idle();
        await using ApiServer server = await served.StartAsync(new ServerOptions { Port = 0 });
        using TcpClient running = await Open(server.Address, Long(stream: true));
        await Until(() => served.Model.Engine.Statistics.Running == 1);
        var watch = Stopwatch.StartNew();
        await server.DrainAsync(TimeSpan.FromMilliseconds(50));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20));
        await served.Idle();
    }

    [Fact]
    public async Task A_full_queue_is_429_and_a_broken_engine_503()
    {
        using ModelFolder folder = ModelFolder.Open(SmolLm2.File_);
        var model = ChatModel.Load(folder, new ModelOptions { ContextLength = 512 }, engine: new EngineOptions { Scheduler = new() { MaxRunning = 1, MaxWaiting = 1 } });
        try
        {
            var models = new ChatModels();
            models.Add("tiny", model);
            await using ApiServer server = await served.StartAsync(new ServerOptions { Port = 0 }, models);
            using var http = new HttpClient { BaseAddress = server.Address };
            using TcpClient first = await Open(server.Address, Long(stream: true));
            await Until(() => model.Engine.Statistics.Running == 1);
            using TcpClient second = await Open(server.Address, Long(stream: true));
            await Until(() => model.Engine.Statistics.Waiting == 1);
            (int status, JsonElement body) = await served.Post("/v1/chat/completions", Long(stream: true), http);
            Assert.Equal((429, "queue_full", "rate_limit_error"), (status, Code(body), body.GetProperty("error").GetProperty("type").GetString()));
            (status, body) = await served.Post("/v1/chat/completions", Long(stream: true).Replace("{\"messages", "{\"n\":128,\"messages"), http);
            Assert.Equal(429, status);
            model.Loop.Dispose();
            (status, body) = await served.Post("/v1/chat/completions", Long(stream: false), http);
            Assert.Equal((503, "stopping"), (status, Code(body)));
        }
        finally
        {
            model.Dispose();
        }

        static string? Code(JsonElement body) => body.GetProperty("error").GetProperty("code").GetString();
    }
}
