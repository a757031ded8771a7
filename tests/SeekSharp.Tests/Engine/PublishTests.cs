using System.Collections.Concurrent;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>New weights for an engine that is at work.</summary>
public sealed class PublishTests
{
    private static readonly ModelOptions Options = new() { Threads = 2, ContextLength = 256 };

    private static int[] Prompt(int seed, int length) => [.. Enumerable.Range(0, length).Select(i => (seed * 7919 + i * 37) % 280)];

    private static SamplingParams Sampled(int seed, int most) => new() { Temperature = 1, Seed = (ulong)seed, MaxTokens = most };

    private static int[] Alone(LlmEngine engine, Sequence sequence)
    {
        engine.Add(sequence);
        while (!sequence.IsFinished) Assert.True(engine.Step());
        Assert.Null(sequence.Error);
        return sequence.Generated.ToArray();
    }

    [Theory]
    [InlineData("gguf/llama_q8_0.gguf")]
    [InlineData("gguf/deepseek_v3_q8_0.gguf")]
    [InlineData("models/deepseek_v3_mtp")]
    public async Task Running_sequences_go_on_with_the_new_weights(string golden)
    {
        const int Count = 6, Most = 60;
        using var changed = new ChangedWeights(golden, seed: 5);
        using LanguageModel model = ChangedWeights.LoadGolden(golden, Options), fresh = changed.Load(Options), old = ChangedWeights.LoadGolden(golden, Options);
        using var engine = new LlmEngine(model, vocabulary: 280);
        using var oldEngine = new LlmEngine(old, vocabulary: 280);
        using var newEngine = new LlmEngine(fresh, vocabulary: 280);
        var seen = new ConcurrentDictionary<(Sequence, int), float[]>(); // logits by the token's place
        using ManualResetEventSlim submitted = new(), reached = new(), goOn = new(); // the engine waits for the test, however busy the machine is
        Sequence last = new(Prompt(Count - 1, 20 + 30 * (Count - 1)), Sampled(Count - 1, Most));
        engine.LogitsSeen = (s, logits) =>
        {
            seen[(s, s.Ids.Length)] = logits.ToArray();
            submitted.Wait();
            if (s != last || s.Generated.Length < 5) return;
            reached.Set();
            goOn.Wait();
        };
        newEngine.LogitsSeen = (s, logits) => seen[(s, s.Ids.Length)] = logits.ToArray();

        var requests = new EngineRequest[Count];
        var written = new int[Count]; // tokens that each had when the weights changed
        using (var loop = new EngineLoop(engine))
        {
            for (int i = 0; i < Count; i++) requests[i] = loop.Submit(i == Count - 1 ? last : new Sequence(Prompt(i, 20 + 30 * i), Sampled(i, Most)), mostUnread: 1000);
            submitted.Set();
            while (!reached.IsSet && !last.IsFinished) await Task.Delay(1);
            Task change = loop.Between(() =>
            {
                for (int i = 0; i < Count; i++) written[i] = requests[i].Sequence.Generated.Length;
                using WeightUpdate update = model.BeginUpdate();
                changed.AddTo(update);
                engine.Publish(update);
            });
            goOn.Set();
            await change;
            foreach (EngineRequest request in requests) await request.Completion;
        }

        Assert.Equal(1, engine.WeightVersion);
        for (int i = 0; i < Count; i++)
        {
            Sequence s = requests[i].Sequence;
            Assert.Null(s.Error);
            Assert.InRange(written[i], 1, Most - 10);
            int[] text = s.Generated.ToArray();
            Assert.Equal(Alone(oldEngine, new Sequence(Prompt(i, 20 + 30 * i), Sampled(i, written[i]))), text[..written[i]]);
            var rest = new Sequence([.. s.Ids[..(s.PromptLength + written[i])]], Sampled(i, Most - written[i]));
            newEngine.Clear();
            Assert.Equal(Alone(newEngine, rest), text[written[i]..]);
            for (int at = rest.PromptLength; at < rest.Ids.Length; at++) Assert.Equal(seen[(rest, at)], seen[(s, at)]);
        }
        EngineStatistics statistics = engine.Statistics;
        Assert.Equal(statistics.BlocksUsed, statistics.BlocksIdle);

        // What is known from now on is of the new weights.
        var again = new Sequence(Prompt(5, 170), Sampled(9, 10));
        newEngine.Clear();
        Assert.Equal(Alone(newEngine, new Sequence(Prompt(5, 170), Sampled(9, 10))), Alone(engine, again));
        Assert.Equal(128, again.CachedTokens);
    }

    [Fact]
    public void Blocks_on_disk_of_older_weights_are_never_taken()
    {
        const string Golden = "gguf/deepseek_v3_q8_0.gguf";
        using var folder = new TemporaryFolder();
        using var changed = new ChangedWeights(Golden, seed: 5);
        using var others = new ChangedWeights(Golden, seed: 6);
        using LanguageModel fresh = changed.Load(Options);
        using var newEngine = new LlmEngine(fresh);
        using var tier = new DiskTier(folder.Path, 64 << 20, Assert.Fail);
        int[] prompt = Prompt(1, 200);
        var options = new EngineOptions { Disk = tier, ModelIdentity = "golden" };
        int Hits(LlmEngine engine, int[]? expected = null)
        {
            var s = new Sequence(prompt, Sampled(1, 4));
            int[] text = Alone(engine, s);
            if (expected is not null) Assert.Equal(expected, text);
            engine.Clear(); // memory forgets, the disk does not
            tier.Flush();
            return s.CachedTokens;
        }

        int[] expected = Alone(newEngine, new Sequence(prompt, Sampled(1, 4)));
        using (LanguageModel model = ChangedWeights.LoadGolden(Golden, Options))
        using (var engine = new LlmEngine(model, options: options))
        {
            Assert.Equal((0, 192), (Hits(engine), Hits(engine)));
            Publish(model, engine, changed);
            Assert.Equal((0, 192), (Hits(engine, expected), Hits(engine, expected)));
        }
        // Started again, with the file's weights: those are known; but none that was published since, here or there.
        using LanguageModel second = ChangedWeights.LoadGolden(Golden, Options);
        using var restarted = new LlmEngine(second, options: options);
        Assert.Equal(192, Hits(restarted));
        Publish(second, restarted, others);
        Assert.Equal(0, Hits(restarted));
        Publish(second, restarted, changed);
        Assert.Equal(0, Hits(restarted, expected));
    }

    [Fact]
    public void What_does_not_fit_leaves_the_engine_as_it_was()
    {
        const string Golden = "gguf/llama_q8_0.gguf";
        using LanguageModel model = ChangedWeights.LoadGolden(Golden, Options), llama = ChangedWeights.LoadGolden("models/llama3", Options);
        using var engine = new LlmEngine(model);
        int[] text = Alone(engine, new Sequence(Prompt(1, 200), Sampled(1, 4)));
        using WeightUpdate strange = llama.BeginUpdate();
        strange.Add("model.norm.weight", [llama.Config.HiddenSize], new float[llama.Config.HiddenSize]);
        Assert.Throws<ModelException>(() => engine.Publish(strange));
        var again = new Sequence(Prompt(1, 200), Sampled(1, 4));
        Assert.Equal(text, Alone(engine, again));
        Assert.Equal((192, 0L), (again.CachedTokens, engine.WeightVersion)); // not even the cache was dropped
    }

    private static void Publish(LanguageModel model, LlmEngine engine, ChangedWeights weights)
    {
        using WeightUpdate update = model.BeginUpdate();
        weights.AddTo(update);
        engine.Publish(update);
    }
}
