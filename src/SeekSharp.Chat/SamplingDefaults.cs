using SeekSharp.Checkpoints;
using SeekSharp.Engine;

namespace SeekSharp.Chat;

/// <summary>How a model is sampled when nobody says otherwise: as its publisher wants, else temperature 0.6 and top-p 0.95 (DeepSeek-R1's model card).</summary>
internal static class SamplingDefaults
{
    public static SamplingParams From(GenerationConfig config) => new()
    {
        Temperature = config.DoSample == false ? 0 : config.Temperature ?? 0.6f,
        TopP = config.TopP ?? 0.95f,
        TopK = config.TopK ?? 0,
        MinP = config.MinP ?? 0,
        RepeatPenalty = config.RepetitionPenalty ?? 1,
        StopTokenIds = config.EosTokenIds,
    };
}
