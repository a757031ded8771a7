using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

/// <summary>The engine from outside: many callers, slow readers, cancellation, faults.</summary>
public sealed class EngineLoopTests : IDisposable
{
    private readonly LanguageModel _model;
    private readonly LlmEngine _engine;
    private readonly EngineLoop _loop;

    public EngineLoopTests()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/models/deepseek_v3"));
        _model = LanguageModel.Load(folder, new ModelOptions { Threads = 2, ContextLength = 512 });
        _engine = new LlmEngine(_model, options: new EngineOptions { KvBytes = 1, Scheduler = new SchedulerOptions { MaxRunning = 8, MaxWaiting = 20 } });
        _loop = new EngineLoop(_engine);
    }

    public void Dispose()
    {
        _loop.Dispose();
        _engine.Dispose();
        _model.Dispose();
    }

    private static int[] Prompt(int seed, int length) => [.. Enumerable.Range(0, length).Select(i => (seed * 7919 + i * 37) % 320)];

    private static SamplingParams Sampled(int seed, int most) => new() { Temperature = 1, Seed = (ulong)seed, MaxTokens = most };

    private async Task<int[]> Generate(Sequence sequence)
    {
        var ids = new List<int>();
        await foreach (GeneratedToken token in _loop.Submit(sequence).ReadAsync()) ids.Add(token.Id);
        return [.. ids];
    }

    private void AssertNothingIsHeld()
    {
        EngineStatistics s = _engine.Statistics;
        Assert.Equal((0, 0), (s.Running, s.Waiting));
        Assert.Equal(s.BlocksUsed, s.BlocksIdle);
        _engine.Clear();
        Assert.Equal(0, _engine.Pool.Used);
    }

    [Fact]
    public async Task Together_each_says_what_it_says_alone()
    {
        // 9 blocks for 16 sequences of up to 4: there will be preemptions, too.
        int[][] alone = new int[16][];
        for (int i = 0; i < 16; i++)
        {
            alone[i] = await Generate(new Sequence(Prompt(i / 2, 60 + 10 * i), Sampled(i, 20 + 5 * i)));
            _engine.Clear();
        }
        int[][] together = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Generate(new Sequence(Prompt(i / 2, 60 + 10 * i), Sampled(i, 20 + 5 * i)))));
        Assert.Equal(alone, together);
        Assert.True(_engine.Statistics.Preemptions > 0, "memory was never short");
        AssertNothingIsHeld();
    }

    [Fact]
    public async Task Who_does_not_read_is_not_computed_and_holds_nobody_up()
    {
        EngineRequest unread = _loop.Submit(new Sequence(Prompt(1, 30), Sampled(1, 400)), mostUnread: 10);
        int[] other = await Generate(new Sequence(Prompt(2, 100), Sampled(2, 300)));
        Assert.Equal(300, other.Length);
        Assert.InRange(unread.Sequence.Generated.Length, 1, 10);
        int read = 0;
        await foreach (GeneratedToken token in unread.ReadAsync())
        {
            Assert.Equal(read++, token.Index);
            Assert.InRange(unread.Sequence.Generated.Length, read, read + 10);
        }
        Assert.Equal(400, read);
        await unread.Completion;
        AssertNothingIsHeld();
    }

    [Fact]
    public async Task Cancelled_requests_give_their_blocks_back()
    {
        var requests = new List<EngineRequest>();
        for (int i = 0; i < 20; i++) requests.Add(_loop.Submit(new Sequence(Prompt(i, 100), Sampled(i, 300)), onToken: null));
        await requests[0].WaitAsync();
        foreach (EngineRequest request in requests) request.Cancel();
        await Task.WhenAll(requests.Select(r => r.Completion)).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.All(requests, r => Assert.Equal(FinishReason.Cancelled, r.Sequence.Finish));
        using (var stop = new CancellationTokenSource())
        {
            EngineRequest read = _loop.Submit(new Sequence(Prompt(1, 10), Sampled(1, 300)));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (GeneratedToken _ in read.ReadAsync(stop.Token)) stop.Cancel();
            });
            await read.Completion.WaitAsync(TimeSpan.FromSeconds(10));
        }
        AssertNothingIsHeld();
    }

    [Fact]
    public async Task One_that_fails_fails_alone()
    {
        EngineRequest good = _loop.Submit(new Sequence(Prompt(1, 50), Sampled(1, 100)));
        EngineRequest bad = _loop.Submit(new Sequence(Prompt(2, 50), Sampled(2, 100)), onToken: _ => throw new InvalidOperationException("a fault of the reader's"));
        EngineRequest worse = _loop.Submit(new Sequence(Prompt(3, 50), Sampled(3, 100)) { Constraint = new Broken() });
        Assert.Contains("a fault of the reader's", (await Assert.ThrowsAsync<EngineException>(async () => { await foreach (GeneratedToken _ in bad.ReadAsync()) { } })).Message);
        Assert.Contains("a broken grammar", (await Assert.ThrowsAsync<EngineException>(async () => { await foreach (GeneratedToken _ in worse.ReadAsync()) { } })).Message);
        int count = 0;
        await foreach (GeneratedToken _ in good.ReadAsync()) count++;
        Assert.Equal(100, count);
        await good.Completion;
        AssertNothingIsHeld();
    }

    private sealed class Broken : TokenConstraint
    {
        public override bool FillMask(Span<uint> mask) => throw new FormatException("a broken grammar");
        public override void Accept(int id) { }
        public override void Rollback(int count) { }
    }

    [Fact]
    public async Task The_queue_is_bounded_and_deadlines_hold_in_it()
    {
        var requests = new List<EngineRequest>();
        EngineException full = Assert.Throws<EngineException>(() =>
        {
            for (int i = 0; i < 1000; i++) requests.Add(_loop.Submit(new Sequence(Prompt(i, 300), Sampled(i, 200)) { TimeLimit = TimeSpan.FromMilliseconds(300) }));
        });
        Assert.StartsWith("the queue is full: 20 requests", full.Message);
        await Task.WhenAll(requests.Select(r => r.Completion)).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Contains(requests, r => r.Sequence.Finish == FinishReason.Deadline);
        AssertNothingIsHeld();
        Assert.Throws<EngineException>(() => _loop.Submit(new Sequence(new int[513], SamplingParams.Greedy)));
    }

    [Fact]
    public async Task A_resting_request_s_deadline_holds_too()
    {
        EngineRequest unread = _loop.Submit(new Sequence(Prompt(1, 30), Sampled(1, 400)) { TimeLimit = TimeSpan.FromMilliseconds(100) }, mostUnread: 1);
        await unread.Completion.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(FinishReason.Deadline, unread.Sequence.Finish);
        AssertNothingIsHeld();
    }

    [Fact]
    public async Task Closing_ends_what_is_under_way()
    {
        EngineRequest request = _loop.Submit(new Sequence(Prompt(1, 30), Sampled(1, 400)), mostUnread: 400);
        await request.WaitAsync();
        await _loop.Between(() => Assert.Equal(1, _engine.Statistics.Running));
        _loop.Dispose();
        Assert.True(request.Completion.IsCompleted);
        Assert.Throws<EngineException>(() => _loop.Submit(new Sequence([1], SamplingParams.Greedy)));
        Assert.Throws<EngineException>(() => { _ = _loop.Between(() => { }); });
        AssertNothingIsHeld();
    }
}
