namespace SeekSharp.Engine;

/// <summary>
/// How long a step with so many rows takes, as measured. Decoding is bound by reading the weights, so that a few rows cost little more than one; how little is the machine's and the model's affair.
/// Between the row numbers that were seen it goes in a straight line, and never down.
/// </summary>
internal sealed class RowCost
{
    /// <summary>Row numbers above this share one entry.</summary>
    public const int MostRows = 64;
    /// <summary>What a row beyond the largest measured one is taken to add, as a share of one row's step: little, so that it is tried.</summary>
    private const double Guess = 0.05;
    private const double Newest = 0.2; // weight of the newest measurement

    private readonly double[] _seconds = new double[MostRows + 1]; // 0: never seen

    /// <summary>Something was measured.</summary>
    public bool IsKnown { get; private set; }

    public void Learn(int rows, TimeSpan time)
    {
        if (rows < 1 || time <= TimeSpan.Zero) return;
        ref double known = ref _seconds[Math.Min(rows, MostRows)];
        // One step that was held up (a page fault, another process) must not count for much.
        double seconds = known == 0 ? time.TotalSeconds : Math.Min(time.TotalSeconds, 3 * known);
        known = known == 0 ? seconds : known + Newest * (seconds - known);
        IsKnown = true;
    }

    /// <summary>Seconds; with nothing measured, in units of one row's step.</summary>
    public double Of(int rows)
    {
        rows = Math.Clamp(rows, 1, MostRows);
        int below = rows, above = rows;
        while (below > 0 && _seconds[below] == 0) below--;
        while (above <= MostRows && _seconds[above] == 0) above++;
        double floor = 0; // fewer rows never take longer
        for (int r = 1; r <= below; r++) floor = Math.Max(floor, _seconds[r]);
        if (below == rows) return floor;
        if (below == 0) return above > MostRows ? 1 + Guess * (rows - 1) : _seconds[above] / (1 + Guess * (above - rows));
        if (above > MostRows) return floor * (1 + Guess * (rows - below));
        return floor + Math.Max(0, _seconds[above] - floor) * (rows - below) / (above - below);
    }
}
