namespace SeekSharp.Planner;

/// <summary>A training run priced: every figure with its formula, and the simulated steps behind them.</summary>
internal sealed class TrainingPlan
{
    private TrainingPlan(TrainingInputs inputs)
    {
        Inputs = inputs;
        Recipe recipe = inputs.Model.Recipe;
        ModelShape m = inputs.Model.Shape;
        Gpu gpu = inputs.Gpu;
        bool ours = inputs.Parallel is null && recipe.Gpus == inputs.Gpus;
        Precision precision = inputs.Precision ?? (TrainingInputs.ReadPrecision(recipe.Precision) is Precision.Fp8 && gpu.PeakFp8 > 0 ? Precision.Fp8 : Precision.Bf16);
        int first = inputs.Phases[0].Context, batch = inputs.Batch ?? recipe.Batch ?? 0;
        if (batch == 0)
        {
            batch = Math.Max(inputs.Gpus, (int)((4 << 20) / first / inputs.Gpus) * inputs.Gpus);
            Ledger.Assume($"{batch:#,##0} sequences a step (about four million tokens): set --batch");
        }
        double stepTokens = (double)batch * first;
        var steps = new List<StepEstimate>();
        foreach (TrainingPhase phase in inputs.Phases)
        {
            int sequences = Math.Max(1, (int)(stepTokens / phase.Context));
            steps.Add(Step(phase.Context, sequences, phase.Context == first || steps.Count == 0 ? 1 : Math.Max(1, phase.Context / first)));
        }
        Steps = steps;
        TrainingFigures.Write(this);

        StepEstimate Step(int context, int sequences, int split)
        {
            string? text = inputs.Parallel ?? (ours ? recipe.Parallel : null);
            string? schedule = inputs.Schedule ?? (ours ? recipe.Schedule : null);
            if (text is null)
            {
                StepEstimate found = LayoutSearch.Best(m, gpu, inputs.Gpus, schedule, precision, sequences, context, inputs.Imbalance);
                Ledger.Assume($"parallelism found by search: {found.Layout}, {found.Schedule}");
                return found;
            }
            // Longer sequences are shared by context parallelism, as many ways as they grew, unless the layout says otherwise.
            if (split > 1 && !text.Contains("cp", StringComparison.OrdinalIgnoreCase)) text += $",cp{split}";
            ParallelLayout layout = ParallelLayout.Parse(text, inputs.Gpus);
            return StepEstimate.Of(m, gpu, layout, schedule ?? (layout.Pipeline > 1 && layout.Pipeline % 2 == 0 && layout.Expert > 1 ? "dualpipe" : "1f1b"), precision, sequences, context, inputs.Imbalance);
        }
    }

    public TrainingInputs Inputs { get; }

    /// <summary>One for each phase.</summary>
    public IReadOnlyList<StepEstimate> Steps { get; }

    public Ledger Ledger { get; } = new();

    public double Price => Inputs.Price ?? Inputs.Gpu.RentHour;

    /// <summary>GPU hours of a phase: tokens / tokens a second · GPUs / 3600 / uptime.</summary>
    public double Hours(int phase) => Inputs.Phases[phase].Tokens / Steps[phase].TokensPerSecond * Inputs.Gpus / 3600 / Inputs.Uptime;

    /// <summary>Model FLOPs utilization: FLOPs that the model needs over what the GPUs could do in bf16, in the same time.</summary>
    public static double Mfu(double flopsPerToken, double tokens, double gpuHours, double peak) => flopsPerToken * tokens / (gpuHours * 3600 * peak);

    /// <exception cref="PlannerException">The inputs do not fit together.</exception>
    public static TrainingPlan Of(TrainingInputs inputs) => new(inputs);
}
