using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Blocks of the codebook formats as signed bytes and odd integer scales: value = d · c · sub · code, with c = 1/8 (IQ1: codes are
/// 8 · grid ± 1, its shift by an eighth; IQ2), 1/4 (IQ3_XXS) or 1 (IQ3_S). (Layouts: Iq1Blocks, Iq2Blocks, Iq3Blocks.)
/// </summary>
internal static unsafe class CodebookBlocks
{
    private const ulong Ones = 0x0101010101010101;

    // The tables are pinned: their addresses, without checks of bounds.
    internal static readonly ulong* Iq1 = Address(Codebooks.Iq1), Iq2Xxs = Address(Codebooks.Iq2Xxs), Iq2Xs = Address(Codebooks.Iq2Xs), Iq2S = Address(Codebooks.Iq2S);
    internal static readonly uint* Iq3Xxs = (uint*)Unsafe.AsPointer(ref Codebooks.Iq3Xxs[0]), Iq3S = (uint*)Unsafe.AsPointer(ref Codebooks.Iq3S[0]);

    // By eight sign bits: 1 in each byte that is negative. By seven, of which the eighth makes the number of ones even.
    private static readonly ulong[] BySigns8 = Negatives(256, signs => signs), BySigns7 = Negatives(128, signs => Codebooks.Signs[signs]);
    internal static readonly ulong* Negative8 = Address(BySigns8), Negative7 = Address(BySigns7);

    // 8 · grid: what IQ1's codes are one above or below.
    private static readonly ulong[] Eightfold = MakeEightfold();
    internal static readonly ulong* Iq1Eightfold = Address(Eightfold);

    private static ulong[] MakeEightfold()
    {
        ulong[] table = GC.AllocateUninitializedArray<ulong>(Codebooks.Iq1.Length, pinned: true);
        for (int i = 0; i < table.Length; i++) table[i] = Codebooks.Iq1[i] << 3 & 0xF8F8F8F8F8F8F8F8; // of signed bytes
        return table;
    }

    private static ulong[] Negatives(int count, Func<int, int> signs)
    {
        ulong[] table = GC.AllocateArray<ulong>(count, pinned: true);
        for (int i = 0; i < count; i++)
            for (int bit = 0; bit < 8; bit++) table[i] |= (ulong)(signs(i) >> bit & 1) << 8 * bit;
        return table;
    }

    private static ulong* Address(ulong[] table) => (ulong*)Unsafe.AsPointer(ref table[0]);

    /// <summary>
    /// Reads 256 codes, in fours, and the scales of 16 parts, of a block as in the file. Returns d.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static ushort Read(NumberFormat format, byte* src, int* codes, sbyte* sub)
    {
        ulong* negative7 = Negative7, negative8 = Negative8; // in registers: a static field is asked for each time
        ulong* table;
        uint* fours;
        switch (format)
        {
            case NumberFormat.IQ1_S:
                table = Iq1;
                for (int part = 0; part < 8; part++)
                {
                    int word = ((ushort*)(src + 34))[part];
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (word >> 12 & 7) + 1);
                    for (int l = 0; l < 4; l++)
                        Put(Shifted(table[src[2 + 4 * part + l] | (word >> 3 * l & 7) << 8], (word & 0x8000) != 0), 4 * part + l, codes);
                }
                return *(ushort*)src;
            case NumberFormat.IQ1_M:
                table = Iq1;
                ushort* sc = (ushort*)(src + 48);
                for (int eight = 0; eight < 32; eight++)
                {
                    int nibble = src[32 + (eight >> 1)] >> 4 * (eight & 1);
                    sub[eight >> 1] = (sbyte)(2 * (sc[eight >> 3] >> 3 * (eight >> 1 & 3) & 7) + 1);
                    Put(Shifted(table[src[eight] | (nibble & 7) << 8], (nibble & 8) != 0), eight, codes);
                }
                return (ushort)(sc[0] >> 12 | sc[1] >> 8 & 0x00F0 | sc[2] >> 4 & 0x0F00 | sc[3] & 0xF000);
            case NumberFormat.IQ2_XXS:
                table = Iq2Xxs;
                for (int part = 0; part < 8; part++)
                {
                    byte* indexes = src + 2 + 8 * part;
                    uint word = Unsafe.ReadUnaligned<uint>(indexes + 4);
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (word >> 28) + 1);
                    for (int l = 0; l < 4; l++) Put(Signed(table[indexes[l]], negative7[word >> 7 * l & 127]), 4 * part + l, codes);
                }
                return *(ushort*)src;
            case NumberFormat.IQ2_XS:
                table = Iq2Xs;
                Nibbles(src + 66, sub);
                for (int eight = 0; eight < 32; eight++)
                {
                    int word = ((ushort*)(src + 2))[eight];
                    Put(Signed(table[word & 511], negative7[word >> 9]), eight, codes);
                }
                return *(ushort*)src;
            case NumberFormat.IQ2_S:
                table = Iq2S;
                Nibbles(src + 74, sub);
                for (int eight = 0; eight < 32; eight++)
                    Put(Signed(table[src[2 + eight] | (src[66 + (eight >> 2)] >> 2 * (eight & 3) & 3) << 8], negative8[src[34 + eight]]), eight, codes);
                return *(ushort*)src;
            case NumberFormat.IQ3_XXS:
                fours = Iq3Xxs;
                for (int part = 0; part < 8; part++)
                {
                    byte* indexes = src + 2 + 8 * part;
                    uint word = Unsafe.ReadUnaligned<uint>(src + 66 + 4 * part);
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (word >> 28) + 1);
                    for (int l = 0; l < 4; l++)
                        Put(Signed(fours[indexes[2 * l]] | (ulong)fours[indexes[2 * l + 1]] << 32, negative7[word >> 7 * l & 127]), 4 * part + l, codes);
                }
                return *(ushort*)src;
            case NumberFormat.IQ3_S:
                fours = Iq3S;
                for (int part = 0; part < 8; part++)
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (src[106 + (part >> 1)] >> 4 * (part & 1) & 15) + 1);
                for (int eight = 0; eight < 32; eight++)
                {
                    int high = src[66 + (eight >> 2)] >> 2 * (eight & 3);
                    Put(Signed(fours[src[2 + 2 * eight] | (high & 1) << 8] | (ulong)fours[src[3 + 2 * eight] | (high & 2) << 7] << 32, negative8[src[74 + eight]]), eight, codes);
                }
                return *(ushort*)src;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "no codebook format");
        }
    }

    private static void Nibbles(byte* src, sbyte* sub)
    {
        for (int part = 0; part < 16; part++) sub[part] = (sbyte)(2 * (src[part >> 1] >> 4 * (part & 1) & 15) + 1);
    }

    // Eight codes are two fours.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ulong value, int eight, int* codes)
    {
        codes += 2 * eight;
        codes[0] = (int)value;
        codes[1] = (int)(value >> 32);
    }

    // A negative byte: all bits flipped, and one added. The magnitudes are 1 … 62: no carry leaves a byte.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Signed(ulong grid, ulong negative) => (grid ^ ((negative << 8) - negative)) + negative;

    // 8 · grid ± 1, byte by byte; grid is −1, 0 or 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Shifted(ulong grid, bool minus)
    {
        // Offset by one to keep bytes apart: 8 · (grid + 1) is 0, 8 or 16, and what is to be taken off is 7 or 9.
        ulong biased = ((grid & 0x7F7F7F7F7F7F7F7F) + Ones ^ grid & 0x8080808080808080) & 0x0303030303030303;
        ulong value = (biased << 3) + 0x8080808080808080 - (minus ? 9 * Ones : 7 * Ones);
        return value ^ 0x8080808080808080;
    }
}
