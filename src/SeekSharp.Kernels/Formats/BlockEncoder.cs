namespace SeekSharp.Kernels;

/// <summary>
/// Floats to stored numbers. The float formats round as PyTorch does, the blocks of 32 are ggml's byte for byte, and the
/// K blocks search for scales whose squared error is no larger than ggml's. Blocks are independent: callers may cut a
/// tensor at any block and encode the pieces on many threads.
/// </summary>
internal static unsafe class BlockEncoder
{
    /// <summary>True for the formats that <see cref="Encode(NumberFormat, ReadOnlySpan{float}, Span{byte})"/> knows.</summary>
    public static bool CanEncode(NumberFormat format) => format is NumberFormat.F32 or NumberFormat.F16 or NumberFormat.BF16
        or NumberFormat.F8E4M3 or (>= NumberFormat.Q4_0 and <= NumberFormat.Q6_K) or NumberFormat.MXFP4;

    /// <summary>Encodes <paramref name="src"/>, a whole number of blocks, into the first bytes of <paramref name="dst"/>.</summary>
    /// <exception cref="ArgumentException">No whole number of blocks, too little room, or a format that is only read.</exception>
    public static void Encode(NumberFormat format, ReadOnlySpan<float> src, Span<byte> dst)
    {
        long bytes = NumberFormats.ByteCount(format, src.Length);
        if (dst.Length < bytes) throw new ArgumentException($"{src.Length} values of {format} take {bytes} bytes, not {dst.Length}");
        fixed (float* s = src)
        fixed (byte* d = dst) Encode(format, s, d, src.Length);
    }

    /// <summary>Encodes <paramref name="count"/> values, a whole number of blocks.</summary>
    /// <exception cref="ArgumentException">No whole number of blocks, or a format that is only read.</exception>
    public static void Encode(NumberFormat format, float* src, byte* dst, long count)
    {
        _ = NumberFormats.ByteCount(format, count);
        long blocks = count / NumberFormats.BlockSize(format);
        switch (format)
        {
            case NumberFormat.F32: Buffer.MemoryCopy(src, dst, count * 4, count * 4); break;
            case NumberFormat.F16: FloatFormats.ToF16(src, (ushort*)dst, count); break;
            case NumberFormat.BF16: FloatFormats.ToBF16(src, (ushort*)dst, count); break;
            case NumberFormat.F8E4M3: FloatFormats.ToE4M3(src, dst, count); break;
            case NumberFormat.Q4_0: SmallBlockEncoder.Q4_0(src, dst, blocks); break;
            case NumberFormat.Q4_1: SmallBlockEncoder.Q4_1(src, dst, blocks); break;
            case NumberFormat.Q5_0: SmallBlockEncoder.Q5_0(src, dst, blocks); break;
            case NumberFormat.Q5_1: SmallBlockEncoder.Q5_1(src, dst, blocks); break;
            case NumberFormat.Q8_0: SmallBlockEncoder.Q8_0(src, dst, blocks); break;
            case NumberFormat.MXFP4: SmallBlockEncoder.Mxfp4(src, dst, blocks); break;
            case NumberFormat.Q2_K: KBlockEncoder.Q2_K(src, dst, blocks); break;
            case NumberFormat.Q3_K: KBlockEncoder.Q3_K(src, dst, blocks); break;
            case NumberFormat.Q4_K: KBlockEncoder.Q4_K(src, dst, blocks); break;
            case NumberFormat.Q5_K: KBlockEncoder.Q5_K(src, dst, blocks); break;
            case NumberFormat.Q6_K: KBlockEncoder.Q6_K(src, dst, blocks); break;
            default: throw new ArgumentException($"{format} can be read but not written");
        }
    }
}
