using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Models;

namespace SeekSharp.Cli.Bench;

/// <summary>
/// <c>seeksharp bench --sequences N</c>: N prompts, each another, are read and answered together, as <c>llama-batched-bench -npp 128 -ntg 64 -npl N</c> does. Writing is measured from
/// the step after which all have begun to write, for <c>--decode</c> steps of N tokens.
/// </summary>
internal static class SequencesBench
{
    private const ulong JoiningText = 1 << 20; // beyond the sequences' own

    public static int Run(string modelName, int sequences, int prompt, int decode, int join, ModelOptions options, bool json)
    {
        if (decode < 1) throw CliException.Usage("--sequences measures writing: --decode must be at least 1");
        using var run = new BenchRun(modelName, options);
        using var engine = new LlmEngine(run.Model, options: new EngineOptions { Scheduler = new SchedulerOptions { MaxRunning = sequences + 1, MaxWaiting = sequences }, Speculation = SpeculationOptions.None });
        BenchRun.RequireRoom(engine, (long)prompt + decode + 1);
        if (KvCache.Blocks(prompt + decode + 64) * (long)sequences > engine.Pool.Capacity)
            throw new CliException($"{sequences} sequences of {prompt + decode} tokens need {KvCache.Blocks(prompt + decode + 64) * (long)sequences} blocks of keys and values, memory holds {engine.Pool.Capacity}");

        if (join > engine.ContextLength - 1) throw new CliException($"a prompt of {join} tokens was asked for, the context holds {engine.ContextLength}");

        using var progress = new ProgressLine("measuring");
        for (ulong round = 0; round < 3; round++)
        {
            run.Time(engine, new Sequence(run.Text(JoiningText + 1 + round, prompt), SamplingParams.Greedy with { MaxTokens = 8 })); // the scheduler learns what a token costs, and memory is taken
            engine.Clear();
        }
        var all = new Sequence[sequences];
        for (int s = 0; s < sequences; s++) engine.Add(all[s] = new Sequence(run.Text((ulong)s, prompt), SamplingParams.Greedy));
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
        Pauses? pauses = join > 0 ? Join(engine, new Sequence(run.Text(JoiningText, join), SamplingParams.Greedy with { MaxTokens = 1 }), all, Step) : null;
        progress.Dispose();

        double reads = ((long)sequences * prompt + early) / reading.TotalSeconds, writes = written / writing.TotalSeconds, step = writing.TotalMilliseconds / decode;
        JsonObject report = run.Report();
        report["sequences"] = sequences;
        report["prompt"] = prompt;
        report["decode"] = decode;
        report["prefill_tps"] = Math.Round(reads, 2);
        report["decode_tps"] = Math.Round(writes, 2);
        report["step_ms"] = Math.Round(step, 3);
        report["engine_share"] = Math.Round(own, 4);
        List<string> lines =
        [
            $"prefill  {sequences} × {prompt} tokens: {reads,8:0.0} tokens/s",
            $"decode   {sequences} × {decode} tokens together: {writes,8:0.0} tokens/s, {step:0.###} ms a step, {own * 100:0.0}% of it the engine's own",
        ];
        if (pauses is { } p)
        {
            report["join"] = join;
            report["join_prefill_tps"] = Math.Round(join / p.Reading.TotalSeconds, 2);
            report["join_steps"] = p.Steps;
            report["pause_ms_p50"] = Math.Round(p.Median.TotalMilliseconds, 1);
            report["pause_ms_p99"] = Math.Round(p.Rare.TotalMilliseconds, 1);
            report["pause_ms_longest"] = Math.Round(p.Longest.TotalMilliseconds, 1);
            lines.Add($"join     {join} tokens read in {p.Steps} steps and {p.Reading.TotalSeconds:0.0} s; between two tokens the others waited {p.Median.TotalMilliseconds:0} ms, 99% at most {p.Rare.TotalMilliseconds:0}, longest {p.Longest.TotalMilliseconds:0}");
        }
        run.Print(report, json, lines);
        return 0;

        void Step()
        {
            run.Step(engine);
            if (Array.Find(all, static s => s.Error is not null) is { } failed) throw new CliException(failed.Error!.Message);
        }
    }

    private readonly record struct Pauses(int Steps, TimeSpan Reading, TimeSpan Median, TimeSpan Rare, TimeSpan Longest);

    // A long prompt comes while the others write: how long is each of them without a token?
    private static Pauses Join(LlmEngine engine, Sequence joining, Sequence[] writing, Action step)
    {
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
}
