using System.Net.Http.Json;
using System.Text.Json;
using SeekSharp.Chat;
using SeekSharp.Server;
using SeekSharp.Tests.Chat;
using Xunit;

namespace SeekSharp.Tests.Server;

/// <summary>The real model of the reference data behind a server on a free port of the loopback address, for all tests of the server.</summary>
public sealed class ServedModel : IAsyncLifetime
{
    public const string Name = "smol";
    public const string Key = "sk-test-1", OtherKey = "sk-test-2";
    private readonly SmolLm2 _smol = new();
    private readonly List<ApiServer> _servers = [];

    internal ChatModel Model => _smol.Model;
    internal ChatModels Models { get; } = new();
    internal ApiServer Server { get; private set; } = null!;
    public HttpClient Http { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Models.Add(Name, _smol.Model);
        Server = await StartAsync(new ServerOptions { Port = 0 });
        Http = new HttpClient { BaseAddress = Server.Address };
    }

    /// <summary>A further server on the same model; it ends with this.</summary>
    internal async Task<ApiServer> StartAsync(ServerOptions options, ChatModels? models = null)
    {
        var server = new ApiServer(options, models ?? Models);
        _servers.Add(server);
        await server.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Sends a body and gives the status and the answer.</summary>
    public async Task<(int Status, JsonElement Body)> Post(string path, string body, HttpClient? http = null)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await (http ?? Http).PostAsync(path, content);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        return ((int)response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    /// <summary>The events of a stream, <c>[DONE]</c> left out but required.</summary>
    public async Task<List<JsonElement>> Stream(string path, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await Http.PostAsync(path, content);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        string text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("data: [DONE]\n\n", text);
        var events = new List<JsonElement>();
        foreach (string one in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1])
        {
            Assert.StartsWith("data: {", one);
            events.Add(JsonDocument.Parse(one[6..]).RootElement);
        }
        return events;
    }

    /// <summary>Waits until the engine has nothing to do.</summary>
    public async Task Idle()
    {
        for (int i = 0; i < 1000 && (Model.Engine.Statistics.Running > 0 || Model.Engine.Statistics.Waiting > 0); i++) await Task.Delay(10);
        Assert.Equal((0, 0), (Model.Engine.Statistics.Running, Model.Engine.Statistics.Waiting));
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        foreach (ApiServer server in _servers) await server.DisposeAsync();
        _smol.Dispose();
    }
}

/// <summary>One served model for all of the server's tests, one after the other.</summary>
[CollectionDefinition("server")]
public sealed class ServerCollection : ICollectionFixture<ServedModel>;
