using System.Runtime.Intrinsics;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>
/// The last product: logits from normalized hidden states. T rows, H hidden, V vocabulary.
/// <para>
/// With integer weights its activations get 16 bits where all others have 8: each row is quantized, then what the quantization left
/// is quantized too, and both go through the matrix side by side, so that the weights are read once. This product's error would reach
/// the logits undamped: on SmolLM2 in Q4_1 it made up 29 % of the default arithmetic's divergence from exact (mean KL 2.86e-3 with 8 bits,
/// 2.03e-3 with 16; SmolLm2Tests measures it).
/// </para>
/// </summary>
internal sealed unsafe class OutputHead
{
    private const int Slice = 16; // rows at a time: the second halves' results are kept only for so many

    private readonly Linear _matrix;           // [V, H]
    private readonly int _hidden;
    private readonly ActivationBuffer _rows;   // [T, H]
    private readonly ActivationBuffer _halves; // [2·T, H] rows, then what their quantization left
    private readonly NativeArray<float> _results; // [2·T, V]
    private readonly Workspace _w;

    public OutputHead(MatrixSource source, int vocabulary, int hidden, WeightPacker packer, Workspace workspace)
    {
        (_hidden, _w) = (hidden, workspace);
        _matrix = packer.PackShared(source, vocabulary, hidden);
        _rows = workspace.Activations("final", hidden);
        _halves = workspace.Activations("final halves", hidden);
        _results = workspace.Floats("logits of halves");
    }

    /// <summary>Where the T normalized rows go before <see cref="Run"/>.</summary>
    public ActivationBuffer Rows => _rows;

    /// <summary>logits[T, V] of the rows.</summary>
    public void Run(int tokens, float* logits)
    {
        int v = _matrix.Weights.Rows;
        if (_w.Arithmetic == Arithmetic.Exact || !NumberFormats.IsInteger(_matrix.Weights.Format))
        {
            _matrix.Run(_rows, tokens, logits, v, _w);
            return;
        }
        for (int first = 0; first < tokens; first += Slice)
        {
            int count = Math.Min(Slice, tokens - first);
            _halves.Begin(2 * count);
            for (int t = 0; t < count; t++)
            {
                float* x = _rows.Row(first + t);
                new ReadOnlySpan<float>(x, _hidden).CopyTo(new Span<float>(_halves.Row(t), _hidden));
                Remainder(x, _halves.Row(count + t), _hidden);
            }
            float* results = _results.Get(2L * count * v);
            _matrix.Run(_halves, 2 * count, results, v, _w);
            var work = new SumWork { First = results, Second = results + (long)count * v, Sum = logits + (long)first * v, Count = (long)count * v };
            _w.Pool.Run((int)((work.Count + SumWork.Part - 1) / SumWork.Part), ref work);
        }
    }

    /// <summary>What is left of a row when 32 numbers at a time have been quantized to 8 bits, by the rule of the products.</summary>
    internal static void Remainder(float* x, float* left, int n)
    {
        for (int start = 0; start < n; start += 32)
        {
            int end = Math.Min(n, start + 32), largest = 0;
            for (int i = start; i < end; i++) largest = Math.Max(largest, BitConverter.SingleToInt32Bits(x[i]) & 0x7FFFFFFF);
            float scale = ActivationForms.ScaleOf(largest, out float inverse);
            for (int i = start; i < end; i++) left[i] = MathF.FusedMultiplyAdd(-scale, MathF.Round(x[i] * inverse), x[i]);
        }
    }

    private struct SumWork : IParallelWork
    {
        public const int Part = 16384;
        public float* First, Second, Sum;
        public long Count;

        public readonly void Run(int item, int worker)
        {
            long i = (long)item * Part, end = Math.Min(Count, i + Part);
            for (; i + 8 <= end; i += 8) (Vector256.Load(First + i) + Vector256.Load(Second + i)).Store(Sum + i);
            for (; i < end; i++) Sum[i] = First[i] + Second[i];
        }
    }
}
