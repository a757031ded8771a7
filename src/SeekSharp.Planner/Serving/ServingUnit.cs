using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>The smallest group of GPUs that serves alone: tensor parallelism for dense models, expert parallelism with data-parallel attention for models with experts.</summary>
/// <param name="Tensor">GPUs that share every matrix.</param>
/// <param name="Expert">GPUs that the experts are spread over.</param>
/// <param name="Redundant">Copies of busy experts beyond one of each.</param>
/// <param name="Stages">Nodes that share the layers of a dense model: each works on sequences of its own, so a GPU's rate stays that of one stage with all layers.</param>
internal readonly record struct ServingUnit(int Tensor, int Expert, int Redundant, int Stages = 1)
{
    public int Gpus => Math.Max(Tensor, Expert) * Stages;

    public override string ToString() => Expert > 1 ? $"ep{Expert}" + (Redundant > 0 ? $",r{Redundant}" : "") : $"tp{Tensor}" + (Stages > 1 ? $",pp{Stages}" : "");

    /// <summary>Experts that one GPU holds.</summary>
    public double LocalExperts(ModelShape m) => m.Config.NRoutedExperts == 0 ? 0 : (double)(m.Config.NRoutedExperts + Redundant) / Expert;

    /// <summary>Bytes of weights on one GPU.</summary>
    public double WeightBytes(ModelShape m, double bits)
    {
        double experts = m.Layers.Sum(l => (double)l.ExpertParameters), rest = m.Parameters - experts;
        double share = m.Config.NRoutedExperts == 0 ? 0 : LocalExperts(m) / m.Config.NRoutedExperts;
        return (rest / Tensor + experts * (Expert > 1 ? share : 1.0 / Tensor)) / Stages * bits / 8;
    }

    /// <summary>Reads <c>ep144</c>, <c>ep32,r32</c>, <c>tp8</c>.</summary>
    /// <exception cref="PlannerException">Not understood, or impossible for the model.</exception>
    public static ServingUnit Parse(string text, string option, ModelShape m)
    {
        int tensor = 1, expert = 1, redundant = -1, stages = 1;
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string key = new([.. part.TakeWhile(char.IsLetter)]);
            if (key is not ("tp" or "ep" or "r" or "pp") || !int.TryParse(part[key.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int n) || n > 1 << 16 || n < (key == "r" ? 0 : 1))
                throw new PlannerException($"{option}: '{Quantity.Shown(part)}' is not understood (ep144, ep32,r32, tp8 or tp8,pp2: GPUs of a unit, redundant experts)");
            if (key == "tp") tensor = n;
            else if (key == "ep") expert = n;
            else if (key == "pp") stages = n;
            else redundant = n;
        }
        int experts = m.Config.NRoutedExperts;
        if (tensor > 1 && expert > 1) throw new PlannerException($"{option}: tp and ep together are not planned for serving; use one");
        if (expert > 1 && experts == 0) throw new PlannerException($"{option}: {m.Name} has no experts to spread over ep{expert}");
        if (m.Heads % tensor != 0) throw new PlannerException($"{option}: tp{tensor} does not divide the {m.Heads} attention heads of {m.Name}");
        if (stages > 1 && expert > 1) throw new PlannerException($"{option}: pp and ep together are not planned for serving; use one");
        if (stages > m.Layers.Count) throw new PlannerException($"{option}: pp{stages} is more than the {m.Layers.Count} layers of {m.Name}");
        if (expert > 1)
        {
            if (redundant < 0) redundant = (expert - experts % expert) % expert;
            if ((experts + redundant) % expert != 0) throw new PlannerException($"{option}: {experts} + {redundant} experts do not divide among ep{expert}");
        }
        return new ServingUnit(tensor, expert, Math.Max(0, redundant), stages);
    }

    /// <summary>The smallest unit whose weights leave 40% of the memory to the cache.</summary>
    public static ServingUnit Smallest(ModelShape m, Gpu gpu, double bits)
    {
        bool moe = m.Config.NRoutedExperts > 0;
        for (int n = 1; n <= 1024; n *= 2)
        {
            if (moe ? m.Config.NRoutedExperts % n != 0 : m.Heads % Math.Min(n, gpu.PerNode) != 0) continue;
            // Dense models: within a node tensor parallelism, beyond it a pipeline of nodes.
            int tensor = Math.Min(n, gpu.PerNode);
            var unit = moe ? new ServingUnit(1, n, 0) : new ServingUnit(tensor, 1, 0, n / tensor);
            if (unit.WeightBytes(m, bits) < 0.6 * gpu.Memory) return unit;
        }
        throw new PlannerException($"{m.Name} does not fit on {gpu.Title} at {bits:0.#} bits a weight: give --prefill and --decode");
    }
}
