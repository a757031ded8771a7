namespace SeekSharp.Planner;

/// <summary>Where the training model has been compared with publications; beyond, a plan says so.</summary>
internal static class ValidatedRange
{
    public static void Check(TrainingPlan plan)
    {
        TrainingInputs i = plan.Inputs;
        var beyond = new List<string>();
        if (i.Gpu.Name is not ("h800" or "h100")) beyond.Add($"{i.Gpu.Title} (checked: H800, H100)");
        if (i.Gpus is < 1024 or > 16384) beyond.Add($"{i.Gpus:#,##0} GPUs (checked: 2,048 to 16,384)");
        if (i.Model.Shape.Parameters is < 200_000_000_000 or > 700_000_000_000) beyond.Add($"{Quantity.Short(i.Model.Shape.Parameters)} parameters (checked: 405B to 671B)");
        if (i.Phases.Any(p => p.Context > 131072)) beyond.Add($"sequences of {i.Phases.Max(p => p.Context):#,##0} (checked: 4,096 to 131,072)");
        if (beyond.Count > 0) plan.Ledger.Warn("outside what was compared with published runs: " + string.Join("; ", beyond));
    }
}
