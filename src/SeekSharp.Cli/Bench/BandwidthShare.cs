using System.Diagnostics;
using SeekSharp.Engine;
using SeekSharp.Kernels;

namespace SeekSharp.Cli.Bench;

/// <summary>
/// Which share of the memory's bandwidth decoding reaches, on a machine that others use too: a few tokens and plain reading of memory take turns, and each round of tokens is held against the readings
/// before and after it. Medians throughout: of the tokens of a round, and of the rounds; a step that another process holds up is no measure of ours.
/// </summary>
internal static class BandwidthShare
{
    private const int TokensPerRound = 8;

    /// <summary>Runs the sequence to its end. The share; 0 if nothing was written.</summary>
    /// <param name="run">Nothing else runs in it.</param>
    /// <param name="engine">Of the model of <paramref name="run"/>.</param>
    /// <param name="sequence">Not added yet.</param>
    /// <param name="bytesPerToken">What a token of the answer reads.</param>
    public static double Measure(BenchRun run, LlmEngine engine, Sequence sequence, long bytesPerToken)
    {
        using var memory = new MemoryReader(KernelTable.Current, run.Model.Pool);
        var shares = new List<double>();
        engine.Add(sequence);
        while (!sequence.IsFinished && sequence.Generated.Length == 0) run.Step(engine);
        double before = memory.ReadByAll();
        var rates = new List<double>();
        while (!sequence.IsFinished)
        {
            rates.Clear();
            for (int wanted = sequence.Generated.Length + TokensPerRound; !sequence.IsFinished && sequence.Generated.Length < wanted;)
            {
                int tokens = sequence.Generated.Length;
                long start = Stopwatch.GetTimestamp();
                run.Step(engine);
                rates.Add((double)(sequence.Generated.Length - tokens) * bytesPerToken / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
            }
            double after = memory.ReadByAll();
            shares.Add(Median(rates) / ((before + after) / 2));
            before = after;
        }
        if (sequence.Error is { } error) throw new CliException(error.Message);
        return Median(shares);
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values.Count == 0 ? 0 : values[values.Count / 2];
    }
}
