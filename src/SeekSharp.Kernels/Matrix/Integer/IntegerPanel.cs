using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Rows of activations times one panel of an integer format. K runs in chunks of at most 256 inputs, so that a chunk stays in the first-level cache for all rows;
/// few rows unpack it in registers, many rows share an expanded copy. The sums of a row are the same either way.
/// </summary>
internal static unsafe class IntegerPanel<S, F, I, T>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
    where T : struct, IIntegerFormat<F, I>
{
    public const int ChunkBlocks = 8;

    // From this many rows on, expanding pays.
    private const int ManyRows = 8;

    // As 16-bit numbers, in the form of activations for them.
    private static bool Widened { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => T.Signed && !S.HasDotQuads; }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(PanelArguments* a, int panel, int first, int count, byte* scratch)
    {
        int blocks = a->Cols / PackedLayout.BlockInputs;
        int activationBytes = Widened ? ActivationForms.SignedBytes : ActivationForms.UnsignedBytes;
        var sums = (float*)scratch;
        byte* expanded = scratch + count * 32 * sizeof(float), lookedUp = expanded + ChunkBlocks * TileSource<S, F, I, T>.ExpandedBytes;
        new Span<float>(sums, count * 32).Clear();
        byte* p = a->Panels + panel * a->PanelBytes;
        bool codebook = PackedLayout.IsCodebook(T.Format);
        int recordBytes = codebook ? CodebookLayout.Of(T.Format).RecordBytes : T.Header + T.Blocks * T.CodeBytes;
        for (int block = 0; block < blocks; block += ChunkBlocks)
        {
            int n = Math.Min(ChunkBlocks, blocks - block);
            byte* chunk = p + (long)(block / T.Blocks) * recordBytes;
            if (codebook)
            {
                CodebookRecord.LookUp(T.Format, chunk, lookedUp);
                chunk = lookedUp;
            }
            long offset = (long)block * activationBytes;
            int i = 0;
            if (count >= ManyRows)
            {
                TileSource<S, F, I, T>.Expand(chunk, n, expanded);
                for (; i + 4 <= count; i += 4) Four<TileSource<S, F, I, T>.Expanded>(a, expanded, n, first + i, offset, sums + i * 32);
                for (; i < count; i++) One<TileSource<S, F, I, T>.Expanded>(a, expanded, n, first + i, offset, sums + i * 32);
            }
            else
            {
                for (; i + 4 <= count; i += 4) Four<TileSource<S, F, I, T>.Packed>(a, chunk, n, first + i, offset, sums + i * 32);
                for (; i < count; i++) One<TileSource<S, F, I, T>.Packed>(a, chunk, n, first + i, offset, sums + i * 32);
            }
        }
        a->Finish(panel, first, count, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void One<Src>(PanelArguments* a, byte* chunk, int blocks, int row, long offset, float* sums) where Src : struct, ITileSource<F, I>
    {
        if (Widened) IntegerTile<S, F, I, T, Src>.OneSigned(chunk, blocks, a->Row(row) + offset, sums);
        else IntegerTile<S, F, I, T, Src>.OneUnsigned(chunk, blocks, a->Row(row) + offset, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four<Src>(PanelArguments* a, byte* chunk, int blocks, int row, long offset, float* sums) where Src : struct, ITileSource<F, I>
    {
        byte* x0 = a->Row(row) + offset, x1 = a->Row(row + 1) + offset, x2 = a->Row(row + 2) + offset, x3 = a->Row(row + 3) + offset;
        if (Widened) IntegerTile<S, F, I, T, Src>.FourSigned(chunk, blocks, x0, x1, x2, x3, sums);
        else IntegerTile<S, F, I, T, Src>.FourUnsigned(chunk, blocks, x0, x1, x2, x3, sums);
    }

    /// <summary>Inputs k0 … k0 + count − 1 of a panel as floats [count][32]; k0 and count are multiples of 32 within one record's 256.</summary>
    public static void Floats(PanelArguments* a, int panel, int k0, int count, float* result, byte* scratch)
    {
        byte* p = a->Panels + panel * a->PanelBytes;
        int inputs = T.Blocks * 32;
        for (int k = k0; k < k0 + count; k += 32, result += 32 * 32)
        {
            byte* chunk;
            if (PackedLayout.IsCodebook(T.Format))
            {
                chunk = scratch;
                if (k == k0) CodebookRecord.LookUp(T.Format, p + (long)(k / inputs) * CodebookLayout.Of(T.Format).RecordBytes, chunk);
            }
            else
            {
                chunk = p + (long)(k / inputs) * (T.Header + T.Blocks * T.CodeBytes);
            }
            TileSource<S, F, I, T>.ExpandFloats(chunk, k % inputs / 32, result);
        }
    }
}
