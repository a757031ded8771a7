using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>What a processor reads and writes with a model, and what that means in money beside an API's prices.</summary>
/// <remarks>
/// Writing is bound by memory: the bytes that a token touches, and the barriers between operations. Reading is bound by arithmetic: products and attention at the rates that one product
/// and one layer's attention reach by themselves. The shares are assumptions about how well kernels are fed, not fits to a benchmark.
/// </remarks>
internal sealed class CpuPlan
{
    /// <summary>Share of the memory's bandwidth that a pass over the weights reaches.</summary>
    public const double StreamShare = 0.9;

    /// <summary>Share of a lone product's rate that products reach between others: cold weights, rows quantized before, ends of regions.</summary>
    public const double ProductShare = 0.85;

    /// <summary>Share of a lone layer's rate that attention reaches: queries and blocks that come from another cache.</summary>
    public const double AttentionShare = 0.85;

    /// <summary>
    /// Seconds that a region on one row takes beyond its bytes and the empty region: rows that one thread normalizes and quantizes before, streams that start cold, threads that end apart. An
    /// assumption that suits the two synthetic models of <c>bench/results/plan-cpu.md</c>; it matters for small models only.
    /// </summary>
    public const double RowSeconds = 3e-6;

    // Parallel regions of a layer for one row, as counted in the forward pass: q, k and v, cache, attention, output, gate and up, down; MLA has its second queries, W_UK and W_UV, experts the router.
    private const int DenseRegions = 6, LatentRegions = 3, ExpertRegions = 1;

    /// <param name="model">The model; its weights' bits are the file's average.</param>
    /// <param name="machine">Measured.</param>
    /// <param name="prompt">Tokens of a prompt.</param>
    /// <param name="written">Tokens of an answer.</param>
    /// <param name="depth">Tokens that are in the cache before.</param>
    /// <param name="kvBits">Bits of a number in the cache.</param>
    /// <param name="hour">Dollars for the machine and hour.</param>
    /// <param name="prices">What to compare with.</param>
    public CpuPlan(PlannedModel model, CpuMachine machine, int prompt, int written, int depth, double kvBits, double hour, PriceList prices)
    {
        (Model, Machine) = (model, machine);
        ModelShape m = model.Shape;
        double bytes = m.ActiveParameters * model.WeightBits / 8, kv = KvCacheSize.BytesPerToken(m, kvBits), length = depth + written / 2.0;
        int regions = m.Layers.Sum(l => DenseRegions + (m.Config.IsLatentAttention ? LatentRegions : 0) + (l.IsMoe ? ExpertRegions : 0));
        double weights = bytes / (machine.Read * StreamShare), cache = kv * length / (machine.Read * StreamShare), core = FlopCount.AbsorbedAttention(m, length) / (machine.Attention * AttentionShare);
        DecodeSeconds = weights + Math.Max(cache, core) + regions * (machine.Region + RowSeconds);

        double dense = 0, experts = 0;
        foreach (WeightMatrix w in m.Layers.SelectMany(l => l.Matrices))
            if (w.Part == Part.RoutedExperts) experts += w.Flops;
            else dense += w.Flops;
        double seen = depth + prompt / 2.0, rows = m.Config.NRoutedExperts > 0 ? (double)prompt * m.Config.NumExpertsPerTok / m.Config.NRoutedExperts : prompt;
        double rate = rows >= 256 ? machine.ManyRows : rows <= 32 ? machine.FewRows : machine.FewRows + (machine.ManyRows - machine.FewRows) * (rows - 32) / 224;
        double attention = FlopCount.AbsorbedAttention(m, seen);
        // Between products: fp32 rows of norms, rotation, activation, layout for experts and sums, through memory, since a prompt's rows are larger than caches; and the weights once.
        double passes = m.Layers.Sum(x => 4.0 * (8 * m.Hidden + 2 * m.Heads * (2 * m.QkDim + m.VDim) + 2.5 * x.Matrices.Where(w => w.Name == "gate_up").Sum(w => (double)w.Outputs * w.Active) + (x.IsMoe ? 4.0 * m.Config.NumExpertsPerTok * m.Hidden : 0)));
        double once = m.Parameters * model.WeightBits / 8;
        PrefillSeconds = prompt * (dense / machine.ManyRows / ProductShare + experts / rate / ProductShare + attention / (machine.Attention * AttentionShare) + passes / (machine.Read * StreamShare))
            + once / (machine.Read * StreamShare) + regions * machine.Region;

        Ledger l = Ledger;
        l.Add("bytes_per_token", "bytes that a token touches", bytes, "B", Quantity.Bytes(bytes), "active parameters · bits of a weight / 8", ("active", Quantity.Short(m.ActiveParameters)), ("bits", Quantity.Plain(model.WeightBits)));
        l.Add("kv_bytes_per_token", "KV cache a token", kv, "B", $"{kv:#,##0} B", "layers · numbers a layer · bits / 8", ("bits", Quantity.Plain(kvBits)));
        l.Add("decode_tps", "writing", 1 / DecodeSeconds, "1/s", $"{1 / DecodeSeconds:0.0} tokens/s", "1 / (bytes / (bandwidth · 90%) + max(cache, attention) + regions · (region + 3 µs))",
            ("weights", Quantity.Time(weights)), ("bandwidth", $"{machine.Read / 1e9:0.0} GB/s"), ("cache", Quantity.Time(cache)), ("attention", Quantity.Time(core)), ("regions", regions.ToString(CultureInfo.InvariantCulture)), ("a region", Quantity.Time(machine.Region)));
        l.Add("prefill_tps", "reading", prompt / PrefillSeconds, "1/s", $"{prompt / PrefillSeconds:0.0} tokens/s", "tokens / (products / (their rate · 85%) + attention / (its rate · 85%) + (passes + weights once) / (bandwidth · 90%))",
            ("products", $"{Quantity.Short(dense + experts)} operations a token"), ("rate", $"{machine.ManyRows / 1e9:0} GOP/s, experts {rate / 1e9:0} with {rows:0} rows"), ("attention", $"{Quantity.Short(attention)} operations a token"), ("its rate", $"{machine.Attention / 1e9:0} GFLOP/s"), ("passes", $"{Quantity.Bytes(passes)} a token"), ("prompt", prompt.ToString("#,##0", CultureInfo.InvariantCulture)));
        double read = hour / 3600 * PrefillSeconds / prompt * 1e6, wrote = hour / 3600 * DecodeSeconds * 1e6;
        l.Add("cost_per_million_input", "cost a million read", read, "$", Quantity.Money(read), "price of an hour / 3600 / tokens a second · 10⁶", ("price", $"{Quantity.Money(hour)} for the machine and hour"));
        l.Add("cost_per_million_output", "cost a million written", wrote, "$", Quantity.Money(wrote), "as above; one answer at a time");
        l.Add("api_per_million_input", "the API asks, a million read", prices.Miss, "$", Quantity.Money(prices.Miss), "price list, cache misses", ("prices", prices.Title));
        l.Add("api_per_million_output", "the API asks, a million written", prices.Output, "$", Quantity.Money(prices.Output), "price list", ("prices", prices.Title));
        if (once > machine.Memory) l.Warn($"does not fit: {Quantity.Bytes(once)} of weights, {Quantity.Bytes(machine.Memory)} of memory; reading them from disk is slower than planned");
        l.Assume($"the machine costs {Quantity.Money(hour)} an hour (--price) and is always busy with one request");
    }

    public PlannedModel Model { get; }
    public CpuMachine Machine { get; }
    public Ledger Ledger { get; } = new();
    public double DecodeSeconds { get; }
    public double PrefillSeconds { get; }
}
