using SeekSharp.Checkpoints;
using SeekSharp.Kernels;

namespace SeekSharp.Models;

/// <summary>One routed expert: a SwiGLU of width I.</summary>
internal sealed unsafe class Expert(Linear gate, Linear up, Linear down)
{
    public Linear Gate { get; } = gate;
    public Linear Up { get; } = up;
    public Linear Down { get; } = down;

    /// <summary>An expert that stays in memory with the other weights.</summary>
    public static Expert Resident(SwiGluWeights weights, int hidden, int width, WeightPacker packer) => new(
        packer.Pack(weights.Gate, width, hidden, weights.GateBias), packer.Pack(weights.Up, width, hidden, weights.UpBias), packer.Pack(weights.Down, hidden, width, weights.DownBias));

    /// <summary>Bytes of an expert that lies packed in one piece: gate, up, down, each at a multiple of 64.</summary>
    public static long PackedBytes(SwiGluWeights weights) => checked(PackedBytes(weights.Gate) + PackedBytes(weights.Up) + PackedBytes(weights.Down));

    /// <summary>Packs an expert into memory that the caller owns, <see cref="PackedBytes(SwiGluWeights)"/> of it, on the calling thread.</summary>
    public static Expert PackInto(byte* memory, SwiGluWeights weights, KernelTable kernels) => Build(memory, weights, (at, source) =>
        PackedMatrix.PackInto((byte*)at, source.Format, source.Rows, source.Cols, source.Address, source.Scales, kernels));

    /// <summary>An expert that lies packed in memory already.</summary>
    public static Expert Over(byte* memory, SwiGluWeights weights, KernelTable kernels) => Build(memory, weights, (at, source) =>
        PackedMatrix.Over((byte*)at, source.Format, source.Rows, source.Cols, source.Scales is not null, kernels));

    /// <summary>Does it lie in that one piece? Not where a number was not finite and a matrix had to be widened.</summary>
    public bool LiesInOnePiece => Matrices.All(m => m.Weights.Stored == m.Weights.Format);

    /// <summary>Frees what does not lie in the caller's memory.</summary>
    public void Forget()
    {
        foreach (Linear m in Matrices) m.Weights.Dispose();
    }

    private Linear[] Matrices => [Gate, Up, Down];

    private static long PackedBytes(MatrixSource source) => PackedMatrix.PackedBytes(source.Format, source.Rows, source.Cols, source.Scales is not null);

    private static Expert Build(byte* memory, SwiGluWeights weights, Func<nint, MatrixSource, PackedMatrix> make)
    {
        var at = (nint)memory;
        Linear gate = Make(weights.Gate, weights.GateBias), up = Make(weights.Up, weights.UpBias), down = Make(weights.Down, weights.DownBias);
        return new Expert(gate, up, down);

        Linear Make(MatrixSource source, float[]? bias)
        {
            PackedMatrix matrix = make(at, source);
            at += (nint)PackedBytes(source);
            return new Linear(matrix, bias is null ? null : WeightPacker.Vector(bias, source.Rows, source.Name + " (bias)"));
        }
    }
}
