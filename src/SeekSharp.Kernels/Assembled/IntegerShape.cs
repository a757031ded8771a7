namespace SeekSharp.Kernels;

/// <summary>How a packed integer format's records are taken apart (<see cref="PackedLayout"/>), as the assembler needs it.</summary>
/// <param name="Format">The format.</param>
/// <param name="Blocks">Blocks of 32 inputs in a record.</param>
/// <param name="Header">Bytes before a record's codes.</param>
/// <param name="CodeBytes">Bytes of a block's codes.</param>
/// <param name="Parts">Scales in a block: one for 32 inputs, or two for 16 each.</param>
/// <param name="Sub">Offset of the small scales; 0 without.</param>
/// <param name="Zero">What is taken off an unsigned code: 0 or a power of two.</param>
/// <param name="Mins">Minima in a block: 0, 1 or 2.</param>
internal readonly record struct IntegerShape(NumberFormat Format, int Blocks, int Header, int CodeBytes, int Parts, int Sub, int Zero, int Mins)
{
    /// <summary>The shape, for every format that has planes.</summary>
    public static IntegerShape Of(NumberFormat format)
    {
        PackedLayout layout = PackedLayout.IsCodebook(format) ? default : PackedLayout.Of(format);
        (int parts, int sub, int zero, int mins) = format switch
        {
            NumberFormat.Q4_0 => (1, 0, 8, 0),
            NumberFormat.Q4_1 or NumberFormat.Q5_1 => (1, 0, 0, 1),
            NumberFormat.Q5_0 => (1, 0, 16, 0),
            NumberFormat.Q8_0 or NumberFormat.IQ4_NL => (1, 0, 128, 0),
            NumberFormat.MXFP4 => (1, 0, 16, 0),
            NumberFormat.Q2_K => (2, 128, 0, 2),
            NumberFormat.Q3_K => (2, 64, 4, 0),
            NumberFormat.Q4_K or NumberFormat.Q5_K => (1, 128, 0, 1),
            NumberFormat.Q6_K => (2, 64, 32, 0),
            NumberFormat.IQ4_XS => (1, 64, 128, 0),
            _ => (2, 128, 128, 0), // looked up by CodebookRecord
        };
        return PackedLayout.IsCodebook(format)
            ? new(format, 8, CodebookRecord.Header, 1024, parts, sub, zero, mins)
            : new(format, layout.Blocks, layout.Header, layout.CodeBytes, parts, sub, zero, mins);
    }

    /// <summary>Bytes of a record.</summary>
    public int RecordBytes => Header + Blocks * CodeBytes;

    /// <summary>Bytes of a block expanded: scales [Parts][32], minima [Mins][32], codes [8 quads][32 outputs][4].</summary>
    public int ExpandedBytes => (Parts + Mins) * 128 + 1024;

    /// <summary>
    /// A byte has nothing but the codes of two outputs, b = low + 16 · high. Then Σ b · x − Σ low · x = 16 · Σ high · x, exactly: the upper outputs' codes need not be taken out of the bytes at all.
    /// Where there is a zero it is 8, so that 16 times the zero is 128.
    /// </summary>
    public bool IsShared => Format is NumberFormat.Q4_0 or NumberFormat.Q4_1 or NumberFormat.Q4_K;

    /// <summary>The minima are taken off (K formats), not added.</summary>
    public bool MinsAreSubtracted => Sub != 0;
}
