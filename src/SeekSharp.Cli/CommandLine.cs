using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Text;
using System.Text.RegularExpressions;
using SeekSharp.Chat;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Verbs;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Planner;
using SeekSharp.Tokenization;

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
        root.Subcommands.Add(RunVerb.Create());
        root.Subcommands.Add(ServeVerb.Create());
        root.Subcommands.Add(PullVerb.Create());
        root.Subcommands.Add(ListVerb.Create());
        root.Subcommands.Add(RmVerb.Create());
        root.Subcommands.Add(InspectVerb.Create());
        root.Subcommands.Add(TokenizeVerb.Create());
        root.Subcommands.Add(DetokenizeVerb.Create());
        root.Subcommands.Add(TemplateVerb.Create());
        root.Subcommands.Add(GrammarVerb.Create());
        root.Subcommands.Add(LogitsVerb.Create());
        root.Subcommands.Add(PerplexityVerb.Create());
        root.Subcommands.Add(BenchVerb.Create());
        root.Subcommands.Add(ConvertVerb.Create());
        root.Subcommands.Add(QuantizeVerb.Create());
        root.Subcommands.Add(PackVerb.Create());
        root.Subcommands.Add(InfoVerb.Create());
        root.Subcommands.Add(PlanVerb.Create());
        return root;
    }

    /// <param name="args">As typed.</param>
    /// <param name="error">Where the line for an error goes.</param>
    public static int Run(string[] args, TextWriter error)
    {
        RootCommand root = CreateRoot();
        // A prompt may begin with @: no response files. Options keep their full names: no bundling.
        var syntax = new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        if (args.Length == 0) args = ["--help"];
        ParseResult parsed = root.Parse(args, syntax);
        if (parsed.Action is ParseErrorAction)
        {
            Fail(error, WrongUsage(parsed), PathOf(parsed));
            return 2;
        }
        try
        {
            var settings = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            if (parsed.Action is not AsynchronousCommandLineAction) return parsed.Invoke(settings);
            using Interrupts.Scope interrupt = Interrupts.Begin(); // verbs that take a token clean up after the first Ctrl+C
            return parsed.InvokeAsync(settings, interrupt.Token).GetAwaiter().GetResult();
        }
        catch (Exception e) when (Environment.GetEnvironmentVariable("SEEKSHARP_DEBUG") != "1")
        {
            return Report(e, error, PathOf(parsed));
        }
    }

    /// <summary>The verb as it was typed: <c>seeksharp run</c>.</summary>
    private static string PathOf(ParseResult parsed)
    {
        var path = new List<string>();
        for (CommandResult? c = parsed.CommandResult; c is not null; c = c.Parent as CommandResult)
            path.Insert(0, c.Command is RootCommand ? "seeksharp" : c.Command.Name);
        return string.Join(' ', path);
    }

    private static string WrongUsage(ParseResult parsed) => parsed switch
    {
        { UnmatchedTokens: [{ } first, ..], CommandResult.Command: RootCommand } when !first.StartsWith('-') => $"there is no verb '{first}'",
        { UnmatchedTokens: [{ } first, ..] } => first.StartsWith('-') ? $"{PathOf(parsed)} has no option {first}" : $"one argument too many: '{first}'",
        _ => Readable(parsed.Errors[0].Message),
    };

    /// <summary>The library names .NET's types; people know numbers.</summary>
    private static string Readable(string message)
    {
        Match m = Regex.Match(message, "^Cannot parse argument '(.*)' for (?:option|command) '(.*?)' as expected type '(.*)'", RegexOptions.Singleline);
        if (!m.Success) return message;
        string expected = m.Groups[3].Value is var type && type.Contains("Int", StringComparison.Ordinal) ? "a whole number" : "a number";
        return $"{m.Groups[2].Value}: expected {expected}, found '{m.Groups[1].Value}'";
    }

    /// <summary>Writes the line for an exception and gives the exit code. Known exceptions speak for themselves; others name their type.</summary>
    private static int Report(Exception e, TextWriter error, string path)
    {
        while (e is AggregateException { InnerException: { } inner }) e = inner;
        switch (e)
        {
            case OperationCanceledException:
                return 130;
            case CliException { ExitCode: 2 }:
                Fail(error, e.Message, path);
                return 2;
            case CliException or ToolServerException or CheckpointException or HubException or TokenizerException or TemplateException or GrammarException or ModelException or EngineException or KernelException or PlannerException:
            case IOException or UnauthorizedAccessException:
                Fail(error, e.Message);
                return 1;
            case OutOfMemoryException:
                Fail(error, "not enough memory");
                return 1;
            default:
                Fail(error, $"unexpected {e.GetType().Name}: {e.Message} (SEEKSHARP_DEBUG=1 shows where)");
                return 1;
        }
    }

    private static void Fail(TextWriter error, string message, string? helpOf = null)
    {
        string line = "seeksharp: " + OneLine(message);
        error.WriteLine(helpOf is null ? line : $"{line.TrimEnd('.')}; see {helpOf} --help");
    }

    /// <summary>Line breaks and control characters (a file's name may hold any) become spaces.</summary>
    internal static string OneLine(string text)
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
