using System.Runtime.InteropServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// DeepSeek's calls, alone or several in a section. V3 and R1: <c>BEGIN TYPE SEP NAME</c>, a <c>```json</c> fence around the
/// arguments, <c>END</c>; V3.1: <c>BEGIN NAME SEP ARGUMENTS END</c>.
/// </summary>
/// <remarks>
/// A call that is not well-formed ends behind the first end marker after its beginning, wherever that stands (without one in
/// all the text, before the section's end), and is content; if a section has no well-formed call at all, the whole of it is. Until
/// that is known, the text is held. Going back to an end marker inside a broken call is still linear: searches for
/// markers remember what they have seen (<see cref="Finder"/>), the reading behind a separator is kept for the next call that finds the
/// same separator, and an object that runs on over markers has them inside its strings, where an object that begins behind them would have its quotes
/// the other way round.
/// </remarks>
internal sealed class DeepSeekCalls(PieceSink sink, bool isFenced) : ToolCallParser(sink)
{
    private enum State { Text, Section, Call, Broken }

    private enum Part { Separator, Name, Space, Json, Fence, End, Failed }

    private static readonly string[] Begins = [Markers.SectionBegin, Markers.CallBegin];
    private static readonly string[] SectionEnds = [Markers.SectionEnd];
    private const string SpecialBegin = "<｜", FenceBegin = "\n```json\n", FenceEnd = "```";

    private readonly JsonObjectScanner _json = new();
    private readonly Finder _separator = new(Markers.CallSeparator), _special = new(SpecialBegin), _fence = new(FenceBegin);
    private readonly Finder _callEnd = new(Markers.CallEnd), _sectionEnd = new(Markers.SectionEnd);
    private readonly List<(int Start, int End)> _broken = []; // broken calls of a section without a good one yet

    private State _state;
    private int _at;             // judged, or emitted, up to here
    private int _section;        // where the section begins
    private bool _hasGoodCall;   // in this section
    private int _call;           // where the call begins

    // The reading of the call; it hangs on the place behind its separator alone, and stays for another call with the same one.
    private Part _part;
    private int _parsedSeparator = -1;
    private int _nameAt, _parseAt, _jsonAt, _jsonEnd;
    private string _name = "";

    protected override int Judged => _state switch
    {
        State.Text => _at,
        State.Section => _hasGoodCall ? _at : _section,
        _ => _hasGoodCall ? _call : _section,
    };

    protected override void Read()
    {
        while (_state switch
        {
            State.Text => ReadText(),
            State.Section => ReadSection(),
            State.Call => ReadCall(),
            _ => ReadBroken(),
        }) { }
    }

    private bool ReadText()
    {
        int place = Markers.Find(Text, _at, Begins, IsFinal, out int which);
        Sink.Content(Text[_at..place]);
        _at = _section = place;
        if (which < 0) return false;
        if (which == 0) _at += Markers.SectionBegin.Length;
        _hasGoodCall = false;
        _broken.Clear();
        return Go(State.Section);
    }

    /// <summary>Between the calls of a section.</summary>
    private bool ReadSection()
    {
        _at = Markers.SkipSpace(Text, _at);
        if (Markers.StandsAt(Text, _at, Markers.CallBegin))
        {
            _call = _at;
            if (!isFenced) BeginName(_call + Markers.CallBegin.Length, separator: -1);
            return Go(State.Call);
        }
        if (Markers.StandsAt(Text, _at, Markers.SectionEnd)) _at += Markers.SectionEnd.Length;
        else if (!IsFinal && (Markers.IsCut(Text, _at, Markers.CallBegin) || Markers.IsCut(Text, _at, Markers.SectionEnd))) return false;
        if (!_hasGoodCall) Sink.Content(Text[_section.._at]);
        return Go(State.Text);
    }

    private bool ReadCall()
    {
        if (isFenced)
        {
            int separator = _separator.Next(Text, _call);
            if (separator < 0) return IsFinal && Go(State.Broken);
            if (separator != _parsedSeparator) BeginName(separator + Markers.CallSeparator.Length, separator);
        }
        while (_part is not (Part.End or Part.Failed))
            if (!ReadPart()) return false;
        if (_part == Part.Failed) return Go(State.Broken);
        return ReadEnd();
    }

    private void BeginName(int at, int separator)
    {
        _parsedSeparator = separator;
        _nameAt = at;
        _part = isFenced ? Part.Name : Part.Separator;
    }

    /// <summary>Reads one part of the call; false if it needs more text.</summary>
    private bool ReadPart()
    {
        ReadOnlySpan<char> text = Text;
        switch (_part)
        {
            case Part.Separator: // V3.1: no other marker may stand in the name
                int special = _special.Next(text, _nameAt);
                if (special < 0) return IsFinal && Fail();
                if (!Markers.StandsAt(text, special, Markers.CallSeparator))
                    return (IsFinal || !Markers.IsCut(text, special, Markers.CallSeparator)) && Fail();
                return Name(special, special + Markers.CallSeparator.Length);

            case Part.Name: // V3: the name goes up to the fence
                int fence = _fence.Next(text, _nameAt), marker = _special.Next(text, _nameAt);
                if (marker >= 0 && (fence < 0 || marker < fence)) return Fail();
                if (fence < 0) return IsFinal && Fail();
                return Name(fence, fence + FenceBegin.Length);

            case Part.Space:
                _jsonAt = _parseAt = Markers.SkipSpace(text, _parseAt);
                if (_parseAt == text.Length) return IsFinal && Fail();
                _json.Reset();
                return Next(Part.Json);

            case Part.Json:
                ScanState scan = _json.Scan(text, ref _parseAt);
                if (scan == ScanState.NeedsMore) return IsFinal && Fail();
                _jsonEnd = _parseAt;
                return scan == ScanState.Complete ? Next(isFenced ? Part.Fence : Part.End) : Fail();

            default: // Part.Fence
                _parseAt = Markers.SkipSpace(text, _parseAt);
                if (Markers.StandsAt(text, _parseAt, FenceEnd))
                {
                    _parseAt += FenceEnd.Length;
                    return Next(Part.End);
                }
                if (!Markers.IsCut(text, _parseAt, FenceEnd)) return Fail();
                return IsFinal && Next(Part.End);
        }
    }

    private bool Name(int end, int behind)
    {
        ReadOnlySpan<char> name = Text[_nameAt..end].Trim(Markers.WhiteSpace);
        if (name.IsEmpty || name.Contains('\n')) return Fail();
        _name = name.ToString();
        _parseAt = behind;
        return Next(Part.Space);
    }

    /// <summary>The call is well-formed if an end marker follows; at the end of the text also without.</summary>
    private bool ReadEnd()
    {
        ReadOnlySpan<char> text = Text;
        _parseAt = Markers.SkipSpace(text, _parseAt);
        int end;
        if (Markers.StandsAt(text, _parseAt, Markers.CallEnd)) end = _parseAt + Markers.CallEnd.Length;
        else if (Markers.StandsAt(text, _parseAt, Markers.SectionEnd)) end = _parseAt;
        else
        {
            bool isCut = Markers.IsCut(text, _parseAt, Markers.CallEnd) || isFenced && Markers.IsCut(text, _parseAt, FenceEnd);
            if (!isCut && (IsFinal || !Markers.IsCut(text, _parseAt, Markers.SectionEnd)))
            {
                Fail();
                return Go(State.Broken);
            }
            if (!IsFinal) return false;
            end = text.Length;
        }
        foreach ((int start, int stop) in _broken) Sink.Content(text[start..stop]);
        _broken.Clear();
        _hasGoodCall = true;
        Sink.Call(new RoutedToolCall(_name, text[_jsonAt.._jsonEnd].ToString()));
        _at = end;
        _parsedSeparator = -1;
        return Go(State.Section);
    }

    /// <summary>Seeks the end of a call that is not well-formed.</summary>
    private bool ReadBroken()
    {
        ReadOnlySpan<char> text = Text;
        int end = _callEnd.Next(text, _call);
        bool isEnded = end >= 0;
        if (isEnded) end += Markers.CallEnd.Length;
        else
        {
            if (!_hasGoodCall && !IsFinal) return false;
            // Only the end of all text decides whether the section's end was part of the call: content is certain up to there.
            end = _sectionEnd.Next(text, _call);
            if (end < 0) end = Markers.Find(text, _at, SectionEnds, IsFinal, out _);
        }
        if (_hasGoodCall)
        {
            if (end > _at) Sink.Content(text[_at..end]);
            _at = Math.Max(_at, end);
        }
        if (!isEnded && !IsFinal) return false;
        if (!_hasGoodCall) _broken.Add((_call, end));
        _at = end;
        return Go(State.Section);
    }

    private bool Fail() => Next(Part.Failed);

    private bool Next(Part part)
    {
        _part = part;
        return true;
    }

    private bool Go(State state)
    {
        _state = state;
        return true;
    }

    protected override void Shift(int count)
    {
        _at -= count;
        _section -= count;
        _call -= count;
        _nameAt -= count;
        _parseAt -= count;
        _jsonAt -= count;
        _jsonEnd -= count;
        _parsedSeparator = _parsedSeparator < count ? -1 : _parsedSeparator - count;
        foreach (Finder finder in (ReadOnlySpan<Finder>)[_separator, _special, _fence, _callEnd, _sectionEnd]) finder.Shift(count);
        foreach (ref (int Start, int End) range in CollectionsMarshal.AsSpan(_broken)) range = (range.Start - count, range.End - count);
    }
}
