using System.Runtime.InteropServices;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>A vector of weights at an address that does not move.</summary>
internal sealed unsafe class WeightVector
{
    private readonly float[] _values;

    public WeightVector(float[] values)
    {
        _values = GC.AllocateUninitializedArray<float>(values.Length, pinned: true);
        values.CopyTo(_values, 0);
        Pointer = (float*)Marshal.UnsafeAddrOfPinnedArrayElement(_values, 0);
    }

    public float* Pointer { get; }
    public int Length => _values.Length;
}

/// <summary>A packed matrix [out, in] and perhaps a bias [out].</summary>
internal sealed unsafe class Linear(PackedMatrix weights, WeightVector? bias)
{
    public PackedMatrix Weights { get; } = weights;

    private float* Bias => bias is null ? null : bias.Pointer;

    /// <summary>The product of the first <paramref name="count"/> rows (or of those listed) with this matrix, to be run with others.</summary>
    public ProductJob Job(ActivationBuffer input, int count, float* output, int outputStride, int* inputRows = null) => new()
    {
        Weights = Weights,
        Input = input,
        InputRows = inputRows,
        Count = count,
        Output = output,
        OutputStride = outputStride,
        Bias = Bias,
    };

    /// <summary>silu(input · gateᵀ) ⊙ (input · upᵀ) into the rows of <paramref name="result"/> from <paramref name="row"/> on, in the form that <paramref name="next"/> reads, and no other.</summary>
    public static ProductJob GatedJob(Linear gate, Linear up, Linear next, ActivationBuffer input, int count, ActivationBuffer result, int row, Workspace w, int* inputRows = null)
    {
        ProductJob job = gate.Job(input, count, null, 0, inputRows);
        job.Up = up.Weights;
        job.UpBias = up.Bias;
        job.Gated = result;
        job.GatedRow = row;
        job.GatedForm = next.Weights.InputForm(w.Arithmetic, w.Kernels);
        return job;
    }

    /// <summary>output[T, out] += input[T, in] · Wᵀ + bias, and what adapters say to it.</summary>
    public void AddTo(in Step step, int layer, LoraTarget target, ActivationBuffer input, float* output, int outputStride, Workspace w)
    {
        int tokens = step.Tokens, outputs = Weights.Rows;
        if (!step.HasAdapters)
        {
            ProductJob job = Job(input, tokens, output, outputStride);
            job.Adds = true;
            MatrixProduct.Run(new ReadOnlySpan<ProductJob>(in job), w.Arithmetic, w.Kernels, w.Pool);
            return;
        }
        float* branch = w.Floats("branch").Get((long)tokens * outputs); // [T, out]
        Run(input, tokens, branch, outputs, w);
        LoraAdapter.Apply(step, layer, target, input, branch, outputs, w);
        RowOperations.Add(branch, outputs, output, outputStride, outputs, tokens, w);
    }

    /// <summary>output[T, out] = input[T, in] · Wᵀ + bias.</summary>
    public void Run(ActivationBuffer input, int count, float* output, int outputStride, Workspace w)
        => MatrixProduct.Run(Weights, input, count, output, outputStride, Bias, w.Arithmetic, w.Kernels, w.Pool);
}
