using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Chat;
using SeekSharp.Engine;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Chat;

public sealed class ChatSessionTests(SmolLm2 smol) : IClassFixture<SmolLm2>
{
    private static readonly SamplingParams Greedy = SamplingParams.Greedy with { MaxTokens = 24 };

    private ChatSession Session(SamplingParams? sampling = null) =>
        new(smol.Model) { Sampling = (sampling ?? Greedy) with { StopTokenIds = smol.Model.Defaults.StopTokenIds } };

    private static Answer Run(Generation generation)
    {
        while (generation.Step()) { }
        return generation.Result();
    }

    [Fact]
    public void Prompts_are_rendered_and_tokenized_as_the_golden_says()
    {
        foreach (JsonElement prompt in smol.Expected.GetProperty("prompts").EnumerateArray())
        {
            ChatPrompt rendered = prompt.TryGetProperty("messages", out JsonElement messages)
                ? smol.Model.Render((JsonArray)JsonNode.Parse(messages.GetRawText())!)
                : smol.Model.Plain(prompt.GetProperty("text").GetString()!);
            Assert.Equal(prompt.GetProperty("rendered").GetString(), rendered.Text);
            Assert.Equal(prompt.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), rendered.Ids);
        }
    }

    [Fact]
    public void An_answer_is_text_and_ends_at_the_end_of_turn()
    {
        Answer answer = Run(Session().Ask("List three fruits that are red."));
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", answer.Content);
        Assert.Equal(answer.Content, answer.Text);
        Assert.Equal("stop", answer.FinishReason);
        Assert.Equal(2, answer.Ids[^1]); // <|im_end|> is among the ids and not in the text
        Assert.Equal((37, answer.Ids.Length), (answer.Usage.PromptTokens, answer.Usage.CompletionTokens));
        Assert.True(answer.Timings.FirstToken >= answer.Timings.Prompt && answer.Timings.Prompt > TimeSpan.Zero);
    }

    [Fact]
    public void A_second_turn_computes_only_what_is_new()
    {
        smol.Model.Engine.Clear();
        ChatSession session = Session();
        session.System = "You are a gardener who knows every fruit, every vegetable and every herb by its name, its colour and the month in which it ripens.";
        Answer first = Run(session.Ask("List three fruits that are red."));
        session.Take(first);
        Answer second = Run(session.Ask("And green ones?"));
        // Whole blocks of what the first turn computed: everything but its last token, which was chosen only.
        int known = first.Usage.PromptTokens + first.Ids.Length - 1;
        Assert.True(known >= 64);
        Assert.Equal(known / 64 * 64, second.Usage.CacheHitTokens);
        smol.Model.Engine.Clear();
        ChatSession cold = Session();
        cold.Load(session.Save());
        Answer alone = Run(cold.Answer());
        Assert.Equal((0, second.Usage.PromptTokens), (alone.Usage.CacheHitTokens, alone.Usage.PromptTokens));
        Assert.Equal(second.Ids, alone.Ids);
    }

    [Theory]
    [InlineData("Oranges", "1. Bananas\n2. ")]
    [InlineData("as\n2. Or", "1. Banan")]
    [InlineData("3. Grapes", "1. Bananas\n2. Oranges\n")]
    public void A_stop_string_across_tokens_is_never_shown(string stop, string content)
    {
        ChatSession session = Session();
        session.Stop = [stop];
        Generation generation = session.Ask("List three fruits that are red.");
        string shown = "";
        while (true)
        {
            bool more = generation.Step();
            foreach (RoutedPiece piece in generation.Pieces) shown += piece.Text;
            Assert.StartsWith(shown, content);
            if (!more) break;
        }
        Answer answer = generation.Result();
        Assert.Equal((content, content, "stop"), (shown, answer.Content, answer.FinishReason));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void A_think_budget_forces_the_closing_tag(int budget)
    {
        ChatPrompt prompt = smol.Model.Plain("<think>\nLet me think about red fruits.");
        var generation = new Generation(smol.Model, new GenerationRequest
        {
            Prompt = prompt.Ids,
            OpensThinking = true,
            Sampling = Greedy,
            ThinkBudget = budget,
            ToolFormat = ToolFormat.Qwen,
        });
        Answer answer = Run(generation);
        Assert.Equal(budget, answer.Usage.ReasoningTokens);
        Assert.Equal(smol.Model.ThinkCloseIds, answer.Ids.Skip(budget).Take(smol.Model.ThinkCloseIds.Length));
        Assert.True(answer.Content.Length > 0);
        Assert.Equal(budget > 0, answer.Reasoning.Length > 0);
        Assert.DoesNotContain("think>", answer.Content + answer.Reasoning);
    }

    [Fact]
    public void An_interrupted_answer_keeps_what_there_is()
    {
        ChatSession session = Session();
        Generation generation = session.Ask("List three fruits that are red.");
        for (int i = 0; i < 4; i++) generation.Step();
        generation.Cancel();
        Assert.False(generation.Step());
        Answer answer = generation.Result();
        Assert.Equal("cancelled", answer.FinishReason);
        Assert.StartsWith(answer.Content, "1. Bananas\n2. Oranges\n3. Grapes");
        session.Take(answer);
        Assert.Equal(2, session.Messages.Count);
        Assert.Equal("1. Bananas\n2. Oranges\n3. Grapes", Run(Session().Ask("List three fruits that are red.")).Content); // the engine is well
    }

    [Fact]
    public void A_question_that_fails_is_not_in_the_conversation()
    {
        ChatSession session = Session();
        string tooLong = string.Concat(Enumerable.Repeat("word ", 9000));
        EngineException e = Assert.Throws<EngineException>(() => session.Ask(tooLong));
        Assert.Matches(@"^the prompt has 90\d\d tokens, the context 8192$", e.Message);
        Assert.Empty(session.Messages);
    }

    [Fact]
    public void Sampling_with_a_seed_is_repeatable_from_any_state_of_the_cache()
    {
        SamplingParams sampled = new() { Temperature = 1, Seed = 11, MaxTokens = 16 };
        smol.Model.Engine.Clear();
        int[] cold = Run(Session(sampled).Ask("Tell me a story.")).Ids;
        Assert.Equal(cold, Run(Session(sampled).Ask("Tell me a story.")).Ids);
        Run(Session(sampled).Ask("Tell me something else."));
        Assert.Equal(cold, Run(Session(sampled).Ask("Tell me a story.")).Ids);
        Assert.NotEqual(cold, Run(Session(sampled with { Seed = 12 }).Ask("Tell me a story.")).Ids);
    }

    [Fact]
    public void A_conversation_can_be_saved_and_taken_up()
    {
        ChatSession session = Session();
        session.System = "Be brief.";
        session.Take(Run(session.Ask("Hi")));
        var again = Session();
        again.Load(JsonNode.Parse(session.Save().ToJsonString()));
        Assert.Equal("Be brief.", again.System);
        Assert.Equal(session.Messages.ToJsonString(), again.Messages.ToJsonString());
        foreach (string broken in (string[])["[]", "{}", "{\"messages\":{}}", "{\"messages\":[1]}", "{\"messages\":[{\"content\":\"x\"}]}", "{\"messages\":[{\"role\":5}]}", "{\"messages\":[],\"tools\":5}"])
            Assert.Throws<FormatException>(() => again.Load(JsonNode.Parse(broken)));
        Assert.Equal("Be brief.", again.System);
    }
}
