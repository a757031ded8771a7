using System.Globalization;

namespace SeekSharp.Cli.Terminal;

/// <summary>A text with a cursor. The cursor stands between grapheme clusters: an emoji of five code points moves and goes as one.</summary>
internal sealed class EditBuffer
{
    public string Text { get; private set; } = "";
    /// <summary>Index into <see cref="Text"/>.</summary>
    public int Cursor { get; private set; }

    public void Set(string text)
    {
        Text = text;
        Cursor = text.Length;
    }

    public void Insert(string text)
    {
        Text = Text.Insert(Cursor, text);
        Cursor += text.Length;
    }

    public void Left() => Cursor = ClusterBefore(Cursor);

    public void Right() => Cursor = ClusterAfter(Cursor);

    /// <summary>To the beginning of the line that the cursor is in.</summary>
    public void Home() => Cursor = LineStart();

    public void End() => Cursor = LineEnd();

    public void WordLeft() => Cursor = WordBefore();

    public void WordRight()
    {
        while (Cursor < Text.Length && char.IsWhiteSpace(Text[Cursor])) Cursor++;
        while (Cursor < Text.Length && !char.IsWhiteSpace(Text[Cursor])) Cursor++;
    }

    /// <summary>To the line above, as far right as it goes. False on the first line.</summary>
    public bool Up()
    {
        int start = LineStart();
        if (start == 0) return false;
        int column = Cursor - start;
        Cursor = start - 1;
        int above = LineStart();
        Cursor = ClusterBefore(Math.Min(above + column, start - 1) + 1, atLeast: above);
        return true;
    }

    public bool Down()
    {
        int end = LineEnd();
        if (end == Text.Length) return false;
        int column = Cursor - LineStart();
        Cursor = end + 1;
        int start = Cursor;
        Cursor = ClusterBefore(Math.Min(start + column, LineEnd()) + 1, atLeast: start);
        return true;
    }

    public void Backspace() => RemoveTo(ClusterBefore(Cursor));

    public void Delete() => RemoveTo(ClusterAfter(Cursor));

    public string KillToEnd() => RemoveTo(Cursor < LineEnd() ? LineEnd() : Math.Min(Text.Length, Cursor + 1));

    public string KillToStart() => RemoveTo(Cursor > LineStart() ? LineStart() : Math.Max(0, Cursor - 1));

    public string KillWord() => RemoveTo(WordBefore());

    private string RemoveTo(int other)
    {
        (int from, int to) = (Math.Min(Cursor, other), Math.Max(Cursor, other));
        string removed = Text[from..to];
        Text = Text.Remove(from, to - from);
        Cursor = from;
        return removed;
    }

    private int LineStart() => Cursor == 0 ? 0 : Text.LastIndexOf('\n', Cursor - 1) + 1;

    private int LineEnd() => Text.IndexOf('\n', Cursor) is var end and >= 0 ? end : Text.Length;

    private int WordBefore()
    {
        int at = Cursor;
        while (at > 0 && char.IsWhiteSpace(Text[at - 1])) at--;
        while (at > 0 && !char.IsWhiteSpace(Text[at - 1])) at--;
        return at;
    }

    private int ClusterAfter(int index) =>
        index >= Text.Length ? index : index + StringInfo.GetNextTextElementLength(Text.AsSpan(index));

    /// <summary>The last cluster's beginning before an index. Clusters are read forwards, from the line's beginning.</summary>
    private int ClusterBefore(int index, int atLeast = -1)
    {
        int at = atLeast >= 0 ? atLeast : index <= 1 ? 0 : Text.LastIndexOf('\n', index - 2) + 1;
        while (at < Text.Length && ClusterAfter(at) < index) at = ClusterAfter(at);
        return Math.Min(at, Text.Length);
    }
}
