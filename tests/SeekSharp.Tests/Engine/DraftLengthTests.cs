using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class DraftLengthTests
{
    // A step of r rows takes 10 ms, and `each` ms a row after the first.
    private static RowCost Cost(double each)
    {
        var cost = new RowCost();
        for (int rows = 1; rows <= 32; rows++) cost.Learn(rows, TimeSpan.FromMilliseconds(10 + each * (rows - 1)));
        return cost;
    }

    [Fact]
    public void It_drafts_as_far_as_it_pays()
    {
        int Of(double rate, double each, int sequences = 1, double draftMs = 0) => new DraftLength(rate).Choose(24, sequences, sequences, Cost(each), draftMs / 1000, out _);
        Assert.Equal(24, Of(0.999, 0.5));
        Assert.InRange(Of(0.7, 0.5), 5, 10);      // 0.7^k ≥ 0.05 up to k = 8
        Assert.InRange(Of(0.3, 0.5), 2, 3);
        Assert.Equal(0, Of(0.3, 5));              // a row costs half a step
        Assert.Equal(1, Of(0.6, 5));
        Assert.Equal(0, Of(0.6, 0.5, draftMs: 7)); // the draft itself costs more than it brings
        Assert.InRange(Of(0.7, 0.5, sequences: 8), 2, 4); // with eight at once a step's time is shared
    }

    [Fact]
    public void It_stops_where_it_loses_and_tries_again_ever_more_seldom()
    {
        var length = new DraftLength(0.7);
        RowCost cost = Cost(1);
        var drafted = new List<int>();
        for (int step = 0; step < 2000; step++)
        {
            int k = length.Choose(8, 1, 1, cost, 0, out _);
            if (k == 0) continue;
            drafted.Add(step);
            length.Learn(k, 0); // never accepted
        }
        Assert.InRange(drafted.Count, 5, 60);
        Assert.InRange(drafted.Count(step => step >= 1000), 1, 5);
        // When it pays again it is back at once.
        for (int step = 0; step < 600 && length.Rate < 0.5; step++)
            if (length.Choose(8, 1, 1, cost, 0, out _) is > 0 and int k) length.Learn(k, k);
        Assert.True(length.Rate > 0.5);
    }

    [Fact]
    public void Cost_is_interpolated_and_never_falls()
    {
        var cost = new RowCost();
        Assert.True(cost.Of(9) > cost.Of(1));
        cost.Learn(2, TimeSpan.FromSeconds(2));
        cost.Learn(6, TimeSpan.FromSeconds(4));
        Assert.Equal(3, cost.Of(4), 1e-9);
        Assert.Equal(2, cost.Of(2), 1e-9);
        Assert.InRange(cost.Of(1), 1.5, 2);
        Assert.InRange(cost.Of(8), 4, 5);
        cost.Learn(8, TimeSpan.FromSeconds(3)); // measured under better conditions
        for (int rows = 1; rows < 100; rows++) Assert.True(cost.Of(rows + 1) >= cost.Of(rows), $"{rows}");
        cost.Learn(2, TimeSpan.FromSeconds(1000)); // held up once
        Assert.InRange(cost.Of(2), 2, 3);
    }
}
