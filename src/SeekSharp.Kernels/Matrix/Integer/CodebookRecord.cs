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

/// <summary>A packed record of a codebook format (<see cref="CodebookLayout"/>) looked up: d · c as floats [32], small scales [16][32], codes [8][8 quads][32][4].</summary>
internal static unsafe class CodebookRecord
{
    public const int Header = 128 + 16 * 32;
    public const int Bytes = Header + 8 * 1024;

    /// <summary>d is multiplied by this.</summary>
    public static float Factor(NumberFormat format) => format switch
    {
        NumberFormat.IQ3_S => 1,
        NumberFormat.IQ3_XXS => 0.25f,
        _ => 0.125f,
    };

    /// <summary>Looks a record up, in any tier; <see cref="CodebookAssembler"/> does the same faster.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LookUp(NumberFormat format, byte* record, byte* result)
    {
        CodebookLayout layout = CodebookLayout.Of(format);
        byte* high = record + layout.HighOffset, index = record + layout.IndexOffset, signs = record + layout.SignOffset;
        float factor = Factor(format);
        for (int o = 0; o < 32; o++) ((float*)result)[o] = FloatFormats.FromF16(((ushort*)record)[o]) * factor;
        Scales(layout, record + CodebookLayout.ScaleOffset, (ushort*)high, result + 128);
        var codes = (int*)(result + Header);
        uint* fours;
        ulong* eights, negative = CodebookBlocks.Negative8; // in registers: a static field is asked for each time
        switch (format)
        {
            case NumberFormat.IQ1_S:
                eights = CodebookBlocks.Iq1;
                for (int e = 0; e < 32; e++, index += 32, codes += 64)
                    for (int o = 0; o < 32; o++)
                    {
                        int word = ((ushort*)high)[32 * (e >> 2) + o];
                        Put(CodebookBlocks.Shifted(eights[index[o] | (word >> 3 * (e & 3) & 7) << 8], (word & 0x8000) != 0), codes + o);
                    }
                break;
            case NumberFormat.IQ1_M:
                eights = CodebookBlocks.Iq1;
                for (int e = 0; e < 32; e++, index += 32, high += 16, codes += 64)
                    for (int o = 0; o < 32; o++)
                    {
                        int nibble = high[o & 15] >> (o >> 4) * 4;
                        Put(CodebookBlocks.Shifted(eights[index[o] | (nibble & 7) << 8], (nibble & 8) != 0), codes + o);
                    }
                break;
            case NumberFormat.IQ2_XXS:
                eights = CodebookBlocks.Iq2Xxs;
                for (int i = 0; i < 1024; i++) Put(CodebookBlocks.Signed(eights[index[i]], negative[signs[i]]), codes + (i & 31) + (i >> 5) * 64);
                break;
            case NumberFormat.IQ2_XS:
                eights = CodebookBlocks.Iq2Xs;
                for (int i = 0; i < 1024; i++)
                    Put(CodebookBlocks.Signed(eights[index[i] | (high[i >> 3] >> (i & 7) & 1) << 8], negative[signs[i]]), codes + (i & 31) + (i >> 5) * 64);
                break;
            case NumberFormat.IQ2_S:
                eights = CodebookBlocks.Iq2S;
                for (int e = 0; e < 32; e++, index += 32, signs += 32, codes += 64)
                    for (int o = 0; o < 32; o++)
                        Put(CodebookBlocks.Signed(eights[index[o] | (high[32 * (e >> 2) + o] >> 2 * (e & 3) & 3) << 8], negative[signs[o]]), codes + o);
                break;
            default:
                fours = format == NumberFormat.IQ3_S ? CodebookBlocks.Iq3S : CodebookBlocks.Iq3Xxs;
                for (int i = 0; i < 2048; i++)
                {
                    int ninth = format == NumberFormat.IQ3_S ? (high[i >> 3] >> (i & 7) & 1) << 8 : 0;
                    codes[i] = (int)CodebookBlocks.Signed(fours[index[i] | ninth], negative[signs[i >> 1] >> 4 * (i & 1) & 15]);
                }
                break;
        }
    }

    // Odd numbers, for 16 inputs each.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scales(CodebookLayout layout, byte* nibbles, ushort* words, byte* sub)
    {
        for (int part = 0; part < 16; part++, sub += 32)
            for (int o = 0; o < 32; o++)
            {
                int scale = layout.Parts == 0 ? words[32 * (part >> 1) + o] >> 12 & 7 : nibbles[16 * (layout.Parts == 16 ? part : part >> 1) + (o & 15)] >> (o >> 4) * 4 & 15;
                sub[o] = (byte)(2 * scale + 1);
            }
    }

    // Eight codes are two fours.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ulong value, int* codes)
    {
        codes[0] = (int)value;
        codes[32] = (int)(value >> 32);
    }
}
