using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>
/// Decoders of IQ2_XXS, IQ2_XS and IQ2_S: 8 values are an index of a codebook of magnitudes, with signs, times
/// d·(1/2 + s)/4 with a 4-bit s. (ggml-common.h: <c>block_iq2_*</c>.)
/// </summary>
internal static unsafe class Iq2Blocks
{
    /// <summary>d, then for 32 values two words: 4 index bytes; 4 × 7 sign bits and s.</summary>
    public static void DecodeXxs(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 66)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            for (int part = 0; part < 8; part++, dst += 32)
            {
                byte* indexes = src + 2 + 8 * part;
                uint word = Unsafe.ReadUnaligned<uint>(indexes + 4);
                float scale = d * (0.5f + (word >> 28)) * 0.25f;
                for (int l = 0; l < 4; l++)
                    Spread.Store(Codebooks.Iq2Xxs[indexes[l]], Codebooks.Signs[word >> 7 * l & 127], scale, dst + 8 * l);
            }
        }
    }

    /// <summary>d, 32 words of 9 index and 7 sign bits, 8 bytes of s for 16 values each.</summary>
    public static void DecodeXs(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 74)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            ushort* words = (ushort*)(src + 2);
            for (int eight = 0; eight < 32; eight++, dst += 8)
            {
                float scale = d * (0.5f + (src[66 + (eight >> 2)] >> 4 * (eight >> 1 & 1) & 15)) * 0.25f;
                Spread.Store(Codebooks.Iq2Xs[words[eight] & 511], Codebooks.Signs[words[eight] >> 9], scale, dst);
            }
        }
    }

    /// <summary>d, 32 low index bytes, 32 bytes of signs, 8 bytes of upper index pairs, 8 bytes of s for 16 values each.</summary>
    public static void DecodeS(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 82)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            for (int eight = 0; eight < 32; eight++, dst += 8)
            {
                float scale = d * (0.5f + (src[74 + (eight >> 2)] >> 4 * (eight >> 1 & 1) & 15)) * 0.25f;
                int index = src[2 + eight] | (src[66 + (eight >> 2)] >> 2 * (eight & 3) & 3) << 8;
                Spread.Store(Codebooks.Iq2S[index], src[34 + eight], scale, dst);
            }
        }
    }
}
