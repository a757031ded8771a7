using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary>
/// <c>seeksharp bench --copy N</c>: a prompt of N tokens is written again, plainly and with guesses looked up in the text; three rounds of each, in turn. The prompt is random, and what is written is bound to it by a
/// <see cref="TokenConstraint"/> that admits nothing else, since a model of random weights copies nothing of itself: so this is what lookup gives at most, with every guess right. What the model computes for a token is the
/// same either way.
/// </summary>
internal static class CopyBench
{
    private const int Rounds = 3;

    public static int Run(string modelName, int prompt, int decode, ModelOptions options, bool json)
    {
        if (decode < 2) throw CliException.Usage("--copy measures writing: --decode must be at least 2");
        using ModelFolder folder = ModelArgument.Open(modelName);
        using LanguageModel model = ModelArgument.Load(folder, options);
        using var plain = new LlmEngine(model, options: new EngineOptions { Speculation = SpeculationOptions.None });
        using var lookup = new LlmEngine(model, options: new EngineOptions { Speculation = SpeculationOptions.None with { Lookup = true } });
        if (prompt + Begun + decode + 1 > plain.ContextLength) throw new CliException($"this takes {prompt + Begun + decode + 1} tokens, the context holds {plain.ContextLength}");
        using Interrupts.Scope interrupt = Interrupts.Begin();
        using var progress = new ProgressLine("measuring");
        var text = new int[prompt];
        for (int i = 0; i < text.Length; i++) text[i] = (int)(CounterRandom.Uniform(1, i) * model.VocabularySize);

        Write(plain, text, 8, interrupt.Token); // the prompt is in both caches, and methods are compiled
        Write(lookup, text, 64, interrupt.Token);
        double[] without = new double[Rounds], with = new double[Rounds], ratios = new double[Rounds];
        SpeculationStatistics before = lookup.Speculated(DraftKind.Lookup);
        long steps = lookup.Statistics.Steps;
        for (int r = 0; r < Rounds; r++)
        {
            progress.Report((double)r / Rounds);
            without[r] = Write(plain, text, decode, interrupt.Token);
            with[r] = Write(lookup, text, decode, interrupt.Token);
            ratios[r] = with[r] / without[r];
        }
        progress.Dispose();
        steps = lookup.Statistics.Steps - steps;
        SpeculationStatistics after = lookup.Speculated(DraftKind.Lookup), guesses = new(after.Proposed - before.Proposed, after.Accepted - before.Accepted);
        foreach (double[] values in (double[][])[without, with, ratios]) Array.Sort(values);
        double ratio = ratios[Rounds / 2], perStep = Rounds * (double)decode / steps;
        var report = new JsonObject
        {
            ["model"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Path)),
            ["tier"] = KernelTable.Current.Name,
            ["threads"] = model.Threads,
            ["arithmetic"] = options.Exact ? "exact" : "default",
            ["copy"] = prompt,
            ["decode"] = decode,
            ["plain_tps"] = Math.Round(without[Rounds / 2], 2),
            ["lookup_tps"] = Math.Round(with[Rounds / 2], 2),
            ["ratio"] = Math.Round(ratio, 2),
            ["tokens_per_step"] = Math.Round(perStep, 2),
            ["proposed"] = guesses.Proposed,
            ["accepted"] = guesses.Accepted,
        };
        if (json) JsonOutput.Write(report);
        else
        {
            Console.Out.WriteLine($"{report["model"]}   {KernelTable.Current.Name}, {model.Threads} threads{(options.Exact ? ", exact" : "")}");
            Console.Out.WriteLine($"a prompt of {prompt} tokens written again, {decode} tokens: {report["plain_tps"]} tokens/s plainly, {report["lookup_tps"]} with lookup, {ratio:0.00}×; {perStep:0.0} tokens a step, {guesses.Accepted} of {guesses.Proposed} guesses held");
        }
        return 0;
    }

    private const int Begun = 8; // tokens of the copy that the prompt has already

    /// <summary>Writes the text again, and tells how many tokens a second came after the first.</summary>
    private static double Write(LlmEngine engine, int[] text, int tokens, CancellationToken cancel)
    {
        int[] prompt = [.. text, .. Enumerable.Range(0, Begun).Select(i => text[i % text.Length])];
        var sequence = new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = tokens + 1 }) { Constraint = new Again(text, Begun) };
        engine.Add(sequence);
        long first = 0;
        while (!sequence.IsFinished)
        {
            cancel.ThrowIfCancellationRequested();
            engine.Step();
            if (first == 0 && sequence.Generated.Length > 0) first = Stopwatch.GetTimestamp();
        }
        TimeSpan time = Stopwatch.GetElapsedTime(first);
        if (sequence.Error is { } error) throw new CliException(error.Message);
        return tokens / time.TotalSeconds;
    }

    /// <summary>Admits the text, over and over.</summary>
    private sealed class Again(int[] text, int at) : TokenConstraint
    {
        private int _at = at;

        public override bool FillMask(Span<uint> mask)
        {
            mask.Clear();
            int id = text[_at % text.Length];
            mask[id / 32] |= 1u << (id % 32);
            return true;
        }

        public override void Accept(int id) => _at++;
        public override void Rollback(int count) => _at -= count;
    }
}
