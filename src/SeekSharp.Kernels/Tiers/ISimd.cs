namespace SeekSharp.Kernels;

/// <summary>
/// The vector operations that kernels are written in, once for all tiers: a tier is a type argument, so that the compiler makes one
/// straight piece of machine code for each. <typeparamref name="F"/> holds <see cref="Count"/> floats, <typeparamref name="I"/> as many
/// 32-bit integers, or twice as many 16-bit, or four times as many 8-bit ones. Every operation rounds exactly: all tiers give the same bits.
/// </summary>
internal unsafe interface ISimd<F, I>
    where F : struct
    where I : struct
{
    /// <summary>Floats in a vector: 4, 8 or 16.</summary>
    static abstract int Count { get; }

    static abstract F Set(float x);
    static abstract F Load(float* p);
    static abstract void Store(float* p, F x);
    static abstract F Add(F a, F b);
    static abstract F Subtract(F a, F b);
    static abstract F Multiply(F a, F b);
    static abstract F Divide(F a, F b);
    /// <summary>a·b + c, rounded once.</summary>
    static abstract F Fma(F a, F b, F c);
    /// <summary>The larger; <paramref name="b"/> where one is NaN.</summary>
    static abstract F Max(F a, F b);
    /// <summary>The smaller; <paramref name="b"/> where one is NaN.</summary>
    static abstract F Min(F a, F b);
    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract F Round(F a);
    /// <summary>Of whole numbers in range.</summary>
    static abstract I ToInt(F a);
    static abstract F ToFloat(I a);
    static abstract I AsInt(F a);
    static abstract F AsFloat(I a);

    static abstract I Set(int x);
    static abstract I Load(int* p);
    static abstract void Store(int* p, I x);
    static abstract I Add(I a, I b);
    static abstract I Subtract(I a, I b);
    static abstract I Multiply(I a, I b);
    static abstract I And(I a, I b);
    static abstract I Or(I a, I b);
    static abstract I Xor(I a, I b);
    static abstract I ShiftLeft(I a, int bits);
    static abstract I ShiftRight(I a, int bits);
    static abstract I ShiftRightLogical(I a, int bits);
    /// <summary>a &gt; b ? yes : no, in each lane, signed.</summary>
    static abstract I IfGreater(I a, I b, I yes, I no);

    /// <summary>16-bit lanes: sums.</summary>
    static abstract I Add16(I a, I b);
    /// <summary>16-bit lanes: the lower half of the product.</summary>
    static abstract I Multiply16(I a, I b);
    /// <summary>a₀b₀ + a₁b₁ of each lane's two signed 16-bit numbers.</summary>
    static abstract I DotPairs(I a, I b);
    /// <summary>In each 16-bit lane u₀s₀ + u₁s₁ of unsigned and signed bytes; the sum must fit.</summary>
    static abstract I DotBytes(I u, I s);
    /// <summary>Is there an instruction for <see cref="DotQuads"/>? A constant to the compiler, and the same for the life of a process.</summary>
    static abstract bool HasDotQuads { get; }
    /// <summary>sum + u₀s₀ + u₁s₁ + u₂s₂ + u₃s₃ of each lane's four unsigned and signed bytes.</summary>
    static abstract I DotQuads(I sum, I u, I s);
    /// <summary>Asks for the line of memory at <paramref name="p"/>, which need not be ours.</summary>
    static abstract void Prefetch(byte* p);
    /// <summary>As <see cref="Prefetch"/>, into the second-level cache only.</summary>
    static abstract void PrefetchFar(byte* p);
    /// <summary>The lower byte of each 16-bit lane, sign extended.</summary>
    static abstract I EvenBytes(I a);
    /// <summary>The upper byte of each 16-bit lane, sign extended.</summary>
    static abstract I OddBytes(I a);
    /// <summary>table[b] for each byte b &lt; 16 of <paramref name="a"/>; the table's bytes 0–7 and 8–15.</summary>
    static abstract I Lookup(ulong lower, ulong upper, I a);

    /// <summary><see cref="Count"/> signed bytes, each to a lane.</summary>
    static abstract I LoadSignedBytes(byte* p);
    /// <summary><see cref="Count"/> unsigned bytes, each to a lane.</summary>
    static abstract I LoadBytes(byte* p);
    /// <summary><see cref="Count"/> unsigned 16-bit numbers, each to a lane.</summary>
    static abstract I LoadShorts(ushort* p);
    /// <summary>Pairs of E4M3 numbers, none of them NaN: the second and the first of each.</summary>
    static abstract void LoadE4M3(ushort* p, out F second, out F first);
    /// <summary>The lowest byte of each lane.</summary>
    static abstract void StoreBytes(byte* p, I a);

    // Planes of a k-quad (4 inputs) for 32 outputs. A vector holds 4 inputs of Count outputs; pair p of a plane is the outputs
    // p·Count … and 16 + p·Count …, so that one load serves two vectors. PackedLayout says how the planes lie.

    /// <summary>4-bit plane, 64 bytes.</summary>
    static abstract void Nibbles(byte* plane, int pair, out I low, out I high);
    /// <summary>2-bit plane, 32 bytes.</summary>
    static abstract void TwoBits(byte* plane, int pair, out I low, out I high);
    /// <summary>1-bit plane, 16 bytes.</summary>
    static abstract void OneBit(byte* plane, int pair, out I low, out I high);
}
