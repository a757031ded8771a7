using System.Numerics;
using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>A set of bytes: 256 bits.</summary>
internal readonly record struct ByteSet(ulong A, ulong B, ulong C, ulong D)
{
    public static readonly ByteSet All = new(~0UL, ~0UL, ~0UL, ~0UL);

    public bool IsEmpty => (A | B | C | D) == 0;

    public int Count => BitOperations.PopCount(A) + BitOperations.PopCount(B) + BitOperations.PopCount(C) + BitOperations.PopCount(D);

    public static ByteSet Of(int b) => Range(b, b);

    /// <summary>The bytes from first to last, both included.</summary>
    public static ByteSet Range(int first, int last)
    {
        return new(Part(first, last), Part(first - 64, last - 64), Part(first - 128, last - 128), Part(first - 192, last - 192));

        static ulong Part(int from, int to)
        {
            if (to < 0 || from > 63) return 0;
            from = Math.Max(from, 0);
            to = Math.Min(to, 63);
            return ~0UL >> (63 - (to - from)) << from;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(byte b)
    {
        ulong word = b < 128 ? (b < 64 ? A : B) : (b < 192 ? C : D);
        return (word >> (b & 63) & 1) != 0;
    }

    public static ByteSet operator |(ByteSet x, ByteSet y) => new(x.A | y.A, x.B | y.B, x.C | y.C, x.D | y.D);

    public static ByteSet operator &(ByteSet x, ByteSet y) => new(x.A & y.A, x.B & y.B, x.C & y.C, x.D & y.D);

    public static ByteSet operator ~(ByteSet x) => new(~x.A, ~x.B, ~x.C, ~x.D);
}
