using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>How a training run is spread over its GPUs.</summary>
/// <param name="Pipeline">Ranks one behind the other (pp).</param>
/// <param name="Tensor">GPUs that share every matrix (tp).</param>
/// <param name="Context">GPUs that share a sequence (cp).</param>
/// <param name="Expert">GPUs that the experts are spread over (ep); they are data-parallel ranks otherwise.</param>
/// <param name="Zero">ZeRO stage: 1 spreads the optimizer's state over the data-parallel ranks, 2 the gradients too, 3 the weights too.</param>
/// <param name="Chunks">Pieces of the model on a pipeline rank (v).</param>
/// <param name="Data">Data-parallel ranks, which follow from the number of GPUs.</param>
internal readonly record struct ParallelLayout(int Pipeline, int Tensor, int Context, int Expert, int Zero, int Chunks, int Data)
{
    public int Gpus => Pipeline * Tensor * Context * Data;

    /// <summary>As it is typed.</summary>
    public override string ToString()
    {
        string text = $"pp{Pipeline}";
        if (Chunks > 1) text += $",v{Chunks}";
        if (Tensor > 1) text += $",tp{Tensor}";
        if (Context > 1) text += $",cp{Context}";
        if (Expert > 1) text += $",ep{Expert}";
        return $"{text},zero{Zero},dp{Data}";
    }

    /// <summary>Reads <c>pp16,ep64,zero1</c>; what is not named is 1 (ZeRO: 1).</summary>
    /// <exception cref="PlannerException">An unknown or repeated part, or a number out of range.</exception>
    public static ParallelLayout Parse(string text, int gpus)
    {
        var parts = new Dictionary<string, int> { ["pp"] = 1, ["tp"] = 1, ["cp"] = 1, ["ep"] = 1, ["zero"] = 1, ["v"] = 1 };
        var seen = new HashSet<string>();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string name = new([.. part.TakeWhile(char.IsLetter)]);
            string key = name.ToLowerInvariant();
            if (key != "dp" && !parts.ContainsKey(key)) throw new PlannerException($"--parallel: '{Quantity.Shown(part)}' is not known (pp16, v2, tp8, cp2, ep64, zero1 are)");
            if (!int.TryParse(part[name.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int n) || n < (key == "zero" ? 0 : 1) || n > (key == "zero" ? 3 : 1 << 20))
                throw new PlannerException($"--parallel: '{Quantity.Shown(part)}': expected {key} and {(key == "zero" ? "0, 1, 2 or 3" : "a number of at least 1")}, as in {key}{(key == "zero" ? 1 : 8)}");
            if (!seen.Add(key)) throw new PlannerException($"--parallel: {key} is given twice");
            parts[key] = n;
        }
        long grid = (long)parts["pp"] * parts["tp"] * parts["cp"];
        if (grid > gpus || gpus % grid != 0) throw new PlannerException($"--parallel {text}: pp · tp · cp = {grid} does not divide {gpus} GPUs");
        int data = (int)(gpus / grid);
        if (parts.TryGetValue("dp", out int wanted) && wanted != data) throw new PlannerException($"--parallel: dp{wanted} does not fit: {gpus} GPUs / {grid} leaves dp{data}");
        return new ParallelLayout(parts["pp"], parts["tp"], parts["cp"], parts["ep"], parts["zero"], parts["v"], data);
    }

    /// <summary>Checks that a model can be spread so.</summary>
    /// <exception cref="PlannerException">It cannot; the line says what does not divide what.</exception>
    public void Check(ModelShape m)
    {
        int units = m.Layers.Count + 2; // the embedding and the output may be stages of their own
        if ((long)Pipeline * Chunks > units) throw new PlannerException($"{this}: {(long)Pipeline * Chunks} pipeline stages are more than the {m.Layers.Count} layers of {m.Name}, its embedding and its output");
        if (Pipeline > 256) throw new PlannerException($"{this}: more than 256 pipeline ranks are not simulated");
        if (m.Heads % Tensor != 0) throw new PlannerException($"{this}: tp{Tensor} does not divide the {m.Heads} attention heads of {m.Name}");
        if (Expert == 1) return;
        if (m.Config.NRoutedExperts == 0) throw new PlannerException($"{this}: {m.Name} has no experts to spread over ep{Expert}");
        if (m.Config.NRoutedExperts % Expert != 0) throw new PlannerException($"{this}: ep{Expert} does not divide the {m.Config.NRoutedExperts} experts of {m.Name}");
        if (Data * Context % Expert != 0) throw new PlannerException($"{this}: ep{Expert} does not divide the {Data * Context} data-parallel ranks that the experts are spread over");
    }
}
