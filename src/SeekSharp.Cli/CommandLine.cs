using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Verbs;

namespace SeekSharp.Cli;

/// <summary>
/// The root command and the one place where errors become a line and an exit code:
/// 0 done, 1 could not be done, 2 wrong usage, 130 interrupted.
/// </summary>
internal static class CommandLine
{
    /// <summary>Every verb, in the order of the help.</summary>
    private static RootCommand CreateRoot()
    {
        var root = new RootCommand("Run open reasoning models on this machine, in pure C#.");
        root.Subcommands.Add(PullVerb.Create());
        root.Subcommands.Add(ListVerb.Create());
        root.Subcommands.Add(RmVerb.Create());
        root.Subcommands.Add(InfoVerb.Create());
        root.Subcommands.Add(ConvertVerb.Create());
        root.Subcommands.Add(QuantizeVerb.Create());
        return root;
    }

    public static int Run(string[] args)
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        RootCommand root = CreateRoot();
        // A prompt may begin with @: no response files. Options keep their full names: no bundling.
        var syntax = new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        if (args.Length == 0) args = ["--help"];
        ParseResult parsed = root.Parse(args, syntax);
        if (parsed.Action is ParseErrorAction)
            return WrongUsage(parsed);
        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception e) when (Report(e) is int code)
        {
            return code;
        }
    }

    private static int WrongUsage(ParseResult parsed)
    {
        var path = new List<string>();
        for (var c = parsed.CommandResult; c is not null; c = c.Parent as System.CommandLine.Parsing.CommandResult)
            path.Insert(0, c.Command is RootCommand ? "seeksharp" : c.Command.Name);
        string name = string.Join(' ', path);
        string message = parsed switch
        {
            { UnmatchedTokens: [{ } first, ..], CommandResult.Command: RootCommand } when !first.StartsWith('-') => $"there is no verb '{first}'",
            { UnmatchedTokens: [{ } first, ..] } => first.StartsWith('-') ? $"{name} has no option {first}" : $"one argument too many: '{first}'",
            _ => parsed.Errors[0].Message,
        };
        Fail($"{OneLine(message).TrimEnd('.')}; see {name} --help");
        return 2;
    }

    /// <summary>Writes the line for an exception and gives the exit code. Known exceptions speak for themselves; others name their type.</summary>
    private static int? Report(Exception e)
    {
        while (e is AggregateException { InnerException: { } inner }) e = inner;
        if (Environment.GetEnvironmentVariable("SEEKSHARP_DEBUG") == "1") return null;
        switch (e)
        {
            case OperationCanceledException:
                return 130;
            case CliException cli:
                Fail(cli.ExitCode == 2 ? $"{cli.Message}; see seeksharp --help" : cli.Message);
                return cli.ExitCode;
            case CheckpointException or HubException or IOException or UnauthorizedAccessException:
                Fail(e.Message);
                return 1;
            case OutOfMemoryException:
                Fail("not enough memory");
                return 1;
            default:
                Fail($"unexpected {e.GetType().Name}: {e.Message} (SEEKSHARP_DEBUG=1 shows where)");
                return 1;
        }
    }

    private static void Fail(string message) => Console.Error.WriteLine("seeksharp: " + OneLine(message));

    /// <summary>Line breaks and control characters (a file's name may hold any) become spaces.</summary>
    private static string OneLine(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (char c in text.Trim())
        {
            char shown = char.IsControl(c) ? ' ' : c;
            if (shown != ' ' || line is not [.., ' ']) line.Append(shown);
        }
        return line.ToString();
    }
}
