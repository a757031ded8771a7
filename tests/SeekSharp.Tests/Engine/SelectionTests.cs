using SeekSharp.Engine;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class SelectionTests
{
    [Fact]
    public void Cuts_are_where_a_sorted_list_is_cut()
    {
        var random = new Random(4);
        for (int round = 0; round < 2000; round++)
        {
            int n = random.Next(1, 400), kinds = random.Next(1, 500);
            double[] values = [.. Enumerable.Range(0, n).Select(_ => (1.0 + random.Next(kinds)) / 64)]; // their sums are exact
            double[] sorted = [.. values.OrderDescending()];
            int k = random.Next(1, n + 1);
            Assert.Equal(sorted[k - 1], Selection.Largest([.. values], k));

            double wanted = values.Sum() * random.NextDouble(), sum = 0;
            int last = 0;
            while (last < n - 1 && sum + sorted[last] < wanted) sum += sorted[last++];
            (double value, double above) = Selection.LargestWithSum([.. values], wanted);
            Assert.Equal(sorted[last], value);
            Assert.Equal(sorted.Where(v => v > value).Sum(), above);
        }
    }

    [Fact]
    public void A_list_made_to_be_hard_takes_no_square_of_its_length()
    {
        // Organ pipes and runs: every pivot rule has lists like these, and none may take more than the rounds that are allowed.
        double[] pipes = [.. Enumerable.Range(0, 200_000).Select(i => (double)Math.Min(i, 200_000 - i))];
        Assert.Equal(pipes.OrderDescending().ElementAt(99_999), Selection.Largest([.. pipes], 100_000));
        double[] equal = [.. Enumerable.Repeat(1.0, 200_000)];
        Assert.Equal((1.0, 0.0), Selection.LargestWithSum(equal, 150_000));
    }
}
