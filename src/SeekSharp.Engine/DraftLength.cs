namespace SeekSharp.Engine;

/// <summary>
/// Decides how many tokens to draft for a sequence: as many as bring more than they cost. With the rate a that a drafted token is accepted, the first of k brings a token with probability a, the
/// second with a², …; k rows more cost what a longer step takes. Drafting pays where it raises the tokens a second of the whole step; where it does not, it is tried again now and then, ever more seldom.
/// </summary>
/// <param name="expected">The rate that is expected before anything was tried, 0 to 1.</param>
internal sealed class DraftLength(double expected)
{
    private const int FirstPause = 8, LongestPause = 512;

    private AcceptanceRate _rate = new(expected);
    private int _pause = FirstPause, _paused;

    public double Rate => _rate.Value;

    /// <summary>Tokens to draft, 0 to <paramref name="most"/>.</summary>
    /// <param name="most">Tokens that can be drafted.</param>
    /// <param name="sequences">Sequences in the step.</param>
    /// <param name="rows">Rows that the step has without this draft, the sequence's own one included.</param>
    /// <param name="cost">What a step costs.</param>
    /// <param name="draftSeconds">What a drafted token costs beside its row.</param>
    /// <param name="worth">Seconds that it saves, as far as is known; 0 for a trial.</param>
    public int Choose(int most, int sequences, int rows, RowCost cost, double draftSeconds, out double worth)
    {
        worth = 0;
        if (most < 1) return 0;
        double plain = cost.Of(rows), perToken = plain / sequences, brought = 0, chance = 1, bestGain = 0, rate = Rate;
        int best = 0;
        for (int k = 1; k <= most; k++)
        {
            chance *= rate;
            brought += chance;
            double gain = brought * perToken - (cost.Of(rows + k) - plain + k * draftSeconds);
            if (gain > bestGain) (best, bestGain) = (k, gain);
        }
        if (best > 0)
        {
            (_pause, _paused) = (FirstPause, 0);
            worth = bestGain;
            return best;
        }
        if (++_paused < _pause) return 0;
        (_pause, _paused) = (Math.Min(2 * _pause, LongestPause), 0);
        return Math.Min(most, 2); // a trial
    }

    /// <summary>What became of a draft.</summary>
    public void Learn(int proposed, int accepted) => _rate.Add(proposed, accepted);
}
