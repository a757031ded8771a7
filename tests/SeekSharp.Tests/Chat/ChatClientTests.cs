using System.Text.Json;
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
        { "ResponseFormat", new() { ResponseFormat = ChatResponseFormat.Json } },
        { "ToolMode", new() { ToolMode = ChatToolMode.RequireAny } },
        { "AllowMultipleToolCalls", new() { AllowMultipleToolCalls = false } },
        { "ConversationId", new() { ConversationId = "x" } },
        { "ModelId", new() { ModelId = "another" } },
        { "Reasoning.Effort", new() { Reasoning = new() { Effort = ReasoningEffort.High } } },
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
