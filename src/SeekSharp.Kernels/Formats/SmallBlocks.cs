using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SeekSharp.Kernels;

/// <summary>
/// Decoders of the blocks of 32: one binary16 scale d (and in the _1 forms a minimum m), then the numbers. Nibbles hold
/// values 0–15 low and 16–31 high; the fifth bits of Q5 lie in one 32-bit word, bit i for value i.
/// (ggml-common.h: <c>block_q4_0</c> … <c>block_q8_0</c>.)
/// </summary>
internal static unsafe class SmallBlocks
{
    private static float Half(byte* p) => FloatFormats.FromF16(*(ushort*)p);

    /// <summary>d · (q − 8): d, 16 bytes of nibbles.</summary>
    public static void DecodeQ4_0(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15), eight = Vector128.Create((byte)8);
        for (; blocks > 0; blocks--, src += 18, dst += 32)
        {
            float d = Half(src);
            Vector128<byte> q = Vector128.Load(src + 2);
            Spread.Store(((q & low) - eight).AsSByte(), d, dst);
            Spread.Store(((q >> 4) - eight).AsSByte(), d, dst + 16);
        }
    }

    /// <summary>d · q + m: d, m, 16 bytes of nibbles.</summary>
    public static void DecodeQ4_1(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15);
        for (; blocks > 0; blocks--, src += 20, dst += 32)
        {
            float d = Half(src), m = Half(src + 2);
            Vector128<byte> q = Vector128.Load(src + 4);
            Spread.Store((q & low).AsSByte(), d, m, dst);
            Spread.Store((q >> 4).AsSByte(), d, m, dst + 16);
        }
    }

    /// <summary>d · (q − 16): d, word of fifth bits, 16 bytes of nibbles.</summary>
    public static void DecodeQ5_0(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15), sixteen = Vector128.Create((byte)16);
        for (; blocks > 0; blocks--, src += 22, dst += 32)
        {
            float d = Half(src);
            uint high = Unsafe.ReadUnaligned<uint>(src + 2);
            Vector128<byte> q = Vector128.Load(src + 6);
            Spread.Store(((q & low | FifthBits(high)) - sixteen).AsSByte(), d, dst);
            Spread.Store((((q >> 4) | FifthBits(high >> 16)) - sixteen).AsSByte(), d, dst + 16);
        }
    }

    /// <summary>d · q + m: d, m, word of fifth bits, 16 bytes of nibbles.</summary>
    public static void DecodeQ5_1(byte* src, float* dst, long blocks)
    {
        Vector128<byte> low = Vector128.Create((byte)15);
        for (; blocks > 0; blocks--, src += 24, dst += 32)
        {
            float d = Half(src), m = Half(src + 2);
            uint high = Unsafe.ReadUnaligned<uint>(src + 4);
            Vector128<byte> q = Vector128.Load(src + 8);
            Spread.Store((q & low | FifthBits(high)).AsSByte(), d, m, dst);
            Spread.Store(((q >> 4) | FifthBits(high >> 16)).AsSByte(), d, m, dst + 16);
        }
    }

    /// <summary>d · q: d, 32 signed bytes.</summary>
    public static void DecodeQ8_0(byte* src, float* dst, long blocks)
    {
        for (; blocks > 0; blocks--, src += 34, dst += 32)
        {
            float d = Half(src);
            Spread.Store(Vector128.Load((sbyte*)src + 2), d, dst);
            Spread.Store(Vector128.Load((sbyte*)src + 18), d, dst + 16);
        }
    }

    /// <summary>16 bytes, byte i is 16 where bit i of <paramref name="bits"/> is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> FifthBits(uint bits)
    {
        Vector128<byte> select = Vector128.Create(0x8040201008040201ul).AsByte();
        Vector128<byte> spread = Vector128.Create((bits & 0xFF) * 0x0101010101010101ul, (bits >> 8 & 0xFF) * 0x0101010101010101ul).AsByte();
        return Vector128.Equals(spread & select, select) & Vector128.Create((byte)16);
    }
}
