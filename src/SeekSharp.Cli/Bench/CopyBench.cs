using System.Text.Json.Nodes;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Models;

namespace SeekSharp.Cli.Bench;

/// <summary>
/// <c>seeksharp bench --copy N</c>: a prompt of N tokens is written again, plainly and with guesses looked up in the text; several prompts, each in turn. A prompt is random, and what is written is bound to it by a
/// <see cref="TokenConstraint"/> that admits nothing else, since a model of random weights copies nothing of itself: so this is what lookup gives at most, with every guess right. What the model computes for a token is the
/// same either way.
/// </summary>
internal static class CopyBench
{
    private const int Begun = 8; // tokens of the copy that the prompt has already

    public static int Run(string modelName, int prompt, int decode, int repeats, ModelOptions options, bool json)
    {
        if (decode < 2) throw CliException.Usage("--copy measures writing: --decode must be at least 2");
        using var run = new BenchRun(modelName, options);
        using var plain = new LlmEngine(run.Model, options: new EngineOptions { Speculation = SpeculationOptions.None });
        using var lookup = new LlmEngine(run.Model, options: new EngineOptions { Speculation = SpeculationOptions.None with { Lookup = true } });
        BenchRun.RequireRoom(plain, (long)prompt + Begun + decode + 1);
        using var progress = new ProgressLine("measuring");

        int[] text = run.Text(1, prompt);
        Write(run, plain, text, 8); // methods are compiled, memory is taken, and how many guesses pay is known
        Write(run, lookup, text, 64);
        RepeatedFigure without = new("plain_tps", 2), with = new("lookup_tps", 2), ratio = new("ratio", 2);
        SpeculationStatistics before = lookup.Speculated(DraftKind.Lookup);
        long steps = 0;
        for (int r = 0; r < repeats; r++)
        {
            progress.Report((double)r / repeats);
            text = run.Text((ulong)r + 2, prompt);
            BenchRun.Timed slow = Write(run, plain, text, decode), fast = Write(run, lookup, text, decode);
            without.Add(decode / slow.Rest.TotalSeconds);
            with.Add(decode / fast.Rest.TotalSeconds);
            ratio.Add(slow.Rest / fast.Rest);
            steps += fast.Steps;
        }
        progress.Dispose();
        SpeculationStatistics after = lookup.Speculated(DraftKind.Lookup), guesses = new(after.Proposed - before.Proposed, after.Accepted - before.Accepted);
        double perStep = repeats * (double)decode / steps;
        JsonObject report = run.Report();
        report["copy"] = prompt;
        report["decode"] = decode;
        report["repeats"] = repeats;
        report["tokens_per_step"] = Math.Round(perStep, 2);
        report["proposed"] = guesses.Proposed;
        report["accepted"] = guesses.Accepted;
        RepeatedFigure.Write(report, without, with, ratio);
        run.Print(report, json,
            $"a prompt of {prompt} tokens written again, {decode} tokens: {without.Median:0.0} tokens/s plainly, {with.Median:0.0} with lookup, {ratio.Median:0.00}×; {perStep:0.0} tokens a step, {guesses.Accepted} of {guesses.Proposed} guesses held");
        return 0;
    }

    // Writes the text again.
    private static BenchRun.Timed Write(BenchRun run, LlmEngine engine, int[] text, int tokens)
    {
        int[] prompt = [.. text, .. Enumerable.Range(0, Begun).Select(i => text[i % text.Length])];
        return run.Time(engine, new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = tokens + 1 }) { Constraint = new Again(text, Begun) });
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
