using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Chat;
using SeekSharp.Engine;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Chat;

public sealed class ChatRunTests(SmolLm2 smol) : IClassFixture<SmolLm2>
{
    private static readonly JsonArray Question = [ChatMessages.Of("user", "List three fruits that are red.")];
    private const string Tools = """
        [{"type":"function","function":{"name":"get_weather","description":"Weather of a city","parameters":
            {"type":"object","properties":{"city":{"type":"string","maxLength":12},"unit":{"enum":["C","F"]}},"required":["city","unit"],"additionalProperties":false}}},
         {"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{"zone":{"type":"integer","minimum":-12,"maximum":14}},"required":["zone"],"additionalProperties":false}}}]
        """;

    private ChatRequest Request(int most = 24) => new()
    {
        Messages = Question,
        Sampling = SamplingParams.Greedy with { MaxTokens = most, StopTokenIds = smol.Model.Defaults.StopTokenIds },
    };

    private async Task<Answer> Answer(ChatRequest request) => Assert.Single(await ChatRun.Begin(smol.Model, request).AnswersAsync());

    [Fact]
    public async Task Deltas_make_the_answer()
    {
        string text = "";
        int parts = 0;
        Answer? answer = null;
        await foreach (ChatDelta delta in ChatRun.Begin(smol.Model, Request()).ReadAsync())
        {
            text += delta.Content;
            parts++;
            answer ??= delta.Answer;
        }
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", text);
        Assert.Equal((text, "stop", 37, 15), (answer!.Content, answer.FinishReason, answer.Usage.PromptTokens, answer.Usage.CompletionTokens));
        Assert.True(parts > 4);
    }

    [Fact]
    public async Task Choices_have_seeds_in_a_row_and_are_what_they_would_be_alone()
    {
        ChatRequest request = Request(10) with { Sampling = new() { Temperature = 1.2f, Seed = 7, MaxTokens = 10 } };
        Answer[] three = await ChatRun.Begin(smol.Model, request with { Choices = 3 }).AnswersAsync();
        for (int i = 0; i < 3; i++)
            Assert.Equal((await Answer(request with { Sampling = request.Sampling with { Seed = 7 + (ulong)i } })).Ids, three[i].Ids);
        Assert.NotEqual(three[0].Ids, three[1].Ids);
    }

    [Fact]
    public async Task Log_probabilities_come_with_the_text_and_not_with_a_stop_string()
    {
        var tokens = new List<TokenReport>();
        await foreach (ChatDelta delta in ChatRun.Begin(smol.Model, Request() with { Stop = ["\n3. Gr"], Sampling = Request().Sampling with { LogProbabilities = 3 } }).ReadAsync())
            tokens.AddRange(delta.Tokens);
        Assert.Equal("1. Bananas\n2. Oranges", smol.Model.Tokenizer!.Decode([.. tokens.Select(t => t.Chosen.Id)]));
        Assert.All(tokens, t =>
        {
            Assert.Equal(t.Chosen, t.Best[0]); // greedy
            Assert.Equal(3, t.Best.Length);
            Assert.False(t.IsReasoning);
        });
    }

    [Fact]
    public async Task A_schema_holds_the_answer_and_ends_it()
    {
        const string Schema = """{"type":"object","properties":{"name":{"type":"string","maxLength":8},"red":{"type":"boolean"}},"required":["name","red"],"additionalProperties":false}""";
        Answer answer = await Answer(Request(60) with { Format = new(AnswerFormat.Schema, Schema) });
        JsonElement json = JsonDocument.Parse(answer.Content).RootElement;
        Assert.Equal(["name", "red"], json.EnumerateObject().Select(p => p.Name));
        Assert.Equal("stop", answer.FinishReason);
        Assert.DoesNotMatch(@"\s{40}", (await Answer(Request(120) with { Messages = [ChatMessages.Of("user", "A fruit")], Format = new(AnswerFormat.Schema, """{"type":"object","properties":{"red":{"type":"boolean"}},"required":["red"],"additionalProperties":false}""") })).Content);
        Assert.Matches("^(yes|no)$", (await Answer(Request() with { Format = new(AnswerFormat.Regex, "yes|no") })).Content);
        await Assert.ThrowsAsync<GrammarException>(() => Answer(Request() with { Format = new(AnswerFormat.Schema, """{"type":"nonsense"}""") }));
    }

    [Fact]
    public async Task A_grammar_begins_when_the_thinking_has_ended()
    {
        ChatPrompt prompt = smol.Model.Plain("<think>\nRed fruits");
        var rule = new AnswerRule(smol.Model, [new AnswerForm([], smol.Model.Grammars.Get(new(AnswerFormat.Regex, "yes|no")), [])], opensThinking: true, mayThink: false);
        var generation = new Generation(smol.Model, new GenerationRequest
        {
            Prompt = prompt.Ids,
            OpensThinking = true,
            Sampling = SamplingParams.Greedy with { MaxTokens = 30 },
            ThinkBudget = 5,
            ToolFormat = ToolFormat.Qwen,
            Constraint = rule.Follow(),
        });
        while (await generation.StepAsync()) { }
        Answer answer = generation.Result();
        Assert.Equal(5, answer.Usage.ReasoningTokens);
        Assert.Matches("^(yes|no)$", answer.Content);
        Assert.NotEmpty(answer.Reasoning);
    }

    [Fact]
    public async Task A_call_that_the_model_begins_is_one_of_a_tool()
    {
        // The tag is forced, as if the model had begun a call by itself; what follows is bound.
        int[] tag = smol.Model.Tokenizer!.Encode("<tool_call>", addSpecialTokens: false);
        ChatRequest request = Request(60) with { Tools = (JsonArray)JsonNode.Parse(Tools)! };
        ChatPrompt prompt = smol.Model.Render(request.Messages!);
        AnswerRule rule = RequestRules.For(smol.Model, request, prompt)!;
        var generation = new Generation(smol.Model, new GenerationRequest { Prompt = [.. prompt.Ids], Sampling = request.Sampling, ToolFormat = ToolFormat.Qwen, Constraint = rule.Follow(), First = tag });
        while (await generation.StepAsync()) { }
        ToolCall call = generation.Result().ToolCalls[0];
        Assert.Contains(call.Name, (string[])["get_weather", "get_time"]);
        Assert.Null(RequestRules.For(smol.Model, request with { ToolMode = ToolMode.None }, prompt));
    }

    [Theory]
    [InlineData("get_weather")]
    [InlineData("get_time")]
    [InlineData(null)]
    public async Task A_forced_call_is_one_of_the_tool(string? tool)
    {
        ChatRequest request = Request(80) with { Tools = (JsonArray)JsonNode.Parse(Tools)!, ToolMode = ToolMode.Required, Tool = tool };
        Answer answer = await Answer(request);
        ToolCall call = Assert.Single(answer.ToolCalls);
        if (tool is not null) Assert.Equal(tool, call.Name);
        JsonElement arguments = JsonDocument.Parse(call.Arguments).RootElement;
        if (call.Name == "get_weather") Assert.Contains(arguments.GetProperty("unit").GetString(), (string[])["C", "F"]);
        else Assert.InRange(arguments.GetProperty("zone").GetInt32(), -12, 14);
        Assert.Equal(("tool_calls", ""), (answer.FinishReason, answer.Content));
        Assert.StartsWith("call_", call.Id);
    }

    [Theory]
    [InlineData(ToolFormat.DeepSeekR1)]
    [InlineData(ToolFormat.DeepSeekV3)]
    [InlineData(ToolFormat.DeepSeekV31)]
    [InlineData(ToolFormat.Qwen)]
    [InlineData(ToolFormat.Llama3)]
    public void The_router_reads_a_forced_call_in_every_form(ToolFormat format)
    {
        (string before, string after) = ToolCallText.Around(format, "do_it");
        var router = new StreamRouter(format, promptOpensThink: false);
        List<RoutedPiece> pieces = [.. router.Push(before + "{\"a\": \"}\"}" + after)];
        pieces.AddRange(router.Finish());
        RoutedPiece piece = Assert.Single(pieces);
        Assert.Equal(new RoutedToolCall("do_it", "{\"a\": \"}\"}"), piece.ToolCall);
    }

    [Theory]
    [InlineData(null, "hm</think>|call two |{\"a\":15}| end")]
    [InlineData("<call>", "hm</think>|Let me see: <ca <call>|call two |{\"a\":15}| end| and <call>|call one |{}| end")]
    public void A_constraint_can_take_back_what_it_accepted(string? trigger, string parts)
    {
        ChatModel model = smol.Model;
        AnswerForm Form(string name) => new(model.Tokenizer!.Encode($"call {name} ", addSpecialTokens: false), model.Grammars.Get(new(AnswerFormat.Schema, """{"type":"object","properties":{"a":{"type":"integer"}}}""")),
            model.Tokenizer.Encode(" end", addSpecialTokens: false));
        var rule = new AnswerRule(model, [Form("one"), Form("two")], opensThinking: true, mayThink: false, trigger);
        int[] text = [.. parts.Split('|').SelectMany(part => model.Tokenizer!.Encode(part, addSpecialTokens: false))];
        GrammarConstraint straight = rule.Follow(), back = rule.Follow();
        uint[] a = new uint[rule.MaskLength], b = new uint[rule.MaskLength];
        var random = new Random(4);
        var masks = new List<(bool Bound, uint[] Mask)>();
        foreach (int id in text)
        {
            a.AsSpan().Clear();
            masks.Add((straight.FillMask(a), (uint[])a.Clone()));
            Assert.True(masks[^1].Bound is false || (a[id >> 5] >> id & 1) == 1);
            straight.Accept(id);
        }
        Assert.Equal(trigger is null, straight.IsComplete);
        Assert.True(masks.Count(m => m.Bound && m.Mask.Sum(System.Numerics.BitOperations.PopCount) < 10) >= 3, "nothing was bound");
        int at = 0;
        for (int i = 0; i < 300; i++)
        {
            if (at > 0 && random.Next(3) == 0)
            {
                int count = random.Next(1, at + 1);
                back.Rollback(count);
                at -= count;
            }
            b.AsSpan().Clear();
            if (at < text.Length)
            {
                Assert.Equal(masks[at].Bound, back.FillMask(b));
                Assert.Equal(masks[at].Mask, b);
                back.Accept(text[at++]);
            }
        }
    }

    [Fact]
    public async Task Whoever_stops_reading_gives_everything_back()
    {
        ChatModel model = smol.Model;
        await foreach (ChatDelta _ in ChatRun.Begin(model, Request(4000) with { Choices = 3 }).ReadAsync()) break;
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatDelta _ in ChatRun.Begin(model, Request(4000) with { Choices = 2 }).ReadAsync(cancel.Token)) await cancel.CancelAsync();
        });
        for (int i = 0; i < 200 && model.Engine.Statistics.Running > 0; i++) await Task.Delay(10);
        Assert.Equal((0, 0), (model.Engine.Statistics.Running, model.Engine.Statistics.Waiting));
    }

    [Fact]
    public async Task Tenants_do_not_share_what_is_known()
    {
        string word = Guid.NewGuid().ToString(); // nobody asked before
        ChatRequest request = Request(2) with { Messages = [ChatMessages.Of("user", string.Concat(Enumerable.Repeat(word + " ", 4)))] };
        Assert.Equal(0, (await Answer(request with { Tenant = "a" })).Usage.CacheHitTokens);
        Assert.Equal(0, (await Answer(request with { Tenant = "b" })).Usage.CacheHitTokens);
        Assert.True((await Answer(request with { Tenant = "a" })).Usage.CacheHitTokens >= 64);
    }

    [Fact]
    public void Tools_are_told_in_words_where_the_template_knows_none()
    {
        JsonArray messages = (JsonArray)JsonNode.Parse("""
            [{"role":"system","content":"Be kind."},{"role":"user","content":"Weather?"},
             {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"get_time","arguments":"{\"zone\": 1}"}}]},{"role":"tool","tool_call_id":"c","content":"noon"}]
            """)!;
        JsonArray written = ToolText.Write(messages, (JsonArray)JsonNode.Parse(Tools)!);
        Assert.StartsWith("Be kind.\n\n", (string?)written[0]!["content"]);
        Assert.Contains("\"name\":\"get_weather\"", (string?)written[0]!["content"]);
        Assert.Equal("<tool_call>\n{\"name\": \"get_time\", \"arguments\": {\"zone\": 1}}\n</tool_call>", (string?)written[2]!["content"]);
        Assert.Equal(("user", "<tool_response>\nnoon\n</tool_response>"), ((string?)written[3]!["role"], (string?)written[3]!["content"]));
    }
}
