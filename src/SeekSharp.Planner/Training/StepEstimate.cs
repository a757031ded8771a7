namespace SeekSharp.Planner;

/// <summary>One optimizer step under one layout: its pipeline, memory and traffic.</summary>
internal sealed class StepEstimate
{
    /// <summary>Units that move data between network and links while experts are spread over nodes (DeepSeek-V3, section 3.2.2: 20 of 132).</summary>
    public const int CommunicationUnits = 20;

    // Longer schedules are simulated up to here; what follows is steady.
    private const int MostSimulated = 512;

    private StepEstimate(ModelShape model, Gpu gpu, ParallelLayout layout, string schedule, Precision precision, int batch, int context, double imbalance)
    {
        (Layout, Schedule, Precision, Batch, Context) = (layout, schedule, precision, batch, context);
        layout.Check(model);
        if (precision == Precision.Fp8 && gpu.PeakFp8 == 0) throw new PlannerException($"{gpu.Title} has no 8-bit floats: use --precision bf16");
        if (batch % layout.Data != 0) throw new PlannerException($"{layout}: {batch:#,##0} sequences a step do not divide among dp{layout.Data}; set --batch to a multiple");
        if (layout.Chunks > 1 && schedule != "1f1b") throw new PlannerException($"v{layout.Chunks}: only 1f1b interleaves, not {schedule}");
        MicroBatches = batch / layout.Data;
        Tokens = (double)context / layout.Context;
        Traffic = new Traffic(model, gpu, precision, layout, Tokens);
        bool reserved = layout.Expert > 1 && Traffic.ExpertNodes > 1;
        Kernels = new KernelModel(gpu, reserved ? (int)Math.Round(CommunicationUnits / 132.0 * gpu.Units) : 0);

        var layerTimes = new LayerTimes(model, Kernels, precision, layout, Tokens, context, imbalance, Traffic);
        var byKind = new Dictionary<bool, PhaseTimes>();
        PhaseTimes[] layers = [.. model.Layers.Select(l => byKind.TryGetValue(l.IsMoe, out PhaseTimes t) ? t : byKind[l.IsMoe] = layerTimes.Of(l))];
        PhaseTimes tail = layerTimes.Output();
        if (model.Mtp is not null) tail = tail + layerTimes.Of(model.Mtp) + layerTimes.Output(); // the module, and the shared output once more
        int stages = layout.Pipeline * layout.Chunks;
        Stages = StagePlan.Deal([.. layers.Select(Whole)], Whole(tail), stages);
        StageTimes = [.. Stages.Select(s => Enumerable.Range(s.First, s.Layers).Aggregate(s.HasOutput ? tail : default, (sum, i) => sum + layers[i]))];

        bool pairs = schedule == "dualpipe";
        Times = new ChunkTimes(
            [.. StageTimes.Select(t => t.Forward + t.ForwardWire)], [.. StageTimes.Select(t => t.Input + t.BackwardWire)], [.. StageTimes.Select(t => t.Weights)],
            (f, b) => Math.Max(StageTimes[f].Forward + StageTimes[b].Input + StageTimes[b].Weights, StageTimes[f].ForwardWire + StageTimes[b].BackwardWire),
            Traffic.PipelineSeconds);
        int simulated = MicroBatches <= MostSimulated ? MicroBatches : Math.Max(1, MostSimulated / (2 * layout.Pipeline)) * 2 * layout.Pipeline;
        Pipeline = PipelineSchedule.Create(schedule, layout.Pipeline, simulated, layout.Chunks);
        Run = Pipeline.Run(Times);
        double beyond = (MicroBatches - simulated) * Run.Busy.Max() / simulated;
        PipelineSeconds = Run.Makespan + beyond;
        BubbleShare = (Run.Makespan - Run.Busy.Average()) / PipelineSeconds;

        // Memory of the fullest rank. In flight: 1F1B and ZB1P keep as many micro-batches as ranks follow; DualPipe PP + 1 in two stages (V3, table 2).
        double half = pairs ? (layout.Pipeline + 1) / 2.0 : 0;
        Memory = Enumerable.Range(0, layout.Pipeline).Select(rank => MemoryPlan.Of(model, OnRank(rank), layout, precision, Tokens,
            pairs ? half : Math.Min(MicroBatches, layout.Chunks == 1 ? layout.Pipeline - rank : layout.Pipeline + (layout.Pipeline - rank - 1.0) / layout.Chunks + 1))).MaxBy(m => m.Total);

        // After the last backward chunk: gradients are summed, the optimizer steps, new weights are spread. Copies of dense parameters: all data-parallel ranks.
        double held = Stages.Where((_, s) => s % layout.Pipeline == 0).SelectMany(s => Enumerable.Range(s.First, s.Layers)).Sum(i => (double)(model.Layers[i].Parameters - model.Layers[i].ExpertParameters)) / layout.Tensor;
        held = Math.Max(held, (model.Embedding + (double)model.Layers[0].Parameters - model.Layers[0].ExpertParameters) / layout.Tensor);
        double experts = (double)model.Layers.Sum(l => l.ExpertParameters) / layout.Pipeline / layout.Expert;
        int copies = layout.Data * layout.Context;
        DataBytes = Traffic.DataBytes(held, copies) + Traffic.DataBytes(experts, copies / layout.Expert);
        double link = copies * layout.Tensor * layout.Pipeline <= gpu.PerNode ? gpu.ScaleUp : gpu.ScaleOut;
        double shared = layout.Zero >= 1 ? held / copies + experts / Math.Max(1, copies / layout.Expert) : held + experts;
        OptimizerSeconds = DataBytes / link + shared * 26 / Kernels.Stream; // masters and moments read and written, gradients read, weights written
        StepSeconds = PipelineSeconds + OptimizerSeconds;
        TokensPerStep = (double)batch * context;
        TokensPerSecond = TokensPerStep / StepSeconds;

        IEnumerable<StagePlan> OnRank(int rank) => pairs ? [Stages[rank], Stages[layout.Pipeline - 1 - rank]] : Stages.Where((_, s) => s % layout.Pipeline == rank);
        double Whole(PhaseTimes t)
        {
            double compute = t.Forward + t.Input + t.Weights, wire = t.ForwardWire + t.BackwardWire;
            return schedule == "dualpipe" ? Math.Max(compute, wire) : compute + wire;
        }
    }

    public ParallelLayout Layout { get; }
    public string Schedule { get; }
    public Precision Precision { get; }
    public int Batch { get; }
    public int Context { get; }
    public int MicroBatches { get; }
    /// <summary>Tokens of a micro-batch on a GPU.</summary>
    public double Tokens { get; }
    public Traffic Traffic { get; }
    public KernelModel Kernels { get; }
    public StagePlan[] Stages { get; }
    public PhaseTimes[] StageTimes { get; }
    public ChunkTimes Times { get; }
    public PipelineSchedule Pipeline { get; }
    public PipelineRun Run { get; }
    public MemoryPlan Memory { get; }
    public double PipelineSeconds { get; }
    /// <summary>Mean share of the step that a rank waits.</summary>
    public double BubbleShare { get; }
    public double DataBytes { get; }
    public double OptimizerSeconds { get; }
    public double StepSeconds { get; }
    public double TokensPerStep { get; }
    public double TokensPerSecond { get; }

    /// <summary>Computing and communicating of a middle stage's micro-batch, forward and backward.</summary>
    public (double Compute, double Wire) TypicalChunk => StageTimes[StageTimes.Length / 2] is var t ? (t.Forward + t.Input + t.Weights, t.ForwardWire + t.BackwardWire) : default;

    /// <exception cref="PlannerException">The model cannot be spread or scheduled so.</exception>
    public static StepEstimate Of(ModelShape model, Gpu gpu, ParallelLayout layout, string schedule, Precision precision, int batch, int context, double imbalance = 1) =>
        new(model, gpu, layout, schedule, precision, batch, context, imbalance);
}
