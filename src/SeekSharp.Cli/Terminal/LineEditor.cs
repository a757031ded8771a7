using System.Text;

namespace SeekSharp.Cli.Terminal;

/// <summary>How reading a line ended.</summary>
internal enum LineEnd
{
    /// <summary>With Enter.</summary>
    Line,
    /// <summary>With Ctrl+C.</summary>
    Interrupted,
    /// <summary>With Ctrl+D on an empty line.</summary>
    EndOfInput,
}

/// <summary>
/// Reads a line from a terminal, with the keys that shells have taught: arrows, Home, End, Ctrl+A E B F K U W Y D L, Alt+B F, history with
/// Up and Down. A pasted text is taken as it is, line breaks included (bracketed paste); Enter then sends it.
/// </summary>
internal sealed class LineEditor(Func<ConsoleKeyInfo> readKey, Func<bool> keyAvailable, TextWriter output, Func<(int Width, int Height)> size, LineHistory history)
{
    private const string PasteBegin = "[200~", PasteEnd = "[201~";

    private readonly EditBuffer _buffer = new();
    private readonly LineView _view = new(output, size);
    private readonly Queue<ConsoleKeyInfo> _pending = new();
    private string _killed = "", _draft = "";
    private int _browsed; // index into the history; its count: the draft

    /// <summary>Reads one line, or several that were pasted.</summary>
    public (LineEnd End, string Text) Read(string prompt, string continuation)
    {
        _buffer.Set("");
        _draft = "";
        _browsed = history.Count;
        _view.Forget();
        output.Write("\x1b[?2004h"); // the terminal marks pasted text
        try
        {
            while (true)
            {
                if (_pending.Count == 0 && !keyAvailable()) _view.Draw(prompt, continuation, _buffer);
                if (Handle(Next()) is not { } end) continue;
                _buffer.Set(end == LineEnd.EndOfInput ? "" : _buffer.Text); // the cursor goes to the end
                _view.Draw(prompt, continuation, _buffer);
                _view.Leave();
                return (end, end == LineEnd.Line ? _buffer.Text : "");
            }
        }
        finally
        {
            output.Write("\x1b[?2004l");
            output.Flush();
        }
    }

    private ConsoleKeyInfo Next() => _pending.TryDequeue(out ConsoleKeyInfo key) ? key : readKey();

    private LineEnd? Handle(ConsoleKeyInfo key)
    {
        bool control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
        if (key.Key == ConsoleKey.Escape && key.KeyChar == '\x1b')
        {
            Escape();
            return null;
        }
        switch (key.Key)
        {
            case ConsoleKey.Enter: return LineEnd.Line;
            case ConsoleKey.LeftArrow when control: _buffer.WordLeft(); break;
            case ConsoleKey.RightArrow when control: _buffer.WordRight(); break;
            case ConsoleKey.LeftArrow: _buffer.Left(); break;
            case ConsoleKey.RightArrow: _buffer.Right(); break;
            case ConsoleKey.UpArrow: if (!_buffer.Up()) Browse(-1); break;
            case ConsoleKey.DownArrow: if (!_buffer.Down()) Browse(+1); break;
            case ConsoleKey.Home: _buffer.Home(); break;
            case ConsoleKey.End: _buffer.End(); break;
            case ConsoleKey.Delete: _buffer.Delete(); break;
            case ConsoleKey.Backspace: _buffer.Backspace(); break;
            default: return Letter(key.KeyChar);
        }
        return null;
    }

    private LineEnd? Letter(char letter)
    {
        switch (letter)
        {
            case '\r' or '\n': return LineEnd.Line;
            case '\x03': return LineEnd.Interrupted;
            case '\x04' when _buffer.Text.Length == 0: return LineEnd.EndOfInput;
            case '\x04': _buffer.Delete(); break;
            case '\x01': _buffer.Home(); break;
            case '\x02': _buffer.Left(); break;
            case '\x05': _buffer.End(); break;
            case '\x06': _buffer.Right(); break;
            case '\x08' or '\x7f': _buffer.Backspace(); break;
            case '\x0b': _killed = _buffer.KillToEnd(); break;
            case '\x0e': Browse(+1); break;
            case '\x10': Browse(-1); break;
            case '\x15': _killed = _buffer.KillToStart(); break;
            case '\x17': _killed = _buffer.KillWord(); break;
            case '\x19': _buffer.Insert(_killed); break;
            case '\x0c':
                output.Write("\x1b[H\x1b[2J");
                _view.Forget();
                break;
            case '\t': _buffer.Insert("\t"); break;
            default:
                if (!char.IsControl(letter)) Insert(letter);
                break;
        }
        return null;
    }

    /// <summary>A letter beyond U+FFFF arrives in two halves; half of one is never in the text.</summary>
    private void Insert(char letter)
    {
        if (char.IsHighSurrogate(letter))
        {
            ConsoleKeyInfo second = Next();
            if (char.IsLowSurrogate(second.KeyChar)) _buffer.Insert(new string([letter, second.KeyChar]));
        }
        else if (!char.IsLowSurrogate(letter)) _buffer.Insert(letter.ToString());
    }

    /// <summary>After an escape: a pasted text, Alt with a letter, or the key alone, which does nothing.</summary>
    private void Escape()
    {
        if (!keyAvailable()) return;
        ConsoleKeyInfo key = readKey();
        switch (key.KeyChar)
        {
            case 'b' or 'B': _buffer.WordLeft(); return;
            case 'f' or 'F': _buffer.WordRight(); return;
            case '\r' or '\n': _buffer.Insert("\n"); return; // Alt+Enter: a line break
            case '[': break;
            default: return;
        }
        var sequence = new StringBuilder("[");
        while (sequence.Length < 16 && keyAvailable())
        {
            sequence.Append(readKey().KeyChar);
            if (sequence[^1] is >= '@' and <= '~') break;
        }
        if (sequence.ToString() == PasteBegin) Paste();
    }

    /// <summary>Everything up to the closing mark is text; of control characters only line breaks and tabs stay.</summary>
    private void Paste()
    {
        var text = new StringBuilder();
        while (true)
        {
            char letter = readKey().KeyChar;
            text.Append(letter == '\r' ? '\n' : letter);
            if (letter == '~' && EndsWith(text, "\x1b" + PasteEnd))
            {
                text.Length -= PasteEnd.Length + 1;
                break;
            }
        }
        _buffer.Insert(string.Concat(text.ToString().Where(c => !char.IsControl(c) || c is '\n' or '\t')).TrimEnd('\n'));
    }

    private static bool EndsWith(StringBuilder text, string end)
    {
        if (text.Length < end.Length) return false;
        for (int i = 0; i < end.Length; i++)
            if (text[text.Length - end.Length + i] != end[i]) return false;
        return true;
    }

    private void Browse(int step)
    {
        int to = _browsed + step;
        if (to < 0 || to > history.Count) return;
        if (_browsed == history.Count) _draft = _buffer.Text;
        _browsed = to;
        _buffer.Set(to == history.Count ? _draft : history[to]);
    }
}
