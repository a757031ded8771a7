using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;
using SeekSharp.Engine;
using SeekSharp.Models;

namespace SeekSharp.Cli.Bench;

/// <summary>
/// <c>seeksharp bench --prefix N --suffix M</c>: the time from a request's arrival to its first token where nothing of its N + M tokens is known, where the context cache has the first N in memory, and where a new
/// engine finds them in the tier on disk: once in the system's page cache, and once after the system was asked to drop the files from it (Linux). Every round in memory has texts of its own, every one from disk a new engine; medians.
/// </summary>
internal static partial class PrefixBench
{
    private const int DropPages = 4; // POSIX_FADV_DONTNEED, Linux

    public static int Run(string modelName, int prefix, int suffix, int repeats, ModelOptions options, bool json)
    {
        using var run = new BenchRun(modelName, options);
        string place = Directory.CreateTempSubdirectory("seeksharp-bench-").FullName;
        try
        {
            new Measurement(run, Math.Min(prefix, 128), Math.Min(suffix, 64), Path.Combine(place, "short")).Measure(1); // short requests of every kind: methods are compiled, memory is taken
            var measurement = new Measurement(run, prefix, suffix, Path.Combine(place, "long"));
            RepeatedFigure cold = new("first_token_ms", 2), memory = new("first_token_ms_memory", 2), disk = new("first_token_ms_disk", 2), dropped = new("first_token_ms_disk_dropped", 2);
            RepeatedFigure memoryRatio = new("memory_ratio", 1), diskRatio = new("disk_ratio", 1), droppedRatio = new("disk_dropped_ratio", 1);
            foreach (Times t in measurement.Measure(repeats))
            {
                cold.Add(t.Cold.TotalMilliseconds);
                memory.Add(t.Memory.TotalMilliseconds);
                memoryRatio.Add(t.Cold / t.Memory);
                disk.Add(t.Disk.TotalMilliseconds);
                diskRatio.Add(t.Cold / t.Disk);
                if (t.DiskDropped is not { } without) continue;
                dropped.Add(without.TotalMilliseconds);
                droppedRatio.Add(t.Cold / without);
            }
            JsonObject report = run.Report();
            report["prefix"] = prefix;
            report["suffix"] = suffix;
            report["repeats"] = repeats;
            report["known_tokens"] = measurement.Known;
            report["disk_bytes"] = measurement.DiskBytes;
            RepeatedFigure.Write(report, cold, memory, disk, dropped, memoryRatio, diskRatio, droppedRatio);
            List<string> lines =
            [
                $"first token of {prefix} + {suffix} tokens, nothing known: {cold.Median,9:0.0} ms",
                $"{measurement.Known} tokens known in memory:        {memory.Median,14:0.0} ms, {memoryRatio.Median:0.0}× sooner",
                $"a new engine, on disk ({measurement.DiskBytes / 1e6:0.0} MB), paged in: {disk.Median,8:0.0} ms, {diskRatio.Median:0.0}× sooner",
            ];
            if (!dropped.IsEmpty) lines.Add($"the same, read from the device:    {dropped.Median,14:0.0} ms, {droppedRatio.Median:0.0}× sooner");
            run.Print(report, json, lines);
            return 0;
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }

    /// <summary>From a request's arrival to its first token.</summary>
    /// <param name="Cold">Nothing is known.</param>
    /// <param name="Memory">The prefix is in memory.</param>
    /// <param name="Disk">The prefix is on disk.</param>
    /// <param name="DiskDropped">The same with the files out of the page cache; null where they cannot be dropped.</param>
    private record struct Times(TimeSpan Cold, TimeSpan Memory, TimeSpan Disk, TimeSpan? DiskDropped);

    private sealed class Measurement(BenchRun run, int prefix, int suffix, string place)
    {
        /// <summary>Tokens that come from the cache: the prefix's whole blocks.</summary>
        public int Known { get; } = Math.Min(prefix, prefix + suffix - 1) / KvCache.BlockTokens * KvCache.BlockTokens;

        public long DiskBytes { get; private set; }

        public Times[] Measure(int rounds)
        {
            var times = new Times[rounds];
            using (LlmEngine engine = Engine(null))
            {
                BenchRun.RequireRoom(engine, (long)prefix + suffix + 1);
                for (int text = -2; text < 0; text++) FirstToken(engine, Text(text, 0)[..Math.Min(256, prefix + suffix)], 0); // as in a server that has run for a while, it knows what a step costs
                for (int r = 0; r < rounds; r++)
                {
                    engine.Clear();
                    times[r].Cold = FirstToken(engine, Text(r, 1), 0);
                    times[r].Memory = FirstToken(engine, Text(r, 2), Known);
                }
            }
            using (DiskTier tier = Open())
            {
                using LlmEngine engine = Engine(tier);
                FirstToken(engine, Text(0, 3), 0);
                tier.Flush();
                DiskBytes = tier.Statistics.Bytes;
            }
            for (int r = 0; r < rounds; r++)
            {
                times[r].Disk = FromDisk(Text(0, 4 + 2 * r));
                if (Drop(place)) times[r].DiskDropped = FromDisk(Text(0, 5 + 2 * r));
            }
            return times;
        }

        // After a restart: nothing is in memory but the model.
        private TimeSpan FromDisk(int[] ids)
        {
            using DiskTier tier = Open();
            using LlmEngine engine = Engine(tier);
            return FirstToken(engine, ids, Known);
        }

        private DiskTier Open() => new(place, 2L * (KvCache.Blocks(prefix + suffix) + 1) * (run.Model.KvBlockBytes(false) + 4096), static line => throw new CliException(line));

        private LlmEngine Engine(DiskTier? tier) => new(run.Model, options: new EngineOptions { Speculation = SpeculationOptions.None, Disk = tier, ModelIdentity = "bench" });

        // Every round has a prefix, every request a suffix of its own. What is on disk stays: there it is the engine that is new.
        private int[] Text(int round, int request) => [.. run.Text((ulong)(10 + round), prefix), .. run.Text((ulong)(1000 * (10 + round) + request), suffix)];

        private TimeSpan FirstToken(LlmEngine engine, int[] ids, int known)
        {
            var sequence = new Sequence(ids, SamplingParams.Greedy with { MaxTokens = 1 });
            TimeSpan time = run.Time(engine, sequence).First;
            if (sequence.CachedTokens != known) throw new CliException($"{sequence.CachedTokens} tokens came from the cache instead of {known}");
            return time;
        }
    }

    // The files' pages go to the device and out of memory.
    private static bool Drop(string folder)
    {
        if (!OperatingSystem.IsLinux()) return false;
        foreach (string path in Directory.EnumerateFiles(folder, "*.kv"))
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(file);
            if (posix_fadvise(file, 0, 0, DropPages) != 0) return false;
        }
        return true;
    }

    [LibraryImport("libc")]
    private static partial int posix_fadvise(SafeFileHandle file, nint offset, nint length, int advice);
}
