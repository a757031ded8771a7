using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>Writes a training plan's results down, each with its formula and inputs, and what to beware of.</summary>
internal static class TrainingFigures
{
    public static void Write(TrainingPlan plan)
    {
        Ledger l = plan.Ledger;
        TrainingInputs i = plan.Inputs;
        ModelShape m = i.Model.Shape;
        StepEstimate s = plan.Steps[0];
        WriteModel(l, i.Model, s.Context);
        WriteMemory(l, i.Gpu, s);
        WriteTraffic(l, s, m);
        double flops = FlopCount.Training(m, s.Context);

        l.Add("step_seconds", "a step", s.StepSeconds, "s", Quantity.Time(s.StepSeconds), "simulated pipeline + gradients and optimizer",
            ("pipeline", $"{s.Schedule}, {s.Pipeline.Ranks} ranks, {s.MicroBatches} micro-batches: {Quantity.Time(s.PipelineSeconds)}"), ("gradients, optimizer", Quantity.Time(s.OptimizerSeconds)),
            ("a middle stage computes", $"{Quantity.Time(s.TypicalChunk.Compute)} a micro-batch"), ("and communicates", Quantity.Time(s.TypicalChunk.Wire)));
        l.Add("bubble_share", "bubbles", s.BubbleShare, "", Quantity.Percent(s.BubbleShare), "mean waiting time of a rank / step", ("longest wait of a rank", Quantity.Time(s.Run.Bubble)), ("step", Quantity.Time(s.PipelineSeconds)));
        l.Add("tokens_per_second", "tokens a second", s.TokensPerSecond, "1/s", Quantity.Short(s.TokensPerSecond), "tokens of a step / time of a step", ("tokens", Quantity.Short(s.TokensPerStep)), ("step", Quantity.Time(s.StepSeconds)));
        double perGpu = s.TokensPerSecond / i.Gpus * flops;
        l.Add("flops_per_gpu", "achieved a GPU", perGpu, "FLOP/s", $"{perGpu / 1e12:0} TFLOP/s", "FLOPs a token · tokens a second / GPUs", ("FLOPs a token", Quantity.Short(flops)), ("GPUs", i.Gpus.ToString("#,##0", CultureInfo.InvariantCulture)));
        double mfu = perGpu / i.Gpu.PeakBf16;
        l.Add("mfu", "MFU", mfu, "", Quantity.Percent(mfu), "achieved a GPU / peak in bf16 (causal attention counted once)", ("achieved", $"{perGpu / 1e12:0} TFLOP/s"), ("peak", $"{i.Gpu.PeakBf16 / 1e12:0} TFLOP/s"));
        double full = mfu * FlopCount.Training(m, s.Context, causal: false) / flops;
        l.Add("mfu_not_causal", "MFU, attention counted whole", full, "", Quantity.Percent(full), "as MFU, with every token seeing the whole sequence", ("MFU", Quantity.Percent(mfu)));

        double total = 0;
        for (int p = 0; p < i.Phases.Count; p++)
        {
            double hours = plan.Hours(p);
            total += hours;
            string name = i.Phases.Count == 1 ? "GPU hours" : $"GPU hours, {Quantity.Short(i.Phases[p].Tokens)} tokens at {i.Phases[p].Context:#,##0}";
            l.Add(i.Phases.Count == 1 ? "gpu_hours_computed" : $"gpu_hours_phase_{p + 1}", name, hours, "h", Quantity.Short(hours), "tokens / tokens a second · GPUs / 3600 / uptime",
                ("tokens", Quantity.Short(i.Phases[p].Tokens)), ("tokens a second", Quantity.Short(plan.Steps[p].TokensPerSecond)), ("GPUs", i.Gpus.ToString("#,##0", CultureInfo.InvariantCulture)), ("uptime", Quantity.Percent(i.Uptime)));
        }
        foreach (GivenHours given in i.Given)
        {
            total += given.Hours;
            l.Add("gpu_hours_given", $"GPU hours, {given.Name} (given)", given.Hours, "h", Quantity.Short(given.Hours), "as given with --add");
        }
        WriteMoney(plan, total);
        double perTrillion = plan.Hours(0) / i.Phases[0].Tokens * 1e12;
        l.Add("gpu_hours_per_trillion", "GPU hours a trillion tokens", perTrillion, "h", Quantity.Short(perTrillion), "GPU hours of the first phase / its tokens · 10¹²");
        l.Add("days_per_trillion", "days a trillion tokens", perTrillion / i.Gpus / 24, "days", Quantity.Plain(perTrillion / i.Gpus / 24), "GPU hours a trillion / GPUs / 24");
        Warnings(plan, s);
    }

    private static void WriteModel(Ledger l, PlannedModel model, int context)
    {
        ModelShape m = model.Shape;
        l.Add("parameters", "parameters", m.Parameters, "", $"{Quantity.Short(m.Parameters)} ({m.Parameters:#,##0})", "sum of all matrices, norms and router biases of the config, without MTP modules", ("config", model.Source));
        l.Add("active_parameters", "active for a token", m.ActiveParameters, "", Quantity.Short(m.ActiveParameters), "without the embedding's other rows and the experts that a token does not go to");
        foreach ((Part part, long count) in m.ByKind)
            if (count > 0) l.Add("parameters_" + Snake(part), "  " + Words(part), count, "", Quantity.Short(count), "sum over the layers of outputs · inputs");
        double products = 3 * FlopCount.Products(m), attention = 3 * FlopCount.Attention(m, context / 2.0);
        l.Add("flops_per_token", "FLOPs a training token", products + attention, "FLOP", Quantity.Short(products + attention), "3 · (2 · active matrix parameters + layers · 2 · heads · (qk + v) · length / 2)",
            ("products", Quantity.Short(products)), ("causal attention", Quantity.Short(attention)), ("length", context.ToString("#,##0", CultureInfo.InvariantCulture)));
        double kv = KvCacheSize.BytesPerToken(m);
        l.Add("kv_bytes_per_token", "KV cache a token", kv, "B", $"{kv:#,##0} B", "layers · numbers a layer · 2", ("layers", m.Layers.Count.ToString(CultureInfo.InvariantCulture)), ("numbers a layer", m.KvValues.ToString(CultureInfo.InvariantCulture)));
    }

    private static void WriteMemory(Ledger l, Gpu gpu, StepEstimate s)
    {
        MemoryPlan y = s.Memory;
        l.Add("memory", "memory of the fullest GPU", y.Total, "B", $"{Quantity.Bytes(y.Total)} of {Quantity.Bytes(gpu.Memory)}", "weights + gradients + optimizer + activations + buffers", ("layout", s.Layout.ToString()));
        foreach ((string key, string name, double value, string formula) in ((string, string, double, string)[])
        [
            ("memory_weights", "  weights", y.Weights, s.Precision == Precision.Fp8 ? "parameters on the rank · (2 bf16 + 1 FP8)" : "parameters on the rank · 2"),
            ("memory_gradients", "  gradients", y.Gradients, "parameters on the rank · 4"),
            ("memory_optimizer", "  optimizer", y.Optimizer, s.Precision == Precision.Fp8 ? "share of the rank · (4 master + 2 + 2 moments in bf16)" : "share of the rank · (4 master + 4 + 4 moments)"),
            ("memory_activations", "  activations", y.Activations, "layers of the rank · tokens · kept bytes · micro-batches in flight"),
            ("memory_buffers", "  buffers", y.Buffers, "3 GB runtime (assumed) + logits + messages"),
        ]) l.Add(key, name, value, "B", Quantity.Bytes(value), formula);
    }

    private static void WriteTraffic(Ledger l, StepEstimate s, ModelShape m)
    {
        Traffic t = s.Traffic;
        int moe = m.Layers.Count(x => x.IsMoe);
        double share = (double)s.MicroBatches / s.Layout.Pipeline;
        foreach ((string key, string name, double bytes, string formula) in ((string, string, double, string)[])
        [
            ("traffic_experts_network", "all-to-all over the network, GPU and step", t.ExpertNetworkBytes * 2 * moe * share, "2 · MoE layers / pp · micro-batches · tokens · other nodes · hidden · (dispatch + combine bytes)"),
            ("traffic_experts_node", "all-to-all within the node, GPU and step", t.ExpertNodeBytes * 2 * moe * share, "2 · MoE layers / pp · micro-batches · tokens · experts elsewhere · hidden · (dispatch + combine bytes)"),
            ("traffic_tensor", "tensor parallelism, GPU and step", t.TensorBytes * 2 * m.Layers.Count * share, "2 · layers / pp · micro-batches · 2 all-reduces · tokens · hidden · 2"),
            ("traffic_context", "context parallelism, GPU and step", t.ContextBytes * 2 * m.Layers.Count * share, "2 · layers / pp · micro-batches · tokens · (cp − 1) · cached numbers · 2"),
            ("traffic_pipeline", "pipeline, GPU and step", t.PipelineBytes * 2 * s.MicroBatches * s.Layout.Chunks, "2 · micro-batches · tokens · hidden · 2"),
            ("traffic_data", "gradients and weights, GPU and step", s.DataBytes, "parameters on the rank · (4 gradients + 2 weights)"),
        ])
            if (bytes > 0) l.Add(key, name, bytes, "B", Quantity.Bytes(bytes), formula, key.Contains("experts", StringComparison.Ordinal) ? [("other nodes a token goes to", Quantity.Plain(t.RemoteNodes)), ("dispatch bytes", Quantity.Plain(t.DispatchBytes)), ("combine bytes", "2")] : []);
    }

    private static void WriteMoney(TrainingPlan plan, double hours)
    {
        Ledger l = plan.Ledger;
        TrainingInputs i = plan.Inputs;
        l.Add("gpu_hours", "GPU hours in all", hours, "h", Quantity.Short(hours), "sum of the phases and of what is given");
        l.Add("days", "days", hours / i.Gpus / 24, "days", Quantity.Plain(hours / i.Gpus / 24), "GPU hours / GPUs / 24", ("GPUs", i.Gpus.ToString("#,##0", CultureInfo.InvariantCulture)));
        l.Add("cost", "cost", hours * plan.Price, "$", Quantity.Money(hours * plan.Price), "GPU hours · price", ("price", $"{Quantity.Money(plan.Price)} for a GPU and hour{(i.Price is null ? " (the hardware file's assumption)" : "")}"));
        double energy = hours * i.Gpu.Watts / 1000 * i.ServerFactor * i.Pue;
        l.Add("energy_kwh", "energy", energy, "kWh", Quantity.Short(energy) + " kWh", "GPU hours · watts / 1000 · server factor · PUE",
            ("watts", Quantity.Plain(i.Gpu.Watts)), ("server factor", Quantity.Plain(i.ServerFactor)), ("PUE", Quantity.Plain(i.Pue)));
        l.Add("co2_tonnes", "CO₂", energy * i.Co2 / 1000, "t", $"{Quantity.Short(energy * i.Co2 / 1000)} t", "energy · kg a kWh / 1000", ("kg a kWh", Quantity.Plain(i.Co2)));
        l.Assume($"GPUs draw their data sheet's {i.Gpu.Watts:0} W all the time, servers {i.ServerFactor:0.##} times that, the building {i.Pue:0.##} times (--pue); {i.Co2:0.##} kg of CO₂ a kWh (--co2)");
        l.Assume("kernels by a roofline of the hardware file's sustained rates; DualPipe hides all-to-all behind the other direction's chunk, other schedules do not hide it; experts balanced" + (i.Imbalance == 1 ? "" : $" up to {i.Imbalance:0.##} times the mean"));
    }

    private static void Warnings(TrainingPlan plan, StepEstimate s)
    {
        Ledger l = plan.Ledger;
        TrainingInputs i = plan.Inputs;
        foreach (StepEstimate step in plan.Steps)
            if (step.Memory.Total > i.Gpu.Memory)
                l.Warn($"does not fit: {Quantity.Bytes(step.Memory.Total)} on the fullest GPU at length {step.Context:#,##0}, {i.Gpu.Title} has {Quantity.Bytes(i.Gpu.Memory)}; more pipeline, tensor or expert parallelism or a higher ZeRO stage helps");
        (double compute, double wire) = s.TypicalChunk;
        if (wire > compute) l.Warn($"the network would not keep up: a chunk communicates for {Quantity.Time(wire)} and computes for {Quantity.Time(compute)}");
        else if (wire > 0.15 * compute && s.Schedule != "dualpipe") l.Warn($"{s.Schedule} leaves communication in the open: {Quantity.Percent(wire / (compute + wire))} of a chunk; dualpipe would hide it");
        if (s.Layout.Tensor > i.Gpu.PerNode) l.Warn($"tp{s.Layout.Tensor} reaches beyond a node of {i.Gpu.PerNode} GPUs");
        ValidatedRange.Check(plan);
    }

    private static string Snake(Part part) => string.Concat(part.ToString().Select((c, n) => n > 0 && char.IsUpper(c) ? "_" + char.ToLowerInvariant(c) : char.ToLowerInvariant(c).ToString()));

    private static string Words(Part part) => Snake(part).Replace('_', ' ');
}
