namespace SeekSharp.Kernels;

/// <summary>
/// A record of a packed codebook format (IQ1, IQ2, IQ3): a block of 256 inputs of each of 32 outputs, sorted so that what a vector of outputs needs lies side by side:
/// <list type="bullet">
/// <item>d, binary16 [32 outputs];</item>
/// <item>scales of 32 or 16 inputs as nibbles [part][16]: outputs 0–15 low, 16–31 high (IQ1_S: among the upper bits);</item>
/// <item>upper bits of indexes. IQ1_S: the file's words [8][32], with scale and sign of the shift. IQ1_M: nibbles [32 eights][16], the sign of the shift in bit 3. IQ2_XS, IQ3_S: a bit for
/// each index, 32 outputs in 4 bytes. IQ2_S: the file's bytes [8][32], 2 bits for each of 4 indexes;</item>
/// <item>lower bytes of indexes [32 eights][32], IQ3 [64 fours][32];</item>
/// <item>signs: bit k of byte [eight][output]; IQ3 bits 4·o + k of 16 bytes a four. The 7-bit sign sets of IQ2_XXS, IQ2_XS and IQ3_XXS are written out: at most 6.1% more than the file.</item>
/// </list>
/// </summary>
/// <param name="Parts">Parts with a scale of their own: 8 or 16; 0 where the scales are among the upper bits.</param>
/// <param name="HighBytes">Bytes of upper bits.</param>
/// <param name="Indexes">Indexes of an output: 32 or 64.</param>
/// <param name="HasSigns">IQ1 has none.</param>
internal readonly record struct CodebookLayout(int Parts, int HighBytes, int Indexes, bool HasSigns)
{
    public const int ScaleOffset = 64;
    public int HighOffset => ScaleOffset + 16 * Parts;
    public int IndexOffset => HighOffset + HighBytes;
    public int SignOffset => IndexOffset + 32 * Indexes;

    /// <summary>Bytes of a record.</summary>
    public int RecordBytes => SignOffset + (HasSigns ? 1024 : 0);

    /// <summary>The layout of a codebook format.</summary>
    public static CodebookLayout Of(NumberFormat format) => format switch
    {
        NumberFormat.IQ1_S => new(0, 512, 32, false),
        NumberFormat.IQ1_M => new(16, 512, 32, false),
        NumberFormat.IQ2_XXS => new(8, 0, 32, true),
        NumberFormat.IQ2_XS => new(16, 128, 32, true),
        NumberFormat.IQ2_S => new(16, 256, 32, true),
        NumberFormat.IQ3_XXS => new(8, 0, 64, true),
        NumberFormat.IQ3_S => new(8, 256, 64, true),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "no codebook"),
    };
}
