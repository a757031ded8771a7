using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace SeekSharp.Engine;

/// <summary>A generated token.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Index">Its place among the generated ones, from 0.</param>
internal readonly record struct GeneratedToken(int Id, int Index);

/// <summary>
/// A sequence that an <see cref="EngineLoop"/> runs, seen from outside: its tokens as they come, how far it is, and its end. So many tokens may lie unread;
/// then the sequence rests until somebody reads. Safe for several threads, but one reader.
/// </summary>
internal sealed class EngineRequest : SequenceObserver
{
    private readonly EngineLoop _loop;
    private readonly Action<int>? _onToken;
    private readonly int _most;
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly object _news = new();
    private int _unread, _version;
    private volatile bool _cancelled;

    internal EngineRequest(EngineLoop loop, Sequence sequence, int mostUnread, Action<int>? onToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostUnread, 1);
        (_loop, Sequence, _most, _onToken) = (loop, sequence, mostUnread, onToken);
        sequence.Observer = this;
    }

    /// <summary>The sequence. Until <see cref="Completion"/> it belongs to the engine: only what says so may be read.</summary>
    public Sequence Sequence { get; }

    /// <summary>Ends, without an error, when the sequence has: then its blocks are given back, and <see cref="Sequence"/> is the caller's.</summary>
    public Task Completion => _ended.Task;

    /// <summary>Tokens of the prompt that are computed.</summary>
    public int PromptDone { get; private set; }

    internal bool IsCancelled => _cancelled;

    /// <summary>The tokens as they come. Whoever stops reading cancels.</summary>
    /// <exception cref="EngineException">The sequence failed, or the engine was closed.</exception>
    public async IAsyncEnumerable<GeneratedToken> ReadAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        try
        {
            while (await WaitAsync(cancel).ConfigureAwait(false))
                while (TryRead(out GeneratedToken token)) yield return token;
        }
        finally
        {
            Cancel();
        }
    }

    /// <summary>True when there is a token to read, false when there will be none any more.</summary>
    /// <exception cref="EngineException">The sequence failed.</exception>
    public async ValueTask<bool> WaitAsync(CancellationToken cancel = default)
    {
        if (await _tokens.Reader.WaitToReadAsync(cancel).ConfigureAwait(false)) return true;
        ThrowIfFailed();
        return false;
    }

    /// <summary>Takes the next token if it is there.</summary>
    public bool TryRead(out GeneratedToken token)
    {
        if (!_tokens.Reader.TryRead(out token)) return false;
        if (Interlocked.Decrement(ref _unread) == _most / 2 && Sequence.IsPaused)
        {
            Sequence.IsPaused = false;
            _loop.Wake();
        }
        return true;
    }

    /// <summary>Blocks until something has happened since the last call: a token, a part of the prompt, the end.</summary>
    public void WaitForNews()
    {
        lock (_news)
        {
            while (_version == 0) Monitor.Wait(_news);
            _version = 0;
        }
    }

    /// <summary>Ends the sequence as cancelled, within one step; if it has not ended already.</summary>
    public void Cancel()
    {
        if (_ended.Task.IsCompleted) return;
        _cancelled = true;
        _loop.Wake();
    }

    /// <summary>Throws what the sequence failed with.</summary>
    public void ThrowIfFailed()
    {
        if (Sequence.Finish == FinishReason.Failed)
            throw Sequence.Error is EngineException known ? new EngineException(EngineRefusal.Failed, known.Message) : new EngineException(EngineRefusal.Failed, $"the request failed: {Sequence.Error?.Message}");
    }

    public override void Advanced(int id)
    {
        PromptDone = Math.Min(Sequence.Computed, Sequence.PromptLength);
        if (id >= 0)
        {
            _onToken?.Invoke(id);
            if (Interlocked.Increment(ref _unread) >= _most)
            {
                Sequence.IsPaused = true;
                Interlocked.MemoryBarrier(); // else the reader may not see it yet, and the line below not yet what he has read: then nobody would take it back
            }
            if (Volatile.Read(ref _unread) <= _most / 2) Sequence.IsPaused = false; // the reader was quicker than the line above
            _tokens.Writer.TryWrite(new(id, Sequence.Generated.Length - 1));
        }
        Tell();
    }

    public override void Ended()
    {
        _tokens.Writer.TryComplete();
        _ended.TrySetResult();
        Tell();
    }

    private void Tell()
    {
        lock (_news)
        {
            _version++;
            Monitor.Pulse(_news);
        }
    }
}
