using System.Runtime.InteropServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Whether there is a matrix unit (<see cref="MatrixUnit"/>), and what <c>vdpbf16ps</c> is worth on this machine (<see cref="MachineProbe.HasFastBF16"/>), decides how the cache's bf16 numbers are multiplied.
/// </summary>
internal interface IAttentionForm
{
    /// <summary>What it multiplies bf16 with.</summary>
    static abstract string Name { get; }

    /// <summary>In the matrix unit, 16 rows at a time.</summary>
    static abstract bool Matrices { get; }

    /// <summary>Pairs of bf16 numbers in one instruction; else fp32, the cache widened in registers.</summary>
    static abstract bool Pairs { get; }
}

/// <summary>The assembled tiles of attention, by rows, as pointers in native memory.</summary>
internal unsafe struct AttentionTiles
{
    public fixed long Keys[AttentionTileAssembler.KeyRows + 1];
    public fixed long Dots[AttentionTileAssembler.DotRows + 1];
    public fixed long Values[AttentionTileAssembler.ValueRows + 1];
    public fixed long Keys8[AttentionTileAssembler.KeyRows + 1];
    public fixed long Values8[AttentionTileAssembler.ValueRows + 1];

    public nint Configure, Release, Turn, Pair, MatrixKeys, MatrixDots, MatrixValues;

    internal readonly struct InMatrices : IAttentionForm
    {
        public static string Name => "amx-bf16";
        public static bool Matrices => true;
        public static bool Pairs => true;
    }

    internal readonly struct InPairs : IAttentionForm
    {
        public static string Name => "avx512-bf16";
        public static bool Matrices => false;
        public static bool Pairs => true;
    }

    internal readonly struct InFloats : IAttentionForm
    {
        public static string Name => "fp32";
        public static bool Matrices => false;
        public static bool Pairs => false;
    }

    private static readonly Lazy<nint> PairTiles = new(() => (nint)Make(true)), FloatTiles = new(() => (nint)Make(false)), MatrixTiles = new(() => (nint)AddMatrices(Make(true)));

    /// <summary>Assembled when they are first asked for.</summary>
    /// <exception cref="KernelException">Executable memory is refused, after it was granted at start.</exception>
    public static AttentionTiles* Of<T>() where T : struct, IAttentionForm => (AttentionTiles*)(T.Matrices ? MatrixTiles : T.Pairs ? PairTiles : FloatTiles).Value;

    private static AttentionTiles* Make(bool pairs)
    {
        var tiles = (AttentionTiles*)NativeMemory.AllocZeroed((nuint)sizeof(AttentionTiles));
        for (int rows = 1; rows <= AttentionTileAssembler.KeyRows; rows++) tiles->Keys[rows] = Checked(AttentionTileAssembler.Keys(rows, pairs));
        for (int rows = 1; rows <= AttentionTileAssembler.DotRows; rows++) tiles->Dots[rows] = Checked(AttentionTileAssembler.Dots(rows, pairs));
        for (int rows = 1; rows <= AttentionTileAssembler.ValueRows; rows++) tiles->Values[rows] = Checked(AttentionTileAssembler.Values(rows, pairs));
        for (int rows = 1; rows <= AttentionTileAssembler.KeyRows; rows++) tiles->Keys8[rows] = Checked(AttentionTileAssembler.Keys8(rows));
        for (int rows = 1; rows <= AttentionTileAssembler.ValueRows; rows++) tiles->Values8[rows] = Checked(AttentionTileAssembler.Values8(rows));
        return tiles;
    }

    private static AttentionTiles* AddMatrices(AttentionTiles* tiles)
    {
        tiles->Configure = Checked(MatrixTileAssembler.Configure());
        tiles->Release = Checked(MatrixTileAssembler.Release());
        tiles->Turn = Checked(MatrixTileAssembler.Turn());
        tiles->Pair = Checked(MatrixTileAssembler.Pair());
        tiles->MatrixKeys = Checked(MatrixTileAssembler.Keys());
        tiles->MatrixDots = Checked(MatrixTileAssembler.Dots());
        tiles->MatrixValues = Checked(MatrixTileAssembler.Values());
        return tiles;
    }

    private static nint Checked(nint code) => code != 0 ? code : throw new KernelException("the system refuses executable memory");
}
