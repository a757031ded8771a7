using System.Globalization;
using System.Text;

namespace SeekSharp.Cli.Terminal;

/// <summary>
/// Draws a prompt and an edited text over as many rows as they need, and redraws them in place. Rows are broken here and not by the
/// terminal, so that it is known where the cursor is; a text higher than the screen shows the rows around the cursor.
/// </summary>
internal sealed class LineView(TextWriter output, Func<(int Width, int Height)> size)
{
    private readonly List<int> _drawn = [];  // columns of each row on the screen
    private int _cursorRow, _cursorColumn;   // of the cursor in them

    /// <summary>Shows the prompt, the text, and the cursor in its place.</summary>
    public void Draw(string prompt, string continuation, EditBuffer buffer)
    {
        (int width, int height) = size();
        (List<(string Text, int Columns)> rows, int row, int column) = Layout(prompt, continuation, buffer, width);
        int shown = Math.Max(1, height - 1);
        int top = Math.Clamp(row - shown + 1, 0, Math.Max(0, rows.Count - shown));
        rows = rows.GetRange(top, Math.Min(shown, rows.Count - top));
        row -= top;

        var screen = new StringBuilder();
        GoToStart(screen, width);
        screen.Append("\x1b[J");
        for (int i = 0; i < rows.Count; i++) screen.Append(i > 0 ? "\r\n" : "").Append(rows[i].Text);
        if (rows.Count - 1 > row) screen.Append(CultureInfo.InvariantCulture, $"\x1b[{rows.Count - 1 - row}A");
        screen.Append('\r');
        if (column > 0) screen.Append(CultureInfo.InvariantCulture, $"\x1b[{column}C");
        output.Write(screen);
        output.Flush();
        _drawn.Clear();
        _drawn.AddRange(rows.Select(r => r.Columns));
        (_cursorRow, _cursorColumn) = (row, column);
    }

    /// <summary>Leaves the text on the screen and goes to a row of its own below.</summary>
    public void Leave()
    {
        int below = _drawn.Count - 1 - _cursorRow;
        output.Write((below > 0 ? $"\x1b[{below}B" : "") + "\r\n");
        output.Flush();
        Forget();
    }

    /// <summary>The screen is another now.</summary>
    public void Forget()
    {
        _drawn.Clear();
        (_cursorRow, _cursorColumn) = (0, 0);
    }

    /// <summary>Up to the first drawn row. A terminal that has become narrower has broken our rows into several.</summary>
    private void GoToStart(StringBuilder screen, int width)
    {
        int up = 0;
        for (int i = 0; i < _cursorRow; i++) up += Math.Max(1, (_drawn[i] + width - 1) / width);
        if (_drawn.Count > 0) up += Math.Max(0, _cursorColumn - 1) / width;
        if (up > 0) screen.Append(CultureInfo.InvariantCulture, $"\x1b[{up}A");
        screen.Append('\r');
    }

    private static (List<(string, int)> Rows, int Row, int Column) Layout(string prompt, string continuation, EditBuffer buffer, int width)
    {
        width = Math.Max(width, 8);
        var rows = new List<(string, int)>();
        var text = new StringBuilder(prompt);
        int columns = TextWidth.Of(prompt), cursorRow = 0, cursorColumn = columns;
        ReadOnlySpan<char> rest = buffer.Text;
        for (int at = 0; ;)
        {
            if (columns >= width) NextRow("");
            if (at == buffer.Cursor) (cursorRow, cursorColumn) = (rows.Count, columns);
            if (rest.IsEmpty) break;
            int length = StringInfo.GetNextTextElementLength(rest);
            ReadOnlySpan<char> cluster = rest[..length];
            if (cluster[0] == '\n') NextRow(continuation);
            else
            {
                int needed = TextWidth.OfCluster(cluster);
                if (columns + needed > width)
                {
                    NextRow("");
                    if (at == buffer.Cursor) (cursorRow, cursorColumn) = (rows.Count, columns);
                }
                text.Append(cluster is "\t" ? "    " : cluster);
                columns += needed;
            }
            at += length;
            rest = rest[length..];
        }
        rows.Add((text.ToString(), columns));
        return (rows, cursorRow, cursorColumn);

        void NextRow(string start)
        {
            rows.Add((text.ToString(), columns));
            text.Clear().Append(start);
            columns = TextWidth.Of(start);
        }
    }
}
