using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>One phase of a training run: so many tokens in sequences of one length.</summary>
internal readonly record struct TrainingPhase(double Tokens, int Context);

/// <summary>GPU hours that are given rather than computed (post-training, a published phase).</summary>
internal readonly record struct GivenHours(double Hours, string Name);

/// <summary>What a training plan is made from.</summary>
internal sealed record TrainingInputs
{
    public required PlannedModel Model { get; init; }
    public required Gpu Gpu { get; init; }
    public required int Gpus { get; init; }
    public required IReadOnlyList<TrainingPhase> Phases { get; init; }
    /// <summary>Parallelism as typed; null: the recipe's, else searched.</summary>
    public string? Parallel { get; init; }
    public string? Schedule { get; init; }
    public Precision? Precision { get; init; }
    /// <summary>Sequences of a step in the first phase; longer sequences get fewer, so that a step keeps its tokens.</summary>
    public int? Batch { get; init; }
    /// <summary>Dollars for a GPU and hour; null: the hardware file's assumption.</summary>
    public double? Price { get; init; }
    /// <summary>Busiest expert-parallel rank over the mean.</summary>
    public double Imbalance { get; init; } = 1;
    /// <summary>Share of the wall clock that goes into steps that count.</summary>
    public double Uptime { get; init; } = 1;
    /// <summary>Power of a server over that of its GPUs, and of the building over its servers.</summary>
    public double ServerFactor { get; init; } = 1.45;
    public double Pue { get; init; } = 1.2;
    /// <summary>Kilograms of CO₂ a kilowatt-hour.</summary>
    public double Co2 { get; init; } = 0.45;
    public IReadOnlyList<GivenHours> Given { get; init; } = [];

    /// <summary>Reads <c>14.8T</c> or <c>14.8T,63B@32K,63B@128K</c>.</summary>
    public static IReadOnlyList<TrainingPhase> ReadPhases(string text, int context)
    {
        var phases = new List<TrainingPhase>();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] halves = part.Split('@');
            if (halves.Length > 2) throw new PlannerException($"--tokens: expected TOKENS or TOKENS@LENGTH, as in 63B@32K, found '{Quantity.Shown(part)}'");
            double tokens = Quantity.Count(halves[0], "--tokens", 1e6, 1e17, "14.8T");
            phases.Add(new TrainingPhase(tokens, halves.Length == 2 ? ReadLength(halves[1], "--tokens") : context));
        }
        return phases.Count > 0 ? phases : throw new PlannerException("--tokens: expected a number with its unit, as in 14.8T");
    }

    /// <summary>A sequence length: 4096, 4K, 128K; K is 1,024 here, as everybody means it.</summary>
    public static int ReadLength(string text, string what)
    {
        string t = text.Trim();
        bool kilo = t.EndsWith('K') || t.EndsWith('k');
        if (!int.TryParse(kilo ? t[..^1] : t, NumberStyles.None, CultureInfo.InvariantCulture, out int n)) throw new PlannerException($"{what}: expected a length in tokens, as in 4096 or 32K, found '{Quantity.Shown(text)}'");
        long length = kilo ? n * 1024L : n;
        return length is >= 16 and <= 1 << 24 ? (int)length : throw new PlannerException($"{what}: expected a length from 16 to 16,777,216 tokens, found '{Quantity.Shown(text)}'");
    }

    /// <summary>Reads <c>120K:context</c>, <c>5K</c>, or <c>512x200h:rl</c> (GPUs times hours).</summary>
    public static GivenHours ReadGiven(string text)
    {
        int colon = text.IndexOf(':');
        string amount = colon < 0 ? text : text[..colon], name = colon < 0 ? "given" : text[(colon + 1)..];
        int times = amount.IndexOf('x');
        if (times <= 0) return new GivenHours(Quantity.Count(amount, "--add", 1e-3, 1e12, "120K:context"), name);
        double gpus = Quantity.Count(amount[..times], "--add", 1, 1e8, "512x200h"), hours = Quantity.Count(amount[(times + 1)..].TrimEnd('h'), "--add", 1e-3, 1e6, "512x200h");
        return new GivenHours(gpus * hours, name);
    }

    /// <exception cref="PlannerException">A precision that is not known.</exception>
    public static Precision? ReadPrecision(string? text) => text switch
    {
        null => null,
        "fp8" => Planner.Precision.Fp8,
        "bf16" => Planner.Precision.Bf16,
        _ => throw new PlannerException($"--precision: expected fp8 or bf16, found '{Quantity.Shown(text)}'"),
    };
}
