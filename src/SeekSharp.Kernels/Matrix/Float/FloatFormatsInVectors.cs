using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>How the vectors of a packed float format come out of a panel.</summary>
internal unsafe interface IFloatFormat<F, I>
    where F : struct
    where I : struct
{
    static abstract NumberFormat Format { get; }

    /// <summary>Bytes of two numbers of K for 32 outputs.</summary>
    static abstract int PairBytes { get; }

    /// <summary>Products run with activations rounded to bf16, the second number of each pair first (the order of <c>vdpbf16ps</c>).</summary>
    static abstract bool Rounded { get; }

    /// <summary>Sums of 128 inputs are multiplied by a block's scale.</summary>
    static abstract bool Scaled { get; }

    /// <summary>A pair of K for outputs <paramref name="row"/> …, in the order of summing.</summary>
    static abstract void Load(byte* pair, int row, out F first, out F second);
}

/// <summary>The packed float formats, in the vectors of a tier.</summary>
internal static unsafe class FloatPanels<S, F, I>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    internal readonly struct F32 : IFloatFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.F32;
        public static int PairBytes => 256;
        public static bool Rounded => false;
        public static bool Scaled => false;

        [MethodImpl(Inline)]
        public static void Load(byte* pair, int row, out F first, out F second)
        {
            first = S.Load((float*)pair + row);
            second = S.Load((float*)pair + 32 + row);
        }
    }

    internal readonly struct F16 : IFloatFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.F16;
        public static int PairBytes => 128;
        public static bool Rounded => false;
        public static bool Scaled => false;

        [MethodImpl(Inline)]
        public static void Load(byte* pair, int row, out F first, out F second)
        {
            first = Half((ushort*)pair + row);
            second = Half((ushort*)pair + 32 + row);
        }

        // Finite numbers only (packing sees to it). Subnormals are frequent among weights, and a product with a subnormal float costs a microcode
        // assist: so they are made normal with 2^-14 added, which is taken off again.
        [MethodImpl(Inline)]
        private static F Half(ushort* p)
        {
            I x = S.LoadShorts(p);
            I sign = S.ShiftLeft(S.And(x, S.Set(0x8000)), 16), magnitude = S.And(x, S.Set(0x7FFF));
            I bits = S.ShiftLeft(magnitude, 13);
            I normal = S.Add(bits, S.Set(112 << 23));
            F small = S.Subtract(S.AsFloat(S.Add(bits, S.Set(113 << 23))), S.AsFloat(S.Set(113 << 23)));
            return S.AsFloat(S.Or(S.IfGreater(magnitude, S.Set(0x3FF), normal, S.AsInt(small)), sign));
        }
    }

    internal readonly struct BF16 : IFloatFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.BF16;
        public static int PairBytes => 128;
        public static bool Rounded => true;
        public static bool Scaled => false;

        [MethodImpl(Inline)]
        public static void Load(byte* pair, int row, out F first, out F second)
        {
            I x = S.Load((int*)pair + row);
            first = S.AsFloat(S.And(x, S.Set(unchecked((int)0xFFFF0000))));
            second = S.AsFloat(S.ShiftLeft(x, 16));
        }
    }

    internal readonly struct E4M3 : IFloatFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.F8E4M3;
        public static int PairBytes => 64;
        public static bool Rounded => true;
        public static bool Scaled => true;

        [MethodImpl(Inline)]
        public static void Load(byte* pair, int row, out F first, out F second)
        {
            S.LoadE4M3((ushort*)pair + row, out first, out second);
        }
    }
}
