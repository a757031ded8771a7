namespace SeekSharp.Kernels;

/// <summary>
/// Packs panels from a checkpoint's bytes (<see cref="PackedLayout"/>); an item is a panel. Every byte of the panel is written, whatever the memory held. Whole panels take the
/// vectorized path; a matrix's last panel, where outputs are missing, takes <see cref="PlainPacker"/>.
/// </summary>
internal unsafe struct PanelPacker : IParallelWork
{
    public NumberFormat Format, Stored;
    public long Rows, Cols;
    public byte* Source, Result;
    public long PanelBytes;
    public float* Scales;   // FP8, for what becomes F32
    public int* Irregular;  // set to 1 where an F16 or FP8 number is ∞ or NaN; null where nobody asks
    public int FirstPanel;

    public readonly void Run(int item, int worker)
    {
        long index = FirstPanel + item;
        byte* panel = Result + index * PanelBytes;
        long rowBytes = NumberFormats.ByteCount(Format, Cols);
        byte* source = Source + index * 32 * rowBytes;
        int outputs = (int)Math.Min(32, Rows - index * 32);
        if (Irregular != null && !FiniteScan.AllFinite(Format, source, outputs * Cols)) Interlocked.Exchange(ref *Irregular, 1);
        if (Irregular != null && Volatile.Read(ref *Irregular) != 0) return; // the matrix will be packed again, as F32

        bool plain = outputs < 32 || Stored != Format;
        if (plain) PlainPacker.Pack(Format, Stored, Cols, source, outputs, panel, PanelBytes, Scales == null ? null : Scales + index * 32 / 128 * ((Cols + 127) / 128));
        else if (PackedLayout.IsCodebook(Format)) CodebookPacker.Pack(Format, rowBytes, source, outputs, panel);
        else if (NumberFormats.IsInteger(Format)) IntegerPanelPacker.Pack(Format, Cols, source, panel);
        else FloatPanelPacker.Pack(Format, Cols, source, panel);
    }
}
