using System.Runtime.Intrinsics;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// A low-rank change of some of a model's matrices (LoRA, arXiv 2106.09685), kept beside it and applied to the rows of those sequences that ask for it: y += s·B·(A·x), in fp32 whatever the
/// model's own format, row by row, each sum in one order. So sequences with several adapters and with none share a batch, and each gets the bits that it has alone.
/// Never changes; safe for several threads.
/// </summary>
internal sealed class LoraAdapter
{
    private static readonly int Targets = Enum.GetValues<LoraTarget>().Length;

    private readonly Update?[] _updates; // [layers · targets]

    private LoraAdapter(LoraWeights weights, ModelConfig config)
    {
        Identity = weights.Identity;
        _updates = new Update?[config.NumHiddenLayers * Targets];
        foreach (LoraUpdate u in weights.Updates)
        {
            _updates[u.Layer * Targets + (int)u.Target] = new Update(u);
            LargestRank = Math.Max(LargestRank, u.Rank);
        }
    }

    /// <summary>Reads an adapter's folder.</summary>
    /// <exception cref="CheckpointException">It is broken, or made for another model.</exception>
    public static LoraAdapter Load(string folder, ModelConfig config, RopeLayout layout) => new(LoraWeights.Read(folder, config, layout), config);

    /// <summary>A hash of its weights: whatever was computed with one adapter holds for every other of the same identity.</summary>
    public string Identity { get; }

    /// <summary>Largest rank of its updates.</summary>
    public int LargestRank { get; }

    private Update? Find(int layer, LoraTarget target) => layer * Targets + (int)target is int i && i < _updates.Length ? _updates[i] : null; // a prediction module's layer comes after all

    /// <summary>Adds to the output of a matrix what the adapters of the rows' sequences have to add.</summary>
    /// <param name="step">The rows' sequences.</param>
    /// <param name="layer">The matrix's layer.</param>
    /// <param name="target">The matrix.</param>
    /// <param name="input">[T, in] what it was multiplied with.</param>
    /// <param name="output">[T, out] what came out.</param>
    /// <param name="outputStride">From row to row, in floats.</param>
    /// <param name="w">Kernels and threads.</param>
    public static unsafe void Apply(in Step step, int layer, LoraTarget target, ActivationBuffer input, float* output, int outputStride, Workspace w)
    {
        if (!step.HasAdapters) return;
        var work = new RowWork { Step = step, Layer = layer, Target = target, Input = input, Output = output, OutputStride = outputStride, W = w };
        w.Pool.Run(step.Tokens, ref work);
    }

    /// <summary>A and B as rows of one rank each, at addresses that do not move: A's row j says how much of B's row j is added.</summary>
    private sealed class Update
    {
        public Update(LoraUpdate u)
        {
            (Rank, Inputs, Outputs) = (u.Rank, u.A.Length / u.Rank, u.B.Length / u.Rank);
            var columns = new float[u.B.Length]; // [R, out]
            for (int o = 0; o < Outputs; o++)
                for (int r = 0; r < Rank; r++) columns[r * Outputs + o] = u.Scale * u.B[o * Rank + r];
            (A, B) = (new WeightVector(u.A), new WeightVector(columns));
        }

        public int Rank { get; }
        public int Inputs { get; }
        public int Outputs { get; }
        public WeightVector A { get; } // [R, in]
        public WeightVector B { get; } // [R, out], scaled
    }

    private unsafe struct RowWork : IParallelWork
    {
        public Step Step;
        public int Layer, OutputStride;
        public LoraTarget Target;
        public ActivationBuffer Input;
        public float* Output;
        public Workspace W;

        public readonly void Run(int item, int worker)
        {
            if (Step.Parts[Step.Rows[item].Part].Cache.Adapter?.Find(Layer, Target) is not { } update) return;
            float* x = Input.Row(item), y = Output + (long)item * OutputStride;
            for (int r = 0; r < update.Rank; r++)
            {
                float along = Dot(update.A.Pointer + (long)r * update.Inputs, x, update.Inputs);
                Elementwise.AddScaled(update.B.Pointer + (long)r * update.Outputs, along, y, update.Outputs, W.Kernels);
            }
        }

        // Sixteen sums side by side, then one after the other: the same order on every machine.
        private static float Dot(float* a, float* x, int n)
        {
            Vector256<float> low = default, high = default;
            int i = 0;
            for (; i + 16 <= n; i += 16)
            {
                low = Vector256.FusedMultiplyAdd(Vector256.Load(a + i), Vector256.Load(x + i), low);
                high = Vector256.FusedMultiplyAdd(Vector256.Load(a + i + 8), Vector256.Load(x + i + 8), high);
            }
            float sum = Vector256.Sum(low + high);
            for (; i < n; i++) sum = MathF.FusedMultiplyAdd(a[i], x[i], sum);
            return sum;
        }
    }
}
