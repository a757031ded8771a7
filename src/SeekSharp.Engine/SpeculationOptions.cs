using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>Where drafts come from.</summary>
internal enum DraftKind
{
    /// <summary>What followed the same tokens earlier in the text (<see cref="PromptLookup"/>).</summary>
    Lookup,
    /// <summary>The checkpoint's multi-token-prediction module.</summary>
    Mtp,
    /// <summary>A smaller model.</summary>
    Model,
}

/// <summary>How an engine speculates. None of it changes a token.</summary>
internal sealed record SpeculationOptions
{
    /// <summary>Never.</summary>
    public static SpeculationOptions None { get; } = new() { Lookup = false, MultiTokenPrediction = false };

    /// <summary>Drafts are looked up in the text.</summary>
    public bool Lookup { get; init; } = true;
    /// <summary>Drafts come from the model's prediction module, if it has one.</summary>
    public bool MultiTokenPrediction { get; init; } = true;
    /// <summary>Drafts come from this model, which has the same tokens; stays its owner's. Null without.</summary>
    public LanguageModel? DraftModel { get; init; }
    /// <summary>Most tokens that are drafted at once for a sequence, at least 1.</summary>
    public int MostDrafted { get; init; } = 15;
    /// <summary>Drafts as far as it can, without asking whether it pays.</summary>
    public bool Always { get; init; }
}

/// <summary>What became of the drafts of one kind.</summary>
/// <param name="Proposed">Tokens that were drafted and went through the model.</param>
/// <param name="Accepted">Those of them that were the tokens which were chosen.</param>
internal readonly record struct SpeculationStatistics(long Proposed, long Accepted)
{
    /// <summary>Accepted of those proposed, 0 to 1; 0 where nothing was.</summary>
    public double Rate => Proposed == 0 ? 0 : (double)Accepted / Proposed;
}
