namespace SeekSharp.Planner;

/// <summary>What a serving plan is made from.</summary>
internal sealed record ServingInputs
{
    public required PlannedModel Model { get; init; }
    public required Gpu Gpu { get; init; }
    public required ServingLoad Load { get; init; }
    public required PriceList Prices { get; init; }
    public LoadCurve Curve { get; init; } = LoadCurve.Day;
    /// <summary>Units as typed; null: the model's published ones, else the smallest that fit.</summary>
    public string? Prefill { get; init; }
    public string? Decode { get; init; }
    public double? Price { get; init; }
    /// <summary>Tokens a second that a reader gets at least.</summary>
    public double Speed { get; init; } = 20;
    /// <summary>Share of its capacity that a fleet is loaded to: room for bursts within the hour, uneven requests, failures and updates.</summary>
    public double Utilization { get; init; } = 0.7;
    /// <summary>Bits of a number in the cache.</summary>
    public double KvBits { get; init; } = 16;
    /// <summary>Tokens of each expert, layer by layer; null: balanced.</summary>
    public IReadOnlyList<double[]>? ExpertLoads { get; init; }
    /// <summary>Dollars to buy a GPU with its share of a server; null: the hardware file's assumption.</summary>
    public double? Purchase { get; init; }
    public double Pue { get; init; } = 1.2;
    public double ServerFactor { get; init; } = 1.45;
    /// <summary>Dollars a kWh, for GPUs that are bought.</summary>
    public double PowerPrice { get; init; } = 0.1;
}
