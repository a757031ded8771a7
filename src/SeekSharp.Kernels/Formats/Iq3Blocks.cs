using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Decoders of IQ3_XXS and IQ3_S: 4 values are an index of a codebook of magnitudes; 8 values share a byte of signs.
/// (ggml-common.h: <c>block_iq3_*</c>.)
/// </summary>
internal static unsafe class Iq3Blocks
{
    /// <summary>d·(1/2 + s)/2: d, 64 index bytes, then for 32 values a word of 4 × 7 sign bits and s.</summary>
    public static void DecodeXxs(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 98)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            for (int part = 0; part < 8; part++, dst += 32)
            {
                byte* indexes = src + 2 + 8 * part;
                uint word = Unsafe.ReadUnaligned<uint>(src + 66 + 4 * part);
                float scale = d * (0.5f + (word >> 28)) * 0.5f;
                for (int l = 0; l < 4; l++)
                {
                    ulong grid = Codebooks.Iq3Xxs[indexes[2 * l]] | (ulong)Codebooks.Iq3Xxs[indexes[2 * l + 1]] << 32;
                    Spread.Store(grid, Codebooks.Signs[word >> 7 * l & 127], scale, dst + 8 * l);
                }
            }
        }
    }

    /// <summary>d·(1 + 2s): d, 64 low index bytes, 8 bytes of ninth index bits, 32 bytes of signs, 4 bytes of s for 32 values each.</summary>
    public static void DecodeS(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 110)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            for (int eight = 0; eight < 32; eight++, dst += 8)
            {
                int part = eight >> 2, l = eight & 3;
                float scale = d * (1 + 2 * (src[106 + (part >> 1)] >> 4 * (part & 1) & 15));
                int high = src[66 + part] >> 2 * l;
                ulong grid = Codebooks.Iq3S[src[2 + 2 * eight] | (high & 1) << 8]
                    | (ulong)Codebooks.Iq3S[src[3 + 2 * eight] | (high & 2) << 7] << 32;
                Spread.Store(grid, src[74 + eight], scale, dst);
            }
        }
    }
}
