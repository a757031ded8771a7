using System.Diagnostics;
using System.Text;
using SeekSharp.Engine;
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
    /// <summary>Texts that end the answer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];
    /// <summary>After that many tokens of reasoning its closing tag is forced; null for no limit.</summary>
    public int? ThinkBudget { get; init; }
    public required ToolFormat ToolFormat { get; init; }
    /// <summary>When the request came, as <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long Began { get; init; } = Stopwatch.GetTimestamp();
}

/// <summary>
/// One answer in the making: token ids become text, stop strings end it, the router parts it. Each <see cref="Step"/> is one step of the engine
/// and fills <see cref="Pieces"/> with what is new.
/// </summary>
internal sealed class Generation
{
    private readonly ChatModel _model;
    private readonly GenerationRequest _request;
    private readonly Sequence _sequence;
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
        _sequence = new Sequence(request.Prompt, request.Sampling);
        _stream = model.Tokenizer?.CreateStream();
        _stops = new StopStrings(request.Stop);
        _router = new StreamRouter(request.ToolFormat, request.OpensThinking);
        model.Engine.Add(_sequence);
        SpendBudget();
    }

    /// <summary>What the last step gave out, in the order of the text.</summary>
    public List<RoutedPiece> Pieces { get; } = [];
    /// <summary>Tool calls so far, with their ids.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => _calls;
    public bool IsFinished { get; private set; }
    /// <summary>Tokens of the prompt that are computed or were in the cache.</summary>
    public int PromptLength => _sequence.PromptLength;
    public int PromptDone => Math.Min(_sequence.Computed, _sequence.PromptLength);

    /// <summary>One step of the engine. False when the answer is complete; the last step may still give pieces.</summary>
    public bool Step()
    {
        if (IsFinished) return false;
        Pieces.Clear();
        int before = _sequence.Generated.Length;
        try
        {
            _model.Engine.Step();
        }
        catch
        {
            _sequence.End(FinishReason.Cancelled); // the engine must not run it again
            IsFinished = true;
            throw;
        }
        if (_sequence.Generated.Length > before) Take(_sequence.Generated[^1]);
        if (_sequence.IsFinished) Complete();
        return !IsFinished;
    }

    /// <summary>Ends the answer where it is.</summary>
    public void Cancel()
    {
        if (IsFinished) return;
        Pieces.Clear();
        _sequence.End(FinishReason.Cancelled);
        Complete();
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
            ToolCalls = _calls,
            FinishReason = _sequence.Finish switch
            {
                FinishReason.Length => "length",
                FinishReason.Cancelled => "cancelled",
                _ => _calls.Count > 0 ? "tool_calls" : "stop",
            },
            Usage = new(_sequence.PromptLength, _sequence.CachedTokens, generated, _reasoningTokens),
            Timings = new(prompt, began ? Stopwatch.GetElapsedTime(_request.Began, _firstToken) : TimeSpan.Zero, decode, Rate(computed, prompt), Rate(generated - 1, decode)),
        };

        static double Rate(int tokens, TimeSpan time) => tokens > 0 && time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;
    }

    private void Take(int id)
    {
        _lastToken = Stopwatch.GetTimestamp();
        if (_firstToken == 0) _firstToken = _lastToken;
        if (_sequence.Finish == FinishReason.Stop) return; // an end token is no text
        bool thinking = _router.IsThinking;
        Route(_stops.Push(_stream?.Push(id) ?? ""));
        if (thinking && _router.IsThinking && !_closingForced) _reasoningTokens++; // a forced tag of several tokens is no thought
        if (_stops.Found is not null) _sequence.End(FinishReason.Stop, replace: true);
        else SpendBudget();
    }

    private void SpendBudget()
    {
        if (_closingForced || _request.ThinkBudget is not { } budget || !_router.IsThinking || _reasoningTokens < budget) return;
        _closingForced = true;
        _sequence.Force(_model.ThinkCloseIds);
    }

    private void Complete()
    {
        IsFinished = true;
        if (_stops.Found is null)
        {
            Route(_stops.Push(_stream?.Flush() ?? ""));
            if (_stops.Found is null) Route(_stops.Flush());
        }
        Note(_router.Finish());
    }

    private void Route(string text)
    {
        if (text.Length == 0) return;
        _text.Append(text);
        Note(_router.Push(text));
    }

    private void Note(IReadOnlyList<RoutedPiece> pieces)
    {
        foreach (RoutedPiece piece in pieces)
        {
            Pieces.Add(piece);
            if (piece.Kind == RoutedKind.Reasoning) _reasoning.Append(piece.Text);
            else if (piece.Kind == RoutedKind.Content) _content.Append(piece.Text);
            else if (piece.ToolCall is { } call) _calls.Add(new($"call_{Guid.NewGuid():N}"[..29], call.Name, call.Arguments));
        }
    }
}
