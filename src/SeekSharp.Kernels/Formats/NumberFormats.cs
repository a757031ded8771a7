namespace SeekSharp.Kernels;

/// <summary>Sizes of the <see cref="NumberFormat"/>s.</summary>
internal static class NumberFormats
{
    /// <summary>Values in a block; 1 for formats without blocks.</summary>
    public static int BlockSize(NumberFormat format) => Layout(format).Values;

    /// <summary>Bytes of a block.</summary>
    public static int BlockBytes(NumberFormat format) => Layout(format).Bytes;

    /// <summary>Bytes of <paramref name="count"/> values, a whole number of blocks.</summary>
    /// <exception cref="OverflowException">The size does not fit in 63 bits.</exception>
    /// <exception cref="ArgumentException">The count is negative or no whole number of blocks.</exception>
    public static long ByteCount(NumberFormat format, long count)
    {
        (int values, int bytes) = Layout(format);
        if (count < 0 || count % values != 0)
            throw new ArgumentException($"{count} values are no whole number of {format} blocks of {values}");
        return checked(count / values * bytes);
    }

    /// <summary>True for formats whose products run in 8-bit integers (DESIGN: arithmetic by weight format).</summary>
    public static bool IsInteger(NumberFormat format) => format >= NumberFormat.Q4_0;

    private static (int Values, int Bytes) Layout(NumberFormat format) => format switch
    {
        NumberFormat.F32 or NumberFormat.I32 => (1, 4),
        NumberFormat.F16 or NumberFormat.BF16 or NumberFormat.I16 => (1, 2),
        NumberFormat.F64 or NumberFormat.I64 => (1, 8),
        NumberFormat.F8E4M3 or NumberFormat.F8E5M2 or NumberFormat.F8E8M0 or NumberFormat.I8 or NumberFormat.U8 => (1, 1),
        NumberFormat.Q4_0 or NumberFormat.IQ4_NL => (32, 18),
        NumberFormat.Q4_1 => (32, 20),
        NumberFormat.Q5_0 => (32, 22),
        NumberFormat.Q5_1 => (32, 24),
        NumberFormat.Q8_0 => (32, 34),
        NumberFormat.MXFP4 => (32, 17),
        NumberFormat.Q2_K => (256, 84),
        NumberFormat.Q3_K => (256, 110),
        NumberFormat.Q4_K => (256, 144),
        NumberFormat.Q5_K => (256, 176),
        NumberFormat.Q6_K => (256, 210),
        NumberFormat.IQ1_S => (256, 50),
        NumberFormat.IQ1_M => (256, 56),
        NumberFormat.IQ2_XXS => (256, 66),
        NumberFormat.IQ2_XS => (256, 74),
        NumberFormat.IQ2_S => (256, 82),
        NumberFormat.IQ3_XXS => (256, 98),
        NumberFormat.IQ3_S => (256, 110),
        NumberFormat.IQ4_XS => (256, 136),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "unknown number format"),
    };
}
