using System.Diagnostics;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>What a step costs beside the model. Not beside a test that listens to the meter: its callback would run, and allocate, on this test's thread.</summary>
[Collection(EngineMetricsTests.Listens)]
public sealed class EngineStepTests
{
    [Theory]
    [InlineData("gguf/llama_q4_0", 1)]
    [InlineData("gguf/deepseek_v3_q8_0", 1)]
    [InlineData("gguf/llama_q4_0", 24)]
    [InlineData("gguf/llama_q8_0", 64)]
    [InlineData("gguf/deepseek_v3_q8_0", 24)]
    [InlineData("deepseek_v3", 64)]
    [InlineData("qwen3_moe", 8)]
    [InlineData("deepseek_v3_mtp", 8, true)]
    public void A_steady_step_allocates_nothing(string name, int sequences, bool mtp = false)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1 }); // one thread: its allocations are all
        using var engine = new LlmEngine(model, options: new EngineOptions { Speculation = SpeculationOptions.None with { MultiTokenPrediction = mtp } });
        var all = new Sequence[sequences];
        for (int s = 0; s < sequences; s++)
        {
            int seed = s;
            int[] prompt = [.. Enumerable.Range(0, 66 + s % 3).Select(i => (seed * 31 + i * 7) % model.VocabularySize)];
            engine.Add(all[s] = new Sequence(prompt, s % 2 == 0 ? SamplingParams.Greedy : new SamplingParams { Temperature = 1, Seed = 1, TopK = 20, RepeatPenalty = s == 3 ? 1.1f : 1 }));
        }
        while (all.Min(s => s.Generated.Length) < 8) engine.Step(); // everybody writes
        int steps = (126 - all.Max(s => s.Ids.Length)) / (mtp ? 2 : 1); // no block becomes full, even if every guess held
        Assert.InRange(steps, 20, 60);
        long written = engine.Statistics.GeneratedTokens, held = engine.Speculated(DraftKind.Mtp).Accepted;
        long managed = GC.GetAllocatedBytesForCurrentThread(), native = NativeBuffer.AllocatedByThread;
        for (int i = 0; i < steps; i++) engine.Step();
        Assert.Equal((0, 0), (GC.GetAllocatedBytesForCurrentThread() - managed, NativeBuffer.AllocatedByThread - native));
        Assert.Equal(sequences, engine.Statistics.Running);
        Assert.Equal((long)steps * sequences + engine.Speculated(DraftKind.Mtp).Accepted - held, engine.Statistics.GeneratedTokens - written);
    }

    /// <summary>Scheduling 64 sequences, once it is warm, takes microseconds; the bound is for a busy machine. <c>bench --sequences</c> measures its share of a step.</summary>
    [Fact]
    public void The_scheduler_s_own_work_is_small()
    {
        KvLayout layout = KvLayout.Of(RouterTests.Config(1, 1, TopkMethod.Greedy, ScoringFunc.Softmax) with { NumKeyValueHeads = 1, HeadDim = 2 }, KvFormat.F32, 1);
        using var pool = new BlockPool(layout, 4000);
        var memory = new KvMemory(pool, _ => new KvCache(pool));
        var scheduler = new Scheduler(memory, new SchedulerOptions());
        for (int s = 0; s < 64; s++)
        {
            int seed = s;
            scheduler.Add(new Sequence([.. Enumerable.Range(0, 128).Select(i => seed * 1000 + i)], SamplingParams.Greedy));
        }
        var best = TimeSpan.MaxValue;
        for (int round = 0; round < 30; round++)
        {
            long began = Stopwatch.GetTimestamp();
            for (int i = 0; i < 50; i++)
            {
                IReadOnlyList<ScheduledPart> batch = scheduler.Schedule();
                for (int p = 0; p < batch.Count; p++)
                {
                    (Sequence s, int start, int count) = batch[p];
                    s.Cache!.Advance(count);
                    s.Computed += count;
                    memory.Publish(s);
                    if (s.Left == 0) s.Append(7, 1 << 20);
                }
                scheduler.Learn(batch, TimeSpan.FromMilliseconds(20));
            }
            TimeSpan time = Stopwatch.GetElapsedTime(began) / 50;
            if (time < best) best = time;
        }
        Assert.Equal(64, scheduler.Running);
        Assert.InRange(best.TotalMicroseconds, 0, 300);
    }
}
