using SeekSharp.Planner;
using Xunit;

namespace SeekSharp.Tests.Planner;

/// <summary>The simulated bubbles beside the closed forms of DeepSeek-V3's table 2 (arXiv 2412.19437).</summary>
public sealed class PipelineScheduleTests
{
    [Theory]
    [InlineData(2, 2, 1, 2)]
    [InlineData(4, 9, 1, 2)]
    [InlineData(8, 20, 1.3, 2.9)]
    [InlineData(16, 120, 0.7, 1.1)]
    public void Bubble_of_1F1B_is_the_closed_form(int ranks, int batches, double f, double b)
    {
        PipelineRun run = PipelineSchedule.Create("1f1b", ranks, batches).Run(ChunkTimes.Uniform(ranks, f, b / 2, b / 2));
        Assert.Equal(PipelineBubbles.OneForwardOneBackward(ranks, f, b), run.Bubble, 9);
    }

    // The relation: the weights' part takes no longer than the inputs' part, nor than a forward chunk.
    [Theory]
    [InlineData(2, 4, 1, 1, 1)]
    [InlineData(4, 12, 1, 1.2, 0.8)]
    [InlineData(8, 20, 1.2, 1, 0.8)]
    [InlineData(8, 20, 1.5, 1, 1)]
    [InlineData(16, 120, 1, 1, 1)]
    [InlineData(16, 120, 1.1, 1.3, 0.9)]
    public void Bubble_of_ZB1P_is_the_closed_form(int ranks, int batches, double f, double input, double w)
    {
        PipelineRun run = PipelineSchedule.Create("zb1p", ranks, batches).Run(ChunkTimes.Uniform(ranks, f, input, w));
        Assert.Equal(PipelineBubbles.ZeroBubble(ranks, f, input + w, w), run.Bubble, 9);
    }

    // The relation: the inputs' part takes as long as a forward chunk, the weights' part no longer; a pair may take any time.
    [Theory]
    [InlineData(2, 4, 1, 1, 3)]
    [InlineData(4, 8, 1, 1, 3)]
    [InlineData(8, 20, 1, 1, 3)]
    [InlineData(16, 120, 1, 1, 3)]
    [InlineData(8, 20, 1, 1, 2.5)]
    [InlineData(16, 120, 1, 0.8, 2.5)]
    [InlineData(16, 120, 1.2, 1, 3)]
    public void Bubble_of_DualPipe_is_the_closed_form(int ranks, int batches, double f, double w, double pair)
    {
        PipelineRun run = PipelineSchedule.Create("dualpipe", ranks, batches).Run(ChunkTimes.Uniform(ranks, f, f, w, pair));
        Assert.Equal(PipelineBubbles.DualPipe(ranks, pair, f + w, w), run.Bubble, 9);
    }

    [Theory]
    [InlineData("1f1b", 8, 20, 1)]
    [InlineData("1f1b", 4, 12, 3)]
    [InlineData("zb1p", 8, 20, 1)]
    [InlineData("dualpipe", 8, 20, 1)]
    public void Every_chunk_runs_once_and_after_what_it_needs(string name, int ranks, int batches, int chunks)
    {
        PipelineSchedule schedule = PipelineSchedule.Create(name, ranks, batches, chunks);
        PipelineRun run = schedule.Run(ChunkTimes.Uniform(schedule.Stages, 1, 1, 1, transfer: 0.25));
        var forward = new Dictionary<(int Flow, int Batch, int Stage), double>();
        var backward = new Dictionary<(int Flow, int Batch, int Stage), double>();
        int weights = 0;
        foreach (TimedStep t in run.Steps)
        {
            PipelineStep s = t.Step;
            if (s.Op is PipelineOp.Forward or PipelineOp.ForwardBackward) Assert.True(forward.TryAdd((s.Flow, s.Batch, s.Stage), t.End));
            if (s.Op is PipelineOp.Backward or PipelineOp.BackwardInput) Assert.True(backward.TryAdd((s.Flow, s.Batch, s.Stage), t.End));
            if (s.Op == PipelineOp.ForwardBackward) Assert.True(backward.TryAdd((1 - s.Flow, s.OtherBatch, s.OtherStage), t.End));
            if (s.Op is PipelineOp.Backward or PipelineOp.BackwardWeights or PipelineOp.ForwardBackward) weights++;
        }
        Assert.Equal(batches * schedule.Stages, forward.Count);
        Assert.Equal(forward.Count, backward.Count);
        Assert.Equal(forward.Count, weights);
        foreach (KeyValuePair<(int Flow, int Batch, int Stage), double> chunk in forward)
        {
            (int flow, int batch, int stage) = chunk.Key;
            if (stage > 0) Assert.True(chunk.Value >= forward[(flow, batch, stage - 1)] + 1.25 - 1e-9);
            if (stage < schedule.Stages - 1) Assert.True(backward[chunk.Key] >= backward[(flow, batch, stage + 1)] + 1.25 - 1e-9);
            Assert.True(backward[chunk.Key] > chunk.Value);
        }
        for (int rank = 0; rank < ranks; rank++)
        {
            TimedStep[] own = [.. run.Steps.Where(s => s.Rank == rank)];
            for (int i = 1; i < own.Length; i++) Assert.True(own[i].Start >= own[i - 1].End - 1e-9, "a rank does one thing at a time");
        }
    }

    [Fact]
    public void Interleaving_divides_the_bubble_by_its_chunks()
    {
        double plain = PipelineSchedule.Create("1f1b", 8, 16).Run(ChunkTimes.Uniform(8, 4, 4, 4)).Bubble;
        double interleaved = PipelineSchedule.Create("1f1b", 8, 16, 4).Run(ChunkTimes.Uniform(32, 1, 1, 1)).Bubble;
        Assert.Equal(plain / 4, interleaved, 9);
    }

    [Theory]
    [InlineData("dualpipe", 7, 20)]
    [InlineData("dualpipe", 8, 15)]
    [InlineData("dualpipe", 8, 14)]
    [InlineData("gpipe", 8, 16)]
    public void What_cannot_run_is_refused(string name, int ranks, int batches) => Assert.Throws<PlannerException>(() => PipelineSchedule.Create(name, ranks, batches));
}
