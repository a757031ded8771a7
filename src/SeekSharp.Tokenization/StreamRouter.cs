namespace SeekSharp.Tokenization;

/// <summary>
/// Parts a model's output into reasoning, tool calls and content while it arrives. The joined result is the same wherever the text
/// is cut, and every part is given out as soon as nothing that may follow can change it.
/// </summary>
/// <remarks>
/// <para>Thinking is open from the start if the prompt opened it, or if the output begins with <c>&lt;think&gt;</c>; the first
/// <c>&lt;/think&gt;</c> ends it, and a text without one is all reasoning. If a tool call's marker appears in the thinking, what follows is held
/// back: it is reasoning if the thinking is closed later, and if it never is, the well-formed calls in it still count.</para>
/// <para>A call is given out when it is complete: its name is not empty and its arguments are one JSON object. What looks like a
/// call and is none is content, with its markers. White space means space, tab, CR and LF: it is dropped around the
/// reasoning, and at the end of the content if there was a call. The rules follow the parsers of vLLM and SGLang.</para>
/// <para>Time is linear in the text, whatever it holds; memory is what must be held back.</para>
/// </remarks>
public sealed class StreamRouter
{
    private enum State { Start, Thinking, Held, Closed, Body }

    private readonly ToolFormat _format;
    private readonly bool _promptOpensThink;
    private readonly string[] _marks; // what ends thinking for certain, then what may
    private readonly Finder _close = new(Markers.ThinkClose);
    private readonly PieceSink _sink;
    private readonly ToolCallParser _body;
    private readonly List<RoutedPiece> _pieces = [];

    private char[] _held = [];
    private int _length, _at;
    private int _spaceEnd; // of the white space at the very start
    private State _state;
    private char _highSurrogate; // the last character pushed, when its other half is still to come
    private bool _isFinished;

    /// <summary>Creates a router for one output.</summary>
    /// <param name="format">How the model writes tool calls.</param>
    /// <param name="promptOpensThink">Whether the prompt ended in an open <c>&lt;think&gt;</c> (<see cref="ThinkTags.OpensThinking"/>).</param>
    public StreamRouter(ToolFormat format, bool promptOpensThink)
    {
        _format = format;
        _promptOpensThink = promptOpensThink;
        _marks = format switch
        {
            ToolFormat.None => [Markers.ThinkClose],
            ToolFormat.Qwen => [Markers.ThinkClose, Markers.QwenBegin],
            ToolFormat.Llama3 => [Markers.ThinkClose, Markers.PythonTag],
            _ => [Markers.ThinkClose, Markers.SectionBegin, Markers.CallBegin],
        };
        _sink = new PieceSink(trimsContent: format != ToolFormat.None);
        _body = ToolCallParser.For(format, _sink);
        bool thinks = format is not (ToolFormat.DeepSeekV3 or ToolFormat.Llama3);
        _state = thinks ? State.Start : promptOpensThink ? State.Thinking : State.Body;
    }

    /// <summary>Whether thinking is open: what comes next is reasoning, as far as is known.</summary>
    public bool IsThinking => _state is State.Thinking or State.Held || _state == State.Start && _promptOpensThink;

    /// <summary>Takes the next part of the output, cut anywhere.</summary>
    /// <returns>What is certain now, in order. The list is used again by the next call.</returns>
    /// <exception cref="InvalidOperationException"><see cref="Finish"/> has been called.</exception>
    public IReadOnlyList<RoutedPiece> Push(ReadOnlySpan<char> text)
    {
        if (_isFinished) throw new InvalidOperationException("the output is finished");
        _pieces.Clear();
        if (text.IsEmpty) return _pieces;
        if (_highSurrogate != 0)
        {
            Take([_highSurrogate, text[0]]);
            _highSurrogate = '\0';
            text = text[1..];
        }
        if (!text.IsEmpty && char.IsHighSurrogate(text[^1]))
        {
            _highSurrogate = text[^1];
            text = text[..^1];
        }
        Take(text);
        _sink.Drain(_pieces);
        return _pieces;
    }

    /// <summary>The output is complete: gives out what was held back.</summary>
    /// <returns>The last pieces. A second call gives none.</returns>
    public IReadOnlyList<RoutedPiece> Finish()
    {
        _pieces.Clear();
        if (_isFinished) return _pieces;
        if (_highSurrogate != 0) Take([_highSurrogate]);
        _isFinished = true;
        Read();
        if (_state is State.Held) Recover();
        if (_state is not (State.Thinking or State.Held)) _body.Finish();
        _sink.Drain(_pieces);
        return _pieces;
    }

    private void Take(ReadOnlySpan<char> text)
    {
        if (_state == State.Body)
        {
            _body.Push(text);
            return;
        }
        if (_length + text.Length > _held.Length) Array.Resize(ref _held, Math.Max(256, (int)Math.Min(Array.MaxLength, 2L * (_length + text.Length))));
        text.CopyTo(_held.AsSpan(_length));
        _length += text.Length;
        Read();
        if (_at < _length - _at) return;
        Array.Copy(_held, _at, _held, 0, _length - _at);
        _length -= _at;
        _close.Shift(_at);
        _at = 0;
    }

    /// <summary>Reads up to the body, which then takes over.</summary>
    private void Read()
    {
        while (_state != State.Body && Step(_held.AsSpan(0, _length))) { }
    }

    private bool Step(ReadOnlySpan<char> text)
    {
        switch (_state)
        {
            case State.Start: // white space and one opening tag, even if the prompt has opened the thinking already
                int start = _spaceEnd = Markers.SkipSpace(text, _spaceEnd);
                bool isTag = Markers.StandsAt(text, start, Markers.ThinkOpen);
                if (!isTag && !_isFinished && Markers.IsCut(text, start, Markers.ThinkOpen)) return false;
                if (isTag) _at = start + Markers.ThinkOpen.Length;
                return isTag || _promptOpensThink ? Go(State.Thinking) : EnterBody(text);

            case State.Thinking:
                int place = Markers.Find(text, _at, _marks, _isFinished, out int which);
                _sink.Reasoning(text[_at..place]);
                _at = place;
                if (which < 0) return false;
                return which == 0 ? Close(place) : Go(State.Held);

            case State.Held:
                int close = _close.Next(text, _at);
                if (close < 0) return false;
                _sink.Reasoning(text[_at..close]);
                return Close(close);

            default: // Closed: white space behind the closing tag is dropped
                _at = Markers.SkipSpace(text, _at);
                return (_at < text.Length || _isFinished) && EnterBody(text);
        }
    }

    private bool Close(int at)
    {
        _sink.EndReasoning();
        _at = at + Markers.ThinkClose.Length;
        return Go(State.Closed);
    }

    private bool EnterBody(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> rest = text[_at..];
        _at = text.Length;
        _body.Push(rest);
        return Go(State.Body);
    }

    /// <summary>The thinking was never closed: it ended at the first marker if at least one well-formed call follows.</summary>
    private void Recover()
    {
        ReadOnlySpan<char> rest = _held.AsSpan(_at, _length - _at);
        var trial = new PieceSink(trimsContent: true);
        ToolCallParser parser = ToolCallParser.For(_format, trial);
        parser.Push(rest);
        parser.Finish();
        if (trial.Calls > 0)
        {
            _sink.EndReasoning();
            _sink.Take(trial);
        }
        else _sink.Reasoning(rest);
        _at = _length;
    }

    private bool Go(State state)
    {
        _state = state;
        return true;
    }
}
