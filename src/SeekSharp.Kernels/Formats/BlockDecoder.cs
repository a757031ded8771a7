namespace SeekSharp.Kernels;

/// <summary>
/// Stored numbers to floats, for every <see cref="NumberFormat"/>, bit for bit as ggml's <c>dequantize_row_*</c> and
/// PyTorch's casts give them: binary32 arithmetic in ggml's order, never fused.
/// </summary>
internal static unsafe class BlockDecoder
{
    /// <summary>Decodes <c>dst.Length</c> values, a whole number of blocks, from the first bytes of <paramref name="src"/>.</summary>
    /// <exception cref="ArgumentException">No whole number of blocks, or too few bytes.</exception>
    public static void Decode(NumberFormat format, ReadOnlySpan<byte> src, Span<float> dst)
    {
        long bytes = NumberFormats.ByteCount(format, dst.Length);
        if (src.Length < bytes) throw new ArgumentException($"{dst.Length} values of {format} take {bytes} bytes, not {src.Length}");
        fixed (byte* s = src)
        fixed (float* d = dst) Decode(format, s, d, dst.Length);
    }

    /// <summary>Decodes <paramref name="count"/> values, a whole number of blocks.</summary>
    /// <exception cref="ArgumentException">No whole number of blocks.</exception>
    public static void Decode(NumberFormat format, byte* src, float* dst, long count)
    {
        _ = NumberFormats.ByteCount(format, count);
        long blocks = count / NumberFormats.BlockSize(format);
        switch (format)
        {
            case NumberFormat.F32: Buffer.MemoryCopy(src, dst, count * 4, count * 4); break;
            case NumberFormat.F16: FloatFormats.FromF16((ushort*)src, dst, count); break;
            case NumberFormat.BF16: FloatFormats.FromBF16((ushort*)src, dst, count); break;
            case NumberFormat.F8E4M3: FloatFormats.FromTable(FloatFormats.E4M3, src, dst, count); break;
            case NumberFormat.F8E5M2: FloatFormats.FromTable(FloatFormats.E5M2, src, dst, count); break;
            case NumberFormat.F8E8M0: FloatFormats.FromTable(FloatFormats.E8M0, src, dst, count); break;
            case NumberFormat.F64: for (long i = 0; i < count; i++) dst[i] = (float)((double*)src)[i]; break;
            case NumberFormat.I8: for (long i = 0; i < count; i++) dst[i] = ((sbyte*)src)[i]; break;
            case NumberFormat.U8: for (long i = 0; i < count; i++) dst[i] = src[i]; break;
            case NumberFormat.I16: for (long i = 0; i < count; i++) dst[i] = ((short*)src)[i]; break;
            case NumberFormat.I32: for (long i = 0; i < count; i++) dst[i] = ((int*)src)[i]; break;
            case NumberFormat.I64: for (long i = 0; i < count; i++) dst[i] = ((long*)src)[i]; break;
            case NumberFormat.Q4_0: SmallBlocks.DecodeQ4_0(src, dst, blocks); break;
            case NumberFormat.Q4_1: SmallBlocks.DecodeQ4_1(src, dst, blocks); break;
            case NumberFormat.Q5_0: SmallBlocks.DecodeQ5_0(src, dst, blocks); break;
            case NumberFormat.Q5_1: SmallBlocks.DecodeQ5_1(src, dst, blocks); break;
            case NumberFormat.Q8_0: SmallBlocks.DecodeQ8_0(src, dst, blocks); break;
            case NumberFormat.Q2_K: KBlocks.DecodeQ2_K(src, dst, blocks); break;
            case NumberFormat.Q3_K: KBlocks.DecodeQ3_K(src, dst, blocks); break;
            case NumberFormat.Q4_K: KBlocks.DecodeQ4_K(src, dst, blocks); break;
            case NumberFormat.Q5_K: KBlocks.DecodeQ5_K(src, dst, blocks); break;
            case NumberFormat.Q6_K: KBlocks.DecodeQ6_K(src, dst, blocks); break;
            case NumberFormat.IQ1_S: Iq1Blocks.DecodeS(src, dst, blocks); break;
            case NumberFormat.IQ1_M: Iq1Blocks.DecodeM(src, dst, blocks); break;
            case NumberFormat.IQ2_XXS: Iq2Blocks.DecodeXxs(src, dst, blocks); break;
            case NumberFormat.IQ2_XS: Iq2Blocks.DecodeXs(src, dst, blocks); break;
            case NumberFormat.IQ2_S: Iq2Blocks.DecodeS(src, dst, blocks); break;
            case NumberFormat.IQ3_XXS: Iq3Blocks.DecodeXxs(src, dst, blocks); break;
            case NumberFormat.IQ3_S: Iq3Blocks.DecodeS(src, dst, blocks); break;
            case NumberFormat.IQ4_NL: Iq4Blocks.DecodeNl(src, dst, blocks); break;
            case NumberFormat.IQ4_XS: Iq4Blocks.DecodeXs(src, dst, blocks); break;
            case NumberFormat.MXFP4: Iq4Blocks.DecodeMxfp4(src, dst, blocks); break;
            default: throw new ArgumentOutOfRangeException(nameof(format), format, "unknown number format");
        }
    }
}
