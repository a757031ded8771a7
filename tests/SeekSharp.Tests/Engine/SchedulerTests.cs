using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>The scheduler alone: no model, only its decisions and the blocks.</summary>
public sealed class SchedulerTests
{
    /// <summary>A pool of tiny blocks, and steps that take no time: what is scheduled counts as computed.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly BlockPool _pool;
        public KvMemory Memory { get; }
        public Scheduler Scheduler { get; }

        public Bench(int blocks, SchedulerOptions? options = null, (double A, double B, double C)? cost = null)
        {
            KvLayout layout = KvLayout.Of(RouterTests.Config(1, 1, TopkMethod.Greedy, ScoringFunc.Softmax) with { NumKeyValueHeads = 1, HeadDim = 2 }, KvFormat.F32, 1);
            _pool = new BlockPool(layout, blocks);
            Memory = new KvMemory(_pool, _ => new KvCache(_pool));
            Scheduler = new Scheduler(Memory, options ?? new SchedulerOptions());
            if (cost is { } c) Teach(c);
        }

        public BlockPool Pool => _pool;

        private void Teach((double A, double B, double C) c)
        {
            foreach (int n in (int[])[1, 2, 8, 16, 64, 512])
                foreach (int depth in (int[])[0, 1000, 30000])
                {
                    double work = StepCost.Work(depth, n);
                    for (int i = 0; i < 30; i++) Scheduler.Cost.Learn(n, work, c.A + c.B * n + c.C * work);
                }
        }

        public Sequence Add(int length, int priority = 0, int seed = 0, int most = 1000, string tenant = "")
        {
            var sequence = new Sequence([.. Enumerable.Range(0, length).Select(i => seed * 100_000 + i)], SamplingParams.Greedy with { MaxTokens = most }) { Priority = priority, Tenant = tenant };
            Scheduler.Add(sequence);
            return sequence;
        }

        /// <summary>One step: everything that was scheduled is computed, and whoever reached its end gets a token.</summary>
        public List<(Sequence Sequence, int Start, int Count)> Step()
        {
            var parts = Scheduler.Schedule().Select(p => (p.Sequence, p.Start, p.Count)).ToList();
            foreach ((Sequence s, int start, int count) in parts)
            {
                bool chooses = start + count == s.Ids.Length;
                s.Cache!.Advance(count);
                s.Computed += count;
                Memory.Publish(s);
                if (chooses) s.Append(1_000_000 + s.Ids.Length, 1 << 20);
                if (s.IsFinished) Scheduler.Retire(s);
            }
            return parts;
        }

        public void Dispose() => _pool.Dispose();
    }

    [Fact]
    public void A_long_prompt_goes_in_parts_and_only_the_last_one_chooses()
    {
        using var bench = new Bench(100, new SchedulerOptions { MaxTokens = 100 });
        Sequence sequence = bench.Add(250);
        var parts = new List<(int, int)>();
        while (sequence.Generated.IsEmpty) parts.Add(bench.Step().Select(p => (p.Start, p.Count)).Single());
        Assert.Equal([(0, 100), (100, 100), (200, 50)], parts);
    }

    [Fact]
    public void Who_decodes_gets_a_row_in_every_step_while_prompts_are_read()
    {
        // 10 ms a step and 1 ms a token: with someone decoding, about 89 tokens of a prompt fit into 100 ms.
        using var bench = new Bench(1000, cost: (0.01, 0.001, 0));
        Sequence talker = bench.Add(10, seed: 1);
        bench.Step();
        Sequence reader = bench.Add(5000, seed: 2);
        while (reader.Generated.IsEmpty)
        {
            var step = bench.Step();
            Assert.Equal(talker, step[0].Sequence);
            Assert.Equal(1, step[0].Count);
            Assert.InRange(step[1].Count, Math.Min(80, 5000 - step[1].Start), 90);
        }
    }

    [Fact]
    public void No_step_is_longer_than_promised_however_deep_the_prompt()
    {
        (double A, double B, double C) cost = (0.02, 0.0015, 4e-8);
        using var bench = new Bench(1000, cost: cost);
        bench.Add(10, seed: 1, most: 100_000);
        bench.Step();
        Sequence reader = bench.Add(30_000, seed: 2);
        int steps = 0;
        for (; reader.Generated.IsEmpty; steps++)
        {
            double seconds = cost.A + bench.Step().Sum(p => cost.B * p.Count + cost.C * StepCost.Work(p.Start, p.Count));
            Assert.InRange(seconds, 0.05, 0.11);
        }
        Assert.InRange(steps, 100, 2000);
    }

    [Fact]
    public void A_slow_model_gets_shorter_parts_and_none_outruns_experience()
    {
        using var bench = new Bench(1000, new SchedulerOptions { PartWhileReading = 8 });
        Sequence sequence = bench.Add(5000);
        Assert.InRange(bench.Step().Single().Count, 8, 128); // nothing is known yet
        bench.Scheduler.Cost.Learn(64, StepCost.Work(0, 64), 6.4);
        Assert.InRange(bench.Step().Single().Count, 8, 16); // a tenth of a second a token
        for (int i = 0; i < 60; i++) bench.Scheduler.Cost.Learn(64, StepCost.Work(0, 64), 1e-3);
        Assert.InRange(bench.Step().Single().Count, 200, 256); // at most four times as much as ever before
    }

    [Fact]
    public void A_slow_model_s_parts_are_worth_the_reading_of_its_weights_while_nobody_writes()
    {
        using var bench = new Bench(1000, new SchedulerOptions { PartWhileReading = 96 }, (0, 0.1, 0)); // a tenth of a second a token
        Sequence first = bench.Add(500, seed: 1);
        bench.Step();
        Assert.Equal(96, bench.Step().Single().Count);
        while (first.Generated.IsEmpty) bench.Step();
        bench.Add(1000, seed: 2);
        var step = bench.Step();
        Assert.Equal((first, 1), (step[0].Sequence, step[0].Count));
        Assert.InRange(step[1].Count, 8, 16);
    }

    [Fact]
    public void Parts_worth_reading_take_whatever_time_they_take_unless_somebody_decodes()
    {
        using var bench = new Bench(1000, new SchedulerOptions { PartWhileReading = 512 });
        Sequence first = bench.Add(1100, seed: 1);
        Assert.Equal(512, bench.Step().Single().Count);
        bench.Scheduler.Cost.Learn(512, StepCost.Work(0, 512), 100);
        Assert.Equal(512, bench.Step().Single().Count);
        Assert.Equal(76, bench.Step().Single().Count);
        Assert.False(first.Generated.IsEmpty);
        bench.Add(1000, seed: 2);
        var step = bench.Step();
        Assert.Equal((first, 1), (step[0].Sequence, step[0].Count));
        Assert.InRange(step[1].Count, 8, 300);
    }

    [Fact]
    public void Two_prompts_share_the_tokens_that_a_part_may_have()
    {
        using var bench = new Bench(1000, new SchedulerOptions { PartWhileReading = 128 }, (0, 0.1, 0)); // a tenth of a second a token
        Sequence first = bench.Add(1000, seed: 1), second = bench.Add(500, seed: 2);
        bench.Step();
        var step = bench.Step();
        Assert.Equal([(second, 64), (first, 64)], step.Select(p => (p.Sequence, p.Count)));
    }

    [Fact]
    public void A_short_prompt_does_not_wait_for_the_end_of_a_long_one()
    {
        using var bench = new Bench(1000, cost: (0.01, 0.001, 0));
        bench.Add(20_000, seed: 1);
        bench.Step();
        Sequence second = bench.Add(100, seed: 2);
        bench.Step();
        bench.Step();
        Assert.False(second.Generated.IsEmpty);
    }

    [Fact]
    public void Priorities_go_first_and_cancelled_ones_not_at_all()
    {
        using var bench = new Bench(100, new SchedulerOptions { MaxRunning = 1 });
        Sequence first = bench.Add(5, seed: 1, most: 1), cancelled = bench.Add(5, seed: 2), low = bench.Add(5, priority: -1, seed: 3, most: 1), third = bench.Add(5, seed: 4, most: 1), high = bench.Add(5, priority: 1, seed: 5, most: 1);
        cancelled.End(FinishReason.Cancelled);
        var order = new List<Sequence>();
        while (bench.Step() is { Count: > 0 } step) order.AddRange(step.Select(p => p.Sequence));
        Assert.Equal([high, first, third, low], order);
        Assert.Equal(0, bench.Pool.Used - bench.Memory.Prefixes.Count);
    }

    [Fact]
    public void The_queue_is_bounded()
    {
        using var bench = new Bench(100, new SchedulerOptions { MaxRunning = 1, MaxWaiting = 2 });
        bench.Add(5);
        bench.Step();
        bench.Add(5);
        bench.Add(5);
        Assert.Equal("the queue is full: 2 requests wait already", Assert.Throws<EngineException>(() => bench.Add(5)).Message);
    }

    [Fact]
    public void A_deadline_ends_a_sequence_where_it_is_and_its_blocks_come_back()
    {
        using var bench = new Bench(100, new SchedulerOptions { MaxRunning = 1 });
        var running = new Sequence(new int[100], SamplingParams.Greedy) { TimeLimit = TimeSpan.FromMilliseconds(30) };
        var waiting = new Sequence(new int[100], SamplingParams.Greedy) { TimeLimit = TimeSpan.FromMilliseconds(20) };
        bench.Scheduler.Add(running);
        bench.Scheduler.Add(waiting);
        bench.Step();
        Assert.Equal((1, 1), (bench.Scheduler.Running, bench.Scheduler.Waiting));
        Thread.Sleep(40);
        Assert.Empty(bench.Step());
        Assert.Equal((FinishReason.Deadline, FinishReason.Deadline), (running.Finish, waiting.Finish));
        bench.Memory.Prefixes.Clear();
        Assert.Equal(0, bench.Pool.Used);
    }

    [Fact]
    public void Short_of_memory_the_last_one_goes_and_comes_back_without_losing_a_token()
    {
        using var bench = new Bench(5);
        Sequence a = bench.Add(100, seed: 1, most: 150), b = bench.Add(100, seed: 2, most: 60);
        int[] bTokens = [];
        bool preempted = false;
        for (int i = 0; i < 1000 && !(a.IsFinished && b.IsFinished); i++)
        {
            bench.Step();
            Assert.True(b.Generated.Length >= bTokens.Length && b.Generated[..bTokens.Length].SequenceEqual(bTokens));
            bTokens = b.Generated.ToArray();
            preempted |= b.Preemptions > 0;
            Assert.Equal(0, a.Preemptions);
        }
        Assert.True(preempted);
        Assert.Equal((150, 60), (a.Generated.Length, b.Generated.Length));
        bench.Memory.Prefixes.Clear();
        Assert.Equal((0, 0, 0), (bench.Pool.Used, bench.Memory.Prefixes.Count, bench.Memory.Prefixes.IdleCount));
    }

    [Fact]
    public void A_higher_priority_takes_the_memory_of_a_lower_one()
    {
        using var bench = new Bench(4);
        Sequence low = bench.Add(200, seed: 1, most: 10);
        bench.Step();
        Sequence high = bench.Add(200, priority: 1, seed: 2, most: 10);
        bench.Step();
        Assert.Equal((1, 0), (low.Preemptions, high.Preemptions));
        while (!low.IsFinished) Assert.NotEmpty(bench.Step());
        Assert.True(high.IsFinished);
    }

    [Fact]
    public void Equal_prompts_that_come_together_are_computed_once()
    {
        using var bench = new Bench(100, new SchedulerOptions { MaxTokens = 128 });
        Sequence[] all = [.. Enumerable.Range(0, 4).Select(_ => bench.Add(640, most: 1))];
        int computed = 0;
        while (!all.All(s => s.IsFinished)) computed += bench.Step().Sum(p => p.Count);
        Assert.InRange(computed, 640, 640 + 4 * 128);
        Assert.All(all[1..], s => Assert.True(s.CachedTokens >= 448, $"{s.CachedTokens}"));
    }

    [Fact]
    public void Who_is_not_read_rests_and_yields()
    {
        using var bench = new Bench(4);
        Sequence unread = bench.Add(100, seed: 1);
        bench.Step();
        unread.IsPaused = true;
        Assert.Empty(bench.Step());
        Sequence other = bench.Add(180, seed: 2, most: 5);
        while (!other.IsFinished) Assert.NotEmpty(bench.Step());
        Assert.Equal(1, unread.Preemptions);
        Assert.Empty(bench.Step());
        unread.IsPaused = false;
        Assert.Equal(unread, bench.Step().Single().Sequence);
    }
}
