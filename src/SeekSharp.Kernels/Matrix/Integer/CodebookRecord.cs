using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Names a codebook format to the kernels.</summary>
internal interface ICodebook
{
    static abstract NumberFormat Format { get; }
}

/// <summary>The codebook formats as type arguments.</summary>
internal static class CodebookNames
{
    internal readonly struct Iq1S : ICodebook { public static NumberFormat Format => NumberFormat.IQ1_S; }
    internal readonly struct Iq1M : ICodebook { public static NumberFormat Format => NumberFormat.IQ1_M; }
    internal readonly struct Iq2Xxs : ICodebook { public static NumberFormat Format => NumberFormat.IQ2_XXS; }
    internal readonly struct Iq2Xs : ICodebook { public static NumberFormat Format => NumberFormat.IQ2_XS; }
    internal readonly struct Iq2S : ICodebook { public static NumberFormat Format => NumberFormat.IQ2_S; }
    internal readonly struct Iq3Xxs : ICodebook { public static NumberFormat Format => NumberFormat.IQ3_XXS; }
    internal readonly struct Iq3S : ICodebook { public static NumberFormat Format => NumberFormat.IQ3_S; }
}

/// <summary>A record of a codebook format (32 blocks as in the file) looked up: d · c as floats [32], small scales [16][32], codes [8][8 quads][32][4].</summary>
internal static unsafe class CodebookRecord
{
    public const int Header = 128 + 16 * 32;
    public const int Bytes = Header + 8 * 1024;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LookUp(NumberFormat format, byte* record, byte* result)
    {
        int blockBytes = NumberFormats.BlockBytes(format);
        var block = new BlockCodes();
        for (int o = 0; o < PackedLayout.Width; o++)
        {
            block.D = CodebookBlocks.Read(format, record + o * blockBytes, (int*)(result + Header) + o, (sbyte*)(result + 128) + o, PackedLayout.Width);
            ((float*)result)[o] = block.Scale(format);
        }
    }
}
