using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>
/// Collects pieces. White space that may turn out to be the last of its kind waits here until text follows: the end of
/// the reasoning is trimmed always, the end of the content if there was a call.
/// </summary>
internal sealed class PieceSink(bool trimsContent)
{
    private readonly List<RoutedPiece> _pieces = [];
    private readonly StringBuilder _run = new();      // text of _runKind that is not yet a piece
    private readonly StringBuilder _waiting = new();  // white space of the current kind that no text follows yet
    private RoutedKind _runKind;
    private bool _hasReasoning;

    /// <summary>How many calls there have been.</summary>
    public int Calls { get; private set; }

    public void Reasoning(ReadOnlySpan<char> text)
    {
        if (!_hasReasoning) text = text.TrimStart(Markers.WhiteSpace);
        if (Add(RoutedKind.Reasoning, text, holdsSpace: true)) _hasReasoning = true;
    }

    /// <summary>The reasoning is over: white space at its end is dropped.</summary>
    public void EndReasoning() => _waiting.Clear();

    public void Content(ReadOnlySpan<char> text) => Add(RoutedKind.Content, text, trimsContent);

    public void Call(RoutedToolCall call)
    {
        FlushRun();
        _pieces.Add(new RoutedPiece(RoutedKind.ToolCall, "", call));
        Calls++;
    }

    /// <summary>The text is over: waiting white space of the content is dropped after a call, and content otherwise.</summary>
    public void EndContent()
    {
        if (Calls == 0 && _waiting.Length > 0)
        {
            Switch(RoutedKind.Content);
            _run.Append(_waiting);
        }
        _waiting.Clear();
    }

    /// <summary>Moves what has been collected into <paramref name="target"/>.</summary>
    public void Drain(List<RoutedPiece> target)
    {
        FlushRun();
        target.AddRange(_pieces);
        _pieces.Clear();
    }

    /// <summary>Takes over what another sink collected.</summary>
    public void Take(PieceSink other)
    {
        FlushRun();
        Calls += other.Calls;
        other.Drain(_pieces);
    }

    private bool Add(RoutedKind kind, ReadOnlySpan<char> text, bool holdsSpace)
    {
        int solid = holdsSpace ? text.LastIndexOfAnyExcept(Markers.WhiteSpace) + 1 : text.Length;
        if (solid > 0)
        {
            Switch(kind);
            _run.Append(_waiting).Append(text[..solid]);
            _waiting.Clear();
        }
        _waiting.Append(text[solid..]);
        return solid > 0;
    }

    private void Switch(RoutedKind kind)
    {
        if (kind == _runKind) return;
        FlushRun();
        _runKind = kind;
    }

    private void FlushRun()
    {
        if (_run.Length == 0) return;
        _pieces.Add(new RoutedPiece(_runKind, _run.ToString()));
        _run.Clear();
    }
}
