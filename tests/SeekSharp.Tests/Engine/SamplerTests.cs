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

    [Fact]
    public void It_chooses_what_the_plain_twin_chooses()
    {
        var random = new Random(20260101);
        for (int round = 0; round < 400; round++)
        {
            int n = random.Next(1, 3000);
            float[] logits = RandomLogits(round, n, random.NextSingle() * 30);
            if (round % 5 == 0) // many ties
                for (int i = 0; i < n; i++) logits[i] = MathF.Round(logits[i]);
            if (round % 7 == 0) logits[random.Next(n)] = float.NaN;
            if (round % 11 == 0) logits[random.Next(n)] = float.PositiveInfinity;
            if (logits.All(float.IsNaN)) continue;
            var parameters = new SamplingParams
            {
                Temperature = random.Next(4) == 0 ? 100 : 0.1f + random.NextSingle() * 2,
                TopK = random.Next(3) == 0 ? 0 : random.Next(1, 200),
                TopP = random.Next(3) == 0 ? 1 : 0.01f + random.NextSingle() * 0.99f,
                MinP = random.Next(2) == 0 ? 0 : random.NextSingle(),
                RepeatPenalty = random.Next(2) == 0 ? 1 : 1.3f,
                Seed = (ulong)round,
            };
            var seen = new ulong[(n + 63) / 64];
            for (int i = 0; i < 10; i++) seen[random.Next(seen.Length)] |= 1UL << random.Next(64);
            var sampler = new Sampler(n);
            for (int position = 0; position < 3; position++)
                Assert.Equal(SamplerTwin.Sample([.. logits], parameters, seen, position), sampler.Sample([.. logits], parameters, seen, position));
        }
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        float[] logits = [0, MathF.Log(2), MathF.Log(3), MathF.Log(4)]; // shares 0.1, 0.2, 0.3, 0.4
        var counts = new int[4];
        var sampler = new Sampler(4);
        for (int position = 0; position < 20000; position++) counts[sampler.Sample([.. logits], Plain with { Seed = 5 }, [], position)]++;
        for (int i = 0; i < 4; i++) Assert.InRange(counts[i] / 20000.0, (i + 1) * 0.1 - 0.012, (i + 1) * 0.1 + 0.012);
    }

    [Fact]
    public void Temperature_sharpens()
    {
        float[] logits = [0, MathF.Log(2)]; // at temperature 0.5: 1 to 4
        int second = 0;
        var sampler = new Sampler(2);
        for (int position = 0; position < 10000; position++) second += sampler.Sample([.. logits], Plain with { Temperature = 0.5f }, [], position);
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
            found.Add(sampler.Sample([.. logits], Plain with { TopP = topP, TopK = topK, MinP = minP }, [], position));
        Assert.Equal(kept, found);
    }

    [Fact]
    public void Greedy_takes_the_lowest_of_equals_and_never_a_number_that_is_none()
    {
        var sampler = new Sampler(5);
        Assert.Equal(1, sampler.Sample([float.NaN, 3, 3, float.NegativeInfinity, 2], SamplingParams.Greedy, [], 0));
        Assert.Equal(2, sampler.Sample([1, float.NaN, float.PositiveInfinity, float.PositiveInfinity, 2], SamplingParams.Greedy, [], 0));
        Assert.Throws<EngineException>(() => sampler.Sample([float.NaN, float.NaN, float.NegativeInfinity, float.NaN, float.NaN], SamplingParams.Greedy, [], 0));
    }

    [Fact]
    public void The_penalty_divides_positive_and_multiplies_negative_logits()
    {
        var sampler = new Sampler(3);
        SamplingParams penalty = SamplingParams.Greedy with { RepeatPenalty = 2 };
        Assert.Equal(1, sampler.Sample([4, 3, 0], penalty, [0b001], 0));
        Assert.Equal(1, sampler.Sample([-2, -3, -9], penalty, [0b001], 0));
        Assert.Equal(0, sampler.Sample([4, 3, 0], penalty, [0], 0));
    }

    [Fact]
    public void A_draw_depends_on_seed_and_position_alone()
    {
        float[] logits = RandomLogits(1, 500, 3);
        var one = new Sampler(500);
        var other = new Sampler(500);
        int[] forward = [.. Enumerable.Range(0, 50).Select(position => one.Sample([.. logits], Plain with { Seed = 9 }, [], position))];
        int[] backward = [.. Enumerable.Range(0, 50).Reverse().Select(position => other.Sample([.. logits], Plain with { Seed = 9 }, [], position)).Reverse()];
        Assert.Equal(forward, backward);
        Assert.NotEqual(forward, [.. Enumerable.Range(0, 50).Select(position => one.Sample([.. logits], Plain with { Seed = 10 }, [], position))]);
        Assert.True(forward.Distinct().Count() > 20);
    }

    [Fact]
    public void A_choice_allocates_nothing()
    {
        float[] logits = RandomLogits(2, 5000, 5), work = new float[5000];
        var sampler = new Sampler(5000);
        SamplingParams all = new() { Temperature = 0.8f, TopK = 100, TopP = 0.9f, MinP = 0.01f, RepeatPenalty = 1.1f };
        ulong[] seen = new ulong[79];
        for (int warm = 0; warm < 50; warm++) Choose(warm);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int position = 0; position < 100; position++) Choose(position);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Choose(int position)
        {
            logits.CopyTo(work, 0);
            sampler.Sample(work, all, seen, position);
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
}
