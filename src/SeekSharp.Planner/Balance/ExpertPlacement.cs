namespace SeekSharp.Planner;

/// <summary>
/// Where a layer's experts and the copies of its busiest ones go: written from the description of DeepSeek's expert-parallelism load balancer (README of deepseek-ai/EPLB).
/// Where the nodes divide the groups of experts, groups are dealt to nodes first, so that routing limited to groups stays within few nodes; then experts are copied within
/// each node, and copies dealt to its GPUs. Elsewhere all of it happens at once, over all GPUs.
/// </summary>
/// <param name="Experts">For each slot (GPU by GPU), the expert in it.</param>
/// <param name="SlotsPerGpu">Slots of a GPU.</param>
internal sealed record ExpertPlacement(int[] Experts, int SlotsPerGpu)
{
    /// <summary>Places one layer's experts.</summary>
    /// <param name="loads">Tokens of each expert.</param>
    /// <param name="slots">Experts and copies together.</param>
    /// <param name="groups">Groups of neighbouring experts.</param>
    /// <param name="nodes">Nodes.</param>
    /// <param name="gpus">GPUs of all nodes.</param>
    /// <exception cref="PlannerException">Numbers that do not divide, or fewer slots than experts.</exception>
    public static ExpertPlacement Of(IReadOnlyList<double> loads, int slots, int groups, int nodes, int gpus)
    {
        int experts = loads.Count;
        if (experts == 0 || loads.Any(l => !(l >= 0) || double.IsInfinity(l))) throw new PlannerException("expert loads: expected numbers of at least 0");
        if (slots < experts || slots % gpus != 0) throw new PlannerException($"{slots} slots for {experts} experts do not divide among {gpus} GPUs");
        if (gpus % nodes != 0) throw new PlannerException($"{gpus} GPUs do not divide among {nodes} nodes");
        if (groups > 1 && experts % groups != 0) throw new PlannerException($"{experts} experts do not divide among {groups} groups");
        bool byNode = groups % nodes == 0 && groups > 0 && experts % groups == 0;
        int parts = byNode ? nodes : 1, size = experts / Math.Max(1, groups);
        List<int>[] own = byNode
            ? [.. Pack([.. Enumerable.Range(0, groups).Select(g => loads.Skip(g * size).Take(size).Sum())], nodes).Select(node => node.SelectMany(g => Enumerable.Range(g * size, size)).ToList())]
            : [[.. Enumerable.Range(0, experts)]];

        var placed = new List<int>(slots);
        foreach (List<int> part in own)
        {
            List<int> copies = Replicate([.. part.Select(e => loads[e])], slots / parts);
            int[] count = new int[part.Count];
            foreach (int c in copies) count[c]++;
            foreach (List<int> gpu in Pack([.. copies.Select(c => loads[part[c]] / count[c])], gpus / parts))
                placed.AddRange(gpu.Select(slot => part[copies[slot]]));
        }
        return new ExpertPlacement([.. placed], slots / gpus);
    }

    /// <summary>One after the other, as without a balancer.</summary>
    public static ExpertPlacement InOrder(int experts, int gpus) => experts % gpus == 0
        ? new([.. Enumerable.Range(0, experts)], experts / gpus)
        : throw new PlannerException($"{experts} experts do not divide among {gpus} GPUs");

    /// <summary>The busiest GPU's load over the mean: what a step of expert parallelism waits for.</summary>
    public double Imbalance(IReadOnlyList<double> loads)
    {
        var copies = new int[loads.Count];
        foreach (int e in Experts) copies[e]++;
        double[] gpus = [.. Experts.Chunk(SlotsPerGpu).Select(own => own.Sum(e => loads[e] / copies[e]))];
        double mean = gpus.Average();
        return mean > 0 ? gpus.Max() / mean : 1;
    }

    /// <summary>Deals items to packs of equal count, heaviest first, each to the lightest pack with room.</summary>
    private static List<int>[] Pack(IReadOnlyList<double> weights, int packs)
    {
        int room = weights.Count / packs;
        var dealt = new List<int>[packs];
        var sums = new double[packs];
        for (int p = 0; p < packs; p++) dealt[p] = [];
        foreach (int item in Enumerable.Range(0, weights.Count).OrderByDescending(i => weights[i])) // stable: ties in order
        {
            int best = -1;
            for (int p = 0; p < packs; p++)
                if (dealt[p].Count < room && (best < 0 || sums[p] < sums[best])) best = p;
            dealt[best].Add(item);
            sums[best] += weights[item];
        }
        return dealt;
    }

    /// <summary>Every expert once, then one more copy at a time of the expert whose copies are busiest. Gives the expert of each slot.</summary>
    private static List<int> Replicate(IReadOnlyList<double> loads, int slots)
    {
        List<int> copies = [.. Enumerable.Range(0, loads.Count)];
        int[] count = [.. Enumerable.Repeat(1, loads.Count)];
        while (copies.Count < slots)
        {
            int busiest = 0;
            for (int e = 1; e < loads.Count; e++)
                if (loads[e] / count[e] > loads[busiest] / count[busiest]) busiest = e;
            copies.Add(busiest);
            count[busiest]++;
        }
        return copies;
    }
}
