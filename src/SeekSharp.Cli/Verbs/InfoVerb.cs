using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using SeekSharp.Kernels;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp info</c>: what this machine is, and what it can do.</summary>
internal static class InfoVerb
{
    internal static Command Create()
    {
        Option<int> threads = Range.AtLeast(new Option<int>("--threads") { Description = "Threads to measure with (default: every core)", HelpName = "N" }, 1);
        Option<bool> json = JsonOutput.Create();
        var command = new Command("info", "Show this machine: processor, kernel tier, measured bandwidth and peaks") { threads, json };
        command.SetAction(parsed => Run(parsed.GetValue(threads), parsed.GetValue(json)));
        return command;
    }

    private static int Run(int threads, bool json)
    {
        KernelTable kernels = KernelTable.Current;
        if (KernelTable.Notice is { } notice) Console.Error.WriteLine("seeksharp: " + notice);
        using var pool = new WorkerPool(threads);
        MachineMeasurements measured = MachineProbe.Measure(kernels, pool);
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (json)
        {
            JsonOutput.Write(new JsonObject
            {
                ["version"] = Version,
                ["runtime"] = RuntimeInformation.FrameworkDescription,
                ["os"] = RuntimeInformation.OSDescription,
                ["cpu"] = MachineProbe.CpuName,
                ["cores"] = MachineProbe.Cores,
                ["features"] = new JsonArray([.. MachineProbe.Features.Select(f => (JsonNode)f)]),
                ["memory_bytes"] = memory,
                ["tier"] = kernels.Name,
                ["attention"] = kernels.AttentionForm,
                ["best_tier"] = KernelTable.Best.ToString().ToLowerInvariant(),
                ["threads"] = measured.Threads,
                ["bandwidth_one_thread_gbs"] = Math.Round(measured.ReadOne.Best, 2),
                ["bandwidth_gbs"] = Math.Round(measured.ReadAll.Best, 2),
                ["bandwidth_median_gbs"] = Math.Round(measured.ReadAll.Median, 2),
                ["fp32_gflops"] = Math.Round(measured.Fp32.Best, 1),
                ["int8_gops"] = Math.Round(measured.Int8.Best, 1),
                ["int8_median_gops"] = Math.Round(measured.Int8.Median, 1),
            });
            return 0;
        }
        foreach ((string name, string value) in ((string, string)[])
        [
            ("seeksharp", $"{Version} on {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}"),
            ("processor", $"{MachineProbe.CpuName}, {MachineProbe.Cores} cores"),
            ("instructions", string.Join(' ', MachineProbe.Features)),
            ("memory", Amounts.Bytes(memory)),
            ("kernel tier", $"{kernels.Name}, attention in {kernels.AttentionForm}"),
            ("reads", $"{measured.ReadOne.Best:0.0} GB/s with one thread, {measured.ReadAll.Best:0.0} GB/s with {measured.Threads} (median {measured.ReadAll.Median:0.0})"),
            ("peak fp32", $"{measured.Fp32.Best:0} GFLOP/s with {measured.Threads} threads"),
            ("peak int8", $"{measured.Int8.Best:0} GOP/s with {measured.Threads} threads"),
        ]) Console.Out.WriteLine($"{name,-13} {value}");
        return 0;
    }

    private static string? Version => typeof(InfoVerb).Assembly.GetName().Version?.ToString(3);
}
