using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;
using SeekSharp.Chat;
using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Chat;

public sealed class ChatClientTests(ChatClientTests.Loaded loaded) : IClassFixture<ChatClientTests.Loaded>
{
    public sealed class Loaded : IDisposable
    {
        private readonly Lazy<SeekSharpChatClient> _client = new(() => SeekSharpChatClient.Load(SmolLm2.File_));
        public IChatClient Client => _client.Value;
        public void Dispose()
        {
            if (_client.IsValueCreated) _client.Value.Dispose();
        }
    }

    private static readonly ChatOptions Greedy = new() { Temperature = 0, MaxOutputTokens = 24 };
    private static readonly ChatMessage[] Question = [new(ChatRole.User, "List three fruits that are red.")];
    private IChatClient Client => loaded.Client;

    [Fact]
    public async Task It_answers()
    {
        ChatResponse response = await Client.GetResponseAsync(Question, Greedy);
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal(37, response.Usage!.InputTokenCount);
        Assert.Equal(response.Usage.InputTokenCount + response.Usage.OutputTokenCount, response.Usage.TotalTokenCount);
        Assert.Equal("SmolLM2-135M-Instruct.Q4_1", response.ModelId);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);
    }

    [Fact]
    public async Task It_streams_and_the_pieces_make_the_same_answer()
    {
        var texts = new List<string>();
        ChatFinishReason? finish = null;
        UsageDetails? usage = null;
        await foreach (ChatResponseUpdate update in Client.GetStreamingResponseAsync(Question, Greedy))
        {
            if (update.Text.Length > 0) texts.Add(update.Text);
            finish ??= update.FinishReason;
            usage ??= update.Contents.OfType<UsageContent>().FirstOrDefault()?.Details;
        }
        Assert.True(texts.Count > 4, "the answer came in one piece");
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", string.Concat(texts));
        Assert.Equal(ChatFinishReason.Stop, finish);
        Assert.True(usage!.OutputTokenCount == 15);
    }

    [Fact]
    public async Task The_history_instructions_and_cached_tokens_count()
    {
        ChatMessage[] history = [.. Question, new(ChatRole.Assistant, "1. Bananas\n2. Oranges\n3. Grapes"), new(ChatRole.User, "And green ones?")];
        var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 8, Instructions = "You are terse, and answer each question with nothing but a list, one line for each of its entries." };
        ChatResponse first = await Client.GetResponseAsync(history, options), second = await Client.GetResponseAsync(history, options);
        Assert.Equal(first.Text, second.Text);
        Assert.True(second.Usage!.InputTokenCount > 64);
        Assert.Equal((second.Usage.InputTokenCount - 1) / 64 * 64, second.Usage.CachedInputTokenCount); // whole blocks
        Assert.Equal(ChatFinishReason.Length, first.FinishReason);
    }

    [Fact]
    public async Task Stop_sequences_penalties_and_seeds_are_honoured()
    {
        ChatResponse stopped = await Client.GetResponseAsync(Question, new() { Temperature = 0, MaxOutputTokens = 24, StopSequences = ["Oranges"] });
        Assert.Equal("1. Bananas\n2. ", stopped.Text);
        ChatResponse varied = await Client.GetResponseAsync(Question, new() { Temperature = 0, MaxOutputTokens = 24, FrequencyPenalty = 2, PresencePenalty = 2 });
        Assert.NotEqual("1. Bananas\n2. Oranges\n3. Grapes", varied.Text); // the line breaks and dots are penalized
        ChatOptions seeded = new() { Temperature = 1.2f, Seed = 5, MaxOutputTokens = 12 };
        Assert.Equal((await Client.GetResponseAsync(Question, seeded)).Text, (await Client.GetResponseAsync(Question, seeded)).Text);
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "ConversationId", new() { ConversationId = "x" } },
        { "ModelId", new() { ModelId = "another" } },
        { "Reasoning.Effort", new() { Reasoning = new() { Effort = ReasoningEffort.High } } },
        { "Reasoning.Output", new() { Reasoning = new() { Output = ReasoningOutput.Summary } } },
        { "RawRepresentationFactory", new() { RawRepresentationFactory = _ => null } },
        { "AllowBackgroundResponses", new() { AllowBackgroundResponses = true } },
        { "Tools", new() { Tools = [new HostedWebSearchTool()] } },
        { "AdditionalProperties", new() { AdditionalProperties = new() { ["logit_bias"] = 1 } } },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task What_cannot_be_honoured_is_refused_by_name(string option, ChatOptions options) =>
        Assert.Contains(option, (await Assert.ThrowsAsync<NotSupportedException>(() => Client.GetResponseAsync(Question, options))).Message);

    [Fact]
    public async Task Values_out_of_range_and_foreign_contents_are_refused()
    {
        await Assert.ThrowsAsync<EngineException>(() => Client.GetResponseAsync(Question, new() { Temperature = -1 }));
        await Assert.ThrowsAsync<EngineException>(() => Client.GetResponseAsync(Question, new() { MaxOutputTokens = 0 }));
        await Assert.ThrowsAsync<ArgumentException>(() => Client.GetResponseAsync([], Greedy));
        await Assert.ThrowsAsync<NotSupportedException>(() => Client.GetResponseAsync([new(ChatRole.User, [new UriContent("http://x/y.png", "image/png")])], Greedy));
    }

    private const string Fruit = """{"type":"object","properties":{"name":{"type":"string","maxLength":20},"grams":{"type":"integer","minimum":1,"maximum":999},"isRed":{"type":"boolean"}},"required":["name","grams","isRed"],"additionalProperties":false}""";

    [JsonConverter(typeof(JsonStringEnumConverter<Zone>))]
    private enum Zone { Utc, Local }

    private static readonly AIFunctionDeclaration Weather = AIFunctionFactory.CreateDeclaration("weather", "Tells the weather", JsonDocument.Parse(
        """{"type":"object","properties":{"city":{"type":"string","maxLength":20},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],"additionalProperties":false}""").RootElement);
    private static readonly AIFunction Clock = AIFunctionFactory.Create(() => "12:00", "clock", "Tells the time");

    [Fact]
    public async Task An_answer_is_held_to_a_schema()
    {
        var options = new ChatOptions { Temperature = 1, Seed = 3, MaxOutputTokens = 200, ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonDocument.Parse(Fruit).RootElement) };
        ChatResponse response = await Client.GetResponseAsync("Describe an apple.", options);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        JsonElement fruit = JsonDocument.Parse(response.Text).RootElement;
        Assert.Equal(["name", "grams", "isRed"], fruit.EnumerateObject().Select(p => p.Name));
        Assert.InRange(fruit.GetProperty("grams").GetInt32(), 1, 999);
        response = await Client.GetResponseAsync("Describe an apple.", new() { Temperature = 1, Seed = 3, MaxOutputTokens = 40, ResponseFormat = ChatResponseFormat.Json });
        Assert.StartsWith("{", response.Text);
        if (response.FinishReason == ChatFinishReason.Stop) Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(response.Text).RootElement.ValueKind);
        var unknown = new ChatOptions { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonDocument.Parse("""{"type":"string","pattern":"("}""").RootElement) };
        await Assert.ThrowsAsync<SeekSharp.Tokenization.GrammarException>(() => Client.GetResponseAsync(Question, unknown));
    }

    [Fact]
    public async Task A_required_tool_is_called_with_arguments_of_its_schema()
    {
        var options = new ChatOptions { Temperature = 1, Seed = 1, MaxOutputTokens = 200, Tools = [Clock, Weather], ToolMode = ChatToolMode.RequireSpecific("weather"), AllowMultipleToolCalls = false };
        ChatResponse response = await Client.GetResponseAsync("What is the weather in Paris?", options);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        FunctionCallContent call = Assert.Single(response.Messages[0].Contents.OfType<FunctionCallContent>());
        Assert.Equal("weather", call.Name);
        Assert.Equal(["city", "days"], call.Arguments!.Keys);
        Assert.Equal(JsonValueKind.String, ((JsonElement)call.Arguments["city"]!).ValueKind);
        Assert.InRange(((JsonElement)call.Arguments["days"]!).GetInt32(), 1, 9);

        options.ToolMode = ChatToolMode.RequireAny;
        Assert.Contains((await Client.GetResponseAsync(Question, options)).Messages[0].Contents.OfType<FunctionCallContent>(), c => c.Name is "weather" or "clock");
        options.ToolMode = ChatToolMode.None;
        options.MaxOutputTokens = 8;
        Assert.Empty((await Client.GetResponseAsync(Question, options)).Messages[0].Contents.OfType<FunctionCallContent>());
        options.ToolMode = ChatToolMode.RequireSpecific("nosuch");
        Assert.Contains("nosuch", (await Assert.ThrowsAsync<ArgumentException>(() => Client.GetResponseAsync(Question, options))).Message);
        await Assert.ThrowsAsync<ArgumentException>(() => Client.GetResponseAsync(Question, new() { ToolMode = ChatToolMode.RequireAny }));
    }

    [Fact]
    public async Task The_tool_loop_runs_what_the_model_calls_and_it_reads_the_result()
    {
        Zone? asked = null;
        AIFunction clock = AIFunctionFactory.Create((Zone zone) => { asked = zone; return "It is noon."; }, "clock", "Tells the time");
        var loop = new ToolLoopChatClient(Client); // not disposed: the model is everybody's
        var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 60, Tools = [clock], ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false };
        ChatResponse response = await loop.GetResponseAsync("What time is it?", options);
        Assert.NotNull(asked);
        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], response.Messages.Take(3).Select(m => m.Role));
        Assert.Equal("It is noon.", ((FunctionResultContent)response.Messages[1].Contents[0]).Result?.ToString());
        Assert.NotEmpty(response.Messages[^1].Contents);
    }

    [Fact]
    public async Task The_first_update_comes_before_the_second_token_is_computed()
    {
        for (int attempt = 1; ; attempt++) // somebody else may hold the machine
        {
            var at = new List<long>();
            await foreach (ChatResponseUpdate update in Client.GetStreamingResponseAsync("Tell me a story.", new() { Temperature = 0, MaxOutputTokens = 24 }))
                if (update.Text.Length > 0) at.Add(System.Diagnostics.Stopwatch.GetTimestamp());
            Assert.True(at.Count > 10);
            long[] gaps = [.. at.Zip(at.Skip(1), (a, b) => b - a)];
            long usual = gaps.Order().ElementAt(gaps.Length / 2);
            if (gaps[0] * 2 > usual) return; // one that had been held back would come together with the next
            Assert.True(attempt < 5, $"the second update came {gaps[0]} ticks after the first, others after {usual}");
        }
    }

    [Fact]
    public async Task Whoever_cancels_or_stops_reading_gets_the_engine_back()
    {
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in Client.GetStreamingResponseAsync(Question, Greedy, cancel.Token)) cancel.Cancel();
        });
        await foreach (ChatResponseUpdate _ in Client.GetStreamingResponseAsync(Question, Greedy)) break;
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", (await Client.GetResponseAsync(Question, Greedy)).Text);
    }

    [Fact]
    public async Task Several_callers_are_served_together()
    {
        string[] texts = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ => (await Client.GetResponseAsync(Question, Greedy)).Text));
        Assert.All(texts, text => Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", text));
    }

    [Fact]
    public void Services_are_found()
    {
        Assert.Equal("seeksharp", Client.GetService<ChatClientMetadata>()!.ProviderName);
        Assert.Same(Client, Client.GetService<IChatClient>());
        Assert.Null(Client.GetService<string>());
    }

    [Fact]
    public void Messages_become_the_APIs_form()
    {
        ChatMessage[] messages =
        [
            new(ChatRole.User, "Weather in Paris?"),
            new(ChatRole.Assistant, [new TextReasoningContent("hm"), new FunctionCallContent("c1", "weather", new Dictionary<string, object?> { ["city"] = "Paris" })]),
            new(ChatRole.Tool, [new FunctionResultContent("c1", "sunny")]),
        ];
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse("""
            [{"role":"system","content":"Be kind."},{"role":"user","content":"Weather in Paris?"},
             {"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":{"city":"Paris"}}}]},
             {"role":"tool","content":"sunny","tool_call_id":"c1"}]
            """).RootElement, JsonDocument.Parse(RequestConversion.Messages(messages, new() { Instructions = "Be kind." }).ToJsonString()).RootElement));
    }

    [Fact]
    public void Tools_become_the_APIs_form()
    {
        AIFunctionDeclaration tool = AIFunctionFactory.CreateDeclaration("weather", "Tells the weather", JsonDocument.Parse("""{"type":"object","properties":{}}""").RootElement);
        Assert.Equal("""[{"type":"function","function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":{}}}}]""",
            RequestConversion.Tools(new() { Tools = [tool] })!.ToJsonString());
        Assert.Null(RequestConversion.Tools(new() { Tools = [tool], ToolMode = ChatToolMode.None }));
    }
}
