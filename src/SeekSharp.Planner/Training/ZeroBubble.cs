namespace SeekSharp.Planner;

/// <summary>
/// ZB1P (ZB-H1 of "Zero Bubble Pipeline Parallelism", arXiv 2401.10241, section 2.3): 1F1B with the backward pass in two. Gradients of inputs travel at once; gradients of
/// weights are put off, on rank r by r micro-batches, so that they fill the end, where the others still wait.
/// </summary>
internal static class ZeroBubble
{
    public static PipelineSchedule Create(int ranks, int batches)
    {
        var order = new IReadOnlyList<PipelineStep>[ranks];
        for (int rank = 0; rank < ranks; rank++)
        {
            var steps = new List<PipelineStep>();
            int forward = 0, weights = 0;
            while (forward < Math.Min(batches, ranks - rank)) steps.Add(new(PipelineOp.Forward, forward++, rank));
            for (int input = 0; input < batches; input++)
            {
                steps.Add(new(PipelineOp.BackwardInput, input, rank));
                if (input >= rank) steps.Add(new(PipelineOp.BackwardWeights, weights++, rank));
                if (forward < batches) steps.Add(new(PipelineOp.Forward, forward++, rank));
            }
            while (weights < batches) steps.Add(new(PipelineOp.BackwardWeights, weights++, rank));
            order[rank] = steps;
        }
        return new PipelineSchedule("zb1p", ranks, ranks, batches, 1, order);
    }
}
