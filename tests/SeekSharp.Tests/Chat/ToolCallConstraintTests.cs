using System.Text;
using SeekSharp.Chat;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Chat;

/// <summary>A model that may call tools, held to them once it begins a call: random texts that take every way the masks leave.</summary>
public sealed class ToolCallConstraintTests(SmolLm2 smol) : IClassFixture<SmolLm2>
{
    private const string Tools = """
        [{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"enum":["Paris","Rome"]},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],"additionalProperties":false}}},
         {"type":"function","function":{"name":"web_search","parameters":{"type":"object","properties":{"exact":{"type":"boolean"}},"required":["exact"],"additionalProperties":false}}}]
        """;

    private GrammarConstraint Follow(bool opensThinking = false)
    {
        ChatModel model = smol.Model;
        var request = new ChatRequest { Messages = [ChatMessages.Of("user", "hi")], Tools = (System.Text.Json.Nodes.JsonArray)System.Text.Json.Nodes.JsonNode.Parse(Tools)!, Sampling = model.Defaults };
        ChatPrompt prompt = RequestPrompt.Of(model, request);
        return RequestRules.For(model, request, opensThinking ? prompt with { Text = prompt.Text + "<think>" } : prompt)!.Follow();
    }

    private static void Say(GrammarConstraint constraint, Tokenizer tokenizer, string text, StringBuilder said)
    {
        uint[] mask = new uint[(tokenizer.VocabularySize + 31) / 32];
        foreach (int id in tokenizer.Encode(text, addSpecialTokens: false))
        {
            if (constraint.FillMask(mask)) Assert.True((mask[id >> 5] >> id & 1) != 0, $"'{tokenizer.Decode([id])}' is not admitted");
            constraint.Accept(id);
        }
        said.Append(text);
    }

    [Fact]
    public void Whatever_follows_the_mark_is_a_call_of_a_tool_with_its_arguments()
    {
        Tokenizer tokenizer = smol.Model.Tokenizer!;
        uint[] mask = new uint[(tokenizer.VocabularySize + 31) / 32];
        var names = new HashSet<string>();
        for (int seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            GrammarConstraint constraint = Follow();
            var text = new StringBuilder();
            Say(constraint, tokenizer, "Let me look. ", text);
            Assert.False(constraint.FillMask(mask));
            for (int calls = 1; calls <= 2; calls++)
            {
                Say(constraint, tokenizer, "<tool_call>", text);
                for (int steps = 0; !Ended(text, calls); steps++)
                {
                    Assert.True(steps < 400);
                    Assert.True(constraint.FillMask(mask));
                    int[] admitted = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(id => (mask[id >> 5] >> id & 1) != 0)];
                    int id = admitted[random.Next(admitted.Length)];
                    if (random.Next(4) == 0) // a draft that was not verified
                    {
                        constraint.Accept(admitted[^1]);
                        constraint.Rollback(1);
                        uint[] again = new uint[mask.Length];
                        Assert.True(constraint.FillMask(again));
                        Assert.Equal(mask, again);
                    }
                    constraint.Accept(id);
                    text.Append(tokenizer.Decode([id]));
                }
            }
            var router = new StreamRouter(ToolFormat.Qwen, false);
            List<RoutedPiece> pieces = [.. router.Push(text.ToString())];
            pieces.AddRange(router.Finish());
            Assert.Equal(2, pieces.Count(p => p.Kind == RoutedKind.ToolCall));
            foreach (RoutedPiece piece in pieces.Where(p => p.Kind == RoutedKind.ToolCall))
            {
                names.Add(piece.ToolCall!.Name);
                Assert.Matches(piece.ToolCall.Name == "weather" ? """^\{"city":"(Paris|Rome)","days":[1-9]\}$""" : """^\{"exact":(true|false)\}$""", string.Concat(piece.ToolCall.Arguments.Where(c => !char.IsWhiteSpace(c))));
            }
        }
        Assert.Equal(["weather", "web_search"], names.Order(StringComparer.Ordinal));

        static bool Ended(StringBuilder text, int calls) => text.ToString().Split("</tool_call>").Length > calls;
    }

    [Fact]
    public void A_mark_in_the_thinking_means_nothing_and_the_mark_itself_can_be_taken_back()
    {
        Tokenizer tokenizer = smol.Model.Tokenizer!;
        uint[] mask = new uint[(tokenizer.VocabularySize + 31) / 32];
        GrammarConstraint constraint = Follow(opensThinking: true);
        var text = new StringBuilder();
        Say(constraint, tokenizer, "I could <tool_call> or not.</think>", text);
        Assert.False(constraint.FillMask(mask));
        int[] ids = tokenizer.Encode("<tool_call>", addSpecialTokens: false);
        foreach (int id in ids) constraint.Accept(id);
        Assert.True(constraint.FillMask(mask));
        constraint.Rollback(ids.Length);
        Assert.False(constraint.FillMask(mask));
    }
}
