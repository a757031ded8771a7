using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

[Collection(Listens)]
public sealed class EngineMetricsTests
{
    /// <summary>The collection of a test that listens to all engines' meter, and of those that cannot run beside it.</summary>
    internal const string Listens = "listens to the engines' meter";

    private const string Model = "metrics-test"; // other tests' engines have other names

    [Fact]
    public void A_request_is_told_with_OpenTelemetrys_names()
    {
        var seen = new ConcurrentDictionary<string, List<(double Value, Dictionary<string, object?> Tags)>>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == EngineMetrics.Name) l.EnableMeasurementEvents(instrument);
        };
        void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = new Dictionary<string, object?>(tags.ToArray());
            if (all.GetValueOrDefault("gen_ai.request.model") is not Model) return;
            List<(double, Dictionary<string, object?>)> list = seen.GetOrAdd(instrument.Name, _ => []);
            lock (list) list.Add((value, all));
        }
        listener.SetMeasurementEventCallback<double>((i, v, t, _) => Take(i, v, t));
        listener.SetMeasurementEventCallback<long>((i, v, t, _) => Take(i, v, t));
        listener.Start();
        var spans = new ConcurrentQueue<Activity>();
        using var traces = new ActivityListener
        {
            ShouldListenTo = source => source.Name is EngineMetrics.Name or "test",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(traces);
        using var source = new ActivitySource("test");

        using ModelFolder folder = ModelFolder.Open(Golden.File("qwen2"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1 });
        using var engine = new LlmEngine(model, 8, new EngineOptions { ModelName = Model, Speculation = SpeculationOptions.None with { Lookup = true, Always = true } });
        int[] prompt = [.. Enumerable.Range(0, 70).Select(i => i % 8)];
        var sequence = new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = 20 });
        using (Activity asked = source.StartActivity("asked")!) engine.Add(sequence);
        while (engine.Step()) { }
        var again = new Sequence(prompt, SamplingParams.Greedy with { MaxTokens = 1 });
        engine.Add(again);
        while (engine.Step()) { }
        listener.RecordObservableInstruments();

        double[] Values(string name, string? tag = null, string? value = null) => [.. seen.GetValueOrDefault(name, []).Where(m => tag is null || m.Tags[tag] as string == value).Select(m => m.Value)];
        Assert.Equal(2, Values("gen_ai.server.time_to_first_token").Length);
        Assert.Equal(2, Values("gen_ai.server.request.duration", "gen_ai.provider.name", "seeksharp").Length);
        Assert.All(Values("gen_ai.server.request.duration").Zip(Values("gen_ai.server.time_to_first_token")), both => Assert.True(both.First >= both.Second && both.Second > 0));
        Assert.Single(Values("gen_ai.server.time_per_output_token")); // the second had one token only
        Assert.Equal([70, 70], Values("gen_ai.client.token.usage", "gen_ai.token.type", "input"));
        Assert.Equal([20, 1], Values("gen_ai.client.token.usage", "gen_ai.token.type", "output"));
        Assert.Equal(64, Values("seeksharp.prompt_cache.tokens", "seeksharp.prompt_cache.result", "hit").Sum());
        Assert.Equal(76, Values("seeksharp.prompt_cache.tokens", "seeksharp.prompt_cache.result", "miss").Sum());
        SpeculationStatistics lookup = engine.Speculated(DraftKind.Lookup);
        Assert.True(lookup.Proposed > 0);
        Assert.Equal(lookup.Accepted, Values("seeksharp.speculation.tokens", "seeksharp.accepted", "true").Sum());
        Assert.Equal(lookup.Proposed - lookup.Accepted, Values("seeksharp.speculation.tokens", "seeksharp.accepted", "false").Sum());
        Assert.Equal(engine.Statistics.Steps, Values("seeksharp.engine.step.duration").Length);
        Assert.Equal([0], Values("seeksharp.engine.sequences.running"));
        Assert.Equal([engine.Pool.Capacity], Values("seeksharp.kv_cache.blocks.capacity"));
        Assert.Equal([engine.Prefixes.Count], Values("seeksharp.kv_cache.blocks.idle"));

        Activity span = Assert.Single(spans, s => s.GetTagItem("gen_ai.request.model") is Model && s.GetTagItem("gen_ai.usage.output_tokens") is 20);
        Assert.Equal(spans.Single(s => s.OperationName == "asked").SpanId, span.ParentSpanId);
        Assert.Equal("text_completion metrics-test", span.DisplayName);
        Assert.Equal(["length"], (string[])span.GetTagItem("gen_ai.response.finish_reasons")!);
        Assert.Equal(["first step", "first token"], span.Events.Select(e => e.Name));
        Assert.All(span.Events, e => Assert.InRange(e.Timestamp.UtcDateTime, span.StartTimeUtc, span.StartTimeUtc + span.Duration));
        Assert.Equal(sequence.Draft!.Accepted, span.GetTagItem("seeksharp.speculation.accepted"));
    }
}
