using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Cli.Run;
using SeekSharp.Cli.Terminal;
using SeekSharp.Engine;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Bench;

/// <summary>
/// <c>seeksharp bench</c> without more: one prompt is read, one answer written. Reading and writing are measured apart, each behind <c>--depth</c> tokens that are in the cache already; one short
/// round before warms up.
/// </summary>
internal static class PlainBench
{
    public static int Run(string modelName, int prefill, int decode, int depth, ModelOptions options, SpeculationFlags.Choice guessing, bool json)
    {
        using var run = new BenchRun(modelName, options);
        LanguageModel model = run.Model;
        double load = SecondsSinceStart();
        using var speculation = new SpeculationFlags.Loaded(guessing, run.Folder, options);
        SpeculationFlags.Require(guessing, model, modelName);
        using var engine = new LlmEngine(model, options: new EngineOptions { Speculation = speculation.Options });
        long longest = (long)depth + Math.Max(prefill, decode) + 1;
        BenchRun.RequireRoom(engine, longest);

        int[] ids = run.Text(1, (int)longest);
        Write(Math.Min(ids.Length, 128), 8); // warms up; the scheduler learns what a token costs
        double prefillSpeed = 0, productGops = 0, decodeSpeed = 0;
        if (prefill > 0)
        {
            Fill();
            ProductTally before = model.Pool.Products;
            (BenchRun.Timed time, int computed) = Write(depth + prefill, 1);
            prefillSpeed = computed / time.First.TotalSeconds; // whole blocks come from the cache: what is left may be a few tokens more
            productGops = model.Pool.Products.GopsSince(before);
        }
        if (decode > 0)
        {
            Fill();
            decodeSpeed = decode / Write(depth + 1, decode + 1).Time.Rest.TotalSeconds;
        }
        string guesses = AnswerReport.Speculation(engine);
        long peak = MachineMemory.Peak(); // before the probe takes memory of its own
        MachineMeasurements machine = MachineProbe.Measure(KernelTable.Current, model.Pool);
        double bandwidth = machine.ReadAll.Best * 1e9;
        ModelSize size = ModelSize.Of(run.Folder.LoadWeights(), model.Config);
        long keysAndValues = engine.Pool.Layout.BlockBytes / KvBlock.Tokens * (depth + decode / 2); // that a token of the answer reads, on average
        long touched = size.BytesPerToken + keysAndValues;
        // A prompt's tokens do not meet the output matrix. What else a prompt takes time for lowers the share.
        double prefillGops = prefillSpeed * 2 * (size.ActiveParameters - (long)model.VocabularySize * model.Config.HiddenSize) / 1e9;

        JsonObject report = run.Report();
        report["prefill"] = prefill;
        report["decode"] = decode;
        report["depth"] = depth;
        report["prefill_tps"] = Math.Round(prefillSpeed, 2);
        report["decode_tps"] = Math.Round(decodeSpeed, 2);
        report["bytes_per_token"] = size.BytesPerToken;
        report["kv_bytes_read_per_token"] = keysAndValues;
        report["load_seconds"] = Math.Round(load, 3);
        report["weight_bytes"] = model.WeightBytes;
        report["kv_bytes"] = KvCache.Blocks((int)longest - 1) * engine.Pool.Layout.BlockBytes;
        report["peak_memory_bytes"] = peak;
        report["experts_asked"] = model.ExpertCounts?.Asked;
        report["experts_read"] = model.ExpertCounts?.Read;
        report["bandwidth_gbs"] = Math.Round(bandwidth / 1e9, 2);
        report["bandwidth_median_gbs"] = Math.Round(machine.ReadAll.Median, 2);
        report["prefill_gops"] = Math.Round(prefillGops, 1);
        report["prefill_product_gops"] = Math.Round(productGops, 1);
        report["int8_tile_gops"] = Math.Round(machine.Int8.Best, 1);
        report["int8_tile_median_gops"] = Math.Round(machine.Int8.Median, 1);
        report["fp32_tile_gflops"] = Math.Round(machine.Fp32.Best, 1);
        report["fp32_tile_median_gflops"] = Math.Round(machine.Fp32.Median, 1);
        report["decode_bandwidth_share"] = Math.Round(decodeSpeed * touched / bandwidth, 4);
        if (speculation.Options != SpeculationOptions.None)
            report["speculation"] = new JsonObject(Enum.GetValues<DraftKind>().Select(kind => (kind, Of: engine.Speculated(kind))).Where(s => s.Of.Proposed > 0)
                .Select(s => KeyValuePair.Create<string, JsonNode?>(s.kind.ToString().ToLowerInvariant(), new JsonObject { ["proposed"] = s.Of.Proposed, ["accepted"] = s.Of.Accepted, ["rate"] = Math.Round(s.Of.Rate, 4) })));
        double inTurn = decode > 0 ? BandwidthShare.Measure(run, engine, new Sequence(ids.AsSpan(0, depth + 1), SamplingParams.Greedy with { MaxTokens = decode + 1 }), touched) : 0; // the prompt is in the cache; behind what is counted above
        report["decode_bandwidth_share_in_turn"] = Math.Round(inTurn, 4);
        List<string> lines = [];
        if (prefill > 0) lines.Add($"prefill  {prefill,6} tokens at depth {depth}: {prefillSpeed,8:0.0} tokens/s");
        if (decode > 0) lines.Add($"decode   {decode,6} tokens at depth {depth}: {decodeSpeed,8:0.0} tokens/s, {decodeSpeed * touched / bandwidth * 100:0}% of the memory's {bandwidth / 1e9:0.0} GB/s{(inTurn > 0 ? $", {inTurn * 100:0}% in turn with reading" : "")}");
        if (guesses.Length > 0) lines.Add("guessed ahead: " + guesses);
        run.Print(report, json, lines);
        return 0;

        // The cache holds the first tokens, and nothing else.
        void Fill()
        {
            engine.Clear();
            if (depth > 0) Write(depth, 1);
        }

        (BenchRun.Timed Time, int Computed) Write(int prompt, int tokens)
        {
            using var progress = new ProgressLine("measuring");
            var sequence = new Sequence(ids.AsSpan(0, prompt), SamplingParams.Greedy with { MaxTokens = tokens });
            BenchRun.Timed time = run.Time(engine, sequence, progress);
            return (time, prompt - sequence.CachedTokens);
        }
    }

    /// <summary>From the start of the program until now: what a user waits for.</summary>
    private static double SecondsSinceStart()
    {
        using var process = Process.GetCurrentProcess();
        return (DateTime.Now - process.StartTime).TotalSeconds;
    }
}
