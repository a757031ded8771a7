using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SeekSharp.Engine;

/// <summary>
/// What an engine tells System.Diagnostics.Metrics and ActivitySource, under the name <see cref="Name"/>. Names and buckets are those of OpenTelemetry's conventions for generative AI
/// (github.com/open-telemetry/semantic-conventions, docs/gen-ai) where they have any; the others begin with <c>seeksharp.</c>. No text and no token id is ever in them.
/// Without a listener a step costs some nanoseconds for it, and nothing is allocated.
/// </summary>
internal sealed class EngineMetrics : IDisposable
{
    /// <summary>Of the meter and of the activity source.</summary>
    public const string Name = "SeekSharp.Engine";

    private static readonly Meter Meter = new(Name);
    private static readonly ActivitySource Source = new(Name);
    private static readonly List<EngineMetrics> Live = [];

    private static readonly Histogram<double> RequestDuration = Seconds("gen_ai.server.request.duration", "From a request's arrival to its last token.",
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92);
    private static readonly Histogram<double> TimeToFirstToken = Seconds("gen_ai.server.time_to_first_token", "From a request's arrival to its first token.",
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10);
    private static readonly Histogram<double> TimePerOutputToken = Seconds("gen_ai.server.time_per_output_token", "Time for a token after the first, the mean of a request.",
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5);
    private static readonly Histogram<long> TokenUsage = Meter.CreateHistogram("gen_ai.client.token.usage", "{token}", "Tokens of a request.",
        advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864] });
    private static readonly Histogram<double> QueueTime = Seconds("seeksharp.request.queue_time", "From a request's arrival to its first step.",
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10);
    private static readonly Histogram<double> StepDuration = Seconds("seeksharp.engine.step.duration", "A step of the engine.",
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 1);
    private static readonly Counter<long> PromptCache = Meter.CreateCounter<long>("seeksharp.prompt_cache.tokens", "{token}", "Tokens of prompts, found in the prefix cache or not.");
    private static readonly Counter<long> Speculation = Meter.CreateCounter<long>("seeksharp.speculation.tokens", "{token}", "Drafted tokens, by kind and whether they were accepted.");
    private static readonly Counter<long> Preemptions = Meter.CreateCounter<long>("seeksharp.engine.preemptions", "{preemption}", "Sequences that gave their memory to others.");

    static EngineMetrics()
    {
        Gauge("seeksharp.engine.sequences.running", "{sequence}", "Sequences that run.", m => m._running);
        Gauge("seeksharp.engine.sequences.waiting", "{sequence}", "Sequences that wait.", m => m._waiting);
        Gauge("seeksharp.kv_cache.blocks.used", "{block}", "Blocks of 64 tokens that sequences hold.", m => m._blocksUsed);
        Gauge("seeksharp.kv_cache.blocks.idle", "{block}", "Blocks that only the prefix cache holds.", m => m._blocksIdle);
        Gauge("seeksharp.kv_cache.blocks.capacity", "{block}", "Blocks that there may be.", m => m._blocks);
    }

    private readonly KeyValuePair<string, object?> _provider = new("gen_ai.provider.name", "seeksharp"), _model;
    private long _running, _waiting, _blocksUsed, _blocksIdle, _blocks, _preemptions;

    /// <param name="model">The name under which the model is asked for.</param>
    public EngineMetrics(string model)
    {
        _model = new("gen_ai.request.model", model);
        lock (Live) Live.Add(this);
    }

    /// <summary>A request arrived.</summary>
    public static void Arrived(Sequence sequence)
    {
        sequence.Times = new RequestTimes { Arrived = Stopwatch.GetTimestamp(), ArrivedAt = DateTimeOffset.UtcNow, Parent = Activity.Current?.Context ?? default };
    }

    /// <summary>A request is in its first step.</summary>
    public static void Began(Sequence sequence)
    {
        if (sequence.Times.Began == 0) sequence.Times.Began = Stopwatch.GetTimestamp();
    }

    /// <summary>A token was chosen.</summary>
    public static void Chosen(Sequence sequence)
    {
        long now = Stopwatch.GetTimestamp();
        if (sequence.Times.FirstToken == 0) sequence.Times.FirstToken = now;
        sequence.Times.LastToken = now;
    }

    /// <summary>A step is done.</summary>
    public void Stepped(in EngineStatistics s, TimeSpan time)
    {
        Volatile.Write(ref _running, s.Running);
        Volatile.Write(ref _waiting, s.Waiting);
        Volatile.Write(ref _blocksUsed, s.BlocksUsed - s.BlocksIdle);
        Volatile.Write(ref _blocksIdle, s.BlocksIdle);
        Volatile.Write(ref _blocks, s.Blocks);
        if (StepDuration.Enabled) StepDuration.Record(time.TotalSeconds, _model);
        if (s.Preemptions > _preemptions && Preemptions.Enabled) Preemptions.Add(s.Preemptions - _preemptions, _model);
        _preemptions = s.Preemptions;
    }

    /// <summary>A draft was checked.</summary>
    public void Checked(DraftKind kind, int proposed, int accepted)
    {
        if (!Speculation.Enabled) return;
        var by = new KeyValuePair<string, object?>("seeksharp.draft", kind switch { DraftKind.Lookup => "lookup", DraftKind.Mtp => "mtp", _ => "model" });
        Speculation.Add(accepted, _model, by, new("seeksharp.accepted", "true"));
        Speculation.Add(proposed - accepted, _model, by, new("seeksharp.accepted", "false"));
    }

    /// <summary>A request ended.</summary>
    public void Ended(Sequence sequence)
    {
        RequestTimes times = sequence.Times;
        if (times.Arrived == 0) return; // it was never let in
        sequence.Times.Arrived = 0;
        long now = Stopwatch.GetTimestamp();
        int input = sequence.PromptLength, output = sequence.Generated.Length;
        var tags = new TagList { _provider, _model, new("gen_ai.operation.name", "text_completion") };
        if (sequence.Finish == FinishReason.Failed) tags.Add("error.type", sequence.Error?.GetType().FullName ?? "_OTHER");
        if (RequestDuration.Enabled) RequestDuration.Record(Seconds(times.Arrived, times.LastToken == 0 ? now : times.LastToken), tags);
        if (times.Began != 0 && QueueTime.Enabled) QueueTime.Record(Seconds(times.Arrived, times.Began), tags);
        if (times.FirstToken != 0)
        {
            if (TimeToFirstToken.Enabled) TimeToFirstToken.Record(Seconds(times.Arrived, times.FirstToken), tags);
            if (output > 1 && TimePerOutputToken.Enabled) TimePerOutputToken.Record(Seconds(times.FirstToken, times.LastToken) / (output - 1), tags);
            if (PromptCache.Enabled)
            {
                PromptCache.Add(sequence.CachedTokens, _model, new("seeksharp.prompt_cache.result", "hit"));
                PromptCache.Add(input - sequence.CachedTokens, _model, new("seeksharp.prompt_cache.result", "miss"));
            }
            if (TokenUsage.Enabled)
            {
                TagList usage = tags;
                usage.Add("gen_ai.token.type", "input");
                TokenUsage.Record(input, usage);
                usage = tags;
                usage.Add("gen_ai.token.type", "output");
                TokenUsage.Record(output, usage);
            }
        }
        if (Source.HasListeners()) Trace(sequence, times, now, input, output);
    }

    // The span is made when all is known, with the times that were; its parent is whoever was active when the request arrived.
    private void Trace(Sequence sequence, RequestTimes times, long now, int input, int output)
    {
        using Activity? span = Source.StartActivity($"text_completion {_model.Value}", ActivityKind.Internal, times.Parent, startTime: times.ArrivedAt);
        if (span is null) return;
        SamplingParams p = sequence.Parameters;
        span.SetTag("gen_ai.operation.name", "text_completion").SetTag(_provider.Key, _provider.Value).SetTag(_model.Key, _model.Value)
            .SetTag("gen_ai.request.temperature", p.Temperature).SetTag("gen_ai.request.top_p", p.TopP).SetTag("gen_ai.request.top_k", p.TopK).SetTag("gen_ai.request.max_tokens", p.MaxTokens)
            .SetTag("gen_ai.usage.input_tokens", input).SetTag("gen_ai.usage.output_tokens", output)
            .SetTag("gen_ai.response.finish_reasons", new[] { Reason(sequence.Finish) })
            .SetTag("seeksharp.prompt_cache.hit_tokens", sequence.CachedTokens).SetTag("seeksharp.preemptions", sequence.Preemptions);
        if (sequence.Draft is { } draft) span.SetTag("seeksharp.speculation.proposed", draft.Proposed).SetTag("seeksharp.speculation.accepted", draft.Accepted);
        if (times.Began != 0) span.AddEvent(new ActivityEvent("first step", At(times.Began)));
        if (times.FirstToken != 0) span.AddEvent(new ActivityEvent("first token", At(times.FirstToken)));
        if (sequence.Finish == FinishReason.Failed) span.SetStatus(ActivityStatusCode.Error, sequence.Error?.Message).SetTag("error.type", sequence.Error?.GetType().FullName ?? "_OTHER");
        span.SetEndTime(At(now).UtcDateTime);

        DateTimeOffset At(long timestamp) => times.ArrivedAt + Stopwatch.GetElapsedTime(times.Arrived, timestamp);
    }

    private static string Reason(FinishReason finish) => finish switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Failed => "error",
        _ => finish.ToString().ToLowerInvariant(),
    };

    private static double Seconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalSeconds;

    private static Histogram<double> Seconds(string name, string description, params double[] buckets) =>
        Meter.CreateHistogram(name, "s", description, advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = buckets });

    private static void Gauge(string name, string unit, string description, Func<EngineMetrics, long> value) => Meter.CreateObservableUpDownCounter(name, () =>
    {
        lock (Live) return Live.Select(m => new Measurement<long>(value(m), m._model)).ToArray();
    }, unit, description);

    /// <summary>The engine is gone.</summary>
    public void Dispose()
    {
        lock (Live) Live.Remove(this);
    }
}

/// <summary>When what happened to a request: ticks of the Stopwatch, 0 for not yet.</summary>
internal struct RequestTimes
{
    public long Arrived, Began, FirstToken, LastToken;
    public DateTimeOffset ArrivedAt;
    /// <summary>The activity that asked.</summary>
    public ActivityContext Parent;
}
