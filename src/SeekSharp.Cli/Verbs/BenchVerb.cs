using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Run;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary>
/// <c>seeksharp bench</c>: how fast a model reads and writes, through the engine that <c>run</c> uses. Reading and writing are measured apart, each behind
/// <c>--depth</c> tokens that are in the cache already; one short round before warms up.
/// </summary>
internal static class BenchVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var prefill = new Option<int>("--prefill") { Description = "Tokens to read", DefaultValueFactory = _ => 512, HelpName = "N" };
        var decode = new Option<int>("--decode") { Description = "Tokens to write", DefaultValueFactory = _ => 64, HelpName = "N" };
        var depth = new Option<int>("--depth") { Description = "Tokens that are in the cache before", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(prefill, 0);
        Range.AtLeast(decode, 0);
        Range.AtLeast(depth, 0);
        var sequences = new Option<int>("--sequences") { Description = "Write the answers of N prompts of 128 tokens (or --depth) together", DefaultValueFactory = _ => 1, HelpName = "N" };
        Range.AtLeast(sequences, 1);
        var join = new Option<int>("--join") { Description = "With --sequences: while they write, a prompt of N tokens joins; tells how long it makes them wait", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(join, 0);
        var prefix = new Option<int>("--prefix") { Description = "Time to the first token after N tokens that the context cache knows, in memory and on disk, beside the time without", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(prefix, 0);
        var suffix = new Option<int>("--suffix") { Description = "With --prefix: tokens that it does not know", DefaultValueFactory = _ => 16, HelpName = "N" };
        Range.AtLeast(suffix, 1);
        var copy = new Option<int>("--copy") { Description = "Write a prompt of N tokens again, plainly and with --lookup: what lookup gives where every guess holds", DefaultValueFactory = _ => 0, HelpName = "N" };
        Range.AtLeast(copy, 0);
        Option<bool> json = JsonOutput.Create();
        var compute = new ComputeOptions();
        var speculation = new SpeculationFlags();
        var command = new Command("bench", "Measure how fast a model reads a prompt and writes an answer") { model, prefill, decode, depth, sequences, join, prefix, suffix, copy, json };
        speculation.AddTo(command);
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            SpeculationFlags.Choice guessing = speculation.Read(parsed, SpeculationOptions.None); // a figure for decoding is one for plain decoding unless asked otherwise
            bool many = parsed.GetValue(sequences) > 1, known = parsed.GetValue(prefix) > 0, again = parsed.GetValue(copy) > 0;
            if ((many ? 1 : 0) + (known ? 1 : 0) + (again ? 1 : 0) > 1) throw CliException.Usage("of --sequences, --prefix and --copy only one can be measured at once");
            if ((known || again) && (guessing.Options != SpeculationOptions.None || guessing.Draft is not null)) throw CliException.Usage("--prefix and --copy go with none of --lookup, --mtp and --draft");
            if (known) return PrefixBench.Run(parsed.GetRequiredValue(model), parsed.GetValue(prefix), parsed.GetValue(suffix), compute.Read(parsed), parsed.GetValue(json));
            if (again) return CopyBench.Run(parsed.GetRequiredValue(model), parsed.GetValue(copy), parsed.GetValue(decode), compute.Read(parsed), parsed.GetValue(json));
            if (parsed.GetValue(sequences) is > 1 and int n)
            {
                if (guessing.Options != SpeculationOptions.None || guessing.Draft is not null) throw CliException.Usage("--sequences measures plain decoding: it goes with none of --lookup, --mtp and --draft");
                return SequencesBench.Run(parsed.GetRequiredValue(model), n, parsed.GetValue(depth) is > 0 and int d ? d : 128, parsed.GetValue(decode), parsed.GetValue(join), compute.Read(parsed), parsed.GetValue(json));
            }
            return Run(parsed.GetRequiredValue(model), parsed.GetValue(prefill), parsed.GetValue(decode), parsed.GetValue(depth),
                compute.Read(parsed, multiTokenPrediction: guessing.Options.MultiTokenPrediction), guessing, parsed.GetValue(json));
        });
        return command;
    }

    private static int Run(string modelName, int prefill, int decode, int depth, ModelOptions options, SpeculationFlags.Choice guessing, bool json)
    {
        using ModelFolder folder = ModelArgument.Open(modelName);
        using LanguageModel model = ModelArgument.Load(folder, options);
        double load = SecondsSinceStart();
        using var speculation = new SpeculationFlags.Loaded(guessing, folder, options);
        SpeculationFlags.Require(guessing, model, modelName);
        using var engine = new LlmEngine(model, options: new EngineOptions { Speculation = speculation.Options });
        long longest = (long)depth + Math.Max(prefill, decode) + 1;
        if (longest > engine.ContextLength) throw new CliException($"this takes {longest} tokens, the context holds {engine.ContextLength}");

        using (Interrupts.Scope interrupt = Interrupts.Begin())
        {
            var ids = new int[longest];
            for (int i = 0; i < ids.Length; i++) ids[i] = (int)(CounterRandom.Uniform(1, i) * model.VocabularySize);
            Generate(engine, ids.AsSpan(0, Math.Min(ids.Length, 128)), 8, interrupt.Token); // warms up; the scheduler learns what a token costs

            double prefillSpeed = 0, decodeSpeed = 0;
            if (prefill > 0)
            {
                Fill(engine, ids.AsSpan(0, depth), interrupt.Token);
                (TimeSpan time, _, int computed) = Generate(engine, ids.AsSpan(0, depth + prefill), 1, interrupt.Token);
                prefillSpeed = computed / time.TotalSeconds; // whole blocks come from the cache: what is left may be a few tokens more
            }
            if (decode > 0)
            {
                Fill(engine, ids.AsSpan(0, depth), interrupt.Token);
                decodeSpeed = decode / Generate(engine, ids.AsSpan(0, depth + 1), decode + 1, interrupt.Token).Decode.TotalSeconds;
            }
            string guesses = AnswerReport.Speculation(engine);
            long peak = MachineMemory.Peak(); // before the probe takes memory of its own
            using var pool = new WorkerPool(model.Threads);
            MachineMeasurements machine = MachineProbe.Measure(KernelTable.Current, pool);
            double bandwidth = machine.ReadAllGbs * 1e9;
            ModelSize size = ModelSize.Of(folder.LoadWeights(), model.Config);
            long touched = size.BytesPerToken;
            // A prompt's tokens do not meet the output matrix. What else a prompt takes time for lowers the share.
            double prefillGops = prefillSpeed * 2 * (size.ActiveParameters - (long)model.VocabularySize * model.Config.HiddenSize) / 1e9;
            var report = new JsonObject
            {
                ["model"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder.Path)),
                ["tier"] = KernelTable.Current.Name,
                ["threads"] = model.Threads,
                ["arithmetic"] = options.Exact ? "exact" : "default",
                ["prefill"] = prefill,
                ["decode"] = decode,
                ["depth"] = depth,
                ["prefill_tps"] = Math.Round(prefillSpeed, 2),
                ["decode_tps"] = Math.Round(decodeSpeed, 2),
                ["bytes_per_token"] = touched,
                ["load_seconds"] = Math.Round(load, 3),
                ["weight_bytes"] = model.WeightBytes,
                ["kv_bytes"] = KvCache.Blocks((int)longest - 1) * engine.Pool.Layout.BlockBytes,
                ["peak_memory_bytes"] = peak,
                ["experts_asked"] = model.ExpertCounts?.Asked,
                ["experts_read"] = model.ExpertCounts?.Read,
                ["bandwidth_gbs"] = Math.Round(bandwidth / 1e9, 2),
                ["prefill_gops"] = Math.Round(prefillGops, 1),
                ["int8_tile_gops"] = Math.Round(machine.Int8Gops, 1),
                ["decode_bandwidth_share"] = Math.Round(decodeSpeed * touched / bandwidth, 4),
            };
            if (speculation.Options != SpeculationOptions.None)
                report["speculation"] = new JsonObject(Enum.GetValues<DraftKind>().Select(kind => (kind, Of: engine.Speculated(kind))).Where(s => s.Of.Proposed > 0)
                    .Select(s => KeyValuePair.Create<string, JsonNode?>(s.kind.ToString().ToLowerInvariant(), new JsonObject { ["proposed"] = s.Of.Proposed, ["accepted"] = s.Of.Accepted, ["rate"] = Math.Round(s.Of.Rate, 4) })));
            if (json) JsonOutput.Write(report);
            else
            {
                Console.Out.WriteLine($"{report["model"]}   {KernelTable.Current.Name}, {model.Threads} threads{(options.Exact ? ", exact" : "")}");
                if (prefill > 0) Console.Out.WriteLine($"prefill  {prefill,6} tokens at depth {depth}: {prefillSpeed,8:0.0} tokens/s");
                if (decode > 0) Console.Out.WriteLine($"decode   {decode,6} tokens at depth {depth}: {decodeSpeed,8:0.0} tokens/s, {decodeSpeed * touched / bandwidth * 100:0}% of the memory's {bandwidth / 1e9:0.0} GB/s");
                if (guesses.Length > 0) Console.Out.WriteLine("guessed ahead: " + guesses);
            }
        }
        return 0;
    }

    /// <summary>From the start of the program until now: what a user waits for.</summary>
    private static double SecondsSinceStart()
    {
        using var process = Process.GetCurrentProcess();
        return (DateTime.Now - process.StartTime).TotalSeconds;
    }

    /// <summary>Puts tokens into the cache, and nothing else.</summary>
    private static void Fill(LlmEngine engine, ReadOnlySpan<int> ids, CancellationToken cancel)
    {
        engine.Clear();
        if (ids.Length > 0) Generate(engine, ids, 1, cancel);
    }

    private static (TimeSpan Prompt, TimeSpan Decode, int Computed) Generate(LlmEngine engine, ReadOnlySpan<int> prompt, int tokens, CancellationToken cancel)
    {
        using var progress = new ProgressLine("measuring");
        var sequence = new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = tokens });
        engine.Add(sequence);
        long began = Stopwatch.GetTimestamp(), first = 0, last = 0;
        while (!sequence.IsFinished)
        {
            if (cancel.IsCancellationRequested)
            {
                sequence.End(FinishReason.Cancelled);
                cancel.ThrowIfCancellationRequested();
            }
            engine.Step();
            if (sequence.Error is { } error) throw new CliException(error.Message);
            last = Stopwatch.GetTimestamp();
            if (first == 0 && sequence.Generated.Length > 0) first = last;
            progress.Report((double)(sequence.Computed + sequence.Generated.Length) / (prompt.Length + tokens));
        }
        return (Stopwatch.GetElapsedTime(began, first), Stopwatch.GetElapsedTime(first, last), prompt.Length - sequence.CachedTokens);
    }
}
