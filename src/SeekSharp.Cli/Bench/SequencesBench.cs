using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary>
/// <c>seeksharp bench --sequences N</c>: N prompts, each another, are read and answered together, as <c>llama-batched-bench -npp 128 -ntg 64 -npl N</c> does. Writing is measured from
/// the step after which all have begun to write, for <c>--decode</c> steps of N tokens.
/// </summary>
internal static class SequencesBench
{
    public static int Run(string modelName, int sequences, int prompt, int decode, int join, ModelOptions options, bool json)
    {
        if (decode < 1) throw CliException.Usage("--sequences measures writing: --decode must be at least 1");
        using ModelFolder folder = ModelArgument.Open(modelName);
        using LanguageModel model = ModelArgument.Load(folder, options);
        using var engine = new LlmEngine(model, options: new EngineOptions { Scheduler = new SchedulerOptions { MaxRunning = sequences + 1, MaxWaiting = sequences }, Speculation = SpeculationOptions.None });
        if (prompt + decode + 1 > engine.ContextLength) throw new CliException($"this takes {prompt + decode + 1} tokens, the context holds {engine.ContextLength}");
        if (KvCache.Blocks(prompt + decode + 64) * (long)sequences > engine.Pool.Capacity)
            throw new CliException($"{sequences} sequences of {prompt + decode} tokens need {KvCache.Blocks(prompt + decode + 64) * (long)sequences} blocks of keys and values, memory holds {engine.Pool.Capacity}");

        if (join > engine.ContextLength - 1) throw new CliException($"a prompt of {join} tokens was asked for, the context holds {engine.ContextLength}");

        using Interrupts.Scope interrupt = Interrupts.Begin();
        using var progress = new ProgressLine("measuring");
        WarmUp(engine, model, prompt, interrupt.Token);
        var all = new Sequence[sequences];
        for (int s = 0; s < sequences; s++)
        {
            var ids = new int[prompt];
            for (int i = 0; i < ids.Length; i++) ids[i] = (int)(CounterRandom.Uniform((ulong)s + 2, i) * model.VocabularySize);
            engine.Add(all[s] = new Sequence(ids, SamplingParams.Greedy));
        }
        long began = Stopwatch.GetTimestamp();
        while (Array.Exists(all, static s => s.Generated.IsEmpty)) Step();
        TimeSpan reading = Stopwatch.GetElapsedTime(began), pass = engine.PassTime;
        int early = all.Sum(static s => s.Generated.Length - 1);
        long before = engine.Statistics.GeneratedTokens;
        began = Stopwatch.GetTimestamp();
        for (int i = 0; i < decode; i++)
        {
            Step();
            progress.Report((double)i / decode);
        }
        TimeSpan writing = Stopwatch.GetElapsedTime(began);
        long written = engine.Statistics.GeneratedTokens - before;
        if (written != (long)decode * sequences) throw new CliException($"{written} tokens were written instead of {(long)decode * sequences}: the sequences were not all together");
        double own = 1 - (engine.PassTime - pass) / writing;
        Pauses? pauses = join > 0 ? Join(engine, model, all, join, Step) : null;
        progress.Dispose();

        var report = new JsonObject
        {
            ["model"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Path)),
            ["tier"] = KernelTable.Current.Name,
            ["threads"] = model.Threads,
            ["arithmetic"] = options.Exact ? "exact" : "default",
            ["sequences"] = sequences,
            ["prompt"] = prompt,
            ["decode"] = decode,
            ["prefill_tps"] = Math.Round(((long)sequences * prompt + early) / reading.TotalSeconds, 2),
            ["decode_tps"] = Math.Round(written / writing.TotalSeconds, 2),
            ["step_ms"] = Math.Round(writing.TotalMilliseconds / decode, 3),
            ["engine_share"] = Math.Round(own, 4),
        };
        if (pauses is { } p)
        {
            report["join"] = join;
            report["join_prefill_tps"] = Math.Round(join / p.Reading.TotalSeconds, 2);
            report["join_steps"] = p.Steps;
            report["pause_ms_p50"] = Math.Round(p.Median.TotalMilliseconds, 1);
            report["pause_ms_p99"] = Math.Round(p.Rare.TotalMilliseconds, 1);
            report["pause_ms_longest"] = Math.Round(p.Longest.TotalMilliseconds, 1);
        }
        if (json) JsonOutput.Write(report);
        else
        {
            Console.Out.WriteLine($"{report["model"]}   {KernelTable.Current.Name}, {model.Threads} threads{(options.Exact ? ", exact" : "")}");
            Console.Out.WriteLine($"prefill  {sequences} × {prompt} tokens: {report["prefill_tps"],8:0.0} tokens/s");
            Console.Out.WriteLine($"decode   {sequences} × {decode} tokens together: {report["decode_tps"],8:0.0} tokens/s, {report["step_ms"]} ms a step, {own * 100:0.0}% of it the engine's own");
            if (pauses is { } told)
                Console.Out.WriteLine($"join     {join} tokens read in {told.Steps} steps and {told.Reading.TotalSeconds:0.0} s; between two tokens the others waited {told.Median.TotalMilliseconds:0} ms, 99% at most {told.Rare.TotalMilliseconds:0}, longest {told.Longest.TotalMilliseconds:0}");
        }
        return 0;

        void Step()
        {
            interrupt.Token.ThrowIfCancellationRequested();
            engine.Step();
            if (Array.Find(all, static s => s.Error is not null) is { } failed) throw new CliException(failed.Error!.Message);
        }
    }

    private readonly record struct Pauses(int Steps, TimeSpan Reading, TimeSpan Median, TimeSpan Rare, TimeSpan Longest);

    // A long prompt comes while the others write: how long is each of them without a token?
    private static Pauses Join(LlmEngine engine, LanguageModel model, Sequence[] writing, int tokens, Action step)
    {
        var ids = new int[tokens];
        for (int i = 0; i < ids.Length; i++) ids[i] = (int)(CounterRandom.Uniform(0, i) * model.VocabularySize);
        var joining = new Sequence(ids, SamplingParams.Greedy with { MaxTokens = 1 });
        engine.Add(joining);
        var pauses = new List<TimeSpan>();
        long began = Stopwatch.GetTimestamp(), last = began;
        int[] lengths = [.. writing.Select(static s => s.Generated.Length)];
        while (!joining.IsFinished)
        {
            step();
            long now = Stopwatch.GetTimestamp();
            pauses.Add(Stopwatch.GetElapsedTime(last, now));
            last = now;
            for (int s = 0; s < writing.Length; s++)
            {
                if (writing[s].Generated.Length <= lengths[s]) throw new CliException("a sequence got no token in a step: memory is short");
                lengths[s] = writing[s].Generated.Length;
            }
        }
        pauses.Sort();
        return new(pauses.Count, Stopwatch.GetElapsedTime(began), pauses[pauses.Count / 2], pauses[pauses.Count * 99 / 100], pauses[^1]);
    }

    // The scheduler learns what a token costs, and memory is taken.
    private static void WarmUp(LlmEngine engine, LanguageModel model, int prompt, CancellationToken cancel)
    {
        for (int round = 0; round < 3; round++)
        {
            var ids = new int[prompt];
            for (int i = 0; i < ids.Length; i++) ids[i] = (int)(CounterRandom.Uniform(1, i + round) * model.VocabularySize);
            var sequence = new Sequence(ids, SamplingParams.Greedy with { MaxTokens = 8 });
            engine.Add(sequence);
            while (!sequence.IsFinished)
            {
                cancel.ThrowIfCancellationRequested();
                engine.Step();
            }
            engine.Clear();
        }
    }
}
