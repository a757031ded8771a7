using System.Globalization;
using System.Text.Json;
using SeekSharp.Engine;

namespace SeekSharp.Server;

/// <summary>Fields that requests for chats and for plain texts have in common.</summary>
internal static class RequestFields
{
    /// <summary>Most answers to one request.</summary>
    public const int MostChoices = 128;
    private const int MostStops = 16, LongestStop = 1000;

    /// <summary>Fields that change nothing about an answer here; docs/server.md lists them.</summary>
    public static readonly string[] Harmless =
        ["user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prediction"];

    /// <summary>How tokens are chosen; what is not given is as the model's publisher wants it.</summary>
    public static SamplingParams Sampling(JsonFields fields, SamplingParams defaults, int? logProbabilities, int? maxTokens) => defaults with
    {
        Temperature = fields.Number("temperature", 0, 2) ?? defaults.Temperature,
        TopP = fields.Number("top_p", float.Epsilon, 1) ?? defaults.TopP,
        TopK = (int?)fields.Whole("top_k", 0, int.MaxValue) ?? defaults.TopK,
        MinP = fields.Number("min_p", 0, 1) ?? defaults.MinP,
        RepeatPenalty = fields.Number("repetition_penalty", 0.01, 100) ?? defaults.RepeatPenalty,
        PresencePenalty = fields.Number("presence_penalty", -2, 2) ?? 0,
        FrequencyPenalty = fields.Number("frequency_penalty", -2, 2) ?? 0,
        LogitBias = Biases(fields),
        LogProbabilities = logProbabilities,
        Seed = fields.Whole("seed", long.MinValue, long.MaxValue) is { } seed ? unchecked((ulong)seed) : (ulong)Random.Shared.NextInt64(),
        MaxTokens = maxTokens ?? defaults.MaxTokens,
    };

    public static int Choices(JsonFields fields) => (int?)fields.Whole("n", 1, MostChoices) ?? 1;

    public static IReadOnlyList<string> Stops(JsonFields fields)
    {
        if (fields.Take("stop") is not { } value) return [];
        IReadOnlyList<(JsonElement Value, string Path)> all = value.ValueKind == JsonValueKind.Array ? JsonFields.Elements(value, "stop") : [(value, "stop")];
        if (all.Count > MostStops) throw ApiException.OutOfRange("stop", $"expected at most {MostStops} texts, found {all.Count}");
        var stops = new string[all.Count];
        for (int i = 0; i < stops.Length; i++)
        {
            stops[i] = JsonFields.TextOf(all[i].Value, all[i].Path);
            if (stops[i].Length is 0 or > LongestStop) throw ApiException.OutOfRange(all[i].Path, $"expected 1 to {LongestStop} letters, found {stops[i].Length}");
        }
        return stops;
    }

    /// <summary>Whether to stream, and whether to tell the usage at the stream's end.</summary>
    public static (bool Stream, bool Usage) Streaming(JsonFields fields)
    {
        bool stream = fields.Flag("stream") ?? false;
        if (fields.Object("stream_options") is not { } options) return (stream, false);
        if (!stream) throw ApiException.Invalid("stream_options", "only with \"stream\": true");
        bool usage = options.Flag("include_usage") ?? false;
        options.RefuseRest("include_obfuscation");
        return (stream, usage);
    }

    private static LogitBias[] Biases(JsonFields fields)
    {
        if (fields.Take("logit_bias") is not { } value) return [];
        if (value.ValueKind != JsonValueKind.Object) throw ApiException.Invalid("logit_bias", $"expected an object of token ids and numbers, found {JsonFields.Kind(value)}");
        var biases = new List<LogitBias>();
        foreach (JsonProperty p in value.EnumerateObject())
        {
            if (biases.Count == SamplingParams.MostBiases) throw ApiException.OutOfRange("logit_bias", $"expected at most {SamplingParams.MostBiases} ids");
            if (!int.TryParse(p.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id)) throw ApiException.Invalid("logit_bias", "expected token ids as names");
            if (p.Value.ValueKind != JsonValueKind.Number || !p.Value.TryGetDouble(out double bias)) throw ApiException.Invalid($"logit_bias.{id}", $"expected a number, found {JsonFields.Kind(p.Value)}");
            if (bias is not (>= -100 and <= 100)) throw ApiException.OutOfRange($"logit_bias.{id}", $"expected -100 to 100, found {p.Value.GetRawText()}");
            biases.Add(new(id, (float)bias));
        }
        return [.. biases];
    }
}
