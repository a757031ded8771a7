using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Bench;

/// <summary>What all forms of <c>seeksharp bench</c> share: a loaded model, random texts, sequences that run to their end beside a clock, and how a report begins and is printed. Ctrl+C ends it.</summary>
internal sealed class BenchRun : IDisposable
{
    private readonly ModelOptions _options;
    private readonly Interrupts.Scope _interrupt;

    public BenchRun(string modelName, ModelOptions options)
    {
        _options = options;
        Folder = ModelArgument.Open(modelName);
        try
        {
            Model = ModelArgument.Load(Folder, options);
        }
        catch
        {
            Folder.Dispose();
            throw;
        }
        _interrupt = Interrupts.Begin();
    }

    public ModelFolder Folder { get; }

    public LanguageModel Model { get; }

    /// <summary>[length] ids of a random text: another one for each number, and the same in every run of the program.</summary>
    public int[] Text(ulong number, int length)
    {
        var ids = new int[length];
        for (int i = 0; i < length; i++) ids[i] = (int)(CounterRandom.Uniform(number, i) * Model.VocabularySize);
        return ids;
    }

    /// <summary>A sequence of so many tokens fits.</summary>
    public static void RequireRoom(LlmEngine engine, long tokens)
    {
        if (tokens > engine.ContextLength) throw new CliException($"this takes {tokens} tokens, the context holds {engine.ContextLength}");
    }

    /// <summary>One step.</summary>
    /// <exception cref="OperationCanceledException">Ctrl+C.</exception>
    public void Step(LlmEngine engine)
    {
        _interrupt.Token.ThrowIfCancellationRequested();
        engine.Step();
    }

    /// <summary>Runs a sequence to its end.</summary>
    /// <param name="engine">Nothing else runs in it.</param>
    /// <param name="sequence">Not added yet, with a limit for its answer.</param>
    /// <param name="progress">Told the share that is done, 0 to 1; or null.</param>
    public Timed Time(LlmEngine engine, Sequence sequence, IProgress<double>? progress = null)
    {
        long began = Stopwatch.GetTimestamp(), first = 0, last = began;
        int steps = 0;
        engine.Add(sequence);
        int total = sequence.PromptLength + sequence.Parameters.MaxTokens!.Value;
        while (!sequence.IsFinished)
        {
            Step(engine);
            last = Stopwatch.GetTimestamp();
            if (first != 0) steps++;
            else if (sequence.Generated.Length > 0) first = last;
            progress?.Report((double)(sequence.Computed + sequence.Generated.Length) / total);
        }
        if (sequence.Error is { } error) throw new CliException(error.Message);
        return new Timed(Stopwatch.GetElapsedTime(began, first), Stopwatch.GetElapsedTime(first, last), steps);
    }

    /// <summary>What a sequence took.</summary>
    /// <param name="First">From its arrival to its first token.</param>
    /// <param name="Rest">From there to the last.</param>
    /// <param name="Steps">After the first token.</param>
    public readonly record struct Timed(TimeSpan First, TimeSpan Rest, int Steps);

    /// <summary>A report's first lines: what ran, and where.</summary>
    public JsonObject Report() => new()
    {
        ["model"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(Folder.Path)),
        ["tier"] = KernelTable.Current.Name,
        ["threads"] = Model.Threads,
        ["arithmetic"] = _options.Exact ? "exact" : "default",
    };

    /// <summary>Prints the report for programs, or the same in lines for people.</summary>
    public void Print(JsonObject report, bool json, params IEnumerable<string> lines)
    {
        if (json)
        {
            JsonOutput.Write(report);
            return;
        }
        Console.Out.WriteLine($"{report["model"]}   {KernelTable.Current.Name}, {Model.Threads} threads{(_options.Exact ? ", exact" : "")}");
        foreach (string line in lines) Console.Out.WriteLine(line);
    }

    public void Dispose()
    {
        _interrupt.Dispose();
        Model.Dispose();
        Folder.Dispose();
    }
}
