using System.Runtime.InteropServices;
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

    /// <summary>The product of the first <paramref name="count"/> rows (or of those listed) with this matrix, to be run with others.</summary>
    public ProductJob Job(ActivationBuffer input, int count, float* output, int outputStride, int* inputRows = null) => new()
    {
        Weights = Weights,
        Input = input,
        InputRows = inputRows,
        Count = count,
        Output = output,
        OutputStride = outputStride,
        Bias = bias is null ? null : bias.Pointer,
    };

    /// <summary>output[T, out] = input[T, in] · Wᵀ + bias.</summary>
    public void Run(ActivationBuffer input, int count, float* output, int outputStride, Workspace w)
        => MatrixProduct.Run(Weights, input, count, output, outputStride, bias is null ? null : bias.Pointer, w.Arithmetic, w.Kernels, w.Pool);
}
