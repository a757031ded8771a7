using System.Diagnostics;

namespace SeekSharp.Engine;

/// <summary>
/// An engine's steps on a thread of their own: it runs while there is work and sleeps otherwise. Requests come from any thread; each gets its tokens
/// through its <see cref="EngineRequest"/>. What goes wrong with one request ends that request, never the loop.
/// </summary>
internal sealed class EngineLoop : IDisposable
{
    private readonly LlmEngine _engine;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Lock _gate = new();
    private readonly List<EngineRequest> _incoming = []; // guarded by the gate
    private readonly List<EngineRequest> _live = [];     // the loop's
    private readonly List<Action> _actions = [];         // guarded by the gate: what is to be done between two steps
    private bool _closing;                               // guarded by the gate

    /// <param name="engine">Stays its owner's. Nobody else runs its steps.</param>
    public EngineLoop(LlmEngine engine)
    {
        _engine = engine;
        _thread = new Thread(Run) { IsBackground = true, Name = "SeekSharp engine" };
        _thread.Start();
    }

    /// <summary>Puts a sequence in the queue.</summary>
    /// <param name="sequence">Belongs to the engine from now on.</param>
    /// <param name="mostUnread">So many tokens may lie unread, at least 1; then the sequence rests.</param>
    /// <param name="onToken">Called with each token on the engine's thread, before the next one is chosen: it may force tokens or end the sequence.</param>
    /// <exception cref="EngineException">The prompt is longer than the context or holds an unknown id, the queue is full, or the engine is closed.</exception>
    public EngineRequest Submit(Sequence sequence, int mostUnread = 256, Action<int>? onToken = null)
    {
        _engine.Validate(sequence);
        var request = new EngineRequest(this, sequence, mostUnread, onToken);
        lock (_gate)
        {
            if (_closing) throw new EngineException(EngineRefusal.Closed, "the engine is closed");
            int most = _engine.Options.Scheduler.MaxWaiting;
            if (_incoming.Count + _engine.Waiting >= most) throw Scheduler.Full(most);
            _incoming.Add(request);
        }
        _wake.Set();
        return request;
    }

    /// <summary>Does something between two steps, on the engine's thread; what it throws is thrown to who awaits.</summary>
    /// <exception cref="EngineException">The engine is closed.</exception>
    public Task Between(Action action)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_closing) throw new EngineException(EngineRefusal.Closed, "the engine is closed");
            _actions.Add(() =>
            {
                try
                {
                    action();
                    done.SetResult();
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            });
        }
        _wake.Set();
        return done.Task;
    }

    /// <summary>There may be something to do.</summary>
    internal void Wake() => _wake.Set();

    /// <summary>Cancels what is under way and ends the thread.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_closing) return;
            _closing = true;
        }
        _wake.Set();
        _thread.Join(); // the event stays: a request that is read later may set it
    }

    private void Run()
    {
        int faults = 0;
        while (true)
        {
            bool closing = TakeIn();
            for (int i = _live.Count - 1; i >= 0; i--)
            {
                EngineRequest request = _live[i];
                if (request.Completion.IsCompleted) _live.RemoveAt(i);
                else if (request.IsCancelled || closing) request.Sequence.End(FinishReason.Cancelled);
            }
            bool worked;
            try
            {
                worked = _engine.Step();
                faults = 0;
            }
            catch (Exception e) // a fault of the engine's own: nobody is to wait for ever
            {
                foreach (EngineRequest request in _live)
                {
                    request.Sequence.Fail(e);
                    if (faults > 0) request.Ended(); // the engine cannot even let go of them
                }
                worked = faults++ == 0;
            }
            if (closing && !worked && _live.TrueForAll(static r => r.Completion.IsCompleted)) return;
            if (!worked && !closing) Sleep();
        }
    }

    // New requests enter the engine's queue, and what is to be done between steps is done. True when the loop shall end.
    private bool TakeIn()
    {
        lock (_gate)
        {
            foreach (EngineRequest request in _incoming)
            {
                _live.Add(request);
                try
                {
                    _engine.Add(request.Sequence);
                }
                catch (Exception e)
                {
                    request.Sequence.Fail(e);
                    request.Ended();
                }
            }
            _incoming.Clear();
            foreach (Action action in _actions) action();
            _actions.Clear();
            return _closing;
        }
    }

    private void Sleep()
    {
        long next = _engine.NextDeadline();
        if (next == long.MaxValue)
        {
            _wake.WaitOne();
            return;
        }
        double wait = (next - Stopwatch.GetTimestamp()) / (double)Stopwatch.Frequency * 1000 + 1;
        if (wait > 0) _wake.WaitOne((int)Math.Min(wait, int.MaxValue));
    }
}
