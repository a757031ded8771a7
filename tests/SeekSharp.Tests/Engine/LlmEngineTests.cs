using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class LlmEngineTests
{
    private static readonly SamplingParams Sampled = new() { Temperature = 1, TopP = 0.95f, Seed = 42, MaxTokens = 20 };

    private static LanguageModel Load(string name, ModelOptions? options = null)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/models/{name}"));
        return LanguageModel.Load(folder, (options ?? new ModelOptions()) with { Threads = 2, MultiTokenPrediction = false });
    }

    private static int[] Generate(LlmEngine engine, ReadOnlySpan<int> prompt, SamplingParams parameters, out Sequence sequence)
    {
        sequence = new Sequence(prompt, parameters);
        engine.Add(sequence);
        while (!sequence.IsFinished) Assert.True(engine.Step());
        return sequence.Generated.ToArray();
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen2")]
    [InlineData("llama3")]
    public void Greedy_continues_as_the_golden_does(string name)
    {
        var golden = GoldenFile.Open(Repository.Shared($"goldens/models/{name}/expected.safetensors"));
        using LanguageModel model = Load(name, new ModelOptions { Exact = true });
        using var engine = new LlmEngine(model);
        int[] expected = golden.Ints("greedy");
        Assert.Equal(expected, Generate(engine, golden.Ints("input_ids"), SamplingParams.Greedy with { MaxTokens = expected.Length }, out Sequence sequence));
        Assert.Equal(FinishReason.Length, sequence.Finish);
    }

    [Fact]
    public void Where_experts_are_read_as_they_are_needed_a_prompt_has_them_read_once()
    {
        using LanguageModel resident = Load("deepseek_v3"), model = Load("deepseek_v3", new ModelOptions { ExpertSlotBytes = 1 });
        using var expected = new LlmEngine(resident);
        using var engine = new LlmEngine(model);
        int[] prompt = [.. Enumerable.Range(0, 400).Select(i => i * 37 % 320)];
        int[] ids = Generate(expected, prompt, SamplingParams.Greedy with { MaxTokens = 1 }, out _);
        var sequence = new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = 1 });
        engine.Add(sequence);
        Assert.True(engine.Step());
        Assert.Equal(ids, sequence.Generated.ToArray());
        Assert.InRange(model.ExpertCounts!.Value.Asked, 1, model.Config.NRoutedExperts * model.Config.NumHiddenLayers); // once each
    }

    [Fact]
    public void A_second_sequence_takes_over_the_whole_blocks_that_it_shares()
    {
        using LanguageModel model = Load("deepseek_v3");
        using var engine = new LlmEngine(model);
        using var cold = new LlmEngine(model);
        int[] prompt = [.. Enumerable.Range(0, 120).Select(i => i * 37 % 320)];
        int[] answer = Generate(engine, prompt, Sampled, out Sequence first);
        Assert.Equal(0, first.CachedTokens);

        int[] second = [.. prompt, .. answer, 5, 6, 7];
        int[] warm = Generate(engine, second, Sampled, out Sequence resumed);
        Assert.Equal(128, resumed.CachedTokens); // two blocks; the second holds generated tokens too
        Assert.Equal(Generate(cold, second, Sampled, out _), warm);

        int[] other = [.. prompt[..70], 1, 2, 3];
        warm = Generate(engine, other, Sampled, out Sequence branched);
        Assert.Equal(64, branched.CachedTokens);
        cold.Clear();
        Assert.Equal(Generate(cold, other, Sampled, out _), warm);

        Generate(engine, second.AsSpan(0, 128), Sampled, out Sequence exact);
        Assert.Equal(64, exact.CachedTokens); // the last token is computed for its logits, and its block with it
        var stranger = new Sequence(second, Sampled) { Tenant = "another" };
        engine.Add(stranger);
        while (!stranger.IsFinished) engine.Step();
        Assert.Equal(0, stranger.CachedTokens);
    }

    /// <summary>What one sequence computes another may take over before it has begun to read: then, too, the prediction module needs the last token's hidden state.</summary>
    [Fact]
    public void With_a_prediction_module_blocks_can_be_taken_over_late()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/models/deepseek_v3_mtp"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2 });
        Assert.True(model.HasMultiTokenPrediction);
        using var engine = new LlmEngine(model, options: new EngineOptions { Scheduler = new SchedulerOptions { MaxTokens = 64 } });
        int[] prompt = [.. Enumerable.Range(0, 200).Select(i => i * 37 % 320)];
        Sequence[] both = [new(prompt, Sampled), new(prompt, Sampled)];
        foreach (Sequence s in both) engine.Add(s); // a step has room for one: the other waits with an empty cache
        while (!both.All(s => s.IsFinished)) Assert.True(engine.Step());
        Assert.All(both, s => Assert.Null(s.Error));
        Assert.Equal((0, 192), (both[0].CachedTokens, both[1].CachedTokens)); // all whole blocks: it follows the first
        Assert.Equal(both[0].Generated, both[1].Generated);
        engine.Clear();
        Assert.Equal(0, engine.Pool.Used);
    }

    [Fact]
    public void Draws_belong_to_positions_so_a_text_can_be_taken_up_anywhere()
    {
        using LanguageModel model = Load("qwen2");
        using var engine = new LlmEngine(model);
        int[] whole = Generate(engine, [1, 2, 3], Sampled, out _);
        engine.Clear();
        int[] rest = Generate(engine, [1, 2, 3, .. whole[..8]], Sampled with { MaxTokens = 12 }, out _);
        Assert.Equal(whole[8..], rest);
        Assert.NotEqual(whole, Generate(engine, [1, 2, 3], Sampled with { Seed = 43 }, out _));
    }

    [Fact]
    public void It_ends_at_an_end_token_at_the_limit_and_at_the_context()
    {
        using LanguageModel model = Load("qwen2", new ModelOptions { ContextLength = 16 });
        using var engine = new LlmEngine(model);
        int[] free = Generate(engine, [1, 2, 3], SamplingParams.Greedy, out Sequence toTheEnd);
        Assert.Equal(FinishReason.Length, toTheEnd.Finish);
        Assert.Equal(17, toTheEnd.Ids.Length); // sixteen computed, and what comes after them

        int end = free[4], at = Array.IndexOf(free, end);
        Assert.Equal(free[..(at + 1)], Generate(engine, [1, 2, 3], SamplingParams.Greedy with { StopTokenIds = [end] }, out Sequence stopped));
        Assert.Equal(FinishReason.Stop, stopped.Finish);
        Assert.Equal(free[..3], Generate(engine, [1, 2, 3], SamplingParams.Greedy with { MaxTokens = 3 }, out _));
        Assert.Single(Generate(engine, new int[16], SamplingParams.Greedy, out _));
    }

    [Fact]
    public void Prompts_that_cannot_be_are_refused()
    {
        using LanguageModel model = Load("qwen2", new ModelOptions { ContextLength = 16 });
        using var engine = new LlmEngine(model);
        Assert.Equal("the prompt has 17 tokens, the context 16", Assert.Throws<EngineException>(() => engine.Add(new Sequence(new int[17], SamplingParams.Greedy))).Message);
        Assert.Contains("320", Assert.Throws<EngineException>(() => engine.Add(new Sequence([1, 320], SamplingParams.Greedy))).Message);
        Assert.Throws<EngineException>(() => engine.Add(new Sequence([-1], SamplingParams.Greedy)));
        Assert.Throws<EngineException>(() => new Sequence([], SamplingParams.Greedy));
        Assert.False(engine.Step());
        using LanguageModel tooLong = Load("qwen2", new ModelOptions { ContextLength = 1_000_000 });
        Assert.Throws<EngineException>(() => new LlmEngine(tooLong));
    }

    [Fact]
    public void Forced_tokens_come_first_and_cancelled_sequences_leave_the_engine_well()
    {
        using LanguageModel model = Load("qwen2");
        using var engine = new LlmEngine(model);
        int[] plain = Generate(engine, [1, 2, 3], SamplingParams.Greedy with { MaxTokens = 4 }, out _);
        var forced = new Sequence([1, 2, 3], SamplingParams.Greedy with { MaxTokens = 4 });
        forced.Force([9, 8]);
        engine.Add(forced);
        while (!forced.IsFinished) engine.Step();
        Assert.Equal([9, 8], forced.Generated[..2].ToArray());

        var cancelled = new Sequence([1, 2, 3], SamplingParams.Greedy);
        engine.Add(cancelled);
        engine.Step();
        cancelled.End(FinishReason.Cancelled);
        Assert.False(engine.Step());
        Assert.Equal(plain, Generate(engine, [1, 2, 3], SamplingParams.Greedy with { MaxTokens = 4 }, out _));
    }

    [Fact]
    public void Ids_beyond_the_tokenizers_are_never_chosen()
    {
        using LanguageModel model = Load("qwen2");
        using var engine = new LlmEngine(model, vocabulary: 10);
        Assert.All(Generate(engine, [300, 301], Sampled with { Temperature = 5, TopP = 1, MaxTokens = 50 }, out _), id => Assert.InRange(id, 0, 9));
    }
}
