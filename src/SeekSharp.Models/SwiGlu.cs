using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>down(silu(gate x) ⊙ up x) (arXiv 2002.05202): the feed-forward part of a dense layer. T tokens, H hidden, I intermediate.</summary>
internal sealed unsafe class SwiGlu
{
    private readonly NativeArray<float> _gateOut, _upOut;
    private readonly ActivationBuffer _inner; // [T, I]
    private readonly int _layer;
    private readonly Workspace _w;

    public SwiGlu(SwiGluWeights weights, int hidden, long intermediate, int layer, WeightPacker packer, Workspace workspace)
    {
        Width = checked((int)intermediate);
        (_layer, _w) = (layer, workspace);
        Gate = packer.Pack(weights.Gate, intermediate, hidden, weights.GateBias);
        Up = packer.Pack(weights.Up, intermediate, hidden, weights.UpBias);
        Down = packer.Pack(weights.Down, hidden, intermediate, weights.DownBias);
        _gateOut = workspace.Floats("gate");
        _upOut = workspace.Floats("up");
        _inner = workspace.Activations("inner", Width);
    }

    /// <summary>I.</summary>
    public int Width { get; }
    public Linear Gate { get; }
    public Linear Up { get; }
    public Linear Down { get; }

    /// <summary>x[T, H] += the result for input[T, H].</summary>
    public void Run(in Step step, ActivationBuffer input, float* x, int xStride)
    {
        int tokens = step.Tokens;
        float* inner = _inner.Begin(tokens);
        if (!step.HasAdapters)
        {
            ProductJob gated = Linear.GatedJob(Gate, Up, Down, input, tokens, _inner, 0, _w);
            MatrixProduct.Run(new ReadOnlySpan<ProductJob>(in gated), _w.Arithmetic, _w.Kernels, _w.Pool);
        }
        else
        {
            float* gate = _gateOut.Get((long)tokens * Width), up = _upOut.Get((long)tokens * Width); // [T, I]
            MatrixProduct.Run([Gate.Job(input, tokens, gate, Width), Up.Job(input, tokens, up, Width)], _w.Arithmetic, _w.Kernels, _w.Pool);
            LoraAdapter.Apply(step, _layer, LoraTarget.Gate, input, gate, Width, _w);
            LoraAdapter.Apply(step, _layer, LoraTarget.Up, input, up, Width, _w);
            RowOperations.SwiGlu(gate, up, Width, inner, _inner.Stride, Width, tokens, _w);
        }
        Down.AddTo(step, _layer, LoraTarget.Down, _inner, x, xStride, _w);
    }
}
