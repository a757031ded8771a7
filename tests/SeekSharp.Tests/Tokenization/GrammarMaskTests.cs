using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>A mask is what testing each token alone says, over the whole vocabulary, wherever a text goes.</summary>
public sealed class GrammarMaskTests
{
    public static TheoryData<string, string> Grammars => new()
    {
        { "schema", "true" },
        { "schema", """{"type":"object","properties":{"name":{"type":"string"},"value":{"type":"number"},"id":{"type":"integer","minimum":-3,"maximum":120}},"required":["name"],"additionalProperties":{"type":"boolean"}}""" },
        { "schema", """{"type":"array","items":{"anyOf":[{"type":"string","maxLength":5},{"type":"null"},{"$ref":"#"}]},"maxItems":3}""" },
        { "schema", """{"type":"string","pattern":"^(a|é)[a-z]{2,5}日?$"}""" },
        { "schema", """{"type":"object","patternProperties":{"^a":{"type":"integer"}},"additionalProperties":{"type":"string","minLength":1}}""" },
        { "schema", """{"enum":["name","na",12,123,null,{"a":[1,true]}]}""" },
        { "schema", """{"anyOf":[{"properties":{"a":{"$ref":"#"},"b":{"type":"null"}},"required":["a"]},{"properties":{"a":{"$ref":"#"},"c":{"type":"null"}}},{"type":"number"}]}""" },
        { "schema", """{"type":"number","multipleOf":0.05,"exclusiveMinimum":0}""" },
        { "schema", """{"type":"string","format":"date-time"}""" },
        { "regex", "(abc|[0-9]+(\\.[0-9]+)?|hello( world)*)" },
        { "regex", "[^x]*é?日*" },
        { "gbnf", "root ::= item (\",\" item)*\nitem ::= \"(\" root \")\" | [a-z]+ | [0-9]{1,3} | \"\\\"\" [^\"\\n]* \"\\\"\"" },
        { "gbnf", "root ::= pair*\npair ::= \"a\" root \"b\" | \"a\" root \"c\"" },
    };

    [Theory]
    [MemberData(nameof(Grammars))]
    public void A_mask_is_what_testing_each_token_says(string kind, string source)
    {
        Grammar grammar = Compile(kind, source);
        var random = new Random(source.Length);
        Compare(new TokenGrammar(grammar, GrammarText.Vocabulary), random, texts: 12, steps: 40);
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"title":{"type":"string","maxLength":9},"tags":{"type":"array","items":{"enum":["new","old","newer"]}},"n":{"type":"integer"}},"required":["title"]}""")]
    [InlineData("""{"type":"object","additionalProperties":{"type":"string","pattern":"^[A-Za-z ]+$"}}""")]
    public void Over_a_vocabulary_of_128000_tokens_too(string schema)
    {
        Tokenizer tokenizer = Tokenizer.FromFile(Repository.Shared("goldens/tokenizers/deepseek_v3/tokenizer.json.gz"));
        var vocabulary = new GrammarVocabulary(tokenizer, [1]);
        Assert.InRange(vocabulary.Size, 128_000, 130_000);
        Compare(new TokenGrammar(Grammar.JsonSchema(schema), vocabulary), new Random(5), texts: 1, steps: 4);
    }

    /// <summary>Random texts; before each of their tokens the mask is compared with every token on its own.</summary>
    private static void Compare(TokenGrammar grammar, Random random, int texts, int steps)
    {
        GrammarVocabulary vocabulary = grammar.Vocabulary;
        uint[] mask = new uint[vocabulary.MaskLength];
        for (int text = 0; text < texts; text++)
        {
            GrammarMatcher matcher = grammar.CreateMatcher();
            for (int step = 0; step < steps; step++)
            {
                matcher.FillMask(mask);
                List<int> allowed = [];
                for (int id = 0; id < vocabulary.Size; id++)
                {
                    bool taken = matcher.Accept(id);
                    if (taken)
                    {
                        allowed.Add(id);
                        matcher.Rollback(1);
                    }
                    Assert.Equal(taken, (mask[id >> 5] >> (id & 31) & 1) != 0);
                }
                Assert.NotEmpty(allowed); // there is always a way on, or the end
                int next = allowed[random.Next(allowed.Count)];
                Assert.True(matcher.Accept(next));
                if (matcher.IsComplete) break;
            }
        }
    }

    [Fact]
    public void Special_tokens_are_never_allowed_and_the_end_only_at_the_end()
    {
        GrammarMatcher matcher = new TokenGrammar(Grammar.Regex("true( or so)?"), GrammarText.Vocabulary).CreateMatcher();
        uint[] mask = new uint[GrammarText.Vocabulary.MaskLength + 2];
        Assert.False(matcher.Accept(1)); // "true or so" is a special token
        Assert.False(matcher.Accept(GrammarText.End));
        foreach (char c in "true")
        {
            Array.Fill(mask, ~0u);
            matcher.FillMask(mask);
            Assert.Equal(0u, mask[0] & 3);
            Assert.Equal(0u, mask[^1]);
            Assert.False(matcher.CanEnd);
            Assert.True(matcher.Accept(GrammarText.IdOf((byte)c)));
        }
        Assert.True(matcher.CanEnd);
        Assert.False(matcher.IsComplete);
        matcher.FillMask(mask);
        Assert.Equal(1u, mask[0] & 3);
        Assert.True(matcher.Accept(GrammarText.End));
        Assert.True(matcher.IsComplete);
        Assert.False(matcher.Accept(GrammarText.End));
        matcher.FillMask(mask);
        Assert.All(mask, word => Assert.Equal(0u, word));
        matcher.Rollback(1);
        Assert.True(matcher.Accept(GrammarText.IdOf((byte)' ')));
        Assert.False(matcher.CanEnd);
    }

    [Fact]
    public void Rollback_and_clone_come_back_to_the_same_masks()
    {
        var grammar = new TokenGrammar(Grammar.JsonSchema("""{"type":"array","minItems":60,"items":{"type":"array","items":{"type":"integer","maximum":99,"minimum":0}}}"""), GrammarText.Vocabulary);
        GrammarMatcher matcher = grammar.CreateMatcher();
        var random = new Random(3);
        List<uint[]> masks = [];
        for (int step = 0; step < 200; step++)
        {
            uint[] mask = new uint[GrammarText.Vocabulary.MaskLength];
            matcher.FillMask(mask);
            masks.Add(mask);
            int[] allowed = [.. Enumerable.Range(1, GrammarText.Vocabulary.Size - 1).Where(id => (mask[id >> 5] >> (id & 31) & 1) != 0)];
            if (allowed.Length == 0) break;
            Assert.True(matcher.Accept(allowed[random.Next(allowed.Length)]));
        }
        Assert.True(masks.Count > 20);
        GrammarMatcher clone = matcher.Clone();
        uint[] again = new uint[GrammarText.Vocabulary.MaskLength];
        while (matcher.Count > 0)
        {
            matcher.Rollback(Math.Min(matcher.Count, 3));
            matcher.FillMask(again);
            Assert.Equal(masks[matcher.Count], again);
        }
        Assert.NotEqual(0, clone.Count);
        clone.Reset();
        clone.FillMask(again);
        Assert.Equal(masks[0], again);
        Assert.Throws<ArgumentOutOfRangeException>(() => clone.Rollback(1));
    }

    [Fact]
    public void Forced_bytes_go_as_far_as_there_is_no_choice()
    {
        var grammar = new TokenGrammar(Grammar.Regex("abc(d|e)f"), GrammarText.Vocabulary);
        Assert.Equal("abc"u8.ToArray(), grammar.CreateMatcher().ForcedBytes());
        Assert.Equal("ab"u8.ToArray(), grammar.CreateMatcher().ForcedBytes(2));
    }

    [Fact]
    public void Matchers_of_one_grammar_run_side_by_side()
    {
        var grammar = new TokenGrammar(Grammar.Json(), GrammarText.Vocabulary);
        Parallel.For(0, 8, seed =>
        {
            var random = new Random(seed);
            uint[] mask = new uint[GrammarText.Vocabulary.MaskLength];
            for (int text = 0; text < 10; text++)
            {
                GrammarMatcher matcher = grammar.CreateMatcher();
                for (int step = 0; step < 60; step++)
                {
                    matcher.FillMask(mask);
                    int[] allowed = [.. Enumerable.Range(0, GrammarText.Vocabulary.Size).Where(id => (mask[id >> 5] >> (id & 31) & 1) != 0)];
                    if (allowed.Length == 0) break;
                    Assert.True(matcher.Accept(allowed[random.Next(allowed.Length)]));
                }
            }
        });
    }

    private static Grammar Compile(string kind, string source) => kind switch { "schema" => Grammar.JsonSchema(source), "regex" => Grammar.Regex(source), _ => Grammar.Gbnf(source) };
}
