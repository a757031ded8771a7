using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static SeekSharp.Kernels.AssembledCode;

namespace SeekSharp.Kernels;

/// <summary>
/// Emits what takes a packed record apart in registers. r10 is the record, r11 the block's codes, r14 its small scales. Codes come as unsigned bytes
/// [16 outputs][4 k], <see cref="IntegerShape.Zero"/> above their value: outputs 0–15 in zmm16, 16–31 in zmm17; zmm21 and 22 are for passing use, zmm24–31
/// hold constants, and a record's scales where there are small ones.
/// </summary>
internal sealed class IntegerUnpacker(AssembledCode code, IntegerShape shape)
{
    public const int Low = 16, High = 17, Broadcast = 18, Scale = 19;
    private const int Temp = 21, RecordScale = 24, RecordMin = 26, Fourth = 28, Third = 29, Second = 30, Mask = 31;
    private readonly Assembler c = code.C;

    private bool Bytes => shape.Format == NumberFormat.Q8_0 || PackedLayout.IsCodebook(shape.Format);
    private bool Nibbles => !Bytes && shape.Format is not (NumberFormat.Q2_K or NumberFormat.Q3_K or NumberFormat.Q6_K);

    /// <summary>Constants, once before the loops.</summary>
    public void Constants()
    {
        code.Fill(Mask, Bytes ? unchecked((int)0x80808080) : shape.Format is NumberFormat.Q2_K or NumberFormat.Q3_K ? 0x03030303 : 0x0F0F0F0F);
        switch (shape.Format)
        {
            case NumberFormat.Q5_0 or NumberFormat.Q5_1 or NumberFormat.Q5_K:
                code.Fill(Second, 0x10101010);
                Bits(Third, Fourth);
                break;
            case NumberFormat.Q2_K or NumberFormat.Q3_K:
                code.Lanes(Third, 0, 0, 2, 2);
                code.Lanes(Fourth, 4, 4, 6, 6);
                code.Fill(Second, shape.Format == NumberFormat.Q2_K ? 15 : 0x04040404);
                if (shape.Format == NumberFormat.Q3_K) Bits(RecordMin, RecordMin + 1);
                break;
            case NumberFormat.Q6_K:
                code.Fill(Second, 0x30303030);
                code.Fill(Third, 0x3F3F3F3F);
                break;
            case NumberFormat.IQ4_NL or NumberFormat.IQ4_XS:
                code.Table(Second, Raised(Codebooks.Iq4));
                break;
            case NumberFormat.MXFP4:
                code.Table(Second, Raised(Codebooks.Mxfp4));
                code.Fill(Third, 2);
                break;
        }
    }

    // In the 1-bit plane outputs 4i … 4i + 3 have bit i.
    private void Bits(int low, int high)
    {
        code.Lanes(low, 0x01010101, 0x02020202, 0x04040404, 0x08080808);
        code.Lanes(high, 0x10101010, 0x20202020, 0x40404040, unchecked((int)0x80808080));
    }

    private byte[] Raised(ReadOnlySpan<sbyte> levels)
    {
        var bytes = new byte[16];
        for (int i = 0; i < 16; i++) bytes[i] = (byte)(levels[i] + shape.Zero);
        return bytes;
    }

    /// <summary>What a record's blocks share: d, and what minima are multiplied by.</summary>
    public void Record()
    {
        if (shape.Sub == 0) return;
        for (int h = 0; h < 2; h++)
        {
            if (PackedLayout.IsCodebook(shape.Format)) c.vmovups(Zmm(RecordScale + h), __zmmword_ptr[r10 + 64 * h]);
            else c.vcvtph2ps(Zmm(RecordScale + h), __ymmword_ptr[r10 + 32 * h]);
            if (shape.Mins > 0) c.vcvtph2ps(Zmm(RecordMin + h), __ymmword_ptr[r10 + 64 + 32 * h]);
        }
    }

    /// <summary>Scales of a part of the block: d · small scale, which is exact, in zmm19 and 20.</summary>
    public void Scales(int part)
    {
        for (int h = 0; h < 2; h++)
        {
            AssemblerRegisterZMM scale = Zmm(Scale + h), t = Zmm(Temp), u = Zmm(Temp + 1);
            if (shape.Format == NumberFormat.MXFP4)
            {
                // 2^(e − 128) as bits: e − 1 in the exponent; e = 0 and 1 are subnormal, (e + 1) · 2^21.
                c.vpmovzxbd(t, __xmmword_ptr[r10 + 16 * h]);
                c.vpcmpud(k1, t, Zmm(Third), 1);
                c.vpternlogd(u, u, u, 0xFF);
                c.vpaddd(scale, t, u);
                c.vpsubd(t, t, u);
                c.vpslld(scale, scale, 23);
                c.vpslld(scale.k1, t, 21);
            }
            else if (shape.Sub == 0)
            {
                c.vcvtph2ps(scale, __ymmword_ptr[r10 + 32 * h]);
            }
            else if (shape.Format == NumberFormat.Q2_K)
            {
                c.vpmovzxbd(t, __xmmword_ptr[r14 + 32 * part + 16 * h]);
                c.vpandd(t, t, Zmm(Second));
                Multiply(scale, t, RecordScale + h);
            }
            else
            {
                c.vpmovsxbd(t, __xmmword_ptr[r14 + 32 * part + 16 * h]);
                Multiply(scale, t, RecordScale + h);
            }
        }
    }

    /// <summary>Minima of a part, in zmm19 and 20; where they are taken off, without the sign.</summary>
    public void Mins(int part)
    {
        for (int h = 0; h < 2; h++)
        {
            AssemblerRegisterZMM min = Zmm(Scale + h), t = Zmm(Temp);
            if (shape.Sub == 0)
            {
                c.vcvtph2ps(min, __ymmword_ptr[r10 + 64 + 32 * h]);
                continue;
            }
            bool shared = shape.Format == NumberFormat.Q2_K; // scale and minimum in one byte
            c.vpmovzxbd(t, __xmmword_ptr[r14 + 32 * part + 16 * h + (shared ? 0 : 256)]);
            if (shared) c.vpsrld(t, t, 4);
            Multiply(min, t, RecordMin + h);
        }
    }

    private void Multiply(AssemblerRegisterZMM result, AssemblerRegisterZMM small, int large)
    {
        c.vcvtdq2ps(small, small);
        c.vmulps(result, small, Zmm(large));
    }

    /// <summary>Codes of 4 inputs, in zmm16 and 17.</summary>
    public void Codes(int quad)
    {
        AssemblerRegisterZMM low = Zmm(Low), high = Zmm(High), t = Zmm(Temp), mask = Zmm(Mask), second = Zmm(Second);
        if (Bytes)
        {
            c.vpxord(low, mask, __zmmword_ptr[r11 + 128 * quad]);
            c.vpxord(high, mask, __zmmword_ptr[r11 + 128 * quad + 64]);
            return;
        }
        if (Nibbles)
        {
            c.vmovdqu32(high, __zmmword_ptr[r11 + 64 * quad]);
            c.vpandd(low, high, mask);
            c.vpsrld(high, high, 4);
            c.vpandd(high, high, mask);
        }
        switch (shape.Format)
        {
            case NumberFormat.Q5_0 or NumberFormat.Q5_1 or NumberFormat.Q5_K:
                OneBit(512 + 16 * quad, Third, Fourth);
                break;
            case NumberFormat.Q6_K:
                c.vmovdqu32(t, __zmmword_ptr[r11 + 64 * quad]);
                c.vmovdqu32(high, __zmmword_ptr[r11 + 512 + 64 * (quad & 3)]);
                if (quad >= 4) c.vpsrld(high, high, 4);
                c.vpandd(low, t, Zmm(Third));
                c.vpandd(high, high, mask);
                c.vpsrld(t, t, 2);
                c.vpternlogd(high, t, second, 0xF8); // a | b & c
                break;
            case NumberFormat.Q2_K or NumberFormat.Q3_K:
                c.vbroadcasti64x4(t, __ymmword_ptr[r11 + 32 * quad]);
                c.vpsrlvd(low, t, Zmm(Third));
                c.vpsrlvd(high, t, Zmm(Fourth));
                c.vpandd(low, low, mask);
                c.vpandd(high, high, mask);
                if (shape.Format == NumberFormat.Q3_K) OneBit(256 + 16 * quad, RecordMin, RecordMin + 1);
                break;
            case NumberFormat.IQ4_NL or NumberFormat.IQ4_XS or NumberFormat.MXFP4:
                c.vpshufb(low, second, low);
                c.vpshufb(high, second, high);
                break;
        }
    }

    /// <summary>Of 4 inputs the lower outputs' codes in zmm16, and the bytes that they share with the upper outputs' in zmm17 (<see cref="IntegerShape.IsShared"/>).</summary>
    public void SharedCodes(int quad)
    {
        c.vmovdqu32(Zmm(High), __zmmword_ptr[r11 + 64 * quad]);
        c.vpandd(Zmm(Low), Zmm(High), Zmm(Mask));
    }

    private void OneBit(int offset, int lowBits, int highBits)
    {
        c.vbroadcasti32x4(Zmm(Temp), __xmmword_ptr[r11 + offset]);
        c.vptestmb(k1, Zmm(Temp), Zmm(lowBits));
        c.vptestmb(k2, Zmm(Temp), Zmm(highBits));
        c.vpaddb(Zmm(Low).k1, Zmm(Low), Zmm(Second));
        c.vpaddb(Zmm(High).k2, Zmm(High), Zmm(Second));
    }
}
