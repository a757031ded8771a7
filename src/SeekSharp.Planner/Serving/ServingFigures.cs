using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>Writes a serving plan's results down, each with its formula and inputs.</summary>
internal static class ServingFigures
{
    public static void Write(ServingPlan p)
    {
        Ledger l = p.Ledger;
        ServingInputs i = p.Inputs;
        ModelShape m = i.Model.Shape;
        int node = i.Gpu.PerNode;
        double kv = KvCacheSize.BytesPerToken(m, i.KvBits);
        l.Add("kv_bytes_per_token", "KV cache a token", kv, "B", $"{kv:#,##0} B", "layers · numbers a layer · bits / 8", ("layers", Whole(m.Layers.Count)), ("numbers a layer", Whole(m.KvValues)), ("bits", Quantity.Plain(i.KvBits)));

        l.Add("prefill_per_gpu", "reading, a GPU", p.PrefillPerGpu, "1/s", $"{p.PrefillPerGpu:#,##0} computed tokens/s", "tokens of a pass / max(computing, communicating)",
            ("unit", $"{p.PrefillUnit}, {p.PrefillUnit.Gpus} GPUs"), ("tokens of a pass", Whole(ServingPlan.PrefillTokens)), ("computing", Quantity.Time(p.PrefillPass.Compute)), ("communicating", Quantity.Time(p.PrefillPass.Wire)));
        l.Add("prefill_per_node", "reading, a node", p.PrefillPerGpu * node, "1/s", $"{Quantity.Short(p.PrefillPerGpu * node)} computed tokens/s, {Quantity.Short(p.PrefillPerGpu * node / Math.Max(0.01, 1 - i.Load.Hit))} with cache hits", "a GPU's rate · GPUs a node / (1 − hit share)");
        l.Add("decode_batch", "sequences at once, a rank", p.Batch, "", Whole(p.Batch), "the most that memory holds and the speed allows",
            ("memory holds", Whole(p.BatchOfMemory)), ("speed wanted", $"{i.Speed:0.#} tokens/s"), ("mean context", Whole(i.Load.Context)), ("unit", $"{p.DecodeUnit}, {p.DecodeUnit.Gpus} GPUs"));
        double speed = 1 / p.DecodeSeconds;
        l.Add("decode_speed", "writing, a sequence", speed, "1/s", $"{speed:0.0} tokens/s", "1 / max(computing, communicating)", ("computing", Quantity.Time(p.DecodePass.Compute)), ("communicating", Quantity.Time(p.DecodePass.Wire)));
        l.Add("decode_per_gpu", "writing, a GPU", p.DecodePerGpu, "1/s", $"{p.DecodePerGpu:#,##0} tokens/s", "sequences / time of a token", ("sequences", Whole(p.Batch)));
        l.Add("decode_per_node", "writing, a node", p.DecodePerGpu * node, "1/s", $"{Quantity.Short(p.DecodePerGpu * node)} tokens/s", "a GPU's rate · GPUs a node");
        double weights = p.DecodeUnit.WeightBytes(m, i.Model.WeightBits), cache = p.Batch * kv * i.Load.Context / (m.Config.IsLatentAttention ? 1 : p.DecodeUnit.Tensor);
        l.Add("memory_weights", "weights on a writing GPU", weights, "B", Quantity.Bytes(weights), "(parameters outside experts + local experts) · bits / 8", ("bits", Quantity.Plain(i.Model.WeightBits)));
        l.Add("memory_cache", "cache on a writing GPU", cache, "B", $"{Quantity.Bytes(cache)} of {Quantity.Bytes(i.Gpu.Memory)} in all", "sequences · mean context · bytes a token");
        double wait = i.Utilization / (2 * (1 - i.Utilization)) * p.PrefillSeconds, first = p.PrefillSeconds + wait;
        l.Add("first_token_seconds", "first token after about", first, "s", Quantity.Time(first), "a pass + waiting for one: utilization / (2 (1 − utilization)) passes (M/D/1)", ("a pass", Quantity.Time(p.PrefillSeconds)), ("utilization", Quantity.Percent(i.Utilization)));

        double prefill = p.PrefillGpus.Average(), decode = p.DecodeGpus.Average();
        l.Add("prefill_nodes", "nodes that read, mean", prefill / node, "", Quantity.Plain(prefill / node), "for each hour: computed tokens/s / (rate · utilization), in whole units", ("tokens/s", Quantity.Short(i.Load.ComputedPerSecond)), ("utilization", Quantity.Percent(i.Utilization)));
        l.Add("decode_nodes", "nodes that write, mean", decode / node, "", Quantity.Plain(decode / node), "for each hour: written tokens/s / (rate · utilization), in whole units", ("tokens/s", Quantity.Short(i.Load.WrittenPerSecond)), ("utilization", Quantity.Percent(i.Utilization)));
        l.Add("nodes", "nodes, mean over the day", (prefill + decode) / node, "", Quantity.Plain((prefill + decode) / node), "nodes that read + nodes that write");
        l.Add("nodes_peak", "nodes, busiest hour", p.PeakGpus / node, "", Quantity.Plain(p.PeakGpus / node), "the largest of the 24 hours", ("curve", string.Join(' ', i.Curve.Hours.Select(h => h.ToString("0.##", CultureInfo.InvariantCulture)))));
        l.Add("cost", "cost a day", p.Cost, "$", Quantity.Money(p.Cost), "GPU hours · price", ("GPU hours", Quantity.Short(p.GpuHours)), ("price", $"{Quantity.Money(p.Price)} for a GPU and hour{(i.Price is null ? " (the hardware file's assumption)" : "")}"));
        double input = p.PrefillGpus.Sum() * p.Price / (i.Load.Input / 1e6), output = p.DecodeGpus.Sum() * p.Price / (i.Load.Output / 1e6);
        l.Add("cost_per_million_input", "cost a million read", input, "$", Quantity.Money(input), "cost of the nodes that read / prompt tokens · 10⁶ (cache hits included)");
        l.Add("cost_per_million_output", "cost a million written", output, "$", Quantity.Money(output), "cost of the nodes that write / written tokens · 10⁶");
        double revenue = i.Prices.Revenue(i.Load);
        l.Add("revenue", "revenue a day", revenue, "$", Quantity.Money(revenue), "hits · hit price + misses · miss price + written · output price",
            ("prices", $"{i.Prices.Title}: {Quantity.Money(i.Prices.Hit)}, {Quantity.Money(i.Prices.Miss)}, {Quantity.Money(i.Prices.Output)} a million"), ("hits", Quantity.Short(i.Load.Input * i.Load.Hit)), ("misses", Quantity.Short(i.Load.Input * (1 - i.Load.Hit))), ("written", Quantity.Short(i.Load.Output)));
        l.Add("margin", "cost-profit margin", revenue / p.Cost - 1, "", (revenue / p.Cost - 1).ToString("0%", CultureInfo.InvariantCulture), "revenue / cost − 1");
        WriteBreakEven(p, revenue);
        l.Assume($"a fleet is loaded to {i.Utilization:0%} of what it can do (--utilization); readers get at least {i.Speed:0.#} tokens/s (--speed); weights at {i.Model.WeightBits:0.#} bits, cache at {i.KvBits:0.#}");
        if (i.ExpertLoads is null && m.Config.NRoutedExperts > 0) l.Assume("experts are balanced (--expert-load FILE places them by load)");
        else if (i.ExpertLoads is not null) WriteBalance(p);
        if (ReferenceEquals(i.Curve, LoadCurve.Day)) l.Assume("the load follows a wave from 0.6 to 1.4 of its mean over the day (--curve)");
        if (i.Gpu.Name is not ("h800" or "h100") || m.Parameters < 200_000_000_000) l.Warn($"outside what was compared with a published fleet: {i.Model.Title} on {i.Gpu.Title} (checked: DeepSeek-V3/R1 on H800)");
        if (p.PrefillPass.Wire > p.PrefillPass.Compute) l.Warn($"the network would not keep up with reading: {Quantity.Time(p.PrefillPass.Wire)} beside {Quantity.Time(p.PrefillPass.Compute)} of computing");
        if (p.DecodePass.Wire > p.DecodePass.Compute) l.Warn($"the network would not keep up with writing: {Quantity.Time(p.DecodePass.Wire)} beside {Quantity.Time(p.DecodePass.Compute)} of computing");
    }

    private static void WriteBalance(ServingPlan p)
    {
        const string Formula = "mean over the layers of the busiest GPU's load / mean load; experts in order -> placed and copied by load";
        foreach ((string key, string name, ServingUnit unit, ExpertBalance b, double placed, double inOrder) in ((string, string, ServingUnit, ExpertBalance, double, double)[])
        [
            ("prefill", "reading", p.PrefillUnit, p.PrefillBalance, p.PrefillSeconds, p.PrefillSecondsInOrder), ("decode", "writing", p.DecodeUnit, p.DecodeBalance, p.DecodeSeconds, p.DecodeSecondsInOrder),
        ])
        {
            p.Ledger.Add(key + "_imbalance", $"busiest GPU, {name}", b.Placed, "", $"{b.InOrder:0.00} -> {b.Placed:0.00} of the mean", Formula, ("unit", unit.ToString()));
            p.Ledger.Add(key + "_balance_gain", $"a pass, {name}", inOrder / placed, "", $"{Quantity.Time(inOrder)} -> {Quantity.Time(placed)}", "time of a pass with either load on the busiest GPU");
        }
    }

    /// <summary>Buying the fleet for its busiest hour instead of paying the API's prices for the same tokens.</summary>
    private static void WriteBreakEven(ServingPlan p, double api)
    {
        ServingInputs i = p.Inputs;
        double price = i.Purchase ?? i.Gpu.Purchase, capital = p.PeakGpus * price, power = RunningCost(p);
        p.Ledger.Add("capital", "buying the fleet", capital, "$", Quantity.Money(capital), "GPUs of the busiest hour · price with its share of a server", ("GPUs", Whole(p.PeakGpus)), ("price", Quantity.Money(price) + (i.Purchase is null ? " (the hardware file's assumption)" : "")));
        if (api <= power)
        {
            p.Ledger.Warn("buying never pays: electricity alone costs more than the API's prices for these tokens");
            return;
        }
        p.Ledger.Add("break_even_days", "buying beats the API after", capital / (api - power), "days", $"{Quantity.Plain(capital / (api - power))} days", "price of the fleet / (API's prices for the same tokens − electricity), a day",
            ("API a day", Quantity.Money(api)), ("electricity a day", Quantity.Money(power)));
    }

    /// <summary>Electricity of a day, for a bought fleet that runs as the curve has it.</summary>
    public static double RunningCost(ServingPlan p) => p.GpuHours * p.Inputs.Gpu.Watts / 1000 * p.Inputs.ServerFactor * p.Inputs.Pue * p.Inputs.PowerPrice;

    private static string Whole(double n) => n.ToString("#,##0", CultureInfo.InvariantCulture);
}
