using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>Several models on the same threads.</summary>
public sealed class ThreadBudgetTests
{
    private static LanguageModel Load(string name, ModelOptions options)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/models/{name}"));
        return LanguageModel.Load(folder, options with { ContextLength = 256, MultiTokenPrediction = false });
    }

    [Fact]
    public async Task Turns_are_taken_one_at_a_time_and_nobody_is_overtaken_by_the_same_one()
    {
        using var budget = new ThreadBudget(1);
        var members = new ThreadBudget.Member[3];
        for (int i = 0; i < members.Length; i++) members[i] = new ThreadBudget.Member(budget);
        int inside = 0;
        var order = new List<int>(); // only ever by whose turn it is
        members[0].Enter();          // the others come meanwhile, in any order
        Assert.False(members[0].IsContended);
        Task[] waiting = [.. Enumerable.Range(1, 2).Select(i => Task.Run(() =>
        {
            for (int round = 0; round < 50; round++)
            {
                members[i].Enter();
                Assert.Equal(1, Interlocked.Increment(ref inside));
                order.Add(i);
                Interlocked.Decrement(ref inside);
                members[i].Leave();
            }
        }))];
        for (int i = 0; i < 1000 && !members[0].IsContended; i++) await Task.Delay(1);
        Assert.True(members[0].IsContended);
        members[0].Leave();
        // Whoever gives its turn away while another waits gets the next one only after it: between two turns of one there is at least one of everybody who waits.
        for (int round = 0; round < 50; round++)
        {
            members[0].Enter();
            Assert.Equal(1, Interlocked.Increment(ref inside));
            order.Add(0);
            Interlocked.Decrement(ref inside);
            members[0].Leave();
        }
        await Task.WhenAll(waiting);
        Assert.Equal([50, 50, 50], Enumerable.Range(0, 3).Select(i => order.Count(o => o == i)));
        Assert.Equal(1 + 50, members[0].Turns);
        Assert.Contains(members[1..], m => m.Waited > 0);
    }

    [Fact]
    public async Task Who_waits_comes_before_who_has_just_had_a_turn()
    {
        using var budget = new ThreadBudget(1);
        var first = new ThreadBudget.Member(budget);
        var second = new ThreadBudget.Member(budget);
        for (int round = 0; round < 20; round++)
        {
            first.Enter();
            Task other = Task.Run(() =>
            {
                second.Enter();
                second.Leave();
            });
            for (int i = 0; i < 1000 && !first.IsContended; i++) await Task.Delay(1); // it stands in the queue
            long before = second.Turns;
            first.Leave();
            first.Enter(); // at once
            Assert.Equal(before + 1, second.Turns);
            first.Leave();
            await other;
        }
    }

    [Fact]
    public async Task Two_engines_at_work_take_no_more_threads_than_one_and_say_what_they_say_alone()
    {
        const int Sequences = 4, Tokens = 120;
        string[] names = ["deepseek_v3", "qwen2"];
        static Sequence Of(int engine, int i) => new([.. Enumerable.Range(0, 40 + 20 * i).Select(t => (engine * 53 + i * 7919 + t * 37) % 300)], new SamplingParams { Temperature = 1, Seed = (ulong)i, MaxTokens = Tokens });

        var alone = new int[2][][];
        for (int m = 0; m < 2; m++)
        {
            using LanguageModel model = Load(names[m], new ModelOptions { Threads = 1 });
            using var engine = new LlmEngine(model, vocabulary: 300);
            alone[m] = [.. Enumerable.Range(0, Sequences).Select(i =>
            {
                Sequence s = Of(m, i);
                engine.Add(s);
                while (!s.IsFinished) engine.Step();
                return s.Generated.ToArray();
            })];
        }

        using var budget = new ThreadBudget(2);
        using LanguageModel a = Load(names[0], new ModelOptions { Budget = budget }), b = Load(names[1], new ModelOptions { Budget = budget });
        Assert.Same(a.Pool, b.Pool);
        Assert.Equal((2, 2), (a.Threads, budget.Threads));
        using var engineA = new LlmEngine(a, vocabulary: 300);
        using var engineB = new LlmEngine(b, vocabulary: 300);
        int now = 0, most = 0;
        void Look(Sequence s, ReadOnlySpan<float> logits)
        {
            int count = Interlocked.Increment(ref now);
            for (int seen; count > (seen = Volatile.Read(ref most)) && Interlocked.CompareExchange(ref most, count, seen) != seen;) { }
            Thread.SpinWait(200);
            Interlocked.Decrement(ref now);
        }
        (engineA.LogitsSeen, engineB.LogitsSeen) = (Look, Look);
        using var loopA = new EngineLoop(engineA);
        using var loopB = new EngineLoop(engineB);
        EngineRequest[][] requests = [.. new[] { loopA, loopB }.Select((loop, m) => Enumerable.Range(0, Sequences).Select(i => loop.Submit(Of(m, i), mostUnread: 1000)).ToArray())];
        Task[] both = [.. requests.Select(r => Task.WhenAll(r.Select(x => x.Completion)))];
        Task first = await Task.WhenAny(both);
        int later = requests[first == both[0] ? 1 : 0].Sum(r => r.Sequence.Generated.Length);
        Assert.True(later > Sequences * Tokens / 10, $"when one was done the other had {later} of {Sequences * Tokens} tokens");
        await Task.WhenAll(both);
        for (int m = 0; m < 2; m++) Assert.Equal(alone[m], requests[m].Select(r => r.Sequence.Generated.ToArray()));
        Assert.InRange(most, 1, 2);
        Assert.True(a.Turns!.Waited > 0 && b.Turns!.Waited > 0, "they never met");
    }

    [Fact]
    public void A_model_that_goes_leaves_the_threads_to_the_others()
    {
        using var budget = new ThreadBudget(2);
        LanguageModel gone = Load("qwen2", new ModelOptions { Budget = budget });
        using LanguageModel stays = Load("qwen2", new ModelOptions { Budget = budget });
        gone.Dispose();
        float[] logits = new float[stays.VocabularySize];
        using KvCache cache = stays.CreateCache();
        stays.Forward(cache, [1, 2, 3], logits);
        Assert.Contains(logits, l => l != 0);
    }
}
