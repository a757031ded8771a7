namespace SeekSharp.Planner;

/// <summary>A day's load.</summary>
/// <param name="Input">Prompt tokens, cache hits included.</param>
/// <param name="Output">Written tokens.</param>
/// <param name="Hit">Share of the prompt tokens that the context cache has.</param>
/// <param name="Context">Mean length of the cache while a token is written.</param>
internal readonly record struct ServingLoad(double Input, double Output, double Hit, double Context)
{
    /// <summary>Length that is assumed where none is given.</summary>
    public const double UsualContext = 4096;

    /// <summary>Prompt tokens that have to be computed, a second on average.</summary>
    public double ComputedPerSecond => Input * (1 - Hit) / 86400;

    public double WrittenPerSecond => Output / 86400;

    /// <summary>Reads <c>608B-in,168B-out,56.3%-hit</c>, with <c>5000-context</c> where known; the parts in any order.</summary>
    /// <exception cref="PlannerException">A part is missing, repeated or not understood.</exception>
    public static ServingLoad Parse(string text)
    {
        double? input = null, output = null, hit = null, context = null;
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int dash = part.LastIndexOf('-');
            string amount = dash < 0 ? part : part[..dash], kind = dash < 0 ? "" : part[(dash + 1)..];
            switch (kind)
            {
                case "in": Set(ref input, Quantity.Count(amount, "--load: in", 1e3, 1e18, "608B-in"), part); break;
                case "out": Set(ref output, Quantity.Count(amount, "--load: out", 1e3, 1e18, "168B-out"), part); break;
                case "hit": Set(ref hit, Quantity.Share(amount, "--load: hit"), part); break;
                case "context": Set(ref context, Quantity.Count(amount, "--load: context", 16, 1 << 24, "5000-context"), part); break;
                default: throw new PlannerException($"--load: '{Quantity.Shown(part)}' is not understood (608B-in, 168B-out, 56.3%-hit, 5000-context: tokens a day, share, mean length)");
            }
        }
        if (input is null) throw new PlannerException("--load: the prompt tokens of a day are missing, as in 608B-in");
        if (output is null) throw new PlannerException("--load: the written tokens of a day are missing, as in 168B-out");
        return new ServingLoad(input.Value, output.Value, hit ?? 0, context ?? UsualContext);
    }

    private static void Set(ref double? value, double found, string part)
    {
        if (value is not null) throw new PlannerException($"--load: '{Quantity.Shown(part)}' is given twice");
        value = found;
    }
}
