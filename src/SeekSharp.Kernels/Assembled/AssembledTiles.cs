namespace SeekSharp.Kernels;

/// <summary>The tiles of one format, as pointers in native memory.</summary>
internal unsafe struct AssembledTiles
{
    /// <summary>Of integer formats, by rows: 1 … 4 from packed weights, 1 … 6 from expanded ones. Of float formats, by rows 1 … 12 from the format; wide: from what it is widened to.</summary>
    public fixed long Direct[FloatTileAssembler.MostRows + 1];
    public fixed long Wide[FloatTileAssembler.MostRows + 1];
    /// <summary>Packed to expanded; 0 where a format needs none.</summary>
    public nint Widen;
    /// <summary>A codebook format's record looked up.</summary>
    public nint LookUp;
    /// <summary>Of a record of 32 inputs or more, and of a block expanded.</summary>
    public int RecordBytes, RecordBlocks, ExpandedBytes;
    public NumberFormat Format;

    private static readonly nint[] Made = new nint[(int)NumberFormat.MXFP4 + 1]; // pointers, written under the lock
    private static readonly Dictionary<(int Parts, int Mins, bool Zero, bool Subtracted), nint[]> Expanded = [];
    private static readonly Dictionary<NumberFormat, nint[]> Floats = [];
    private static readonly Lock Making = new();

    /// <summary>The tiles of a format, assembled when they are first asked for. They stay.</summary>
    /// <exception cref="KernelException">Executable memory is refused, after it was granted at start.</exception>
    public static AssembledTiles* Of(NumberFormat format)
    {
        nint made = Volatile.Read(ref Made[(int)format]); // every product asks
        if (made != 0) return (AssembledTiles*)made;
        lock (Making)
        {
            if (Made[(int)format] != 0) return (AssembledTiles*)Made[(int)format];
            var tiles = (AssembledTiles*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)sizeof(AssembledTiles));
            tiles->Format = format;
            if (NumberFormats.IsInteger(format)) Fill(tiles, IntegerShape.Of(format));
            else Fill(tiles);
            Volatile.Write(ref Made[(int)format], (nint)tiles);
            return tiles;
        }
    }

    private static void Fill(AssembledTiles* tiles, IntegerShape shape)
    {
        (tiles->RecordBytes, tiles->RecordBlocks, tiles->ExpandedBytes) = (shape.RecordBytes, shape.Blocks, shape.ExpandedBytes);
        tiles->Widen = Checked(IntegerTileAssembler.Expand(shape));
        if (PackedLayout.IsCodebook(shape.Format)) tiles->LookUp = Checked(CodebookAssembler.LookUp(shape.Format));
        for (int rows = 1; rows <= IntegerTileAssembler.PackedRows; rows++) tiles->Direct[rows] = Checked(IntegerTileAssembler.Packed(shape, rows));
        var kind = (shape.Parts, shape.Mins, shape.Zero == 0, shape.MinsAreSubtracted);
        if (!Expanded.TryGetValue(kind, out nint[]? wide))
        {
            wide = new nint[IntegerTileAssembler.ExpandedRows + 1];
            for (int rows = 1; rows < wide.Length; rows++) wide[rows] = Checked(IntegerTileAssembler.Expanded(shape, rows));
            Expanded[kind] = wide;
        }
        for (int rows = 1; rows < wide.Length; rows++) tiles->Wide[rows] = wide[rows];
    }

    private static void Fill(AssembledTiles* tiles)
    {
        bool direct = tiles->Format is NumberFormat.F32 or NumberFormat.BF16;
        nint[] own = FloatTiles(tiles->Format), wide = direct ? own : FloatTiles(tiles->Format == NumberFormat.F16 ? NumberFormat.F32 : NumberFormat.BF16);
        for (int rows = 1; rows < own.Length; rows++) (tiles->Direct[rows], tiles->Wide[rows]) = (own[rows], wide[rows]);
        if (!direct) tiles->Widen = Checked(FloatTileAssembler.Widen(tiles->Format));
    }

    /// <summary>Tiles of 1 … 12 rows of a float format.</summary>
    private static nint[] FloatTiles(NumberFormat format)
    {
        if (Floats.TryGetValue(format, out nint[]? tiles)) return tiles;
        tiles = new nint[FloatTileAssembler.MostRows + 1];
        for (int rows = 1; rows < tiles.Length; rows++) tiles[rows] = Checked(FloatTileAssembler.Tile(format, rows));
        return Floats[format] = tiles;
    }

    private static nint Checked(nint code) => code != 0 ? code : throw new KernelException("the system refuses executable memory");
}
