namespace SeekSharp.Planner;

/// <summary>
/// DualPipe (DeepSeek-V3, section 3.2.1 and figure 5, arXiv 2412.19437): micro-batches enter at both ends; every rank holds a stage of each direction, and pairs a forward
/// chunk of one with a backward chunk of the other, so that each hides the other's all-to-all.
/// </summary>
/// <remarks>
/// The eight parts of a rank's order, with h the rank's distance from its end and P ranks; "near" is the flow that enters at this half, "far" the other one:
/// 1 near forwards; 2 forwards of both; 3 far backwards in two halves, far forwards; 4 pairs; 5 far backwards and pairs; 6 backwards of both, the later ones without
/// weights; 7 weights and near backwards; 8 the weights that are left.
/// </remarks>
internal static class DualPipe
{
    /// <param name="ranks">An even number.</param>
    /// <param name="batches">Micro-batches of both flows together: an even number, at least twice the ranks.</param>
    /// <exception cref="PlannerException">Too few, or odd.</exception>
    public static PipelineSchedule Create(int ranks, int batches)
    {
        if (ranks % 2 != 0) throw new PlannerException($"dualpipe needs an even number of pipeline ranks, not pp{ranks}");
        if (batches % 2 != 0 || batches < 2 * ranks) throw new PlannerException($"dualpipe with pp{ranks} needs an even number of at least {2 * ranks} micro-batches, not {batches}");
        var order = new IReadOnlyList<PipelineStep>[ranks];
        for (int rank = 0; rank < ranks; rank++) order[rank] = new Rank(rank, ranks, batches / 2).Order();
        return new PipelineSchedule("dualpipe", ranks, ranks, batches / 2, 2, order);
    }

    private sealed class Rank(int rank, int ranks, int batches)
    {
        private readonly List<PipelineStep> _steps = [];
        private readonly Queue<PipelineStep> _weights = new();
        private readonly int[] _forward = new int[2], _backward = new int[2]; // next micro-batch of each flow

        private int Near => rank < ranks / 2 ? 0 : 1;
        private int Far => 1 - Near;

        public List<PipelineStep> Order()
        {
            int h = Math.Min(rank, ranks - 1 - rank), inner = ranks / 2 - h - 1;
            for (int i = 0; i < 2 * inner; i++) Forward(Near); // 1
            for (int i = 0; i < h + 1; i++) // 2
            {
                Forward(Near);
                Forward(Far);
            }
            for (int i = 0; i < inner; i++) // 3
            {
                Backward(Far, halved: true);
                Weights();
                Forward(Far);
            }
            for (int i = 0; i < batches - ranks + h + 1; i++) // 4
            {
                if (i == 0 && inner == 0)
                {
                    // In the middle the first pair has nothing to hide behind yet: one after the other lets the neighbours go on.
                    Forward(Near);
                    Backward(Far, halved: false);
                }
                else Pair(Near, Far);
                Pair(Far, Near);
            }
            for (int i = 0; i < inner; i++) // 5
            {
                Backward(Far, halved: false);
                Pair(Far, Near);
            }
            for (int i = 0; i < 2 * (h + 1); i++) Backward(i % 2 == 0 ? Far : Near, halved: i > h); // 6
            for (int i = 0; i < inner; i++) // 7
            {
                Weights();
                Backward(Near, halved: true);
            }
            while (_weights.Count > 0) Weights(); // 8
            return _steps;
        }

        private int Stage(int flow) => flow == 0 ? rank : ranks - 1 - rank;

        private void Forward(int flow) => _steps.Add(new(PipelineOp.Forward, _forward[flow]++, Stage(flow), flow));

        private void Backward(int flow, bool halved)
        {
            int batch = _backward[flow]++;
            _steps.Add(new(halved ? PipelineOp.BackwardInput : PipelineOp.Backward, batch, Stage(flow), flow));
            if (halved) _weights.Enqueue(new(PipelineOp.BackwardWeights, batch, Stage(flow), flow));
        }

        private void Weights() => _steps.Add(_weights.Dequeue());

        private void Pair(int forward, int backward) =>
            _steps.Add(new(PipelineOp.ForwardBackward, _forward[forward]++, Stage(forward), forward, _backward[backward]++, Stage(backward)));
    }
}
