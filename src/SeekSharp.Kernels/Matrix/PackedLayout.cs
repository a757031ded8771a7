namespace SeekSharp.Kernels;

/// <summary>
/// How a <see cref="PackedMatrix"/> lies in memory. A panel is 32 outputs side by side with K running; panels follow each other, the last one filled up
/// with zero rows. A panel of an integer format is a sequence of records, 32 or 256 inputs each:
/// <list type="bullet">
/// <item>header: binary16 scales d [32 outputs], minima or scales of minima [32], then the parts' small scales as bytes [part][32], then the parts' minima;</item>
/// <item>for each 32 inputs the codes, as planes in order [k-quad][32 outputs][4 k]: 4-bit plane (64 bytes a quad; outputs 0–15 in the low nibbles, 16–31
/// in the high ones), 6-bit plane (64 bytes; outputs 0–15 in the low six bits, in the upper two those of outputs 16–31, whose low nibbles follow behind the eight quads: 64 bytes for a quad in the low
/// nibbles and the one four later in the high ones), 2-bit plane (32 bytes; byte (o mod 8)·4 + k, bits 2·(o div 8)), 1-bit plane (16 bytes; byte (o mod 4)·4 + k, bit o div 4), byte plane (128 bytes).</item>
/// </list>
/// The codebook formats (IQ1, IQ2, IQ3) have records of their own (<see cref="CodebookLayout"/>). F32 and F16 are [k][32], BF16 and FP8
/// [k / 2][32][2], K filled up to an even number.
/// </summary>
/// <param name="Blocks">Blocks of 32 inputs in a record: 1 or 8.</param>
/// <param name="Header">Bytes of a record's header.</param>
/// <param name="Four">Has a 4-bit plane.</param>
/// <param name="Six">Has a 6-bit plane.</param>
/// <param name="Two">Has a 2-bit plane.</param>
/// <param name="One">Has a 1-bit plane.</param>
/// <param name="Eight">Has a byte plane.</param>
/// <param name="Parts">Small scales of a record; 0 without.</param>
/// <param name="Mins">Has minima.</param>
internal readonly record struct PackedLayout(int Blocks, int Header, bool Four, bool Six, bool Two, bool One, bool Eight, int Parts, bool Mins)
{
    /// <summary>Goes up with every change of how a format lies in memory: files of packed weights from before are then refused.</summary>
    public const int Version = 3;

    /// <summary>Outputs of a panel.</summary>
    public const int Width = 32;

    /// <summary>Inputs in a block.</summary>
    public const int BlockInputs = 32;

    /// <summary>Bytes of 32 inputs' codes.</summary>
    public int CodeBytes => (Four ? 512 : 0) + (Six ? 768 : 0) + (Two ? 256 : 0) + (One ? 128 : 0) + (Eight ? 1024 : 0);

    /// <summary>Bytes of a record.</summary>
    public int RecordBytes => Header + Blocks * CodeBytes;

    /// <summary>True for the formats that are looked up in a codebook.</summary>
    public static bool IsCodebook(NumberFormat format) => format is >= NumberFormat.IQ1_S and <= NumberFormat.IQ3_S;

    /// <summary>Is there a product for the format?</summary>
    public static bool HasProduct(NumberFormat format) => NumberFormats.IsInteger(format)
        || format is NumberFormat.F32 or NumberFormat.F16 or NumberFormat.BF16 or NumberFormat.F8E4M3;

    /// <summary>The layout of an integer format without codebook.</summary>
    public static PackedLayout Of(NumberFormat format) => format switch
    {
        NumberFormat.Q4_0 or NumberFormat.IQ4_NL => new(1, 64, true, false, false, false, false, 0, false),
        NumberFormat.Q4_1 => new(1, 128, true, false, false, false, false, 0, true),
        NumberFormat.Q5_0 => new(1, 64, true, false, false, true, false, 0, false),
        NumberFormat.Q5_1 => new(1, 128, true, false, false, true, false, 0, true),
        NumberFormat.Q8_0 => new(1, 64, false, false, false, false, true, 0, false),
        NumberFormat.MXFP4 => new(1, 32, true, false, false, false, false, 0, false),
        NumberFormat.Q2_K => new(8, 128 + 16 * 32, false, false, true, false, false, 16, true), // a part's scale and minimum share a byte
        NumberFormat.Q3_K => new(8, 64 + 16 * 32, false, false, true, true, false, 16, false),
        NumberFormat.Q4_K => new(8, 128 + 16 * 32, true, false, false, false, false, 8, true),
        NumberFormat.Q5_K => new(8, 128 + 16 * 32, true, false, false, true, false, 8, true),
        NumberFormat.Q6_K => new(8, 64 + 16 * 32, false, true, false, false, false, 16, false),
        NumberFormat.IQ4_XS => new(8, 64 + 8 * 32, true, false, false, false, false, 8, false),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "no planes"),
    };

    /// <summary>Bytes of a panel with K = <paramref name="cols"/>.</summary>
    public static long PanelBytes(NumberFormat format, long cols)
    {
        if (IsCodebook(format)) return checked(cols / 256 * CodebookLayout.Of(format).RecordBytes);
        if (!NumberFormats.IsInteger(format)) return checked((cols + 1) / 2 * 2 * Width * NumberFormats.BlockBytes(format));
        PackedLayout layout = Of(format);
        return checked(cols / (BlockInputs * layout.Blocks) * layout.RecordBytes);
    }
}
