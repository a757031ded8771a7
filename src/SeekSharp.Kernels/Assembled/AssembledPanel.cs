using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace SeekSharp.Kernels;

/// <summary>
/// Rows of activations times one panel, with assembled tiles. Few rows unpack the weights in registers, K from end to end; many rows share a chunk of K that is expanded in the
/// first-level cache. The sums of a row are the same either way.
/// </summary>
internal static unsafe class AssembledPanel
{
    /// <summary>Blocks of 32 inputs expanded at a time.</summary>
    public const int ChunkBlocks = 8;

    // Rows from which on that pays.
    private const int ManyRows = 9;

    // Numbers of K at a time for float formats; FP8's blocks have as many.
    private const int ChunkInputs = 128;

    /// <summary>Integer formats.</summary>
    [SkipLocalsInit]
    public static void Integer(PanelArguments* a, int panel, int first, int count, byte* scratch)
    {
        AssembledTiles* tiles = a->Tiles;
        var sums = (float*)scratch;
        byte** rows = (byte**)(scratch + count * 128);
        byte* expanded = scratch + (count * 136 + sizeof(byte*) + 63 & ~63);
        for (int i = 0; i < count; i++) rows[i] = a->Row(first + i);
        byte* p = a->Panels + panel * a->PanelBytes;
        int blocks = a->Cols / PackedLayout.BlockInputs;
        bool codebook = PackedLayout.IsCodebook(tiles->Format);
        bool few = count < ManyRows;
        if (few && !codebook)
        {
            Groups(tiles->Direct, IntegerTileAssembler.PackedRows, p, blocks, rows, count, sums, 0);
            a->Finish(panel, first, count, sums);
            return;
        }
        new Span<float>(sums, count * 32).Clear();
        var widen = (delegate* unmanaged[SuppressGCTransition]<byte*, long, void*, void*, byte*, void>)tiles->Widen;
        byte* lookedUp = expanded + ChunkBlocks * tiles->ExpandedBytes;
        long chunkBytes = codebook ? CodebookLayout.Of(tiles->Format).RecordBytes : ChunkBlocks / tiles->RecordBlocks * tiles->RecordBytes;
        for (int block = 0; block < blocks; block += ChunkBlocks, p += chunkBytes)
        {
            int n = Math.Min(ChunkBlocks, blocks - block);
            long offset = (long)block * ActivationForms.UnsignedBytes;
            if (codebook) ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, void>)tiles->LookUp)(p, lookedUp);
            if (few)
            {
                Groups(tiles->Direct, IntegerTileAssembler.PackedRows, lookedUp, n, rows, count, sums, offset);
                continue;
            }
            widen(codebook ? lookedUp : p, n, null, null, expanded);
            // The tiles ask for the next chunk, in the second-level cache, as they go; what few of them will not get to is asked for now.
            byte* next = p + chunkBytes;
            ((byte**)expanded)[-1] = next;
            long groups = (count - 1) / IntegerTileAssembler.ExpandedRows + 1;
            for (long at = groups * n * IntegerTileAssembler.AskedLines * 64; at < chunkBytes; at += 64) Sse.Prefetch1(next + at);
            Groups(tiles->Wide, IntegerTileAssembler.ExpandedRows, expanded, n, rows, count, sums, offset);
        }
        a->Finish(panel, first, count, sums);
    }

    private static void Groups(long* tiles, int most, byte* weights, long blocks, byte** rows, int count, float* sums, long offset)
    {
        int groups = count / most, left = count % most;
        if (groups > 0) Tile(most)(weights, blocks, rows, groups, sums, offset);
        if (left > 0) Tile(left)(weights, blocks, rows + groups * most, 1, sums + groups * most * 32, offset);

        delegate* unmanaged[SuppressGCTransition]<byte*, long, byte**, long, float*, long, void> Tile(int n)
            => (delegate* unmanaged[SuppressGCTransition]<byte*, long, byte**, long, float*, long, void>)tiles[n];
    }

    /// <summary>F32, F16, BF16 and FP8.</summary>
    [SkipLocalsInit]
    public static void Float(PanelArguments* a, int panel, int first, int count, byte* scratch)
    {
        AssembledTiles* tiles = a->Tiles;
        bool pairs = tiles->Format is NumberFormat.BF16 or NumberFormat.F8E4M3, scaled = tiles->Format == NumberFormat.F8E4M3;
        bool wide = tiles->Widen != 0 && count > FloatTileAssembler.MostRows;
        var sums = (float*)scratch;
        byte** rows = (byte**)(scratch + count * 128);
        float* parts = (float*)(scratch + (count * 136 + 63 & ~63));
        byte* widened = (byte*)(parts + (scaled ? count * 32 : 0));
        for (int i = 0; i < count; i++) rows[i] = a->Row(first + i);
        new Span<float>(sums, count * 32).Clear();
        byte* p = a->Panels + panel * a->PanelBytes;
        int steps = pairs ? (a->Cols + 1) / 2 : a->Cols, chunk = ChunkInputs / (pairs ? 2 : 1);
        if (!scaled && count <= FloatTileAssembler.MostRows) chunk = 1 << 14; // nothing to share, nothing to scale
        int stepBytes = 32 * (pairs ? 2 : 1) * NumberFormats.BlockBytes(tiles->Format);
        var widen = (delegate* unmanaged[SuppressGCTransition]<byte*, long, void*, void*, byte*, void>)tiles->Widen;
        long* direct = wide ? tiles->Wide : tiles->Direct;
        for (int step = 0; step < steps; step += chunk)
        {
            int n = Math.Min(chunk, steps - step);
            byte* weights = p + (long)step * stepBytes;
            if (wide)
            {
                widen(weights, n, null, null, widened);
                weights = widened;
            }
            float* target = sums;
            if (scaled) new Span<float>(target = parts, count * 32).Clear();
            for (int i = 0; i < count; i += FloatTileAssembler.MostRows)
                ((delegate* unmanaged[SuppressGCTransition]<byte*, long, byte**, long, float*, void>)direct[Math.Min(count - i, FloatTileAssembler.MostRows)])(weights, n, rows + i, step * 4L, target + i * 32);
            if (scaled) AddScaled(parts, a->BlockScales == null ? 1 : a->BlockScales[panel * PackedLayout.Width / 128 * ((a->Cols + 127) / 128) + step / chunk], sums, count * 32);
        }
        a->Finish(panel, first, count, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddScaled(float* x, float scale, float* sums, int count)
    {
        var factor = System.Runtime.Intrinsics.Vector512.Create(scale);
        for (int i = 0; i < count; i += 16)
            Simd512.Store(sums + i, Simd512.Fma(Simd512.Load(x + i), factor, Simd512.Load(sums + i)));
    }
}
