using SeekSharp.Chat;
using SeekSharp.Cli.Terminal;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Run;

/// <summary>
/// Shows an answer while it comes: thinking dimmed, then the text. Where standard output is no terminal, it gets the answer alone, and the thinking goes to
/// standard error.
/// </summary>
internal sealed class AnswerPrinter
{
    private enum Part { Nothing, Reasoning, Content }

    private static bool ThinkingApart => Console.IsOutputRedirected;
    private Part _part;
    private bool _isLineOpen;

    public void Print(Generation generation, IReadOnlyList<RoutedPiece> pieces)
    {
        foreach (RoutedPiece piece in pieces)
        {
            switch (piece.Kind)
            {
                case RoutedKind.Reasoning: Write(Part.Reasoning, piece.Text); break;
                case RoutedKind.Content: Write(Part.Content, piece.Text); break;
                case RoutedKind.ToolCall when piece.ToolCall is { } call:
                    Write(Part.Content, $"{(_isLineOpen ? "\n" : "")}[tool call] {call.Name}({call.Arguments})\n");
                    break;
            }
        }
    }

    /// <summary>The answer is over: the cursor goes to a line of its own.</summary>
    public void End()
    {
        Leave();
        if (_isLineOpen) Console.Out.WriteLine();
        _isLineOpen = false;
        _part = Part.Nothing;
    }

    private void Write(Part part, string text)
    {
        if (text.Length == 0) return;
        if (part != _part)
        {
            Leave();
            if (part == Part.Reasoning) Thinking.Write(Style.Dim(ThinkingStyled));
            _part = part;
        }
        string shown = Console.IsOutputRedirected ? text : Harmless(text);
        if (part == Part.Reasoning) Thinking.Write(shown);
        else Console.Out.Write(shown);
        if (part == Part.Content || !ThinkingApart) _isLineOpen = text[^1] != '\n';
    }

    private void Leave()
    {
        if (_part != Part.Reasoning) return;
        Thinking.Write(Style.End(ThinkingStyled) + "\n\n");
        if (!ThinkingApart) _isLineOpen = false;
    }

    private static TextWriter Thinking => ThinkingApart ? Console.Error : Console.Out;
    private static bool ThinkingStyled => ThinkingApart ? Style.OnError : Style.OnOutput;

    /// <summary>A model's text must not steer the terminal: of control characters only line breaks and tabs stay.</summary>
    private static string Harmless(string text) =>
        text.Any(c => char.IsControl(c) && c is not ('\n' or '\t')) ? string.Concat(text.Where(c => !char.IsControl(c) || c is '\n' or '\t')) : text;
}
