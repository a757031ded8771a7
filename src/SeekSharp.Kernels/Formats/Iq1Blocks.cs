using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Decoders of IQ1_S and IQ1_M: 8 values are an 11-bit index of <see cref="Codebooks.Iq1"/>, all shifted by ±1/8, times
/// an odd scale. (ggml-common.h: <c>block_iq1_s</c>, <c>block_iq1_m</c>.)
/// </summary>
internal static unsafe class Iq1Blocks
{
    private const float Delta = 0.125f;

    /// <summary>d, 32 low index bytes, 8 words for 32 values each: 4 × 3 high index bits, 3 bits of scale, the shift's sign.</summary>
    public static void DecodeS(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 50)
        {
            float d = FloatFormats.FromF16(*(ushort*)src);
            byte* qs = src + 2;
            ushort* qh = (ushort*)(src + 34);
            for (int part = 0; part < 8; part++, dst += 32)
            {
                int word = qh[part];
                float scale = d * (2 * (word >> 12 & 7) + 1), delta = (word & 0x8000) != 0 ? -Delta : Delta;
                for (int l = 0; l < 4; l++)
                    Eight(qs[4 * part + l] | (word >> 3 * l & 7) << 8, scale, delta, dst + 8 * l);
            }
        }
    }

    /// <summary>
    /// 32 low index bytes, 16 bytes of nibbles for 8 values each (3 high index bits, the shift's sign), 4 words with
    /// 3-bit scales for 16 values each. The block's binary16 scale is spread over the top nibbles of those words.
    /// </summary>
    public static void DecodeM(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 56)
        {
            byte* qs = src, qh = src + 32;
            ushort* sc = (ushort*)(src + 48);
            float d = FloatFormats.FromF16((ushort)(sc[0] >> 12 | sc[1] >> 8 & 0x00F0 | sc[2] >> 4 & 0x0F00 | sc[3] & 0xF000));
            for (int eight = 0; eight < 32; eight++, dst += 8)
            {
                int sixteen = eight >> 1, nibble = qh[sixteen] >> 4 * (eight & 1) & 15;
                float scale = d * (2 * (sc[sixteen >> 2] >> 3 * (sixteen & 3) & 7) + 1);
                Eight(qs[eight] | (nibble & 7) << 8, scale, (nibble & 8) != 0 ? -Delta : Delta, dst);
            }
        }
    }

    private static void Eight(int index, float scale, float delta, float* dst)
    {
        Vector256<float> grid = Spread.Floats(Vector128.CreateScalar(Codebooks.Iq1[index]).AsSByte());
        (Vector256.Create(scale) * (grid + Vector256.Create(delta))).Store(dst);
    }
}
