using System.Runtime.CompilerServices;

namespace SeekSharp.Kernels;

/// <summary>The packed integer formats, in the vectors of a tier.</summary>
internal static unsafe class IntegerFormats<S, F, I>
    where S : struct, ISimd<F, I>
    where F : struct
    where I : struct
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>binary16 to binary32, ∞ and NaN included.</summary>
    [MethodImpl(Inline)]
    internal static F Half(ushort* p)
    {
        I x = S.LoadShorts(p);
        I magnitude = S.And(x, S.Set(0x7FFF)), bits = S.ShiftLeft(magnitude, 13);
        // Off by 2^112; the product is exact, for subnormals too.
        I value = S.AsInt(S.Multiply(S.AsFloat(bits), S.Set(5.192296858534828e33f)));
        value = S.Or(value, S.IfGreater(magnitude, S.Set(0x7BFF), S.Set(0x7F800000), S.Set(0)));
        return S.AsFloat(S.Or(value, S.ShiftLeft(S.And(x, S.Set(0x8000)), 16)));
    }

    // d, then the scale of the minima, then small scales from byte 128.
    [MethodImpl(Inline)]
    private static F KMin(byte* record, I min, int row) => S.Multiply(Half((ushort*)(record + 64) + row), S.ToFloat(S.Subtract(S.Set(0), min)));

    [MethodImpl(Inline)]
    private static void WithBit(byte* four, byte* one, int pair, out I low, out I high)
    {
        S.Nibbles(four, pair, out I a, out I b);
        S.OneBit(one, pair, out I c, out I d);
        low = S.Or(a, S.ShiftLeft(c, 4));
        high = S.Or(b, S.ShiftLeft(d, 4));
    }

    [MethodImpl(Inline)]
    private static void Bytes(byte* plane, int pair, out I low, out I high)
    {
        low = S.Load((int*)plane + pair * S.Count);
        high = S.Load((int*)plane + 16 + pair * S.Count);
    }

    // Codebooks.Iq4 and Codebooks.Mxfp4 (plus 12) as words: constants of the instruction stream. A test compares them.
    internal const ulong Iq4Lower = 0xF6EADDCFBFAD9881, Iq4Upper = 0x7159453526190D01;
    internal const ulong Mxfp4Lower = 0x181412100F0E0D0C, Mxfp4Upper = 0x00040608090A0B0C;

    // 2^(e−128) as bits: e − 1 in the exponent; e = 0 and 1 are subnormal.
    [MethodImpl(Inline)]
    private static I Power(I e) => S.IfGreater(S.Set(2), e, S.Add(S.Set(0x200000), S.Multiply(e, S.Set(0x200000))), S.ShiftLeft(S.Subtract(e, S.Set(1)), 23));

    /// <summary>d · (q − 8)</summary>
    internal readonly struct Q4_0 : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q4_0;
        public static int Blocks => 1;
        public static int Header => 64;
        public static int CodeBytes => 512;
        public static bool Signed => false;
        public static int Runs => 1;
        public static int Zero => 8;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => S.Nibbles(codes + 64 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>d · q + m</summary>
    internal readonly struct Q4_1 : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q4_1;
        public static int Blocks => 1;
        public static int Header => 128;
        public static int CodeBytes => 512;
        public static bool Signed => false;
        public static int Runs => 1;
        public static int Zero => 0;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => true;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => S.Nibbles(codes + 64 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => Half((ushort*)(record + 64) + row);
    }

    /// <summary>d · (q − 16)</summary>
    internal readonly struct Q5_0 : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q5_0;
        public static int Blocks => 1;
        public static int Header => 64;
        public static int CodeBytes => 640;
        public static bool Signed => false;
        public static int Runs => 1;
        public static int Zero => 16;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => WithBit(codes + 64 * quad, codes + 512 + 16 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>d · q + m</summary>
    internal readonly struct Q5_1 : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q5_1;
        public static int Blocks => 1;
        public static int Header => 128;
        public static int CodeBytes => 640;
        public static bool Signed => false;
        public static int Runs => 2;
        public static int Zero => 0;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => true;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => WithBit(codes + 64 * quad, codes + 512 + 16 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => Half((ushort*)(record + 64) + row);
    }

    /// <summary>d · q</summary>
    internal readonly struct Q8_0 : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q8_0;
        public static int Blocks => 1;
        public static int Header => 64;
        public static int CodeBytes => 1024;
        public static bool Signed => true;
        public static int Runs => 1;
        public static int Zero => 0;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => Bytes(codes + 128 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>d · level</summary>
    internal readonly struct IQ4_NL : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.IQ4_NL;
        public static int Blocks => 1;
        public static int Header => 64;
        public static int CodeBytes => 512;
        public static bool Signed => true;
        public static int Runs => 1;
        public static int Zero => 0;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            S.Nibbles(codes + 64 * quad, pair, out I a, out I b);
            low = S.Lookup(Iq4Lower, Iq4Upper, a);
            high = S.Lookup(Iq4Lower, Iq4Upper, b);
        }
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>2^(e−128) · level; levels are kept 12 above their value</summary>
    internal readonly struct MXFP4 : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.MXFP4;
        public static int Blocks => 1;
        public static int Header => 32;
        public static int CodeBytes => 512;
        public static bool Signed => false;
        public static int Runs => 1;
        public static int Zero => 12;
        public static bool HasSub => false;
        public static bool Halves => false;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            S.Nibbles(codes + 64 * quad, pair, out I a, out I b);
            low = S.Lookup(Mxfp4Lower, Mxfp4Upper, a);
            high = S.Lookup(Mxfp4Lower, Mxfp4Upper, b);
        }
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => S.AsFloat(Power(S.LoadBytes(record + row)));
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.Set(1);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>(d·s) · q − dmin·m</summary>
    internal readonly struct Q2_K : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q2_K;
        public static int Blocks => 8;
        public static int Header => 640;
        public static int CodeBytes => 256;
        public static bool Signed => false;
        public static int Runs => 2;
        public static int Zero => 0;
        public static bool HasSub => true;
        public static bool Halves => true;
        public static bool HasMin => true;
        public static bool TwoMins => true;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => S.TwoBits(codes + 32 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.And(S.LoadBytes(record + 128 + 32 * part + row), S.Set(15));
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => KMin(record, S.ShiftRight(S.LoadBytes(record + 128 + 32 * part + row), 4), row);
    }

    /// <summary>(d·s) · (q − 4)</summary>
    internal readonly struct Q3_K : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q3_K;
        public static int Blocks => 8;
        public static int Header => 576;
        public static int CodeBytes => 384;
        public static bool Signed => false;
        public static int Runs => 2;
        public static int Zero => 4;
        public static bool HasSub => true;
        public static bool Halves => true;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            S.TwoBits(codes + 32 * quad, pair, out I a, out I b);
            S.OneBit(codes + 256 + 16 * quad, pair, out I c, out I d);
            low = S.Or(a, S.ShiftLeft(c, 2));
            high = S.Or(b, S.ShiftLeft(d, 2));
        }
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.LoadSignedBytes(record + 64 + 32 * part + row);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>(d·s) · q − dmin·m</summary>
    internal readonly struct Q4_K : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q4_K;
        public static int Blocks => 8;
        public static int Header => 640;
        public static int CodeBytes => 512;
        public static bool Signed => false;
        public static int Runs => 1;
        public static int Zero => 0;
        public static bool HasSub => true;
        public static bool Halves => false;
        public static bool HasMin => true;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => S.Nibbles(codes + 64 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.LoadSignedBytes(record + 128 + 16 * (part & ~1) + row);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => KMin(record, S.LoadBytes(record + 128 + 256 + 16 * (part & ~1) + row), row);
    }

    /// <summary>(d·s) · q − dmin·m</summary>
    internal readonly struct Q5_K : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q5_K;
        public static int Blocks => 8;
        public static int Header => 640;
        public static int CodeBytes => 640;
        public static bool Signed => false;
        public static int Runs => 2;
        public static int Zero => 0;
        public static bool HasSub => true;
        public static bool Halves => false;
        public static bool HasMin => true;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => WithBit(codes + 64 * quad, codes + 512 + 16 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.LoadSignedBytes(record + 128 + 16 * (part & ~1) + row);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => KMin(record, S.LoadBytes(record + 128 + 256 + 16 * (part & ~1) + row), row);
    }

    /// <summary>(d·s) · (q − 32)</summary>
    internal readonly struct Q6_K : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.Q6_K;
        public static int Blocks => 8;
        public static int Header => 576;
        public static int CodeBytes => 768;
        public static bool Signed => false;
        public static int Runs => 2;
        public static int Zero => 32;
        public static bool HasSub => true;
        public static bool Halves => true;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            I x = S.Load((int*)(codes + 64 * quad) + pair * S.Count), rest = S.Load((int*)(codes + 512 + 64 * (quad & 3)) + pair * S.Count);
            low = S.And(x, S.Set(0x3F3F3F3F));
            high = S.Or(S.And(S.ShiftRightLogical(x, 2), S.Set(0x30303030)), S.And(S.ShiftRightLogical(rest, quad & 4), S.Set(0x0F0F0F0F)));
        }
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.LoadSignedBytes(record + 64 + 32 * part + row);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>(d·s) · level</summary>
    internal readonly struct IQ4_XS : IIntegerFormat<F, I>
    {
        public static NumberFormat Format => NumberFormat.IQ4_XS;
        public static int Blocks => 8;
        public static int Header => 320;
        public static int CodeBytes => 512;
        public static bool Signed => true;
        public static int Runs => 1;
        public static int Zero => 0;
        public static bool HasSub => true;
        public static bool Halves => false;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)]
        public static void Codes(byte* codes, int quad, int pair, out I low, out I high)
        {
            S.Nibbles(codes + 64 * quad, pair, out I a, out I b);
            low = S.Lookup(Iq4Lower, Iq4Upper, a);
            high = S.Lookup(Iq4Lower, Iq4Upper, b);
        }
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => Half((ushort*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.LoadSignedBytes(record + 64 + 16 * (part & ~1) + row);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }

    /// <summary>
    /// The codebook formats after <see cref="CodebookRecord"/> has looked a record up: scales as floats, small scales, signed bytes.
    /// </summary>
    internal readonly struct Codebook<TBook> : IIntegerFormat<F, I>
        where TBook : struct, ICodebook
    {
        public static NumberFormat Format => TBook.Format;
        public static int Blocks => 8;
        public static int Header => CodebookRecord.Header;
        public static int CodeBytes => 1024;
        public static bool Signed => true;
        public static int Runs => 2;
        public static int Zero => 0;
        public static bool HasSub => true;
        public static bool Halves => true;
        public static bool HasMin => false;
        public static bool TwoMins => false;
        [MethodImpl(Inline)] public static void Codes(byte* codes, int quad, int pair, out I low, out I high) => Bytes(codes + 128 * quad, pair, out low, out high);
        [MethodImpl(Inline)] public static F Scale(byte* record, int row) => S.Load((float*)record + row);
        [MethodImpl(Inline)] public static I Sub(byte* record, int part, int row) => S.LoadSignedBytes(record + 128 + 32 * part + row);
        [MethodImpl(Inline)] public static F Min(byte* record, int part, int row) => S.Set(0f);
    }
}
