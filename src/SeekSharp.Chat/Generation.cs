using System.Diagnostics;
using System.Text;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Chat;

/// <summary>What to generate from.</summary>
internal sealed record GenerationRequest
{
    /// <summary>Ids of the prompt.</summary>
    public required int[] Prompt { get; init; }
    /// <summary>The prompt ends in an open <c>&lt;think&gt;</c>.</summary>
    public bool OpensThinking { get; init; }
    public required SamplingParams Sampling { get; init; }
    /// <summary>What changes the model for this answer; null for nothing.</summary>
    public LoraAdapter? Adapter { get; init; }
    /// <summary>Texts that end the answer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];
    /// <summary>After that many tokens of reasoning its closing tag is forced; null for no limit.</summary>
    public int? ThinkBudget { get; init; }
    public required ToolFormat ToolFormat { get; init; }
    /// <summary>Whose text it is: prefixes are shared within a tenant only.</summary>
    public string Tenant { get; init; } = "";
    /// <summary>What the answer may be; null for anything. It belongs to this answer. The answer ends where nothing can follow.</summary>
    public GrammarConstraint? Constraint { get; init; }
    /// <summary>The answer begins with these ids, whatever the model says.</summary>
    public int[] First { get; init; } = [];
    /// <summary>Everything is content: no thinking and no tool calls are looked for.</summary>
    public bool IsPlain { get; init; }
    /// <summary>The answer ends after its first tool call.</summary>
    public bool OneToolCall { get; init; }
    /// <summary>Tokens that the engine may be ahead of the reader, at least 1.</summary>
    public int MostUnread { get; init; } = 4;
    /// <summary>When the request came, as <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long Began { get; init; } = Stopwatch.GetTimestamp();
}

/// <summary>A generated token with its log probability, where they were asked for.</summary>
/// <param name="Chosen">The token.</param>
/// <param name="Best">The most probable ones at its place, the best first.</param>
/// <param name="IsReasoning">It was thought.</param>
internal sealed record TokenReport(TokenLogProbability Chosen, TokenLogProbability[] Best, bool IsReasoning);

/// <summary>
/// One answer in the making: token ids become text, stop strings end it, the router parts it. All this happens on the engine's thread, before the next token is chosen;
/// <see cref="Step"/> and <see cref="StepAsync"/> wait for news and fill <see cref="Pieces"/> with what is new. For one reader.
/// </summary>
internal sealed class Generation
{
    private readonly ChatModel _model;
    private readonly GenerationRequest _request;
    private readonly Sequence _sequence; // the engine's until its end
    private readonly EngineRequest _running;
    private readonly List<RoutedPiece> _pending = []; // what the engine's thread has made and nobody has taken; also its lock
    private readonly List<TokenReport> _pendingTokens = []; // likewise
    private readonly Queue<(long Start, TokenReport Report)> _heldTokens = new(); // their text is not given out yet: it may be a stop string's
    private long _pushed, _released; // letters of the text
    private readonly TokenStream? _stream; // null without a tokenizer
    private readonly StopStrings _stops;
    private readonly StreamRouter _router;
    private readonly StringBuilder _text = new(), _reasoning = new(), _content = new();
    private readonly List<ToolCall> _calls = [];
    private readonly long _submitted = Stopwatch.GetTimestamp();
    private long _firstToken, _lastToken;
    private int _reasoningTokens;
    private bool _closingForced;

    /// <exception cref="EngineException">The prompt is empty, too long or holds an unknown id; a sampling value is out of range.</exception>
    public Generation(ChatModel model, GenerationRequest request)
    {
        if (request.ThinkBudget < 0) throw new EngineException($"think-budget must be at least 0, not {request.ThinkBudget}");
        _model = model;
        _request = request;
        _sequence = new Sequence(request.Prompt, request.Sampling) { Adapter = request.Adapter, Tenant = request.Tenant, Constraint = request.Constraint };
        _stream = model.Tokenizer?.CreateStream();
        _stops = new StopStrings(request.Stop);
        _router = new StreamRouter(request.ToolFormat, request.OpensThinking);
        _sequence.Force(request.First);
        SpendBudget();
        _running = model.Loop.Submit(_sequence, request.MostUnread, Take);
    }

    /// <summary>What has come since the step before the last one, in the order of the text.</summary>
    public List<RoutedPiece> Pieces { get; } = [];
    /// <summary>The tokens behind <see cref="Pieces"/>, where log probabilities were asked for.</summary>
    public List<TokenReport> Tokens { get; } = [];
    /// <summary>Tool calls so far, with their ids.</summary>
    public IReadOnlyList<ToolCall> ToolCalls
    {
        get
        {
            lock (_pending) return [.. _calls];
        }
    }
    public bool IsFinished { get; private set; }
    /// <summary>Tokens of the prompt that are computed or were in the cache.</summary>
    public int PromptLength => _sequence.PromptLength;
    public int PromptDone => _running.PromptDone;

    /// <summary>Waits until the engine has got on. False when the answer is complete; the last step may still give pieces.</summary>
    /// <exception cref="EngineException">The engine could not go on with it.</exception>
    public bool Step()
    {
        if (IsFinished) return false;
        Pieces.Clear();
        Tokens.Clear();
        _running.WaitForNews();
        return Drain();
    }

    /// <summary>As <see cref="Step"/>, for tokens only.</summary>
    /// <exception cref="EngineException">The engine could not go on with it.</exception>
    public async ValueTask<bool> StepAsync(CancellationToken cancel = default)
    {
        if (IsFinished) return false;
        Pieces.Clear();
        Tokens.Clear();
        if (!await _running.WaitAsync(cancel).ConfigureAwait(false)) await _running.Completion.ConfigureAwait(false);
        return Drain();
    }

    /// <summary>Ends the answer where it is.</summary>
    public void Cancel()
    {
        if (IsFinished) return;
        Pieces.Clear();
        Tokens.Clear();
        _running.Cancel();
        _running.Completion.GetAwaiter().GetResult();
        Complete();
    }

    /// <summary>Nobody wants the answer any more; returns at once.</summary>
    public void Abandon()
    {
        if (IsFinished) return;
        IsFinished = true;
        _running.Cancel();
    }

    /// <summary>Everything about the answer, complete or not.</summary>
    public Answer Result()
    {
        int generated = _sequence.Generated.Length, computed = _sequence.PromptLength - _sequence.CachedTokens;
        bool began = generated > 0;
        TimeSpan prompt = began ? Stopwatch.GetElapsedTime(_submitted, _firstToken) : TimeSpan.Zero;
        TimeSpan decode = began ? Stopwatch.GetElapsedTime(_firstToken, _lastToken) : TimeSpan.Zero;
        return new Answer
        {
            Ids = _sequence.Generated.ToArray(),
            Text = _text.ToString(),
            Reasoning = _reasoning.ToString(),
            Content = _content.ToString(),
            ToolCalls = ToolCalls,
            FinishReason = _sequence.Finish switch
            {
                FinishReason.Length => "length",
                FinishReason.Cancelled => "cancelled",
                FinishReason.Deadline => "deadline",
                _ => _calls.Count > 0 ? "tool_calls" : "stop",
            },
            Usage = new(_sequence.PromptLength, _sequence.CachedTokens, generated, _reasoningTokens),
            Timings = new(prompt, began ? Stopwatch.GetElapsedTime(_request.Began, _firstToken) : TimeSpan.Zero, decode, Rate(computed, prompt), Rate(generated - 1, decode)),
        };

        static double Rate(int tokens, TimeSpan time) => tokens > 0 && time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;
    }

    // On the engine's thread.
    private void Take(int id)
    {
        _lastToken = Stopwatch.GetTimestamp();
        if (_firstToken == 0) _firstToken = _lastToken;
        if (_sequence.Finish == FinishReason.Stop) return; // an end token is no text
        bool thinking = _router.IsThinking;
        string text = _stream?.Push(id) ?? "";
        Report(thinking);
        _pushed += text.Length;
        Route(_stops.Push(text));
        ReleaseReports();
        if (thinking && _router.IsThinking && !_closingForced) _reasoningTokens++; // a forced tag of several tokens is no thought
        if (_stops.Found is not null) _sequence.End(FinishReason.Stop, replace: true);
        else if (_request.Constraint is { IsComplete: true } || _request.OneToolCall && _calls.Count > 0) _sequence.End(FinishReason.Stop, replace: true);
        else SpendBudget();
    }

    private void Report(bool thinking)
    {
        if (_sequence.LogProbabilities is not { } log) return;
        int index = _sequence.Generated.Length - 1;
        _heldTokens.Enqueue((_pushed, new TokenReport(log.Chosen(index), log.Best(index).ToArray(), thinking)));
    }

    // A token is reported when some of its text is given out; one that is all a stop string's is not.
    private void ReleaseReports()
    {
        while (_heldTokens.TryPeek(out (long Start, TokenReport Report) held) && (_released > held.Start || _released == _pushed && _stops.Found is null))
        {
            _heldTokens.Dequeue();
            lock (_pending) _pendingTokens.Add(held.Report);
        }
    }

    private void SpendBudget()
    {
        if (_closingForced || _request.ThinkBudget is not { } budget || !_router.IsThinking || _reasoningTokens < budget) return;
        _closingForced = true;
        _sequence.Force(_model.ThinkCloseIds);
    }

    private bool Drain()
    {
        bool ended = _running.Completion.IsCompleted; // asked first: what comes before the end is not missed
        while (_running.TryRead(out _)) { }
        TakePending();
        if (ended) Complete();
        return !IsFinished;
    }

    private void TakePending()
    {
        lock (_pending)
        {
            Pieces.AddRange(_pending);
            _pending.Clear();
            Tokens.AddRange(_pendingTokens);
            _pendingTokens.Clear();
        }
    }

    // The sequence has ended: everything is the reader's now.
    private void Complete()
    {
        IsFinished = true;
        if (_sequence.Finish == FinishReason.Failed) _running.ThrowIfFailed();
        if (_stops.Found is null)
        {
            string rest = _stream?.Flush() ?? "";
            _pushed += rest.Length;
            Route(_stops.Push(rest));
            if (_stops.Found is null) Route(_stops.Flush());
            ReleaseReports();
        }
        Note(_router.Finish());
        TakePending();
    }

    private void Route(string text)
    {
        if (text.Length == 0) return;
        _released += text.Length;
        _text.Append(text);
        if (_request.IsPlain) Note([new RoutedPiece(RoutedKind.Content, text)]);
        else Note(_router.Push(text));
    }

    private void Note(IReadOnlyList<RoutedPiece> pieces)
    {
        foreach (RoutedPiece piece in pieces)
        {
            lock (_pending) _pending.Add(piece);
            if (piece.Kind == RoutedKind.Reasoning) _reasoning.Append(piece.Text);
            else if (piece.Kind == RoutedKind.Content) _content.Append(piece.Text);
            else if (piece.ToolCall is { } call)
                lock (_pending) _calls.Add(new($"call_{Guid.NewGuid():N}"[..29], call.Name, call.Arguments));
        }
    }
}
