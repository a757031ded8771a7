using System.Diagnostics;
using System.Globalization;
using SeekSharp.Tests.Fuzz;
using Xunit;

namespace SeekSharp.Tests.Soak;

/// <summary>
/// Engines of both architectures for a while, with everything at once that may happen to them (<see cref="EngineSoak"/>). <c>SEEKSHARP_SOAK_SECONDS</c> (4), <c>SEEKSHARP_SOAK_SEED</c> (else a new
/// one each time; printed) and <c>SEEKSHARP_SOAK_THREADS</c> (2; a model's) choose what is run. A seed gives the same requests in the same order; what meets what is the clock's.
/// docs/reliability.md records long runs.
/// </summary>
[Collection(nameof(Alone))]
public sealed class SoakTests(ITestOutputHelper output)
{
    private const long MostGrowth = 200L << 20;

    [Fact]
    public async Task Every_block_comes_back()
    {
        int seconds = Number("SEEKSHARP_SOAK_SECONDS", 4), seed = Number("SEEKSHARP_SOAK_SEED", Random.Shared.Next(1, int.MaxValue)), threads = Number("SEEKSHARP_SOAK_THREADS", 2);
        Say($"soaking with SEEKSHARP_SOAK_SEED={seed} SEEKSHARP_SOAK_SECONDS={seconds} SEEKSHARP_SOAK_THREADS={threads}");
        long began = Stopwatch.GetTimestamp();
        using var llama = new EngineSoak("llama3", seed, threads, draftModel: true);
        using var deepseek = new EngineSoak("deepseek_v3_mtp", seed + 1, threads, draftModel: false);
        var length = TimeSpan.FromSeconds(seconds);
        Task both = Task.WhenAll(Task.Run(() => llama.Run(length)), Task.Run(() => deepseek.Run(length)));

        // After a fifth of the time everything has been used once: from there on memory may not grow.
        long early = 0, most = 0;
        while (await Task.WhenAny(both, Task.Delay(1000)) != both)
        {
            if (Stopwatch.GetElapsedTime(began) < length / 5) early = Math.Max(early, Environment.WorkingSet);
            most = Math.Max(most, Environment.WorkingSet);
        }
        await both;
        Say(llama.Report());
        Say(deepseek.Report());
        Say($"{Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s; memory of the process at most {early >> 20} MiB in the first fifth, {most >> 20} MiB in all");
        Assert.True(llama.Failures.Count + deepseek.Failures.Count == 0, string.Join("\n\n", llama.Failures.Concat(deepseek.Failures)));
        llama.AssertThatMuchHappened(seconds >= 120);
        deepseek.AssertThatMuchHappened(seconds >= 120);
        if (seconds >= 120) Assert.True(most - early < MostGrowth, $"memory grew from {early >> 20} to {most >> 20} MiB");
    }

    private void Say(string line)
    {
        output.WriteLine(line);
        Console.WriteLine(line);
        if (Environment.GetEnvironmentVariable("SEEKSHARP_SOAK_REPORT") is { Length: > 0 } file) File.AppendAllText(file, line + "\n");
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : otherwise;
}
