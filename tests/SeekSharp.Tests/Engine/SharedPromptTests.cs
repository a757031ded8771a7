using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>Several answers to one prompt, asked for at once: it is computed once.</summary>
public sealed class SharedPromptTests
{
    [Theory]
    [InlineData("deepseek_v3", 512)]
    [InlineData("deepseek_v3", 48)] // in many steps
    [InlineData("deepseek_v3_mtp", 48)]
    [InlineData("qwen2", 100)]
    public void Followers_take_over_what_the_first_has_computed(string name, int step)
    {
        const int Count = 6, Length = 210, Shared = 192, Most = 20;
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/models/{name}"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2, ContextLength = 256 });
        using var engine = new LlmEngine(model, options: new EngineOptions { Scheduler = new SchedulerOptions { MaxTokens = step } });
        using var alone = new LlmEngine(model);
        int[] prompt = [.. Enumerable.Range(0, Length).Select(i => i * 37 % 320)];
        int[] other = [.. prompt[..100], .. Enumerable.Range(0, 60).Select(i => i * 11 % 320)]; // begins alike
        Sequence Choice(int i) => new(i < Count ? prompt : other, new SamplingParams { Temperature = 1, Seed = (ulong)i, MaxTokens = Most });

        Sequence[] together = [.. Enumerable.Range(0, Count + 1).Select(Choice)];
        foreach (Sequence s in together) engine.Add(s);
        while (together.Any(s => !s.IsFinished)) Assert.True(engine.Step());

        int again = model.HasMultiTokenPrediction ? 1 : 0; // the module needs the hidden state of the last shared token
        Assert.Equal([0, Shared, Shared, Shared, Shared, Shared, 64], together.Select(s => s.CachedTokens));
        Assert.Equal(Length + (Count - 1) * (Length - Shared + again) + other.Length - 64 + again, engine.Statistics.PromptTokens);
        for (int i = 0; i < together.Length; i++)
        {
            alone.Clear();
            Sequence s = Choice(i);
            alone.Add(s);
            while (!s.IsFinished) alone.Step();
            Assert.Null(together[i].Error);
            Assert.Equal(s.Generated.ToArray(), together[i].Generated.ToArray());
        }
    }

    [Fact]
    public void Who_is_followed_may_rest_or_go()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/models/qwen2"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1, ContextLength = 256 });
        using var engine = new LlmEngine(model, options: new EngineOptions { Scheduler = new SchedulerOptions { MaxTokens = 40 } });
        int[] prompt = [.. Enumerable.Range(0, 210).Select(i => i * 37 % 320)];
        Sequence[] s = [.. Enumerable.Range(0, 3).Select(i => new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = 5 }))];
        foreach (Sequence one in s) engine.Add(one);
        engine.Step();
        s[0].IsPaused = true;
        for (int i = 0; i < 3; i++) engine.Step();
        s[1].End(FinishReason.Cancelled);
        for (int i = 0; i < 100 && !s[2].IsFinished; i++) Assert.True(engine.Step());
        Assert.Equal(FinishReason.Length, s[2].Finish);
        s[0].IsPaused = false;
        for (int i = 0; i < 100 && !s[0].IsFinished; i++) Assert.True(engine.Step());
        Assert.Equal(s[2].Generated.ToArray(), s[0].Generated.ToArray());
    }
}
