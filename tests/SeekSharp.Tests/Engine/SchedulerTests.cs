using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class SchedulerTests
{
    private static Sequence Prompt(int length) => new(new int[length], SamplingParams.Greedy);

    [Fact]
    public void A_long_prompt_goes_in_parts_and_only_the_last_one_chooses()
    {
        var scheduler = new Scheduler(longestPart: 100);
        Sequence sequence = Prompt(250);
        scheduler.Add(sequence);
        var parts = new List<(int, int, bool)>();
        while (sequence.Computed < 250)
        {
            ScheduledPart part = Assert.Single(scheduler.Schedule(_ => { }));
            parts.Add((part.Start, part.Count, part.Chooses));
            sequence.Computed += part.Count;
        }
        Assert.Equal([(0, 100, false), (100, 100, false), (200, 50, true)], parts);
    }

    [Fact]
    public void A_slow_model_gets_shorter_parts()
    {
        var scheduler = new Scheduler(longestPart: 512);
        Sequence sequence = Prompt(5000);
        scheduler.Add(sequence);
        scheduler.Learn(128, TimeSpan.FromSeconds(1));
        Assert.Equal(64, scheduler.Schedule(_ => { })[0].Count);
        scheduler.Learn(128, TimeSpan.FromSeconds(100));
        Assert.Equal(32, scheduler.Schedule(_ => { })[0].Count);
        scheduler.Learn(64, TimeSpan.FromMilliseconds(1));
        Assert.Equal(512, scheduler.Schedule(_ => { })[0].Count);
    }

    [Fact]
    public void Sequences_are_served_in_their_order_and_cancelled_ones_not_at_all()
    {
        var scheduler = new Scheduler(longestPart: 100);
        Sequence first = Prompt(5), second = Prompt(5), third = Prompt(5);
        foreach (Sequence s in new[] { first, second, third }) scheduler.Add(s);
        var admitted = new List<Sequence>();
        Assert.Same(first, scheduler.Schedule(admitted.Add)[0].Sequence);
        Assert.Same(first, scheduler.Schedule(admitted.Add)[0].Sequence);
        second.End(FinishReason.Cancelled);
        first.End(FinishReason.Stop);
        Assert.Same(third, scheduler.Schedule(admitted.Add)[0].Sequence);
        third.End(FinishReason.Stop);
        Assert.Empty(scheduler.Schedule(admitted.Add));
        Assert.Equal([first, third], admitted);
    }
}
