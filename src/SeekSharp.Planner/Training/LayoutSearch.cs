namespace SeekSharp.Planner;

/// <summary>Finds a parallelism where none is given: the fastest of the usual ones that fit in memory.</summary>
internal static class LayoutSearch
{
    /// <exception cref="PlannerException">Nothing fits.</exception>
    public static StepEstimate Best(ModelShape m, Gpu gpu, int gpus, string? schedule, Precision precision, int batch, int context, double imbalance)
    {
        StepEstimate? best = null, smallest = null;
        foreach (ParallelLayout layout in Candidates(m, gpu, gpus))
            foreach (string s in schedule is null ? (string[])["dualpipe", "zb1p", "1f1b"] : [schedule])
            {
                StepEstimate step;
                try
                {
                    if (layout.Chunks > 1 && s != "1f1b") continue;
                    step = StepEstimate.Of(m, gpu, layout, s, precision, batch, context, imbalance);
                }
                catch (PlannerException)
                {
                    continue; // does not divide
                }
                if (smallest is null || step.Memory.Total < smallest.Memory.Total) smallest = step;
                if (step.Memory.Total <= gpu.Memory && (best is null || step.StepSeconds < best.StepSeconds)) best = step;
            }
        return best ?? smallest ?? throw new PlannerException($"no usual parallelism divides {gpus:#,##0} GPUs and {batch:#,##0} sequences for {m.Name}; give --parallel and --batch");
    }

    private static IEnumerable<ParallelLayout> Candidates(ModelShape m, Gpu gpu, int gpus)
    {
        bool moe = m.Config.NRoutedExperts > 0;
        foreach (int pp in (int[])[1, 2, 4, 8, 16])
            foreach (int tp in moe ? (int[])[1] : [1, 2, 4, 8])
                foreach (int ep in moe ? (int[])[1, 8, 16, 32, 64] : [1])
                    foreach (int v in pp > 1 ? (int[])[1, 2, 4] : [1])
                    {
                        if (tp > gpu.PerNode || gpus % (pp * tp) != 0) continue;
                        yield return new ParallelLayout(pp, tp, 1, ep, 1, v, gpus / (pp * tp));
                    }
    }
}
