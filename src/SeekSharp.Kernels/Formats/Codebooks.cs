namespace SeekSharp.Kernels;

/// <summary>
/// The tables of the IQ formats and of MXFP4, ready to index. A grid entry is one word of signed bytes, first value in
/// the lowest byte. The arrays are pinned: kernels may take their addresses once and keep them.
/// </summary>
internal static class Codebooks
{
    /// <summary>256 entries of 8 magnitudes.</summary>
    public static readonly ulong[] Iq2Xxs = Unpack8(CodebookData.Iq2Xxs, [8, 25, 43]);
    /// <summary>512 entries of 8 magnitudes.</summary>
    public static readonly ulong[] Iq2Xs = Unpack8(CodebookData.Iq2Xs, [8, 25, 43]);
    /// <summary>1024 entries of 8 magnitudes.</summary>
    public static readonly ulong[] Iq2S = Unpack8(CodebookData.Iq2S, [8, 25, 43]);
    /// <summary>256 entries of 4 magnitudes.</summary>
    public static readonly uint[] Iq3Xxs = Unpack4(CodebookData.Iq3Xxs, [4, 12, 20, 28, 36, 44, 52, 62]);
    /// <summary>512 entries of 4 magnitudes.</summary>
    public static readonly uint[] Iq3S = Unpack4(CodebookData.Iq3S, [1, 3, 5, 7, 9, 11, 13, 15]);
    /// <summary>2048 entries of 8 values −1, 0, 1 (IQ1_S and IQ1_M).</summary>
    public static readonly ulong[] Iq1 = Unpack8(CodebookData.Iq1, [-1, 0, 1]);

    /// <summary>128 sets of 8 sign bits (1: negative): the index and a top bit that makes their number even.</summary>
    public static readonly byte[] Signs = MakeSigns();

    /// <summary>The 16 levels of IQ4_NL and IQ4_XS.</summary>
    public static ReadOnlySpan<sbyte> Iq4 => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The 16 levels of MXFP4 (E2M1), doubled so that they are integers; the scale is halved instead.</summary>
    public static ReadOnlySpan<sbyte> Mxfp4 => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    private static ulong[] Unpack8(ReadOnlySpan<ushort> packed, ReadOnlySpan<sbyte> levels)
    {
        ulong[] grid = GC.AllocateUninitializedArray<ulong>(packed.Length, pinned: true);
        for (int i = 0; i < grid.Length; i++)
        {
            ulong entry = 0;
            for (int j = 0; j < 8; j++) entry |= (ulong)(byte)levels[packed[i] >> 2 * j & 3] << 8 * j;
            grid[i] = entry;
        }
        return grid;
    }

    private static uint[] Unpack4(ReadOnlySpan<ushort> packed, ReadOnlySpan<sbyte> levels)
    {
        uint[] grid = GC.AllocateUninitializedArray<uint>(packed.Length, pinned: true);
        for (int i = 0; i < grid.Length; i++)
        {
            uint entry = 0;
            for (int j = 0; j < 4; j++) entry |= (uint)(byte)levels[packed[i] >> 3 * j & 7] << 8 * j;
            grid[i] = entry;
        }
        return grid;
    }

    private static byte[] MakeSigns()
    {
        byte[] signs = GC.AllocateUninitializedArray<byte>(128, pinned: true);
        for (int i = 0; i < 128; i++) signs[i] = (byte)(i | (int.PopCount(i) & 1) << 7);
        return signs;
    }
}
