using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace SeekSharp.Tests.Fuzz;

/// <summary>Runs alone: its limits are times.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>
/// Mutates every golden file, by its fields, and gives the mutants to the program. <c>SEEKSHARP_FUZZ_COUNT</c> (100,000 in CI, else 10,000),
/// <c>SEEKSHARP_FUZZ_SEED</c> (else a new one each time; printed), <c>SEEKSHARP_FUZZ_INDEX</c> (one mutant alone, with its exception),
/// <c>SEEKSHARP_FUZZ_FILES=1</c> (figures for each file), <c>SEEKSHARP_FUZZ_TRACE=1</c> (names each mutant before it runs) and
/// <c>SEEKSHARP_FUZZ_REPORT</c> (a file to append the report to) choose what is run. docs/reliability.md records long runs.
/// </summary>
[Collection(nameof(Alone))]
public sealed class MutationFuzzerTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_golden_file_mutated()
    {
        long count = Number("SEEKSHARP_FUZZ_COUNT", Repository.IsCi ? 100_000 : 10_000);
        ulong seed = (ulong)Number("SEEKSHARP_FUZZ_SEED", Random.Shared.Next(1, int.MaxValue));
        Say($"fuzzing with SEEKSHARP_FUZZ_SEED={seed} SEEKSHARP_FUZZ_COUNT={count}");
        var runner = new FuzzRunner(seed, count, Environment.ProcessorCount);
        long index = Number("SEEKSHARP_FUZZ_INDEX", -1);
        if (index >= 0) runner.RunOne(index);
        else
        {
            long start = Stopwatch.GetTimestamp();
            runner.Run();
            Say(runner.Report(Environment.GetEnvironmentVariable("SEEKSHARP_FUZZ_FILES") == "1"));
            Say($"{Stopwatch.GetElapsedTime(start).TotalSeconds:F0} s on {Environment.ProcessorCount} threads");
        }
        Assert.True(runner.Failures.Count == 0, string.Join("\n\n", runner.Failures));
        if (index >= 0) return;
        Assert.Equal(count, runner.Done);
        if (count < 10_000) return;
        Assert.Equal(runner.AllFiles, runner.Files);
        (long checkpoints, long forward) = runner.Checkpoints;
        Assert.True(forward >= 0.2 * checkpoints, $"{forward} of {checkpoints} mutants of models' files reached a forward pass, expected a fifth");
    }

    // Into the test's output, onto the console and into a file that CI prints: the seed is there even if a mutant ends the process.
    private void Say(string line)
    {
        output.WriteLine(line);
        Console.WriteLine(line);
        if (Environment.GetEnvironmentVariable("SEEKSHARP_FUZZ_REPORT") is { Length: > 0 } file) File.AppendAllText(file, line + "\n");
    }

    private static long Number(string variable, long otherwise) =>
        long.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out long n) ? n : otherwise;
}
