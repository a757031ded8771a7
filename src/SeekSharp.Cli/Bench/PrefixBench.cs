using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary>
/// <c>seeksharp bench --prefix N --suffix M</c>: the time from a request's arrival to its first token where nothing of its N + M tokens is known, where the context cache has the first N in memory, and where a new
/// engine finds them in the tier on disk: once in the system's page cache, and once after the system was asked to drop the files from it (Linux). Medians of three rounds.
/// </summary>
internal static partial class PrefixBench
{
    private const int Rounds = 3;
    private const int DropPages = 4; // POSIX_FADV_DONTNEED, Linux

    public static int Run(string modelName, int prefix, int suffix, ModelOptions options, bool json)
    {
        using ModelFolder folder = ModelArgument.Open(modelName);
        using LanguageModel model = ModelArgument.Load(folder, options);
        using Interrupts.Scope interrupt = Interrupts.Begin();
        string place = Directory.CreateTempSubdirectory("seeksharp-bench-").FullName;
        try
        {
            var runs = new Measurement(model, prefix, suffix, Path.Combine(place, "long"), interrupt.Token);
            runs.WarmUp();
            Times[] rounds = runs.Measure(Rounds);
            double Median(Func<Times, double> of) => rounds.Select(of).Order().ElementAt(Rounds / 2);
            double cold = Median(t => t.Cold), memory = Median(t => t.Memory), disk = Median(t => t.Disk);
            double? dropped = rounds[0].DiskDropped is null ? null : Median(t => t.DiskDropped!.Value);
            var report = new JsonObject
            {
                ["model"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Path)),
                ["tier"] = KernelTable.Current.Name,
                ["threads"] = model.Threads,
                ["arithmetic"] = options.Exact ? "exact" : "default",
                ["prefix"] = prefix,
                ["suffix"] = suffix,
                ["known_tokens"] = runs.Known,
                ["disk_bytes"] = runs.DiskBytes,
                ["first_token_ms"] = Milliseconds(cold),
                ["first_token_ms_memory"] = Milliseconds(memory),
                ["first_token_ms_disk"] = Milliseconds(disk),
                ["first_token_ms_disk_dropped"] = dropped is { } d ? Milliseconds(d) : null,
                ["memory_ratio"] = Math.Round(cold / memory, 1),
                ["disk_ratio"] = Math.Round(cold / disk, 1),
                ["disk_dropped_ratio"] = dropped is { } e ? Math.Round(cold / e, 1) : null,
            };
            if (json) JsonOutput.Write(report);
            else
            {
                Console.Out.WriteLine($"{report["model"]}   {KernelTable.Current.Name}, {model.Threads} threads{(options.Exact ? ", exact" : "")}");
                Console.Out.WriteLine($"first token of {prefix} + {suffix} tokens, nothing known: {cold * 1e3,9:0.0} ms");
                Console.Out.WriteLine($"{runs.Known} tokens known in memory:        {memory * 1e3,14:0.0} ms, {cold / memory:0.0}× sooner");
                Console.Out.WriteLine($"a new engine, on disk ({runs.DiskBytes / 1e6:0.0} MB), paged in: {disk * 1e3,8:0.0} ms, {cold / disk:0.0}× sooner");
                if (dropped is { } f) Console.Out.WriteLine($"the same, read from the device:    {f * 1e3,14:0.0} ms, {cold / f:0.0}× sooner");
            }
            return 0;
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }

    private static double Milliseconds(double seconds) => Math.Round(seconds * 1e3, 2);

    /// <summary>Seconds to the first token.</summary>
    /// <param name="Cold">Nothing is known.</param>
    /// <param name="Memory">The prefix is in memory.</param>
    /// <param name="Disk">The prefix is on disk.</param>
    /// <param name="DiskDropped">The same with the files out of the page cache; null where they cannot be dropped.</param>
    private record struct Times(double Cold, double Memory, double Disk, double? DiskDropped);

    private sealed class Measurement(LanguageModel model, int prefix, int suffix, string place, CancellationToken cancel)
    {
        /// <summary>Tokens that come from the cache: the prefix's whole blocks.</summary>
        public int Known { get; } = Math.Min(prefix, prefix + suffix - 1) / KvCache.BlockTokens * KvCache.BlockTokens;

        public long DiskBytes { get; private set; }

        /// <summary>Short requests of every kind: methods are compiled, memory is taken.</summary>
        public void WarmUp() => new Measurement(model, Math.Min(prefix, 128), Math.Min(suffix, 64), Path.Combine(place, "short"), cancel).Measure(1);

        public Times[] Measure(int rounds)
        {
            var times = new Times[rounds];
            using (LlmEngine engine = Engine(null))
            {
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
        private double FromDisk(int[] ids)
        {
            using DiskTier tier = Open();
            using LlmEngine engine = Engine(tier);
            return FirstToken(engine, ids, Known);
        }

        private DiskTier Open() => new(place, 2L * (KvCache.Blocks(prefix + suffix) + 1) * (model.KvBlockBytes(false) + 4096), static line => throw new CliException(line));

        private LlmEngine Engine(DiskTier? tier)
        {
            var engine = new LlmEngine(model, options: new EngineOptions { Speculation = SpeculationOptions.None, Disk = tier, ModelIdentity = "bench" });
            if (prefix + suffix + 1 <= engine.ContextLength) return engine;
            engine.Dispose();
            throw new CliException($"this takes {prefix + suffix + 1} tokens, the context holds {engine.ContextLength}");
        }

        // Every round has a prefix, every request a suffix of its own.
        private int[] Text(int round, int request)
        {
            var ids = new int[prefix + suffix];
            for (int i = 0; i < ids.Length; i++)
                ids[i] = (int)(CounterRandom.Uniform((ulong)(i < prefix ? 10 + round : 1000 * (10 + round) + request), i) * model.VocabularySize);
            return ids;
        }

        private double FirstToken(LlmEngine engine, int[] ids, int known)
        {
            var sequence = new Sequence(ids, SamplingParams.Greedy with { MaxTokens = 1 });
            long began = Stopwatch.GetTimestamp();
            engine.Add(sequence);
            while (!sequence.IsFinished)
            {
                cancel.ThrowIfCancellationRequested();
                engine.Step();
            }
            double time = Stopwatch.GetElapsedTime(began).TotalSeconds;
            if (sequence.Error is { } error) throw new CliException(error.Message);
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
