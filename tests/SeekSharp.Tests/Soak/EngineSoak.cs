using System.Collections.Concurrent;
using System.Diagnostics;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Soak;

/// <summary>
/// One engine with little memory and a bad disk for a while. Requests of all kinds (<see cref="SoakRequest"/>) arrive in bursts; the weights change (to what they are: texts stay the same), the
/// prefix cache is forgotten, the disk fails (<see cref="DiskTrouble"/>). Every few seconds the arrivals stop: then everybody must end, every block that is held must be
/// the prefix cache's, and none be left when that is forgotten. One in five texts is compared with what its request becomes alone.
/// </summary>
internal sealed class EngineSoak : IDisposable
{
    private const int MostFailures = 10, MostCallers = 120;
    private static readonly TimeSpan Hopeless = TimeSpan.FromMinutes(1), Patience = TimeSpan.FromSeconds(30);

    private readonly string _name;
    private readonly Random _random;
    private readonly SoakModel _alone;
    private readonly SoakModel _model;
    private readonly LanguageModel? _draft;
    private readonly DiskTrouble _disk;
    private readonly LlmEngine _engine;
    private readonly EngineLoop _loop;
    private readonly ConcurrentDictionary<string, int> _counts = [];
    private readonly ConcurrentQueue<string> _failures = [];
    private readonly ConcurrentDictionary<Sequence, SoakRequest> _live = [];
    private readonly List<int[]> _texts = []; // guarded by itself
    private int _callers, _mostRunning, _mostBlocks;

    public EngineSoak(string name, int seed, int threads, bool draftModel)
    {
        _name = name;
        _random = new Random(seed);
        (_model, _alone, _disk) = (new SoakModel(name, threads), new SoakModel(name, 1), new DiskTrouble(seed));
        if (draftModel)
        {
            using ModelFolder folder = ModelFolder.Open(Golden.File(name));
            _draft = LanguageModel.Load(folder, new ModelOptions { Threads = 1, ContextLength = 512, Exact = true }); // agrees mostly, not always
        }
        _engine = new LlmEngine(_model.Model, options: new EngineOptions
        {
            KvBytes = 14 * _model.Model.KvBlockBytes(_model.Model.HasMultiTokenPrediction), // of 9 that one text may take
            Scheduler = new SchedulerOptions { MaxRunning = 12, MaxWaiting = 40, MaxTokens = 128 },
            Speculation = new SpeculationOptions { DraftModel = _draft, MostDrafted = 6 },
            Disk = _disk.Tier,
            ModelIdentity = name,
        });
        _loop = new EngineLoop(_engine);
    }

    /// <summary>What should not have happened.</summary>
    public IReadOnlyCollection<string> Failures => _failures;

    public async Task Run(TimeSpan length)
    {
        long began = Stopwatch.GetTimestamp();
        bool late = false;
        while (_failures.Count < MostFailures)
        {
            // A slow machine gets the time that it needs.
            late = Stopwatch.GetElapsedTime(began) >= length;
            if (late && (MuchHappened || Stopwatch.GetElapsedTime(began) > length + Patience)) break;
            var calls = new List<Task>();
            long burst = Stopwatch.GetTimestamp();
            double pause = Math.Pow(10, 2.5 * _random.NextDouble()) / 10; // milliseconds between two arrivals: 0.1 to 30
            while (Stopwatch.GetElapsedTime(burst).TotalSeconds < 3 && (late || Stopwatch.GetElapsedTime(began) < length))
            {
                if (Volatile.Read(ref _callers) < MostCallers)
                {
                    SoakRequest request;
                    lock (_texts) request = SoakRequest.Draw(_random, _texts);
                    bool compared = _random.Next(5) == 0;
                    int leaves = _random.Next(200);
                    Interlocked.Increment(ref _callers);
                    calls.Add(Task.Run(() => Call(request, compared, leaves)));
                }
                if (_random.Next(20) == 0) await Meddle();
                _mostRunning = Math.Max(_mostRunning, _engine.Statistics.Running);
                _mostBlocks = Math.Max(_mostBlocks, _engine.Pool.Used);
                await Task.Delay(TimeSpan.FromMilliseconds(pause * 2 * _random.NextDouble()));
            }
            await Rest(calls, forget: _random.Next(3) == 0);
        }
        await Rest([], forget: true);
    }

    /// <summary>What happened, in a few lines.</summary>
    public string Report()
    {
        EngineStatistics s = _engine.Statistics;
        DiskTierStatistics d = _disk.Statistics;
        string Drafts(DraftKind kind) => $"{_engine.Speculated(kind).Accepted:N0} of {_engine.Speculated(kind).Proposed:N0}";
        return $"{_name}: {string.Join(", ", _counts.OrderBy(c => c.Key).Select(c => $"{c.Key} {c.Value:N0}"))}\n"
            + $"  {s.Steps:N0} steps, {s.PromptTokens:N0} tokens read, {s.CachedTokens:N0} from the cache, {s.GeneratedTokens:N0} generated, {s.Preemptions:N0} preemptions, at most {_mostRunning} at once, {_mostBlocks} of {s.Blocks} blocks used, {s.BlocksUsed} now\n"
            + $"  guesses that held: looked up {Drafts(DraftKind.Lookup)}, module's {Drafts(DraftKind.Mtp)}, model's {Drafts(DraftKind.Model)}\n"
            + $"  disk: {d.Written:N0} blocks written, {d.Read:N0} read, {d.Evicted:N0} evicted, {d.Corrupt:N0} found corrupt; opened {_disk.Opened:N0} times, {_disk.Warnings:N0} warnings; {string.Join(", ", _disk.Done.Select(c => $"{c.Key} {c.Value:N0}"))}\n"
            + $"  failures: {_failures.Count}";
    }

    /// <summary>A soak in which nothing happens shows nothing.</summary>
    /// <param name="all">It was long: everything must have happened.</param>
    public void AssertThatMuchHappened(bool all)
    {
        EngineStatistics s = _engine.Statistics;
        Assert.True(s.BlocksUsed == 0 && MuchHappened, Report());
        if (!all) return;
        DiskTierStatistics d = _disk.Statistics;
        Assert.True(d.Written > 0 && d.Read > 0 && d.Corrupt > 0 && d.Evicted > 0 && _disk.Opened > 1 && _disk.Done.Count >= 7, Report());
        foreach (string what in (string[])["ended: Stop", "ended: Length", "ended: Cancelled", "ended: Deadline", "ended: Failed", "queue full", "weights changed", "cache forgotten"]) Assert.True(Count(what) > 0, what);
        Assert.True(_engine.Speculated(DraftKind.Lookup).Accepted > 0 && _engine.Speculated(_draft is null ? DraftKind.Mtp : DraftKind.Model).Accepted > 0, Report());
    }

    private bool MuchHappened => _engine.Statistics is { Preemptions: > 0, CachedTokens: > 0 } && Count("compared alone") > 0 && Count("rests") > 0;

    private int Count(string what) => _counts.GetValueOrDefault(what);

    private void Happened(string what) => _counts.AddOrUpdate(what, 1, static (_, n) => n + 1);

    private Task Between(Action action) => _loop.Between(action).WaitAsync(Hopeless);

    // Something happens to the engine, between two of its steps.
    private async Task Meddle()
    {
        switch (_random.Next(12))
        {
            case 0:
                await Between(() => _engine.ChangeWeights(() => { }));
                Happened("weights changed");
                break;
            case 1:
                await Between(_engine.Clear);
                Happened("cache forgotten");
                break;
            case 2:
                await Assert.ThrowsAsync<FormatException>(() => Between(() => throw new FormatException()));
                Happened("actions that failed");
                break;
            default:
                _disk.Cause();
                await Between(() =>
                {
                    if (_disk.Reopen()) _engine.Prefixes.Disk = _disk.Tier;
                });
                break;
        }
    }

    // Nobody arrives: everybody ends, and every block is accounted for.
    private async Task Rest(List<Task> calls, bool forget)
    {
        try
        {
            await Task.WhenAll(calls).WaitAsync(Hopeless);
        }
        catch (TimeoutException)
        {
            foreach ((Sequence q, SoakRequest request) in _live)
                _failures.Enqueue($"{_name} hangs: {request}: {q.Finish}, rests {q.IsPaused}, {q.Generated.Length} tokens generated, {q.Computed} of {q.Ids.Length} computed, {q.Preemptions} preemptions");
        }
        await Between(() =>
        {
            EngineStatistics s = _engine.Statistics;
            if (s is not { Running: 0, Waiting: 0 } || s.BlocksUsed != s.BlocksIdle) _failures.Enqueue($"{_name}: at rest something is held: {s}");
            if (!forget) return; // the next burst may know the texts of this one
            _engine.Clear();
            if (_engine.Pool.Used != 0) _failures.Enqueue($"{_name}: blocks lost: {_engine.Statistics}");
        });
        Happened("rests");
    }

    private async Task Call(SoakRequest request, bool compared, int leaves)
    {
        Sequence sequence = request.Make(_model.Adapters, alone: false);
        Happened("requests");
        try
        {
            _live[sequence] = request;
            EngineRequest call = _loop.Submit(sequence, mostUnread: request.Caller is SoakCaller.NeverReads or SoakCaller.ReadsSlowly ? 8 : 256, onToken: _ => request.OnToken(sequence));
            await Read(call, request, leaves);
            await call.Completion.WaitAsync(Hopeless);
            Happened($"ended: {sequence.Finish}");
            if (sequence.Preemptions > 0) Happened("preempted");
            if (request.Adapter > 0) Happened("with an adapter");
            if (request.Grammar is not null) Happened("with a grammar");
            if (sequence.Finish == FinishReason.Failed && !(request.MustFail && sequence.Error is InvalidOperationException { Message: SoakRequest.Fault }))
                _failures.Enqueue($"{_name}: {request}: {sequence.Error}");
            lock (_texts)
            {
                if (_texts.Count < 32) _texts.Add(sequence.Ids.ToArray());
                else _texts[sequence.Ids.Length % 32] = sequence.Ids.ToArray();
            }
            if (compared) Compare(request, sequence);
        }
        catch (EngineException e) when (e.Refusal == EngineRefusal.QueueFull)
        {
            Happened("queue full");
        }
        catch (Exception e)
        {
            _failures.Enqueue($"{_name}: {request}: {sequence.Finish}, {_engine.Statistics}: {e}");
        }
        finally
        {
            _live.TryRemove(sequence, out _);
            Interlocked.Decrement(ref _callers);
        }
    }

    private static async Task Read(EngineRequest call, SoakRequest request, int leaves)
    {
        switch (request.Caller)
        {
            case SoakCaller.NeverReads or SoakCaller.LeavesAnyTime:
                await Task.Delay(leaves);
                call.Cancel();
                return;
            case SoakCaller.Leaves:
                await foreach (GeneratedToken token in call.ReadAsync())
                    if (token.Index + 1 >= request.At) break;
                return;
        }
        try
        {
            await foreach (GeneratedToken token in call.ReadAsync())
                if (request.Caller == SoakCaller.ReadsSlowly && token.Index % 4 == 0) await Task.Delay(2);
        }
        catch (EngineException) when (request.MustFail) { }
    }

    // A text that was cut off must be the beginning of the one alone; one that ended by itself, all of it, with the same end.
    private void Compare(SoakRequest request, Sequence found)
    {
        if (found.Finish == FinishReason.Failed || found.Generated.IsEmpty) return;
        bool whole = found.Finish is FinishReason.Stop or FinishReason.Length;
        Sequence alone = request.Make(_alone.Adapters, alone: true);
        _alone.RunAlone(alone, whole ? int.MaxValue : found.Generated.Length, _ => request.OnToken(alone));
        if (!found.Generated.SequenceEqual(alone.Generated[..Math.Min(found.Generated.Length, alone.Generated.Length)]) || (whole && (alone.Generated.Length != found.Generated.Length || alone.Finish != found.Finish)))
            _failures.Enqueue($"{_name}: {request} (preempted {found.Preemptions} times, {found.CachedTokens} cached): alone [{string.Join(' ', alone.Generated.ToArray())}] {alone.Finish}, together [{string.Join(' ', found.Generated.ToArray())}] {found.Finish}; prompt [{string.Join(' ', request.Prompt)}]");
        Happened("compared alone");
    }

    public void Dispose()
    {
        _loop.Dispose();
        _engine.Dispose();
        _draft?.Dispose();
        _model.Dispose();
        _alone.Dispose();
        _disk.Dispose();
    }
}
