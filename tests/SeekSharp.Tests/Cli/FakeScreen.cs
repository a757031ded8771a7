using System.Globalization;
using System.Text;

namespace SeekSharp.Tests.Cli;

/// <summary>A small terminal: enough of one to see what the line editor has drawn, and where the cursor is.</summary>
internal sealed class FakeScreen(int width, int height) : TextWriter
{
    private readonly List<string[]> _rows = [Blank(width)];
    private readonly StringBuilder _escape = new();
    private string _half = "";

    public int Row { get; private set; }
    public int Column { get; private set; }
    public int Width => width;
    public int Height => height;
    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>What stands on the screen, without spaces at the ends of rows.</summary>
    public string[] Lines => [.. _rows.Select(r => string.Concat(r).TrimEnd())];

    public override void Write(char value)
    {
        if (_escape.Length > 0)
        {
            _escape.Append(value);
            if (_escape.Length > 2 && value is >= '@' and <= '~') Obey();
            return;
        }
        switch (value)
        {
            case '\x1b': _escape.Append(value); break;
            case '\r': Column = 0; break;
            case '\n':
                Row++;
                if (Row == _rows.Count) _rows.Add(Blank(width));
                break;
            default: Put(value); break;
        }
    }

    private void Put(char value)
    {
        if (char.IsHighSurrogate(value))
        {
            _half = value.ToString();
            return;
        }
        string letter = _half + value;
        _half = "";
        int columns = SeekSharp.Cli.Terminal.TextWidth.Of(letter);
        if (Column + columns > width) throw new InvalidOperationException("the editor wrote beyond the last column");
        _rows[Row][Column] = letter;
        if (columns == 2) _rows[Row][Column + 1] = "";
        Column += columns;
    }

    private void Obey()
    {
        char command = _escape[^1];
        string number = _escape.ToString(2, _escape.Length - 3);
        _escape.Clear();
        if (number.StartsWith('?')) return;
        int n = number.Length == 0 ? 1 : int.Parse(number, CultureInfo.InvariantCulture);
        switch (command)
        {
            case 'A': Row = Row - n >= 0 ? Row - n : throw new InvalidOperationException("above the screen"); break;
            case 'B': Row = Math.Min(_rows.Count - 1, Row + n); break;
            case 'C': Column = Math.Min(width - 1, Column + n); break;
            case 'J':
                for (int c = Column; c < width; c++) _rows[Row][c] = " ";
                _rows.RemoveRange(Row + 1, _rows.Count - Row - 1);
                break;
            default: throw new InvalidOperationException($"unknown sequence {command}");
        }
    }

    private static string[] Blank(int width) => [.. Enumerable.Repeat(" ", width)];
}
