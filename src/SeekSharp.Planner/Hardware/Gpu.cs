namespace SeekSharp.Planner;

/// <summary>Number formats that matrix products run in.</summary>
internal enum Precision
{
    Bf16,
    Fp8,
}

/// <summary>One kind of accelerator, as its data sheet and kernel benchmarks have it. Operations and bytes a second, bytes, hertz, watts, dollars.</summary>
internal sealed record Gpu
{
    public required string Name { get; init; }
    public required string Title { get; init; }
    public required string Source { get; init; }
    public required double PeakBf16 { get; init; }
    /// <summary>0 where the hardware has no 8-bit floats.</summary>
    public required double PeakFp8 { get; init; }
    /// <summary>What long matrix products reach.</summary>
    public required double SustainedBf16 { get; init; }
    public required double SustainedFp8 { get; init; }
    /// <summary>What products for gradients of weights reach in FP8, where both sides have fine-grained scales.</summary>
    public required double SustainedFp8Gradient { get; init; }
    /// <summary>Streaming multiprocessors, compute units, AI cores: what tiles of a product are dealt to.</summary>
    public required int Units { get; init; }
    public required double Clock { get; init; }
    /// <summary>Exponentials of one unit in a clock.</summary>
    public required double ExpPerClock { get; init; }
    /// <summary>Operations of the vector pipes in fp32.</summary>
    public required double Vector { get; init; }
    public required double Memory { get; init; }
    public required double Bandwidth { get; init; }
    public required int PerNode { get; init; }
    /// <summary>Links within a node, one direction, as achieved.</summary>
    public required double ScaleUp { get; init; }
    /// <summary>Network between nodes for each GPU, one direction, as achieved.</summary>
    public required double ScaleOut { get; init; }
    public required double Watts { get; init; }
    public required double RentHour { get; init; }
    public required double Purchase { get; init; }

    public double Peak(Precision precision) => precision == Precision.Fp8 && PeakFp8 > 0 ? PeakFp8 : PeakBf16;

    public double Sustained(Precision precision) => precision == Precision.Fp8 && PeakFp8 > 0 ? SustainedFp8 : SustainedBf16;

    public double SustainedGradient(Precision precision) => precision == Precision.Fp8 && PeakFp8 > 0 ? SustainedFp8Gradient : SustainedBf16;
}
