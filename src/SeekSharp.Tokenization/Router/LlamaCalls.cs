namespace SeekSharp.Tokenization;

/// <summary>
/// Llama's calls: the whole output, or what follows the first <c>&lt;|python_tag|&gt;</c>, begins with an object that has a name and
/// parameters; more of them may follow after <c>;</c>. Behind the last one, and where there is none, everything is content.
/// </summary>
internal sealed class LlamaCalls(PieceSink sink) : ToolCallParser(sink)
{
    private enum State { Start, Text, Space, Json, AfterCall, Plain }

    private static readonly string[] Tag = [Markers.PythonTag];
    private readonly JsonObjectScanner _json = new();
    private State _state;
    private int _from;     // content from here on, if nothing comes of what is being read
    private int _at;
    private int _jsonAt;
    private bool _isFirst = true;

    protected override int Judged => _from;

    protected override void Read()
    {
        while (Step()) { }
    }

    private bool Step()
    {
        ReadOnlySpan<char> text = Text;
        switch (_state)
        {
            case State.Start: // an object at the very start, or text
                _at = Markers.SkipSpace(text, _at);
                if (_at == text.Length) return IsFinal && Go(State.Plain);
                return Go(text[_at] == '{' ? State.Space : State.Text);

            case State.Text:
                int place = Markers.Find(text, _from, Tag, IsFinal, out int which);
                Sink.Content(text[_from..place]);
                _from = place;
                if (which < 0) return false;
                _at = place + Markers.PythonTag.Length;
                return Go(State.Space);

            case State.Space:
                _jsonAt = _at = Markers.SkipSpace(text, _at);
                if (_at < text.Length)
                {
                    _json.Reset();
                    return Go(State.Json);
                }
                if (!IsFinal) return false;
                if (!_isFirst) _from = _at; // a semicolon and nothing behind it
                return Go(State.Plain);

            case State.Json:
                ScanState scan = _json.Scan(text, ref _at);
                if (scan == ScanState.NeedsMore) return IsFinal && Go(State.Plain);
                if (scan == ScanState.Failed || NamedCall(text[_jsonAt.._at], needsArguments: true) is not { } call) return Go(State.Plain);
                Sink.Call(call);
                _isFirst = false;
                _from = _at;
                return Go(State.AfterCall);

            case State.AfterCall:
                _at = Markers.SkipSpace(text, _at);
                if (_at == text.Length) return IsFinal && Go(State.Plain);
                if (text[_at] != ';') return Go(State.Plain);
                _at++;
                return Go(State.Space);

            default: // Plain
                Sink.Content(text[_from..]);
                _from = text.Length;
                return false;
        }
    }

    private bool Go(State state)
    {
        _state = state;
        return true;
    }

    protected override void Shift(int count)
    {
        _from -= count;
        _at -= count;
        _jsonAt -= count;
    }
}
