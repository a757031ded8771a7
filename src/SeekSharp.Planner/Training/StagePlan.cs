namespace SeekSharp.Planner;

/// <summary>Which layers a pipeline stage holds. The embedding goes with the first layer; the MTP module and the output matrix with the last stage.</summary>
/// <param name="First">First layer.</param>
/// <param name="Layers">How many.</param>
/// <param name="HasEmbedding">It holds the embedding.</param>
/// <param name="HasOutput">It holds the output matrix, and the MTP modules where there are any.</param>
internal readonly record struct StagePlan(int First, int Layers, bool HasEmbedding, bool HasOutput)
{
    /// <summary>
    /// Deals the layers, in order, so that the slowest stage is as fast as can be: the output matrix and MTP modules weigh on the last stage as <paramref name="tail"/>.
    /// </summary>
    /// <param name="cost">Time of each layer.</param>
    /// <param name="tail">Time of what comes after the last layer.</param>
    /// <param name="stages">How many stages.</param>
    public static StagePlan[] Deal(IReadOnlyList<double> cost, double tail, int stages)
    {
        double low = Math.Max(cost.Max(), tail), high = cost.Sum() + tail;
        for (int i = 0; i < 60; i++)
        {
            double middle = (low + high) / 2;
            if (Fill(cost, tail, stages, middle) is null) low = middle;
            else high = middle;
        }
        return Fill(cost, tail, stages, high * (1 + 1e-9)) ?? throw new InvalidOperationException("a stage that holds everything must do");
    }

    // Greedy from the back; null where the limit does not do.
    private static StagePlan[]? Fill(IReadOnlyList<double> cost, double tail, int stages, double limit)
    {
        var plan = new StagePlan[stages];
        int next = cost.Count - 1;
        for (int s = stages - 1; s >= 0; s--)
        {
            double sum = s == stages - 1 ? tail : 0;
            if (sum > limit) return null;
            int count = 0;
            // The stages between need a layer each; the first may hold the embedding alone, the last the output alone (Llama 3, section 3.3.2).
            while (next >= Math.Max(0, s - 1) && sum + cost[next] <= limit)
            {
                sum += cost[next--];
                count++;
            }
            if (count == 0 && s > 0 && s < stages - 1) return null;
            plan[s] = new StagePlan(next + 1, count, s == 0, s == stages - 1);
        }
        return next < 0 ? plan : null;
    }
}
