namespace SeekSharp.Planner;

/// <summary>What a rank of a pipeline does at one time.</summary>
internal enum PipelineOp
{
    Forward,
    /// <summary>Both halves of the backward pass.</summary>
    Backward,
    /// <summary>Gradients of the inputs only: what the stage before waits for.</summary>
    BackwardInput,
    /// <summary>Gradients of the weights only: nobody waits for them.</summary>
    BackwardWeights,
    /// <summary>A forward and a whole backward chunk at once, each hiding the other's communication (DualPipe).</summary>
    ForwardBackward,
}

/// <summary>One step in a rank's order. A flow is a direction in which micro-batches run: DualPipe has two.</summary>
/// <param name="Op">What.</param>
/// <param name="Batch">Micro-batch within its flow (of the forward chunk, where there are two).</param>
/// <param name="Stage">Its stage.</param>
/// <param name="Flow">Its flow.</param>
/// <param name="OtherBatch">Micro-batch of the backward chunk of <see cref="PipelineOp.ForwardBackward"/>, which belongs to the other flow.</param>
/// <param name="OtherStage">Its stage.</param>
internal readonly record struct PipelineStep(PipelineOp Op, int Batch, int Stage, int Flow = 0, int OtherBatch = 0, int OtherStage = 0);

/// <summary>How long each stage's chunks take, in seconds.</summary>
/// <param name="Forward">For each stage.</param>
/// <param name="BackwardInput">For each stage.</param>
/// <param name="BackwardWeights">For each stage.</param>
/// <param name="Overlapped">Of a forward chunk of one stage and a backward chunk of another at once.</param>
/// <param name="Transfer">From one rank to the next.</param>
internal sealed record ChunkTimes(double[] Forward, double[] BackwardInput, double[] BackwardWeights, Func<int, int, double> Overlapped, double Transfer = 0)
{
    /// <summary>The same for every stage; <paramref name="overlapped"/> defaults to both one after the other.</summary>
    public static ChunkTimes Uniform(int stages, double forward, double input, double weights, double? overlapped = null, double transfer = 0)
    {
        double both = overlapped ?? forward + input + weights;
        return new ChunkTimes([.. Enumerable.Repeat(forward, stages)], [.. Enumerable.Repeat(input, stages)], [.. Enumerable.Repeat(weights, stages)], (_, _) => both, transfer);
    }

    public double Backward(int stage) => BackwardInput[stage] + BackwardWeights[stage];
}

/// <summary>A step with its time.</summary>
internal readonly record struct TimedStep(int Rank, PipelineStep Step, double Start, double End);

/// <summary>A schedule that has been run.</summary>
/// <param name="Makespan">From the first start to the last end.</param>
/// <param name="Busy">For each rank, how long it computed.</param>
/// <param name="Steps">Every step, by rank and start.</param>
internal sealed record PipelineRun(double Makespan, double[] Busy, IReadOnlyList<TimedStep> Steps)
{
    /// <summary>How long the rank that waits longest waits; with 1F1B and ZB1P and equal stages, every rank waits as long.</summary>
    public double Bubble => Makespan - Busy.Min();
}

/// <summary>
/// A pipeline's schedule: for each rank its steps in order. Running it is a discrete-event simulation: a step begins when its rank is free and what it needs has
/// arrived. Nothing is assumed of the bubbles; they come out.
/// </summary>
/// <param name="Name">1f1b, zb1p, dualpipe.</param>
/// <param name="Ranks">GPUs one behind the other.</param>
/// <param name="Stages">Pieces of the model.</param>
/// <param name="Batches">Micro-batches of each flow.</param>
/// <param name="Flows">1, or 2 for DualPipe.</param>
/// <param name="Order">For each rank its steps.</param>
internal sealed record PipelineSchedule(string Name, int Ranks, int Stages, int Batches, int Flows, IReadOnlyList<PipelineStep>[] Order)
{
    /// <summary>Runs the schedule.</summary>
    /// <exception cref="InvalidOperationException">The ranks wait for each other for ever: the order is no schedule.</exception>
    public PipelineRun Run(ChunkTimes times)
    {
        // When a chunk's result is there, by flow, batch and stage; NaN: not yet.
        double[] forward = Unknown(), backward = Unknown();
        var free = new double[Ranks];
        var busy = new double[Ranks];
        var next = new int[Ranks];
        var done = new List<TimedStep>();
        for (bool progress = true; progress;)
        {
            progress = false;
            for (int rank = 0; rank < Ranks; rank++)
                while (next[rank] < Order[rank].Count)
                {
                    PipelineStep step = Order[rank][next[rank]];
                    double ready = Ready(step);
                    if (double.IsNaN(ready)) break;
                    double start = Math.Max(free[rank], ready), took = Duration(step), end = start + took;
                    Finish(step, end);
                    free[rank] = end;
                    busy[rank] += took;
                    done.Add(new TimedStep(rank, step, start, end));
                    next[rank]++;
                    progress = true;
                }
        }
        for (int rank = 0; rank < Ranks; rank++)
            if (next[rank] < Order[rank].Count) throw new InvalidOperationException($"{Name}: rank {rank} waits for ever at {Order[rank][next[rank]]}");
        return new PipelineRun(free.Max(), busy, [.. done.OrderBy(s => s.Rank).ThenBy(s => s.Start)]);

        double[] Unknown() => [.. Enumerable.Repeat(double.NaN, Flows * Batches * Stages)];
        int At(int flow, int batch, int stage) => (flow * Batches + batch) * Stages + stage;

        double ForwardReady(int flow, int batch, int stage) => stage == 0 ? 0 : forward[At(flow, batch, stage - 1)] + times.Transfer;
        double BackwardReady(int flow, int batch, int stage) =>
            stage == Stages - 1 ? forward[At(flow, batch, stage)] : Math.Max(forward[At(flow, batch, stage)], backward[At(flow, batch, stage + 1)] + times.Transfer);

        double Ready(PipelineStep s) => s.Op switch
        {
            PipelineOp.Forward => ForwardReady(s.Flow, s.Batch, s.Stage),
            PipelineOp.Backward or PipelineOp.BackwardInput => BackwardReady(s.Flow, s.Batch, s.Stage),
            PipelineOp.BackwardWeights => backward[At(s.Flow, s.Batch, s.Stage)],
            _ => Math.Max(ForwardReady(s.Flow, s.Batch, s.Stage), BackwardReady(1 - s.Flow, s.OtherBatch, s.OtherStage)),
        };

        double Duration(PipelineStep s) => s.Op switch
        {
            PipelineOp.Forward => times.Forward[s.Stage],
            PipelineOp.Backward => times.Backward(s.Stage),
            PipelineOp.BackwardInput => times.BackwardInput[s.Stage],
            PipelineOp.BackwardWeights => times.BackwardWeights[s.Stage],
            _ => times.Overlapped(s.Stage, s.OtherStage),
        };

        void Finish(PipelineStep s, double end)
        {
            if (s.Op is PipelineOp.Forward or PipelineOp.ForwardBackward) forward[At(s.Flow, s.Batch, s.Stage)] = end;
            if (s.Op is PipelineOp.Backward or PipelineOp.BackwardInput) backward[At(s.Flow, s.Batch, s.Stage)] = end;
            if (s.Op == PipelineOp.ForwardBackward) backward[At(1 - s.Flow, s.OtherBatch, s.OtherStage)] = end;
        }
    }

    /// <summary>Makes a schedule by name.</summary>
    /// <exception cref="PlannerException">The schedule cannot run with these ranks and micro-batches.</exception>
    public static PipelineSchedule Create(string name, int ranks, int batches, int chunks = 1) => name switch
    {
        "1f1b" => OneForwardOneBackward.Create(ranks, batches, chunks),
        "zb1p" => ZeroBubble.Create(ranks, batches),
        "dualpipe" => DualPipe.Create(ranks, batches),
        _ => throw new PlannerException($"--schedule: expected dualpipe, 1f1b or zb1p, found '{Quantity.Shown(name)}'"),
    };
}
