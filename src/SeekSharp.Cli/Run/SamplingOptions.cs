using System.CommandLine;
using SeekSharp.Engine;

namespace SeekSharp.Cli.Run;

/// <summary>The options that say how tokens are chosen; what is not given stays as the model's files have it.</summary>
internal sealed class SamplingOptions
{
    private readonly Option<float?> _temperature = new("--temperature") { Description = "0: always the best token; higher: more varied (default: the model's, else 0.6)", HelpName = "T" };
    private readonly Option<float?> _topP = new("--top-p") { Description = "Only the best tokens that together hold this share (default: the model's, else 0.95)", HelpName = "P" };
    private readonly Option<int?> _topK = new("--top-k") { Description = "Only the best K tokens; 0 for all", HelpName = "K" };
    private readonly Option<float?> _minP = new("--min-p") { Description = "Only tokens with at least this share of the best one's probability", HelpName = "P" };
    private readonly Option<float?> _repeatPenalty = new("--repeat-penalty") { Description = "Above 1: tokens that are there already become less likely", HelpName = "R" };
    private readonly Option<long?> _seed = new("--seed") { Description = "The same seed gives the same text (default: random)", HelpName = "N" };
    private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "Most tokens to generate (default: until the context is full)", HelpName = "N" };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on behind the model's end tokens" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_temperature, _topP, _topK, _minP, _repeatPenalty, _seed, _maxTokens, _ignoreEos]) command.Options.Add(option);
    }

    public bool HasSeed(ParseResult parsed) => parsed.GetValue(_seed) is not null;

    /// <exception cref="CliException">A value is out of its range: wrong usage.</exception>
    public SamplingParams Apply(ParseResult parsed, SamplingParams defaults)
    {
        try
        {
            return (defaults with
            {
                Temperature = parsed.GetValue(_temperature) ?? defaults.Temperature,
                TopP = parsed.GetValue(_topP) ?? defaults.TopP,
                TopK = parsed.GetValue(_topK) ?? defaults.TopK,
                MinP = parsed.GetValue(_minP) ?? defaults.MinP,
                RepeatPenalty = parsed.GetValue(_repeatPenalty) ?? defaults.RepeatPenalty,
                Seed = parsed.GetValue(_seed) is { } seed ? unchecked((ulong)seed) : (ulong)Random.Shared.NextInt64(1 << 30),
                MaxTokens = parsed.GetValue(_maxTokens) ?? defaults.MaxTokens,
                StopTokenIds = parsed.GetValue(_ignoreEos) ? [] : defaults.StopTokenIds,
            }).Validate();
        }
        catch (EngineException e)
        {
            throw CliException.Usage("--" + e.Message);
        }
    }
}
