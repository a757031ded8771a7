using SeekSharp.Models;

namespace SeekSharp.Engine;

/// <summary>What speculation knows of one sequence: where to look things up, how well each kind of draft has done, and the draft model's view of the text.</summary>
internal sealed class DraftState(int expectedLength)
{
    private static readonly int[] MatchClasses = [5, 12]; // a long match is rarely a coincidence
    private readonly DraftLength[] _lookup = [new(0.5), new(0.75), new(0.9)];
    private readonly DraftLength _mtp = new(0.7), _model = new(0.6);

    public PromptLookup Lookup { get; } = new(expectedLength);
    /// <summary>The draft model's keys and values; null without.</summary>
    public KvCache? Cache { get; set; }
    /// <summary>The draft that goes through the model in this step, if any.</summary>
    public DraftKind Kind { get; set; }
    /// <summary>The rate that it counts for.</summary>
    public DraftLength? Length { get; set; }

    public long Proposed { get; set; }
    public long Accepted { get; set; }

    public DraftLength LengthOf(DraftKind kind, int matched = 0) => kind switch
    {
        DraftKind.Lookup => _lookup[matched < MatchClasses[0] ? 0 : matched < MatchClasses[1] ? 1 : 2],
        DraftKind.Mtp => _mtp,
        _ => _model,
    };
}
