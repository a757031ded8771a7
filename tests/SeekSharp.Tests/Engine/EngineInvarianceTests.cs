using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tests.Kernels;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>
/// The contract, drawn at random: batches, chunk sizes, thread counts, arrivals, cache hits (generated tokens included), cancellations, preemptions, priorities, rests, speculation.
/// Every row of logits from which the engine ever chose is, bit for bit, that of the sequence alone in one pass.
/// </summary>
public sealed class EngineInvarianceTests
{
    private sealed class Counts
    {
        public int Rows, Hits, Batched;
        public long Preemptions, Guesses;
        public bool MustGuess;
    }

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            int seed = 1;
            foreach (string name in (string[])["gguf/llama", "gguf/llama_bf16", "gguf/llama_q4_0", "gguf/llama_q8_0", "gguf/llama_q4_k", "gguf/llama_q6_k", "gguf/llama_iq4_xs", "gguf/qwen3",
                "gguf/deepseek_v3", "gguf/deepseek_v3_q4_k", "qwen2", "qwen3_moe", "llama3", "deepseek_v2", "deepseek_v3", "deepseek_v3_fp8", "deepseek_v3_mtp"])
                cases.Add(name, seed++);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Nothing_that_happens_around_a_sequence_changes_a_bit_of_it(string name, int seed)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        Check(options => LanguageModel.Load(folder, options), name, seed, sequences: 16);
    }

    /// <summary>Every weight format that there is, with each kind of attention.</summary>
    public static TheoryData<NumberFormat, bool> Formats
    {
        get
        {
            var cases = new TheoryData<NumberFormat, bool>();
            foreach (NumberFormat format in TestMatrix.Formats)
            {
                cases.Add(format, false);
                cases.Add(format, true);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Nor_in_any_format_of_the_weights(NumberFormat format, bool latent)
    {
        using var matrices = new RandomModel(format);
        ModelWeights weights = matrices.Weights(latent);
        Check(options => new LanguageModel(RandomModel.Config(latent), weights, options), $"{format}, {(latent ? "latent attention" : "grouped queries")}", 1000 * (int)format + (latent ? 1 : 0), sequences: 5);
    }

    private static void Check(Func<ModelOptions, LanguageModel> load, string name, int seed, int sequences)
    {
        var random = new Random(seed);
        var options = new ModelOptions { Threads = random.Next(1, 5), ChunkSize = random.GetItems((int[])[5, 17, 64, 512], 1)[0], Kv = (KvFormat)random.Next(3), ContextLength = 256 };
        var seen = new List<(Sequence Sequence, int Position, float[] Row)>();
        var counts = new Counts();
        using (LanguageModel model = load(options))
            Drive(model, random, seen, counts, sequences);
        (int rows, int together) = sequences < 16 ? (30, 0) : (200, 20);
        Assert.True(counts.Rows > rows && counts.Hits > 0 && counts.Batched > together && counts.Preemptions > 0 && (!counts.MustGuess || counts.Guesses > 0),
            $"{counts.Rows} rows, {counts.Hits} hits, {counts.Batched} together, {counts.Preemptions} preemptions, {counts.Guesses} guesses");

        // Each sequence alone: one thread, one pass over all its tokens.
        using LanguageModel alone = load(options with { Threads = 1, ChunkSize = 512 });
        int v = alone.VocabularySize;
        foreach (IGrouping<Sequence, (Sequence Sequence, int Position, float[] Row)> group in seen.GroupBy(s => s.Sequence))
        {
            float[] logits = Golden.Logits(alone, group.Key.Ids[..(group.Max(s => s.Position) + 1)].ToArray());
            foreach ((_, int position, float[] row) in group)
                Golden.AssertSameBits(logits[(position * v)..((position + 1) * v)], row, $"{name}, seed {seed}, {options}: position {position} of a prompt of {group.Key.PromptLength}, preempted {group.Key.Preemptions}×, {group.Key.CachedTokens} cached");
        }
    }

    private static void Drive(LanguageModel model, Random random, List<(Sequence, int, float[])> seen, Counts counts, int sequences)
    {
        var scheduler = new SchedulerOptions { MaxRunning = random.Next(3, 9), MaxTokens = random.Next(8, 200) };
        var speculation = new SpeculationOptions { Lookup = random.Next(3) > 0, MultiTokenPrediction = random.Next(3) > 0, Always = random.Next(2) == 0, MostDrafted = random.Next(1, 8) };
        bool few = random.Next(4) > 0; // ids that can be chosen: then texts repeat themselves, and there is something to look up
        counts.MustGuess = few && speculation is { Always: true, Lookup: true };
        using var engine = new LlmEngine(model, few ? 8 : null, new EngineOptions { KvBytes = random.Next(5, 9) * model.KvBlockBytes(model.HasMultiTokenPrediction), Scheduler = scheduler, Speculation = speculation });
        engine.LogitsSeen = (sequence, logits) =>
        {
            lock (seen) seen.Add((sequence, sequence.Ids.Length - 1, logits.ToArray()));
        };
        // One text to its end, and one that goes on from it: there is at least this hit, with generated tokens.
        (int prompt, int answer) = sequences < 16 ? (56, 24) : (100, 60);
        var first = new Sequence([.. Enumerable.Range(0, prompt).Select(_ => random.Next(model.VocabularySize))], new SamplingParams { Temperature = 1, Seed = 3, MaxTokens = answer }) { Tenant = "a" };
        engine.Add(first);
        while (!first.IsFinished) Assert.True(engine.Step());
        var second = new Sequence([.. first.Ids, 1, 2, 3], SamplingParams.Greedy with { MaxTokens = answer * 2 / 3 }) { Tenant = "a" };
        engine.Add(second);
        Assert.True(engine.Step());
        Assert.Equal((prompt + answer) / 64 * 64, second.CachedTokens);
        var all = new List<Sequence> { first, second };
        bool changed = false;
        for (int step = 0; step < 4000; step++)
        {
            if (all.Count < sequences && (step == 0 || random.Next(4) == 0))
            {
                Sequence next = Draw(all, random, model.VocabularySize, prompt + 30, answer + 20);
                engine.Add(next);
                all.Add(next);
            }
            Sequence? some = all.Count > 0 ? all[random.Next(all.Count)] : null;
            if (some is not null && random.Next(60) == 0) some.End(FinishReason.Cancelled);
            if (some is not null && random.Next(10) == 0) some.IsPaused = !some.IsPaused;
            if ((!changed && step >= (sequences < 16 ? 2 : 30) && engine.Statistics.Running > 0) || random.Next(300) == 0)
            {
                engine.ChangeWeights(() => { }); // to what they are: everybody begins again
                changed = true;
            }
            bool worked = engine.Step();
            if (engine.Statistics.Running > 1) counts.Batched++;
            if (all.Count == sequences && !worked) foreach (Sequence s in all) s.IsPaused = false;
            if (all.Count == sequences && all.All(s => s.IsFinished)) break;
        }
        Assert.All(all, s => Assert.True(s.IsFinished && s.Error is null, s.Error?.ToString()));
        counts.Rows = seen.Count;
        counts.Hits = all.Count(s => s.CachedTokens > 0);
        counts.Preemptions = engine.Statistics.Preemptions;
        counts.Guesses = Enum.GetValues<DraftKind>().Sum(kind => engine.Speculated(kind).Proposed);
        engine.Step(); // lets go of what was cancelled last
        engine.Clear();
        Assert.Equal(0, engine.Pool.Used);
    }

    // A prompt of its own, or one that goes on from another's text, its generated tokens included.
    private static Sequence Draw(List<Sequence> all, Random random, int vocabulary, int longest, int most)
    {
        int[] prompt = [.. Enumerable.Range(0, random.Next(1, longest)).Select(_ => random.Next(vocabulary))];
        if (all.Count > 0 && random.Next(3) > 0)
        {
            ReadOnlySpan<int> other = all[random.Next(all.Count)].Ids;
            prompt = [.. other[..random.Next(other.Length / 2, other.Length + 1)], .. prompt[..Math.Min(prompt.Length, 20)]];
        }
        if (prompt.Length > 200) prompt = prompt[..200];
        SamplingParams sampling = random.Next(2) == 0 ? SamplingParams.Greedy : new SamplingParams { Temperature = 1, Seed = (ulong)random.NextInt64(), RepeatPenalty = random.Next(2) == 0 ? 1 : 1.3f };
        return new Sequence(prompt, sampling with { MaxTokens = random.Next(1, most) }) { Priority = random.Next(3) / 2, Tenant = random.Next(5) == 0 ? "b" : "a" };
    }
}
