namespace SeekSharp.Kernels;

/// <summary>What <see cref="MachineProbe"/> times in the assembled tier: the int8 tile that a prompt's products use, all that it touches in the first-level cache.</summary>
internal static unsafe class AssembledPeak
{
    private const int Blocks = 8, Rows = IntegerTileAssembler.ExpandedRows, Groups = 4;

    /// <summary>As <see cref="ProbeKernels{S, F, I}.Int8"/>: operations of a call, or <paramref name="calls"/> of them made.</summary>
    public static double Int8(int calls, byte* scratch)
    {
        if (calls == 0) return 2.0 * Groups * Rows * 32 * 32 * Blocks;
        AssembledTiles* tiles = AssembledTiles.Of(NumberFormat.Q4_0);
        new Span<byte>(scratch, (int)MachineProbe.PeakScratch).Clear();
        byte* weights = scratch + 64, x = weights + Blocks * tiles->ExpandedBytes;
        byte** rows = (byte**)(x + Rows * Blocks * ActivationForms.UnsignedBytes);
        var sums = (float*)(rows + Groups * Rows);
        for (int i = 0; i < Groups * Rows; i++) rows[i] = x + i % Rows * Blocks * ActivationForms.UnsignedBytes;
        var tile = (delegate* unmanaged[SuppressGCTransition]<byte*, long, byte**, long, float*, long, void>)tiles->Wide[Rows];
        for (int i = 0; i < calls; i++)
        {
            ((byte**)weights)[-1] = scratch; // what the tile asks for meanwhile is at hand too
            tile(weights, Blocks, rows, Groups, sums, 0);
        }
        return 0;
    }
}
