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
    public static int Run(string modelName, int sequences, int prompt, int decode, ModelOptions options, bool json)
    {
        if (decode < 1) throw CliException.Usage("--sequences measures writing: --decode must be at least 1");
        using ModelFolder folder = ModelArgument.Open(modelName);
        using LanguageModel model = ModelArgument.Load(folder, options);
        using var engine = new LlmEngine(model, options: new EngineOptions { Scheduler = new SchedulerOptions { MaxRunning = sequences, MaxWaiting = sequences }, Speculation = SpeculationOptions.None });
        // While the last prompts are read the first ones write already: room for that, too.
        long most = prompt + decode + 64L * sequences;
        if (prompt + decode + 1 > engine.ContextLength) throw new CliException($"this takes {prompt + decode + 1} tokens, the context holds {engine.ContextLength}");
        if (KvCache.Blocks(prompt + decode + 64) * (long)sequences > engine.Pool.Capacity)
            throw new CliException($"{sequences} sequences of {prompt + decode} tokens need {KvCache.Blocks(prompt + decode + 64) * (long)sequences} blocks of keys and values, memory holds {engine.Pool.Capacity}");

        using Interrupts.Scope interrupt = Interrupts.Begin();
        using var progress = new ProgressLine("measuring");
        WarmUp(engine, model, prompt, interrupt.Token);
        var all = new Sequence[sequences];
        for (int s = 0; s < sequences; s++)
        {
            var ids = new int[prompt];
            for (int i = 0; i < ids.Length; i++) ids[i] = (int)(CounterRandom.Uniform((ulong)s + 2, i) * model.VocabularySize);
            engine.Add(all[s] = new Sequence(ids, SamplingParams.Greedy with { MaxTokens = (int)Math.Min(int.MaxValue, most) }));
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
        progress.Dispose();

        double own = 1 - (engine.PassTime - pass) / writing;
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
        if (json) JsonOutput.Write(report);
        else
        {
            Console.Out.WriteLine($"{report["model"]}   {KernelTable.Current.Name}, {model.Threads} threads{(options.Exact ? ", exact" : "")}");
            Console.Out.WriteLine($"prefill  {sequences} × {prompt} tokens: {report["prefill_tps"],8:0.0} tokens/s");
            Console.Out.WriteLine($"decode   {sequences} × {decode} tokens together: {report["decode_tps"],8:0.0} tokens/s, {report["step_ms"]} ms a step, {own * 100:0.0}% of it the engine's own");
        }
        return 0;

        void Step()
        {
            interrupt.Token.ThrowIfCancellationRequested();
            engine.Step();
            if (Array.Find(all, static s => s.Error is not null) is { } failed) throw new CliException(failed.Error!.Message);
        }
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
