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
    private static readonly ulong* Iq1 = Address(Codebooks.Iq1), Iq2Xxs = Address(Codebooks.Iq2Xxs), Iq2Xs = Address(Codebooks.Iq2Xs), Iq2S = Address(Codebooks.Iq2S);
    private static readonly uint* Iq3Xxs = (uint*)Unsafe.AsPointer(ref Codebooks.Iq3Xxs[0]), Iq3S = (uint*)Unsafe.AsPointer(ref Codebooks.Iq3S[0]);
    private static readonly byte* Signs = (byte*)Unsafe.AsPointer(ref Codebooks.Signs[0]);

    private static ulong* Address(ulong[] table) => (ulong*)Unsafe.AsPointer(ref table[0]);

    /// <summary>Reads 256 codes and the scales of 16 parts; returns d.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static ushort Read(NumberFormat format, byte* src, sbyte* codes, sbyte* sub)
    {
        switch (format)
        {
            case NumberFormat.IQ1_S:
                for (int part = 0; part < 8; part++)
                {
                    int word = ((ushort*)(src + 34))[part];
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (word >> 12 & 7) + 1);
                    for (int l = 0; l < 4; l++)
                        Shifted(src[2 + 4 * part + l] | (word >> 3 * l & 7) << 8, (word & 0x8000) != 0, codes + 32 * part + 8 * l);
                }
                return *(ushort*)src;
            case NumberFormat.IQ1_M:
                ushort* sc = (ushort*)(src + 48);
                for (int eight = 0; eight < 32; eight++)
                {
                    int nibble = src[32 + (eight >> 1)] >> 4 * (eight & 1);
                    sub[eight >> 1] = (sbyte)(2 * (sc[eight >> 3] >> 3 * (eight >> 1 & 3) & 7) + 1);
                    Shifted(src[eight] | (nibble & 7) << 8, (nibble & 8) != 0, codes + 8 * eight);
                }
                return (ushort)(sc[0] >> 12 | sc[1] >> 8 & 0x00F0 | sc[2] >> 4 & 0x0F00 | sc[3] & 0xF000);
            case NumberFormat.IQ2_XXS:
                for (int part = 0; part < 8; part++)
                {
                    byte* indexes = src + 2 + 8 * part;
                    uint word = Unsafe.ReadUnaligned<uint>(indexes + 4);
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (word >> 28) + 1);
                    for (int l = 0; l < 4; l++) Signed(Iq2Xxs[indexes[l]], Signs[word >> 7 * l & 127], codes + 32 * part + 8 * l);
                }
                return *(ushort*)src;
            case NumberFormat.IQ2_XS:
                Nibbles(src + 66, sub);
                for (int eight = 0; eight < 32; eight++)
                {
                    int word = ((ushort*)(src + 2))[eight];
                    Signed(Iq2Xs[word & 511], Signs[word >> 9], codes + 8 * eight);
                }
                return *(ushort*)src;
            case NumberFormat.IQ2_S:
                Nibbles(src + 74, sub);
                for (int eight = 0; eight < 32; eight++)
                    Signed(Iq2S[src[2 + eight] | (src[66 + (eight >> 2)] >> 2 * (eight & 3) & 3) << 8], src[34 + eight], codes + 8 * eight);
                return *(ushort*)src;
            case NumberFormat.IQ3_XXS:
                for (int part = 0; part < 8; part++)
                {
                    byte* indexes = src + 2 + 8 * part;
                    uint word = Unsafe.ReadUnaligned<uint>(src + 66 + 4 * part);
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (word >> 28) + 1);
                    for (int l = 0; l < 4; l++)
                        Signed(Iq3Xxs[indexes[2 * l]] | (ulong)Iq3Xxs[indexes[2 * l + 1]] << 32,
                            Signs[word >> 7 * l & 127], codes + 32 * part + 8 * l);
                }
                return *(ushort*)src;
            case NumberFormat.IQ3_S:
                for (int part = 0; part < 8; part++)
                    sub[2 * part] = sub[2 * part + 1] = (sbyte)(2 * (src[106 + (part >> 1)] >> 4 * (part & 1) & 15) + 1);
                for (int eight = 0; eight < 32; eight++)
                {
                    int high = src[66 + (eight >> 2)] >> 2 * (eight & 3);
                    Signed(Iq3S[src[2 + 2 * eight] | (high & 1) << 8] | (ulong)Iq3S[src[3 + 2 * eight] | (high & 2) << 7] << 32,
                        src[74 + eight], codes + 8 * eight);
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

    // Bit i of signs negates byte i: all bits of the byte flipped, and one added. The magnitudes are 1 … 62: no carry leaves a byte.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Signed(ulong grid, int signs, sbyte* codes)
    {
        ulong spread = (uint)signs * Ones & 0x8040201008040201; // bit i of byte i
        ulong negative = (spread + 0x7F7F7F7F7F7F7F7F | spread) >> 7 & Ones; // 1 where the byte is not 0
        Unsafe.WriteUnaligned(codes, (grid ^ negative * 0xFF) + negative);
    }

    // 8 · grid ± 1, byte by byte; grid is −1, 0 or 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Shifted(int index, bool minus, sbyte* codes)
    {
        // Offset by one to keep bytes apart: 8 · (grid + 1) is 0, 8 or 16, and what is to be taken off is 7 or 9.
        ulong grid = Iq1[index];
        ulong biased = ((grid & 0x7F7F7F7F7F7F7F7F) + Ones ^ grid & 0x8080808080808080) & 0x0303030303030303;
        ulong value = (biased << 3) + 0x8080808080808080 - (minus ? 9 * Ones : 7 * Ones);
        Unsafe.WriteUnaligned(codes, value ^ 0x8080808080808080);
    }
}
