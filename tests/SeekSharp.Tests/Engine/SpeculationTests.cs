using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>Speculation changes no token: greedy or sampled, alone or in company, whoever guesses and however badly.</summary>
public sealed class SpeculationTests
{
    private const int Few = 12; // ids that can be chosen: then a random model repeats itself, and there is something to look up
    private static readonly SpeculationOptions Off = SpeculationOptions.None;
    private static readonly SpeculationOptions Lookup = Off with { Lookup = true, Always = true };
    private static readonly SpeculationOptions Mtp = Off with { MultiTokenPrediction = true, Always = true };

    private static LanguageModel Load(string path)
    {
        using ModelFolder folder = ModelFolder.Open(path);
        return LanguageModel.Load(folder, new ModelOptions { Threads = 2 });
    }

    private static LlmEngine Engine(LanguageModel model, SpeculationOptions speculation, int? vocabulary = null) => new(model, vocabulary, new EngineOptions { Speculation = speculation });

    private static void Finish(LlmEngine engine, params Sequence[] sequences)
    {
        foreach (Sequence s in sequences) engine.Add(s);
        while (engine.Step()) { }
        Assert.All(sequences, s => Assert.True(s.IsFinished && s.Error is null, s.Error?.ToString()));
        Assert.Equal(engine.Pool.Used, engine.Prefixes.Count); // nothing is lost
    }

    // Texts that repeat, so that there is something to look up; every way of choosing.
    private static Sequence[] Sequences(int vocabulary, int seed, int most = 40)
    {
        var random = new Random(seed);
        int[] phrase = [.. Enumerable.Range(0, 12).Select(_ => random.Next(vocabulary))];
        int[] Prompt(int length) => [.. Enumerable.Range(0, length).Select(i => random.Next(8) == 0 ? random.Next(vocabulary) : phrase[i % 12])];
        SamplingParams greedy = SamplingParams.Greedy with { MaxTokens = most }, sampled = new() { Temperature = 0.9f, TopP = 0.97f, Seed = (ulong)seed, MaxTokens = most };
        return
        [
            new(Prompt(70), greedy),
            new(Prompt(130), sampled),
            new(Prompt(40), sampled with { Seed = 7, RepeatPenalty = 1.2f, FrequencyPenalty = 0.3f, TopK = 40, LogProbabilities = 3 }),
            new(Prompt(9), greedy with { PresencePenalty = 1, MaxTokens = 33, StopTokenIds = [11] }),
            new(Prompt(64), sampled with { Temperature = 0.2f, MinP = 0.05f }) { Constraint = new EvenIds() },
        ];
    }

    /// <summary>Admits even ids after an even number of tokens and any other after an odd one; and notices if it is told of a token twice or not at all.</summary>
    private sealed class EvenIds : TokenConstraint
    {
        public List<int> Accepted { get; } = [];

        public override bool FillMask(Span<uint> mask)
        {
            if (Accepted.Count % 2 == 1) return false;
            mask.Fill(0x55555555);
            return true;
        }

        public override void Accept(int id) => Accepted.Add(id);
        public override void Rollback(int count) => Accepted.RemoveRange(Accepted.Count - count, count);
    }

    private static void AssertSame(Sequence[] expected, Sequence[] found, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(expected[i].Generated.SequenceEqual(found[i].Generated), $"{what}, sequence {i}: another text");
            Assert.Equal(expected[i].Finish, found[i].Finish);
            if (found[i].Constraint is EvenIds even) Assert.Equal(found[i].Generated.ToArray(), even.Accepted);
            if (found[i].LogProbabilities is not { } log) continue;
            Assert.Equal(found[i].Generated.Length, log.Count);
            for (int t = 0; t < log.Count; t++)
            {
                Assert.Equal(expected[i].LogProbabilities!.Chosen(t), log.Chosen(t));
                Assert.Equal(expected[i].LogProbabilities!.Best(t).ToArray(), log.Best(t).ToArray());
            }
        }
    }

    [Theory]
    [InlineData("qwen2", "qwen2_tied")]
    [InlineData("deepseek_v3_mtp", "llama3")]
    [InlineData("qwen3_moe", "qwen3_moe")]
    public void A_text_is_the_same_with_every_kind_of_draft_and_without(string name, string draftName)
    {
        using LanguageModel model = Load(Golden.File(name)), draft = Load(Golden.File(draftName));
        using LlmEngine plain = Engine(model, Off, Few);
        Sequence[] expected = Sequences(Few, 1);
        foreach (Sequence s in expected) Finish(plain, s); // one after the other
        var kinds = new Dictionary<string, SpeculationOptions>
        {
            ["lookup"] = Lookup,
            ["draft model"] = Off with { DraftModel = draft, Always = true, MostDrafted = 5 },
            ["all, as it pays"] = new SpeculationOptions { DraftModel = draft },
            ["default"] = new SpeculationOptions(),
        };
        if (model.HasMultiTokenPrediction) kinds["mtp"] = Mtp;
        foreach ((string kind, SpeculationOptions options) in kinds)
        {
            using LlmEngine engine = Engine(model, options, Few);
            Sequence[] together = Sequences(Few, 1);
            Finish(engine, together);
            AssertSame(expected, together, kind);
            // Again, over what the first round left in the prefix cache: no rejected guess may be in it.
            together = Sequences(Few, 1);
            Finish(engine, together);
            Assert.Contains(together, s => s.CachedTokens > 0);
            AssertSame(expected, together, kind + ", from the prefix cache");
            SpeculationStatistics all = Total(engine);
            if (options.Always)
            {
                Assert.True(all.Proposed > 50, $"{kind}: only {all.Proposed} guesses");
                Assert.True(all.Accepted < all.Proposed || name == draftName, $"{kind}: no guess was rejected");
            }
        }

        static SpeculationStatistics Total(LlmEngine engine) => Enum.GetValues<DraftKind>().Select(engine.Speculated).Aggregate((a, b) => new(a.Proposed + b.Proposed, a.Accepted + b.Accepted));
    }

    [Fact]
    public void A_model_that_drafts_for_itself_is_always_right_sampled_too()
    {
        using LanguageModel model = Load(Golden.File("qwen2"));
        using LlmEngine engine = Engine(model, Off with { DraftModel = model, Always = true, MostDrafted = 4 });
        var sampled = new Sequence([1, 2, 3], new SamplingParams { Temperature = 1, Seed = 3, MaxTokens = 51 });
        var greedy = new Sequence([4, 5], SamplingParams.Greedy with { MaxTokens = 51 });
        Finish(engine, sampled, greedy);
        SpeculationStatistics s = engine.Speculated(DraftKind.Model);
        Assert.Equal(s.Proposed, s.Accepted);
        Assert.Equal(80, s.Accepted); // of 50 tokens after the first, four of five
        Assert.Equal(11, engine.Statistics.Steps);
    }

    /// <summary>A model whose prediction module knows: no layer adds anything, the next token is a permutation of the last one, and the module computes just that.</summary>
    private static TemporaryFolder AgreeingModel()
    {
        const int Vocabulary = 320, Hidden = 64;
        string golden = Golden.File("deepseek_v3_mtp");
        var file = new Tests.Models.GoldenFile(Path.Combine(golden, "model.safetensors"));
        var random = new Random(5);
        float[] embedding = [.. Enumerable.Range(0, Vocabulary * Hidden).Select(_ => random.Next(2) * 2f - 1)]; // all of one length
        int[] next = [.. Enumerable.Range(0, Vocabulary)];
        random.Shuffle(next);
        var output = new float[Vocabulary * Hidden];
        for (int t = 0; t < Vocabulary; t++) embedding.AsSpan(t * Hidden, Hidden).CopyTo(output.AsSpan(next[t] * Hidden));
        var tensors = new List<(string, long[], float[])>();
        foreach (string name in file.Names)
        {
            float[] values = file.Floats(name);
            if (name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal)) Array.Clear(values);
            else if (name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)) values = embedding;
            else if (name.EndsWith("head.weight", StringComparison.Ordinal)) values = output;
            else if (name is "model.norm.weight" or "model.layers.4.enorm.weight" or "model.layers.4.shared_head.norm.weight") Array.Fill(values, 1);
            else if (name.EndsWith("eh_proj.weight", StringComparison.Ordinal)) // [H, 2H]: the embedding, and nothing of the hidden state
                for (int i = 0; i < values.Length; i++) values[i] = i % (2 * Hidden) == i / (2 * Hidden) ? 1 : 0;
            tensors.Add((name, [.. file.Shape(name).Select(d => (long)d)], values));
        }
        var folder = new TemporaryFolder();
        SafetensorsWriter.Save(folder["model.safetensors"], tensors);
        File.Copy(Path.Combine(golden, "config.json"), folder["config.json"]);
        return folder;
    }

    [Fact]
    public void Where_the_module_always_agrees_every_guess_holds_and_main_passes_halve()
    {
        using TemporaryFolder folder = AgreeingModel();
        using LanguageModel model = Load(folder.Path);
        foreach (SamplingParams parameters in (SamplingParams[])[SamplingParams.Greedy, new() { Temperature = 1, Seed = 11 }])
        {
            using LlmEngine plain = Engine(model, Off), engine = Engine(model, Mtp);
            Sequence expected = new([5, 6, 7], parameters with { MaxTokens = 101 }), found = new([5, 6, 7], parameters with { MaxTokens = 101 });
            Finish(plain, expected);
            Finish(engine, found);
            AssertSame([expected], [found], "mtp");
            SpeculationStatistics s = engine.Speculated(DraftKind.Mtp);
            Assert.Equal((50L, 50L), (s.Proposed, s.Accepted));
            Assert.Equal(1, s.Rate);
            Assert.Equal(101, plain.Statistics.Steps);
            Assert.Equal(51, engine.Statistics.Steps); // the prompt, then two tokens a pass
        }
    }

    [Fact]
    public void It_ends_where_the_text_ends()
    {
        using LanguageModel full = Load(Golden.File("qwen2"));
        using ModelFolder folder = ModelFolder.Open(Golden.File("qwen2"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1, ContextLength = 40 });
        foreach (SpeculationOptions options in (SpeculationOptions[])[Lookup, Off with { DraftModel = full, Always = true }])
        {
            using LlmEngine plain = Engine(model, Off), engine = Engine(model, options);
            int[] prompt = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3];
            Sequence free = new(prompt, SamplingParams.Greedy), expected = new(prompt, SamplingParams.Greedy);
            Finish(plain, expected);
            Finish(engine, free);
            AssertSame([expected], [free], "to the context's end");
            Assert.Equal(41, free.Ids.Length);
            for (int at = 0; at < 20; at += 3)
            {
                int[] ids = expected.Generated.ToArray();
                Sequence stopped = new(prompt, SamplingParams.Greedy with { StopTokenIds = [ids[at]] }), limited = new(prompt, SamplingParams.Greedy with { MaxTokens = at + 1 });
                Finish(engine, stopped, limited);
                Assert.Equal(ids[..(Array.IndexOf(ids, ids[at]) + 1)], stopped.Generated.ToArray());
                Assert.Equal(ids[..(at + 1)], limited.Generated.ToArray());
            }
        }
    }

    [Fact]
    public void Whoever_listens_may_force_tokens_and_end_the_text_between_two_that_were_guessed()
    {
        using LanguageModel model = Load(Golden.File("qwen2"));
        Sequence With(Func<Sequence, SequenceObserver> listener)
        {
            var s = new Sequence([1, 2, 3], SamplingParams.Greedy with { MaxTokens = 40 });
            s.Observer = listener(s);
            return s;
        }
        foreach (Func<Sequence, SequenceObserver> listener in (Func<Sequence, SequenceObserver>[])[s => new At(s, 7, x => x.Force([9, 8, 7])), s => new At(s, 12, x => x.End(FinishReason.Stop))])
        {
            using LlmEngine plain = Engine(model, Off), engine = Engine(model, Off with { DraftModel = model, Always = true });
            Sequence expected = With(listener), found = With(listener);
            Finish(plain, expected);
            Finish(engine, found);
            AssertSame([expected], [found], "with a listener");
        }
    }

    private sealed class At(Sequence sequence, int length, Action<Sequence> action) : SequenceObserver
    {
        public override void Advanced(int id)
        {
            if (sequence.Generated.Length == length) action(sequence);
        }

        public override void Ended() { }
    }

    [Fact]
    public void Drafts_never_take_memory_from_anybody()
    {
        using LanguageModel model = Load(Golden.File("qwen2"));
        using LlmEngine plain = Engine(model, Off, Few);
        Sequence[] expected = Sequences(Few, 2, 150);
        foreach (Sequence s in expected) Finish(plain, s);
        // Room for the longest sequence and little more: they push each other out.
        using var engine = new LlmEngine(model, Few, new EngineOptions { KvBytes = 1, Speculation = Lookup });
        Sequence[] found = Sequences(Few, 2, 150);
        Finish(engine, found);
        AssertSame(expected, found, "with little memory");
    }
}
