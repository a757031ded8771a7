namespace SeekSharp.Tokenization;

/// <summary>
/// <c>&lt;tool_call&gt;</c> JSON <c>&lt;/tool_call&gt;</c>. A block that is not well-formed is content up to the first end
/// marker in it, wherever that stands, and reading goes on behind it.
/// </summary>
/// <remarks>
/// Going back is still linear: a JSON object that runs on over an end marker has it inside a string, and of two objects that
/// begin on both sides of it, one has the quotes the other way round and fails at the next marker.
/// </remarks>
internal sealed class QwenCalls(PieceSink sink) : ToolCallParser(sink)
{
    private enum State { Text, Space, Json, AfterJson, Broken }

    private static readonly string[] Begin = [Markers.QwenBegin];
    private readonly JsonObjectScanner _json = new();
    private readonly Finder _end = new(Markers.QwenEnd);
    private State _state;
    private int _at;       // read up to here
    private int _block;    // where the block begins
    private int _jsonAt;   // where its object begins
    private RoutedToolCall? _call;

    protected override int Judged => _block;

    protected override void Read()
    {
        while (Step()) { }
    }

    private bool Step()
    {
        ReadOnlySpan<char> text = Text;
        switch (_state)
        {
            case State.Text:
                int place = Markers.Find(text, _at, Begin, IsFinal, out int which);
                Sink.Content(text[_at..place]);
                _at = _block = place;
                if (which < 0) return false;
                _at += Markers.QwenBegin.Length;
                _state = State.Space;
                return true;

            case State.Space:
                _jsonAt = _at = Markers.SkipSpace(text, _at);
                if (_at == text.Length) return IsFinal && Fail();
                _json.Reset();
                _state = State.Json;
                return true;

            case State.Json:
                ScanState scan = _json.Scan(text, ref _at);
                if (scan == ScanState.NeedsMore) return IsFinal && Fail();
                _call = scan == ScanState.Complete ? NamedCall(text[_jsonAt.._at], needsArguments: false) : null;
                if (_call is null) return Fail();
                _state = State.AfterJson;
                return true;

            case State.AfterJson:
                _at = Markers.SkipSpace(text, _at);
                bool isEnded = Markers.StandsAt(text, _at, Markers.QwenEnd);
                if (!isEnded && !Markers.IsCut(text, _at, Markers.QwenEnd)) return Fail();
                if (!isEnded && !IsFinal) return false;
                Sink.Call(_call!);
                return Resume(isEnded ? _at + Markers.QwenEnd.Length : text.Length);

            default: // Broken: content up to the end marker, also the part of one that has arrived
                int end = _end.Next(text, _block);
                int until = end < 0 ? text.Length : end + Markers.QwenEnd.Length;
                if (until > _at)
                {
                    Sink.Content(text[_at..until]);
                    _at = until;
                }
                if (end >= 0) return Resume(until);
                _block = Math.Max(_block, _at - Markers.QwenEnd.Length + 1);
                return false;
        }
    }

    /// <summary>The block is not well-formed: it is content from its beginning on.</summary>
    private bool Fail()
    {
        _at = _block;
        _state = State.Broken;
        return true;
    }

    private bool Resume(int at)
    {
        _at = _block = at;
        _state = State.Text;
        return true;
    }

    protected override void Shift(int count)
    {
        _at -= count;
        _block -= count;
        _jsonAt -= count;
        _end.Shift(count);
    }
}
