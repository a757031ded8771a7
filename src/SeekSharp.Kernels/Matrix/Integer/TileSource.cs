using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>Where a tile's weights come from: packed (unpacked in registers) or expanded in cache before.</summary>
internal unsafe interface ITileSource<F, I>
    where F : struct
    where I : struct
{
    /// <summary>Of block <paramref name="block"/> of a chunk: the record with its scales, its codes, and its first part.</summary>
    static abstract void Locate(byte* chunk, int block, out byte* record, out byte* codes, out int part);
    /// <summary>Asks for what comes a chunk later, and for what comes soon.</summary>
    static abstract void Prefetch(byte* chunk, int block, int pair);
    /// <summary>Unsigned codes; signed ones raised by 128.</summary>
    static abstract void Codes(byte* codes, int quad, int pair, out I low, out I high);
    /// <summary>As 16-bit numbers: bytes 0 and 2 of each quad, bytes 1 and 3.</summary>
    static abstract void SignedCodes(byte* codes, int quad, int pair, out I lowEven, out I lowOdd, out I highEven, out I highOdd);
    /// <summary>A part's scales, the small ones included: their product is exact.</summary>
    static abstract F Scale(byte* record, int part, int row);
    static abstract F Min(byte* record, int part, int row);
}

/// <summary>The two sources of a format.</summary>
internal static unsafe class TileSource<S, F, I, T>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
    where T : struct, IIntegerFormat<F, I>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    // Of a block expanded: scales [2][32], minima [2][32], codes.
    private const int MinOffset = 256, CodeOffset = MinOffset + 256;

    /// <summary>Bytes of a block expanded.</summary>
    public static int ExpandedBytes { [MethodImpl(Inline)] get => CodeOffset + (Widened ? 2048 : 1024); }

    // Signed codes as 16-bit numbers.
    private static bool Widened { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => T.Signed && !S.HasDotQuads; }

    internal readonly struct Packed : ITileSource<F, I>
    {
        [MethodImpl(Inline)]
        public static void Locate(byte* chunk, int block, out byte* record, out byte* codes, out int part)
        {
            if (T.Blocks == 1)
            {
                record = chunk + (long)block * (T.Header + T.CodeBytes);
                codes = record + T.Header;
                part = 0;
            }
            else
            {
                record = chunk; // a chunk is one record
                codes = chunk + T.Header + block * T.CodeBytes;
                part = 2 * block;
            }
        }

        // The tile passes over a chunk once for each pair of vectors: each pass asks for its share of the same block of the next chunk.
        [MethodImpl(Inline)]
        public static void Prefetch(byte* chunk, int block, int pair)
        {
            if (PackedLayout.IsCodebook(T.Format)) return; // its chunk lies in cache
            int bytes = T.Header / T.Blocks + T.CodeBytes, share = bytes * S.Count / 16;
            byte* p = chunk + block * bytes + pair * share;
            for (int at = 0; at < share; at += 64)
            {
                S.PrefetchFar(p + IntegerPanel<S, F, I, T>.ChunkBlocks * bytes + at);
                S.Prefetch(p + Prefetching.Near + at);
            }
        }

        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            T.Codes(codes, quad, pair, out low, out high);
            if (!T.Signed) return;
            low = S.Xor(low, S.Set(unchecked((int)0x80808080)));
            high = S.Xor(high, S.Set(unchecked((int)0x80808080)));
        }

        [MethodImpl(Inline)]
        public static void SignedCodes(byte* codes, int quad, int pair, out I lowEven, out I lowOdd, out I highEven, out I highOdd)
        {
            T.Codes(codes, quad, pair, out I low, out I high);
            lowEven = S.EvenBytes(low);
            lowOdd = S.OddBytes(low);
            highEven = S.EvenBytes(high);
            highOdd = S.OddBytes(high);
        }

        [MethodImpl(Inline)]
        public static F Scale(byte* record, int part, int row)
        {
            F scale = T.Scale(record, row);
            return T.HasSub ? S.Multiply(scale, S.ToFloat(T.Sub(record, part, row))) : scale;
        }

        [MethodImpl(Inline)]
        public static F Min(byte* record, int part, int row) => T.Min(record, part, row);
    }

    internal readonly struct Expanded : ITileSource<F, I>
    {
        [MethodImpl(Inline)]
        public static void Locate(byte* chunk, int block, out byte* record, out byte* codes, out int part)
        {
            record = chunk + block * ExpandedBytes;
            codes = record + CodeOffset;
            part = 0;
        }

        [MethodImpl(Inline)]
        public static void Prefetch(byte* chunk, int block, int pair)
        {
        }

        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            int* p = (int*)(codes + 128 * quad) + pair * S.Count;
            low = S.Load(p);
            high = S.Load(p + 16);
        }

        [MethodImpl(Inline)]
        public static void SignedCodes(byte* codes, int quad, int pair, out I lowEven, out I lowOdd, out I highEven, out I highOdd)
        {
            int* p = (int*)(codes + 256 * quad) + pair * S.Count;
            lowEven = S.Load(p);
            highEven = S.Load(p + 16);
            lowOdd = S.Load(p + 32);
            highOdd = S.Load(p + 48);
        }

        [MethodImpl(Inline)]
        public static F Scale(byte* record, int part, int row) => S.Load((float*)record + (T.Halves ? 32 * part : 0) + row);

        [MethodImpl(Inline)]
        public static F Min(byte* record, int part, int row) => S.Load((float*)(record + MinOffset) + 32 * part + row);
    }

    /// <summary>Expands the blocks of a chunk, for tiles of many rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Expand(byte* chunk, int blocks, byte* result)
    {
        for (int block = 0; block < blocks; block++, result += ExpandedBytes)
        {
            Packed.Locate(chunk, block, out byte* record, out byte* codes, out int part);
            for (int row = 0; row < 32; row += S.Count)
            {
                for (int half = 0; half < 2; half++)
                {
                    if (T.Halves || half == 0) S.Store((float*)result + 32 * half + row, Packed.Scale(record, part + half, row));
                    if (T.HasMin) S.Store((float*)(result + MinOffset) + 32 * half + row, Packed.Min(record, part + half, row));
                }
            }
            byte* expanded = result + CodeOffset;
            for (int pair = 0; pair < 16 / S.Count; pair++)
                for (int quad = 0; quad < 8; quad++)
                {
                    if (Widened)
                    {
                        Packed.SignedCodes(codes, quad, pair, out I lowEven, out I lowOdd, out I highEven, out I highOdd);
                        int* p = (int*)(expanded + 256 * quad) + pair * S.Count;
                        S.Store(p, lowEven);
                        S.Store(p + 16, highEven);
                        S.Store(p + 32, lowOdd);
                        S.Store(p + 48, highOdd);
                    }
                    else
                    {
                        Packed.Codes(codes, quad, pair, out I low, out I high);
                        int* p = (int*)(expanded + 128 * quad) + pair * S.Count;
                        S.Store(p, low);
                        S.Store(p + 16, high);
                    }
                }
        }
    }

    /// <summary>
    /// The weights of inputs 32·block … of a chunk as floats [32 k][32 outputs], as <see cref="BlockDecoder"/> gives them.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ExpandFloats(byte* chunk, int block, float* result)
    {
        Packed.Locate(chunk, block, out byte* record, out byte* codes, out int part);
        for (int pair = 0; pair < 16 / S.Count; pair++)
            for (int quad = 0; quad < 8; quad++)
            {
                T.Codes(codes, quad, pair, out I low, out I high);
                float* p = result + 4 * 32 * quad + pair * S.Count;
                Floats(record, part + quad / 4, pair * S.Count, low, p);
                Floats(record, part + quad / 4, 16 + pair * S.Count, high, p + 16);
            }
    }

    [MethodImpl(Inline)]
    private static void Floats(byte* record, int part, int row, I codes, float* result)
    {
        F scale = T.Scale(record, row);
        if (T.HasSub) scale = S.Multiply(scale, S.ToFloat(T.Sub(record, part, row)));
        for (int k = 0; k < 4; k++)
        {
            I code = T.Signed ? S.ShiftRight(S.ShiftLeft(codes, 24 - 8 * k), 24)
                : S.Subtract(S.And(S.ShiftRightLogical(codes, 8 * k), S.Set(0xFF)), S.Set(T.Zero));
            F value = S.Multiply(scale, S.ToFloat(code));
            if (T.HasMin) value = S.Add(value, T.Min(record, part, row));
            S.Store(result + 32 * k, value);
        }
    }
}
