namespace SeekSharp.Planner;

/// <summary>A serving fleet priced: what a unit can do, how many are needed over the day, what they cost and earn.</summary>
internal sealed class ServingPlan
{
    /// <summary>Prompt tokens on a GPU in one pass of both micro-batches (deepseek-ai/profile-data: 16K).</summary>
    public const double PrefillTokens = 16384;

    /// <summary>Share of the memory that weights and cache may fill; the rest is for activations, messages and the runtime.</summary>
    public const double MemoryShare = 0.9;

    private ServingPlan(ServingInputs inputs)
    {
        Inputs = inputs;
        ModelShape m = inputs.Model.Shape;
        Gpu gpu = inputs.Gpu;
        double bits = inputs.Model.WeightBits;
        PrefillUnit = Unit(inputs.Prefill ?? inputs.Model.Recipe.Prefill, "--prefill");
        DecodeUnit = Unit(inputs.Decode ?? inputs.Model.Recipe.Decode, "--decode");
        foreach ((ServingUnit unit, string option) in ((ServingUnit, string)[])[(PrefillUnit, "--prefill"), (DecodeUnit, "--decode")])
            if (unit.WeightBytes(m, bits) > MemoryShare * gpu.Memory)
                throw new PlannerException($"{option} {unit}: {Quantity.Bytes(unit.WeightBytes(m, bits))} of weights do not fit in {MemoryShare:0%} of {Quantity.Bytes(gpu.Memory)} on {gpu.Title}; use more GPUs a unit");

        // Prompts: the tokens that are computed lie behind those that the cache has, so they see between the hits and everything.
        PrefillBalance = ExpertBalance.Of(inputs.ExpertLoads, PrefillUnit, gpu, m);
        DecodeBalance = ExpertBalance.Of(inputs.ExpertLoads, DecodeUnit, gpu, m);
        var prefill = new ForwardTimes(m, gpu, PrefillUnit, bits, PrefillBalance.Placed);
        PrefillPass = prefill.Prefill(PrefillTokens, inputs.Load.Context * (1 + inputs.Load.Hit) / 2);
        PrefillSeconds = prefill.Seconds(PrefillPass);
        PrefillPerGpu = PrefillTokens / PrefillSeconds / (PrefillUnit.Expert > 1 ? 1 : PrefillUnit.Tensor);

        // Writing: as many sequences as memory holds and the wanted speed allows.
        var decode = new ForwardTimes(m, gpu, DecodeUnit, bits, DecodeBalance.Placed);
        int ranks = DecodeUnit.Expert > 1 ? 1 : DecodeUnit.Tensor; // GPUs of one data-parallel rank
        double perSequence = (KvCacheSize.BytesPerToken(m, inputs.KvBits) + KvCacheSize.IndexerBytesPerToken(m)) * inputs.Load.Context;
        double room = (MemoryShare * gpu.Memory - DecodeUnit.WeightBytes(m, bits)) * (m.Config.IsLatentAttention ? 1 : ranks);
        BatchOfMemory = Math.Floor(room / perSequence);
        if (BatchOfMemory < 1) throw new PlannerException($"--decode {DecodeUnit}: no room for the cache of one sequence of {inputs.Load.Context:#,##0} tokens ({Quantity.Bytes(perSequence)})");
        double low = 1, high = Math.Min(BatchOfMemory, 1 << 16);
        if (decode.Seconds(decode.Decode(1, inputs.Load.Context, inputs.KvBits)) > 1 / inputs.Speed)
            throw new PlannerException($"--speed {inputs.Speed:0.#}: even a single sequence on {gpu.Title}, {DecodeUnit}, gets only {1 / decode.Seconds(decode.Decode(1, inputs.Load.Context, inputs.KvBits)):0.#} tokens a second");
        while (high - low > 0.5)
        {
            double middle = Math.Ceiling((low + high) / 2);
            if (decode.Seconds(decode.Decode(middle, inputs.Load.Context, inputs.KvBits)) <= 1 / inputs.Speed) low = middle;
            else if (high == middle) break;
            else high = middle;
        }
        Batch = low;
        if (decode.Seconds(decode.Decode(high, inputs.Load.Context, inputs.KvBits)) <= 1 / inputs.Speed) Batch = high;
        DecodePass = decode.Decode(Batch, inputs.Load.Context, inputs.KvBits);
        DecodeSeconds = decode.Seconds(DecodePass);
        DecodePerGpu = Batch / DecodeSeconds / ranks;
        var plainPrefill = new ForwardTimes(m, gpu, PrefillUnit, bits, PrefillBalance.InOrder);
        var plainDecode = new ForwardTimes(m, gpu, DecodeUnit, bits, DecodeBalance.InOrder);
        PrefillSecondsInOrder = plainPrefill.Seconds(plainPrefill.Prefill(PrefillTokens, inputs.Load.Context * (1 + inputs.Load.Hit) / 2));
        DecodeSecondsInOrder = plainDecode.Seconds(plainDecode.Decode(Batch, inputs.Load.Context, inputs.KvBits));

        PrefillGpus = [.. inputs.Curve.Hours.Select(h => Whole(inputs.Load.ComputedPerSecond * h / (PrefillPerGpu * inputs.Utilization), PrefillUnit.Gpus))];
        DecodeGpus = [.. inputs.Curve.Hours.Select(h => Whole(inputs.Load.WrittenPerSecond * h / (DecodePerGpu * inputs.Utilization), DecodeUnit.Gpus))];
        ServingFigures.Write(this);

        ServingUnit Unit(string? text, string option) => text is null ? ServingUnit.Smallest(m, gpu, bits) : ServingUnit.Parse(text, option, m);
        static double Whole(double gpus, int unit) => gpus <= 0 ? 0 : Math.Ceiling(gpus / unit - 1e-9) * unit;
    }

    public ServingInputs Inputs { get; }
    public Ledger Ledger { get; } = new();
    public ServingUnit PrefillUnit { get; }
    public ServingUnit DecodeUnit { get; }
    public (double Compute, double Wire) PrefillPass { get; }
    public double PrefillSeconds { get; }
    /// <summary>Computed prompt tokens a second and GPU.</summary>
    public double PrefillPerGpu { get; }
    /// <summary>How evenly the experts' loads fall on the units' GPUs, and what a pass takes with experts placed in order instead.</summary>
    public ExpertBalance PrefillBalance { get; }
    public ExpertBalance DecodeBalance { get; }
    public double PrefillSecondsInOrder { get; }
    public double DecodeSecondsInOrder { get; }
    public double BatchOfMemory { get; }
    /// <summary>Sequences that a data-parallel rank writes at once.</summary>
    public double Batch { get; }
    public (double Compute, double Wire) DecodePass { get; }
    public double DecodeSeconds { get; }
    public double DecodePerGpu { get; }
    /// <summary>GPUs for each hour of the day.</summary>
    public double[] PrefillGpus { get; }
    public double[] DecodeGpus { get; }

    public double Price => Inputs.Price ?? Inputs.Gpu.RentHour;
    public double GpuHours => PrefillGpus.Sum() + DecodeGpus.Sum();
    public double Cost => GpuHours * Price;
    public double PeakGpus => PrefillGpus.Zip(DecodeGpus, (a, b) => a + b).Max();

    /// <exception cref="PlannerException">The inputs do not fit together.</exception>
    public static ServingPlan Of(ServingInputs inputs) => new(inputs);
}
