using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class SamplerTests
{
    private static readonly SamplingParams Plain = new() { Temperature = 1, TopP = 1 };

    private static float[] RandomLogits(int seed, int n, float spread)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, n).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * spread)];
    }

    // The draw is at the position after the ids.
    private static int Draw(Sampler sampler, float[] logits, SamplingParams parameters, int position = 0) => sampler.Sample([.. logits], parameters, new int[position], position);

    [Fact]
    public void It_chooses_what_the_plain_twin_chooses()
    {
        var random = new Random(20260101);
        for (int round = 0; round < 600; round++)
        {
            int n = random.Next(1, 3000);
            float[] logits = RandomLogits(round, n, random.NextSingle() * 60);
            if (round % 5 == 0) // many ties
                for (int i = 0; i < n; i++) logits[i] = MathF.Round(logits[i] / 4);
            if (round % 7 == 0) logits[random.Next(n)] = float.NaN;
            if (round % 11 == 0) logits[random.Next(n)] = float.PositiveInfinity;
            if (round % 13 == 0) logits[random.Next(n)] = float.NegativeInfinity;
            MaskOf? mask = random.Next(4) == 0 ? new MaskOf([.. Enumerable.Range(0, n).Where(_ => random.Next(3) == 0)]) : null;
            if (!logits.Where((l, i) => l > float.NegativeInfinity && (mask is null || mask.Admitted.Contains(i))).Any()) continue;
            var parameters = new SamplingParams
            {
                Temperature = random.Next(6) switch { 0 => 100, 1 => 0, 2 => 1e-4f, _ => 0.1f + random.NextSingle() * 2 },
                TopK = random.Next(3) switch { 0 => 0, 1 => random.Next(1, 30), _ => random.Next(1, 2000) },
                TopP = random.Next(3) == 0 ? 1 : 0.01f + random.NextSingle() * 0.99f,
                MinP = random.Next(2) == 0 ? 0 : random.NextSingle() / 4,
                RepeatPenalty = random.Next(2) == 0 ? 1 : 1.3f,
                PresencePenalty = random.Next(2) == 0 ? 0 : random.NextSingle() * 4 - 2,
                FrequencyPenalty = random.Next(2) == 0 ? 0 : random.NextSingle() * 4 - 2,
                LogitBias = random.Next(2) == 0 ? [] : [new(random.Next(n), random.NextSingle() * 20 - 10)],
                Seed = (ulong)round,
            };
            parameters.Validate();
            var sampler = new Sampler(n);
            for (int length = 0; length < 60; length += 20)
            {
                int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(2) == 0 ? random.Next(n) : random.Next(1 + n / 20))];
                int expected = SamplerTwin.Sample([.. logits], parameters, ids, length / 2, mask is null ? null : mask.Admitted.Contains);
                Assert.Equal(expected, sampler.Sample([.. logits], parameters, ids, length / 2, mask));
            }
        }
    }

    [Fact]
    public void Filters_cut_a_large_vocabulary_where_the_twin_does()
    {
        float[] logits = RandomLogits(77, 40_000, 25);
        var sampler = new Sampler(logits.Length);
        foreach (SamplingParams p in (SamplingParams[])[Plain, Plain with { TopK = 50 }, Plain with { TopK = 5000 }, Plain with { TopP = 0.9f }, Plain with { TopP = 0.9999f },
            Plain with { Temperature = 3, TopK = 700, TopP = 0.8f }, Plain with { Temperature = 0.6f, TopP = 0.95f, MinP = 0.001f }])
            for (int position = 0; position < 3; position++)
                Assert.Equal(SamplerTwin.Sample([.. logits], p, new int[position], position), Draw(sampler, logits, p, position));
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        // 300 tokens, so that several chunks take part; chi-square over 20 groups of equal probability.
        float[] logits = RandomLogits(3, 300, 2);
        double[] weights = [.. logits.Select(l => Math.Exp(l))];
        double total = weights.Sum(), mass = 0;
        int[] group = [.. weights.Select(w => { mass += w; return (int)Math.Min(19, (mass - w / 2) / total * 20); })];
        var expected = new double[20];
        for (int i = 0; i < 300; i++) expected[group[i]] += weights[i] / total;
        var counts = new int[20];
        var sampler = new Sampler(300);
        const int Draws = 40_000;
        int[] history = new int[Draws];
        for (int position = 0; position < Draws; position++) counts[group[sampler.Sample([.. logits], Plain with { Seed = 5 }, history.AsSpan(0, position), position)]]++;
        double chiSquare = Enumerable.Range(0, 20).Sum(g => Math.Pow(counts[g] - Draws * expected[g], 2) / (Draws * expected[g]));
        Assert.InRange(chiSquare, 0, 43.8); // 19 degrees of freedom: exceeded once in a thousand seeds
    }

    [Fact]
    public void Temperature_sharpens()
    {
        float[] logits = [0, MathF.Log(2)]; // at temperature 0.5: 1 to 4
        int second = 0;
        var sampler = new Sampler(2);
        for (int position = 0; position < 10000; position++) second += Draw(sampler, logits, Plain with { Temperature = 0.5f }, position);
        Assert.InRange(second / 10000.0, 0.785, 0.815);
    }

    [Theory]
    [InlineData(1f, 2, 0f, new[] { 2, 3 })]
    [InlineData(0.6f, 0, 0f, new[] { 2, 3 })]      // 0.4 + 0.3 ≥ 0.6
    [InlineData(0.39f, 0, 0f, new[] { 3 })]
    [InlineData(1f, 0, 0.5f, new[] { 1, 2, 3 })]   // at least half of 0.4
    [InlineData(0.5f, 2, 0f, new[] { 3 })]         // of what top-k left, 4/7 ≥ 0.5
    public void Filters_keep_exactly_their_part(float topP, int topK, float minP, int[] kept)
    {
        float[] logits = [0, MathF.Log(2.001f), MathF.Log(3), MathF.Log(4)];
        var found = new SortedSet<int>();
        var sampler = new Sampler(4);
        for (int position = 0; position < 400; position++)
            found.Add(Draw(sampler, logits, Plain with { TopP = topP, TopK = topK, MinP = minP }, position));
        Assert.Equal(kept, found);
    }

    [Fact]
    public void Greedy_takes_the_lowest_of_equals_and_never_a_number_that_is_none()
    {
        var sampler = new Sampler(5);
        Assert.Equal(1, Draw(sampler, [float.NaN, 3, 3, float.NegativeInfinity, 2], SamplingParams.Greedy));
        Assert.Equal(2, Draw(sampler, [1, float.NaN, float.PositiveInfinity, float.PositiveInfinity, 2], SamplingParams.Greedy));
        Assert.Throws<EngineException>(() => Draw(sampler, [float.NaN, float.NaN, float.NegativeInfinity, float.NaN, float.NaN], SamplingParams.Greedy));
    }

    [Fact]
    public void Penalties_look_at_the_prompt_or_at_what_was_generated()
    {
        var sampler = new Sampler(3);
        SamplingParams repeat = SamplingParams.Greedy with { RepeatPenalty = 2 };
        Assert.Equal(1, sampler.Sample([4, 3, 0], repeat, [0], 1));
        Assert.Equal(1, sampler.Sample([-2, -3, -9], repeat, [0], 0));
        Assert.Equal(0, sampler.Sample([4, 3, 0], repeat, [], 0));
        SamplingParams presence = SamplingParams.Greedy with { PresencePenalty = 1.5f }, frequency = SamplingParams.Greedy with { FrequencyPenalty = 0.5f };
        Assert.Equal(0, sampler.Sample([4, 3, 0], presence, [0, 0, 0], 3)); // the prompt's do not count
        Assert.Equal(1, sampler.Sample([4, 3, 0], presence, [2, 0], 1));
        Assert.Equal(0, sampler.Sample([4, 2, 0], presence, [0, 0, 0, 0], 0)); // once, however often
        Assert.Equal(0, sampler.Sample([4, 3, 0], frequency, [0], 0));
        Assert.Equal(1, sampler.Sample([4, 3, 0], frequency, [0, 0, 0], 0));
        Assert.Equal(0, sampler.Sample([4, 3, 0], frequency, [7, 7, 7], 0)); // an id that cannot be chosen
    }

    [Fact]
    public void Bias_and_constraint_decide_what_may_come()
    {
        var sampler = new Sampler(70);
        float[] logits = [.. Enumerable.Range(0, 70).Select(i => (float)i)];
        Assert.Equal(69, Draw(sampler, logits, SamplingParams.Greedy));
        Assert.Equal(3, Draw(sampler, logits, SamplingParams.Greedy with { LogitBias = [new(3, 100), new(69, -100)] }));
        var mask = new MaskOf([1, 33, 64]);
        Assert.Equal(64, sampler.Sample([.. logits], SamplingParams.Greedy, [], 0, mask));
        var hits = new SortedSet<int>();
        for (int position = 0; position < 300; position++) hits.Add(sampler.Sample(new float[70], Plain, new int[position], 0, mask));
        Assert.Equal([1, 33, 64], hits);
        Assert.Equal(69, sampler.Sample([.. logits], SamplingParams.Greedy, [], 0, new MaskOf(null))); // not begun
        Assert.Equal("the grammar admits no token here", Assert.Throws<EngineException>(() => sampler.Sample([.. logits], SamplingParams.Greedy, [], 0, new MaskOf([]))).Message);
    }

    [Fact]
    public void Log_probabilities_are_the_models_own()
    {
        float[] logits = RandomLogits(8, 2000, 20);
        logits[17] = logits[1900] = logits.Max() + 1; // a tie
        double logTotal = Math.Log(logits.Sum(l => Math.Exp(l)));
        var sampler = new Sampler(2000);
        var log = new LogProbabilityLog(20);
        SamplingParams all = Plain with { Temperature = 0.3f, TopK = 5, PresencePenalty = 2, LogitBias = [new(4, 50)], Seed = 1 };
        int first = sampler.Sample([.. logits], all, [], 0, null, log), second = sampler.Sample([.. logits], all, [first], 0, null, log);
        Assert.Equal(2, log.Count);
        int[] order = [.. Enumerable.Range(0, 2000).OrderByDescending(i => logits[i]).ThenBy(i => i).Take(20)];
        foreach ((int place, int id) in new[] { (0, first), (1, second) })
        {
            Assert.Equal(id, log.Chosen(place).Id);
            Assert.Equal(logits[id] - logTotal, log.Chosen(place).LogProbability, 1e-5);
            Assert.Equal(order, log.Best(place).ToArray().Select(b => b.Id));
            Assert.All(log.Best(place).ToArray(), b => Assert.Equal(logits[b.Id] - logTotal, b.LogProbability, 1e-5));
        }
        Assert.Equal(4, first); // the bias chose it
        var few = new LogProbabilityLog(20);
        new Sampler(3).Sample([1, float.NegativeInfinity, 2], Plain, [], 0, null, few);
        Assert.Equal([2, 0], few.Best(0).ToArray().Select(b => b.Id));
    }

    [Fact]
    public void A_draw_depends_on_seed_and_position_alone()
    {
        float[] logits = RandomLogits(1, 500, 3);
        var one = new Sampler(500);
        var other = new Sampler(500);
        int[] forward = [.. Enumerable.Range(0, 50).Select(position => Draw(one, logits, Plain with { Seed = 9 }, position))];
        int[] backward = [.. Enumerable.Range(0, 50).Reverse().Select(position => Draw(other, logits, Plain with { Seed = 9 }, position)).Reverse()];
        Assert.Equal(forward, backward);
        Assert.NotEqual(forward, [.. Enumerable.Range(0, 50).Select(position => Draw(one, logits, Plain with { Seed = 10 }, position))]);
        Assert.True(forward.Distinct().Count() > 20);
    }

    [Fact]
    public void A_choice_allocates_nothing()
    {
        float[] logits = RandomLogits(2, 5000, 5), work = new float[5000];
        var sampler = new Sampler(5000);
        SamplingParams all = new() { Temperature = 0.8f, TopK = 100, TopP = 0.9f, MinP = 0.01f, RepeatPenalty = 1.1f, FrequencyPenalty = 0.5f, LogitBias = [new(5, 1)] };
        SamplingParams wide = Plain with { TopP = 0.99f };
        var mask = new MaskOf([.. Enumerable.Range(0, 4000)]);
        int[] ids = [.. Enumerable.Range(0, 200)];
        for (int warm = 0; warm < 50; warm++) Choose(warm);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int position = 0; position < 100; position++) Choose(position);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Choose(int position)
        {
            logits.CopyTo(work, 0);
            sampler.Sample(work, all, ids.AsSpan(0, position), position / 2, mask);
            logits.CopyTo(work, 0);
            sampler.Sample(work, wide, ids.AsSpan(0, position), position / 2);
        }
    }

    [Theory]
    [InlineData("temperature", -0.1f, 1f, 0, 0f, 1f)]
    [InlineData("temperature", float.NaN, 1f, 0, 0f, 1f)]
    [InlineData("top-p", 1f, 0f, 0, 0f, 1f)]
    [InlineData("top-p", 1f, 1.1f, 0, 0f, 1f)]
    [InlineData("top-k", 1f, 1f, -1, 0f, 1f)]
    [InlineData("min-p", 1f, 1f, 0, 1.5f, 1f)]
    [InlineData("repeat-penalty", 1f, 1f, 0, 0f, 0f)]
    public void What_is_out_of_range_is_refused_by_name(string name, float temperature, float topP, int topK, float minP, float penalty)
    {
        var parameters = new SamplingParams { Temperature = temperature, TopP = topP, TopK = topK, MinP = minP, RepeatPenalty = penalty };
        Assert.StartsWith(name, Assert.Throws<EngineException>(parameters.Validate).Message);
    }

    [Fact]
    public void Penalties_biases_and_log_probabilities_have_their_ranges()
    {
        Refused("presence-penalty must be from -2 to 2, not 2.5", Plain with { PresencePenalty = 2.5f });
        Refused("frequency-penalty must be from -2 to 2, not NaN", Plain with { FrequencyPenalty = float.NaN });
        Refused("logprobs must be from 0 to 20, not 21", Plain with { LogProbabilities = 21 });
        Refused("logit-bias of id 3 must be from -100 to 100, not 101", Plain with { LogitBias = [new(3, 101)] });
        Refused("logit-bias: an id must be at least 0, not -1", Plain with { LogitBias = [new(-1, 1)] });
        Refused("logit-bias names id 3 twice", Plain with { LogitBias = [new(3, 1), new(3, 2)] });
        Refused("logit-bias must be at most 1024 ids, not 1025", Plain with { LogitBias = [.. Enumerable.Range(0, 1025).Select(i => new LogitBias(i, 1))] });
        Assert.Equal("logit-bias: id 9 is outside the vocabulary of 9", Assert.Throws<EngineException>(() => (Plain with { LogitBias = [new(9, 1)] }).ValidateFor(9)).Message);

        static void Refused(string message, SamplingParams parameters) => Assert.Equal(message, Assert.Throws<EngineException>(parameters.Validate).Message);
    }

    private sealed class MaskOf(int[]? admitted) : TokenConstraint
    {
        public HashSet<int> Admitted { get; } = [.. admitted ?? []];

        public override bool FillMask(Span<uint> mask)
        {
            if (admitted is null) return false;
            mask.Clear();
            foreach (int id in admitted) mask[id / 32] |= 1u << (id % 32);
            return true;
        }

        public override void Accept(int id) => throw new InvalidOperationException("a sampler only asks");
        public override void Rollback(int count) => throw new InvalidOperationException("a sampler only asks");
    }
}
