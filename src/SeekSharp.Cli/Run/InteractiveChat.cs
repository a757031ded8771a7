using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli.Run;

/// <summary>A conversation on a terminal: lines beginning with / are commands, all others are asked.</summary>
internal sealed class InteractiveChat
{
    private const string Prompt = ">>> ", Continuation = "... ", Quotes = "\"\"\"";

    private readonly ChatSession _session;
    private readonly ChatModel _model;
    private readonly ToolRounds _rounds;
    private readonly bool _verbose;
    private readonly TimeSpan _load;
    private readonly LineEditor _editor;
    private readonly ChatCommands _commands;
    private readonly LineHistory _history = new(HistoryFile());

    public InteractiveChat(ChatSession session, ChatModel model, ToolRounds rounds, bool verbose, TimeSpan load)
    {
        (_session, _model, _rounds, _verbose, _load) = (session, model, rounds, verbose, load);
        _commands = new ChatCommands(session, Console.Out);
        _editor = new LineEditor(() => Console.ReadKey(intercept: true), () => Console.KeyAvailable, Console.Out, static () => TerminalSize.Now, _history);
    }

    public int Run()
    {
        Console.Out.WriteLine($"{Style.Dim(Style.OnOutput)}{Path.GetFileName(Path.TrimEndingDirectorySeparator(_model.Folder.Path))}, loaded in {_load.TotalSeconds:0.0} s. /help shows the commands; Ctrl+D leaves.{Style.End(Style.OnOutput)}");
        bool interrupted = false;
        while (true)
        {
            (LineEnd end, string text) = ReadMessage();
            if (end == LineEnd.EndOfInput) return 0;
            if (end == LineEnd.Interrupted)
            {
                if (interrupted) return 130;
                interrupted = true;
                Console.Out.WriteLine("(Ctrl+C again, Ctrl+D or /bye leaves)");
                continue;
            }
            interrupted = false;
            if (string.IsNullOrWhiteSpace(text)) continue;
            if (ChatCommands.IsCommand(text))
            {
                if (!_commands.Obey(text)) return 0;
            }
            else Ask(text);
        }
    }

    private void Ask(string text)
    {
        try
        {
            Answer answer = _rounds.Finish(_session, AnswerLoop.Run(_session.Ask(text), new AnswerPrinter()), () => new AnswerPrinter());
            Verbs.RunVerb.Tell(AnswerReport.Line(answer));
            if (!_verbose) return;
            foreach (string line in AnswerReport.Details(answer, _load, _session.Sampling, _model.Engine)) Verbs.RunVerb.Tell(line);
        }
        catch (OperationCanceledException)
        {
            Verbs.RunVerb.Tell("interrupted; the question is taken back");
        }
        catch (Exception e) when (e is EngineException or ModelException or TemplateException or TokenizerException or CheckpointException or GrammarException)
        {
            Console.Error.WriteLine("seeksharp: " + CommandLine.OneLine(e.Message));
        }
    }

    /// <summary>One line, or everything between two lines with three quotation marks.</summary>
    private (LineEnd End, string Text) ReadMessage()
    {
        (LineEnd end, string text) = Edit(Prompt);
        if (end != LineEnd.Line || !text.StartsWith(Quotes, StringComparison.Ordinal))
        {
            if (end == LineEnd.Line) _history.Add(text);
            return (end, text);
        }
        string message = text[Quotes.Length..];
        while (!message.TrimEnd().EndsWith(Quotes, StringComparison.Ordinal))
        {
            (end, string line) = Edit(Continuation);
            if (end != LineEnd.Line) return (LineEnd.Line, ""); // given up
            message += "\n" + line;
        }
        message = message.TrimEnd()[..^Quotes.Length].Trim('\n');
        _history.Add(Quotes + message + Quotes);
        return (LineEnd.Line, message);
    }

    private (LineEnd, string) Edit(string prompt)
    {
        Console.TreatControlCAsInput = true; // while editing it ends the line, and while answering the answer
        try
        {
            return _editor.Read(prompt, Continuation);
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    private static string HistoryFile() => Path.Combine(ModelHome.Root, "history");
}
