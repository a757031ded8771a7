using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

internal sealed unsafe partial class KernelTable
{
    private const int Formats = (int)NumberFormat.MXFP4 + 1;

    // Function pointers cannot be array elements of a typed array of their own; nint they are, cast at the call.
    private readonly nint[] _products = new nint[Formats];
    private readonly nint[] _floats = new nint[Formats];

    /// <summary>Rows of activations × one panel: (arguments, panel, first row, rows, scratch).</summary>
    public delegate*<PanelArguments*, int, int, int, byte*, void> Product(NumberFormat format)
        => (delegate*<PanelArguments*, int, int, int, byte*, void>)_products[(int)format];

    /// <summary>The assembled tiles of a format; null in the other tiers.</summary>
    public AssembledTiles* Tiles(NumberFormat format) => IsAssembled(format) ? AssembledTiles.Of(format) : null;

    /// <summary>Are the format's products assembled? BF16's only where the instruction pays.</summary>
    public bool IsAssembled(NumberFormat format) => Tier == KernelTier.Assembled && (format != NumberFormat.BF16 || MachineProbe.HasFastBF16);

    /// <summary>Do the integer tiles of this tier take all codes as unsigned bytes (<see cref="ISimd{F, I}.HasDotQuads"/>)?</summary>
    public bool HasDotQuads { get; private set; }

    /// <summary>Dequantizes a piece of a panel: (arguments, panel, k0, count, result [count][32], scratch).</summary>
    public delegate*<PanelArguments*, int, int, int, float*, byte*, void> Floats(NumberFormat format)
        => (delegate*<PanelArguments*, int, int, int, float*, byte*, void>)_floats[(int)format];

    /// <summary>As <see cref="Product"/>, in <see cref="Arithmetic.Exact"/>.</summary>
    public delegate*<PanelArguments*, int, int, int, byte*, delegate*<PanelArguments*, int, int, int, float*, byte*, void>, void> ExactProduct { get; private set; }

    /// <summary>Quantizes a row of activations: (row, cols, result, signed form).</summary>
    public delegate*<float*, int, byte*, int, void> Quantize { get; private set; }

    // Signatures as in VectorKernels and AttentionKernel.
    public delegate*<float*, float*, float*, int, void> SwiGlu { get; private set; }
    public delegate*<float*, float*, int, void> Sigmoid { get; private set; }
    public delegate*<float*, float*, float*, int, float, void> RmsNorm { get; private set; }
    public delegate*<float*, float*, int, void> Softmax { get; private set; }
    public delegate*<float*, float*, int, void> Add { get; private set; }
    public delegate*<float*, float, float*, int, void> AddScaled { get; private set; }
    public delegate*<int, int, long> AttentionScratch { get; private set; }
    public delegate*<GroupedQueryArguments*, int, int, int, byte*, void> GroupedQuery { get; private set; }
    public delegate*<LatentArguments*, int, int, byte*, void> Latent { get; private set; }

    /// <summary>What attention multiplies a bf16 cache with. Its results' last bits depend on it.</summary>
    public string AttentionForm { get; private set; } = "fp32";

    // ProbeKernels.
    public delegate*<byte*, long, int> ReadMemory { get; private set; }
    public delegate*<int, byte*, double> PeakFp32 { get; private set; }
    public delegate*<int, byte*, double> PeakInt8 { get; private set; }

    private void Fill()
    {
        switch (Tier)
        {
            case KernelTier.Assembled:
                FillProducts<Simd512, Vector512<float>, Vector512<int>>();
                FillAssembled();
                break;
            case KernelTier.Vector512: FillProducts<Simd512, Vector512<float>, Vector512<int>>(); break;
            case KernelTier.Avx2: FillProducts<Simd256, Vector256<float>, Vector256<int>>(); break;
            default: FillProducts<Simd128, Vector128<float>, Vector128<int>>(); break;
        }
    }

    private void FillAssembled()
    {
        if (MatrixUnit.IsSupported) FillAttention<AttentionTiles.InMatrices>();
        else if (MachineProbe.HasFastBF16) FillAttention<AttentionTiles.InPairs>();
        else FillAttention<AttentionTiles.InFloats>();
        PeakInt8 = &AssembledPeak.Int8;
        delegate*<PanelArguments*, int, int, int, byte*, void> integer = &AssembledPanel.Integer, floats = &AssembledPanel.Float;
        for (int format = 0; format < Formats; format++)
            if (_products[format] != 0 && IsAssembled((NumberFormat)format)) _products[format] = NumberFormats.IsInteger((NumberFormat)format) ? (nint)integer : (nint)floats;
    }

    private void FillAttention<T>() where T : struct, IAttentionForm
    {
        AttentionForm = T.Name;
        AttentionScratch = &AssembledAttention<T>.ScratchBytes;
        GroupedQuery = &AssembledAttention<T>.GroupedQuery;
        Latent = &AssembledAttention<T>.Latent;
    }

    /// <summary>The assembled tier with attention in a form that this machine might not choose, for tests.</summary>
    internal static KernelTable WithAttention<T>() where T : struct, IAttentionForm
    {
        var table = new KernelTable(KernelTier.Assembled);
        table.FillAttention<T>();
        return table;
    }

    private void FillProducts<S, F, I>()
        where S : struct, ISimd<F, I>
        where F : struct
        where I : struct
    {
        HasDotQuads = S.HasDotQuads;
        SwiGlu = &VectorKernels<S, F, I>.SwiGlu;
        Sigmoid = &VectorKernels<S, F, I>.Sigmoid;
        RmsNorm = &VectorKernels<S, F, I>.RmsNorm;
        Softmax = &VectorKernels<S, F, I>.Softmax;
        Add = &VectorKernels<S, F, I>.Add;
        AddScaled = &VectorKernels<S, F, I>.AddScaled;
        AttentionScratch = &AttentionKernel<S, F, I>.ScratchBytes;
        GroupedQuery = &AttentionKernel<S, F, I>.GroupedQuery;
        Latent = &AttentionKernel<S, F, I>.Latent;
        ReadMemory = &ProbeKernels<S, F, I>.Read;
        PeakFp32 = &ProbeKernels<S, F, I>.Fp32;
        PeakInt8 = &ProbeKernels<S, F, I>.Int8;
        ExactProduct = &ExactPanel.Run<S, F, I>;
        Quantize = &ActivationForms.Quantize<S, F, I>;
        Float<S, F, I, FloatPanels<S, F, I>.F32>();
        Float<S, F, I, FloatPanels<S, F, I>.F16>();
        Float<S, F, I, FloatPanels<S, F, I>.BF16>();
        Float<S, F, I, FloatPanels<S, F, I>.E4M3>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q4_0>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q4_1>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q5_0>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q5_1>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q8_0>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q2_K>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q3_K>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q4_K>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q5_K>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Q6_K>();
        Integer<S, F, I, IntegerFormats<S, F, I>.IQ4_NL>();
        Integer<S, F, I, IntegerFormats<S, F, I>.IQ4_XS>();
        Integer<S, F, I, IntegerFormats<S, F, I>.MXFP4>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq1S>>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq1M>>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq2Xxs>>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq2Xs>>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq2S>>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq3Xxs>>();
        Integer<S, F, I, IntegerFormats<S, F, I>.Codebook<CodebookNames.Iq3S>>();
    }

    private void Integer<S, F, I, T>()
        where S : struct, ISimd<F, I>
        where F : struct
        where I : struct
        where T : struct, IIntegerFormat<F, I>
    {
        delegate*<PanelArguments*, int, int, int, byte*, void> product = &IntegerPanel<S, F, I, T>.Run;
        delegate*<PanelArguments*, int, int, int, float*, byte*, void> floats = &IntegerPanel<S, F, I, T>.Floats;
        _products[(int)T.Format] = (nint)product;
        _floats[(int)T.Format] = (nint)floats;
    }

    private void Float<S, F, I, T>()
        where S : struct, ISimd<F, I>
        where F : struct
        where I : struct
        where T : struct, IFloatFormat<F, I>
    {
        delegate*<PanelArguments*, int, int, int, byte*, void> product = &FloatPanel<S, F, I, T>.Run;
        delegate*<PanelArguments*, int, int, int, float*, byte*, void> floats = &FloatPanel<S, F, I, T>.Floats;
        _products[(int)T.Format] = (nint)product;
        _floats[(int)T.Format] = (nint)floats;
    }
}
