using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static SeekSharp.Kernels.AssembledCode;

namespace SeekSharp.Kernels;

/// <summary>
/// Emits what <see cref="CodebookRecord.LookUp"/> does: grid entries are gathered (IQ1, IQ2: 8 outputs × 8 inputs an instruction; IQ3: 16 × 4) from tables that lie in the first-level
/// cache, signs are masks as they lie in memory, and eights are turned into the order of the tiles in registers.
/// <para>Function (rdi packed record, rsi result). Registers: rdx table, r8 scales, r9 upper bits, r10 indexes, r11 signs, rbx codes, rbp small scales, r12 what is asked for ahead, r13 parts left.</para>
/// </summary>
internal sealed class CodebookAssembler
{
    // Bytes ahead of what is read that memory is asked for.
    private const int Ahead = 4096;

    private const int Zero = 31, Even = 30, Odd = 29, High = 28, Plus = 27, Minus = 26, Nibble = 25, One = 24, Shift = 23, Delta = 16, Words = 8;
    private readonly AssembledCode _code = new();
    private readonly Assembler c;
    private readonly NumberFormat _format;
    private readonly CodebookLayout _layout;

    private CodebookAssembler(NumberFormat format) => (c, _format, _layout) = (_code.C, format, CodebookLayout.Of(format));

    /// <summary>The function of a format; 0 where executable memory is refused.</summary>
    public static nint LookUp(NumberFormat format) => new CodebookAssembler(format).Emit();

    private bool IsIq1 => _format is NumberFormat.IQ1_S or NumberFormat.IQ1_M;
    private bool IsIq3 => _format is NumberFormat.IQ3_S or NumberFormat.IQ3_XXS;

    private unsafe nint Emit()
    {
        c.mov(rdx, (long)(_format switch
        {
            NumberFormat.IQ1_S or NumberFormat.IQ1_M => (nint)CodebookBlocks.Iq1Eightfold,
            NumberFormat.IQ2_XXS => (nint)CodebookBlocks.Iq2Xxs,
            NumberFormat.IQ2_XS => (nint)CodebookBlocks.Iq2Xs,
            NumberFormat.IQ2_S => (nint)CodebookBlocks.Iq2S,
            NumberFormat.IQ3_XXS => (nint)CodebookBlocks.Iq3Xxs,
            _ => (nint)CodebookBlocks.Iq3S,
        }));
        c.PreferVex = false; // ymm16 and up
        Constants();
        for (int h = 0; h < 2; h++)
        {
            c.vcvtph2ps(Zmm(0), __ymmword_ptr[rdi + 32 * h]);
            c.vmulps(Zmm(0), Zmm(0), Zmm(1));
            c.vmovups(__zmmword_ptr[rsi + 64 * h], Zmm(0));
        }
        c.lea(r8, __[rdi + CodebookLayout.ScaleOffset]);
        c.lea(r9, __[rdi + _layout.HighOffset]);
        c.lea(r10, __[rdi + _layout.IndexOffset]);
        c.lea(r11, __[rdi + _layout.SignOffset]);
        c.lea(rbx, __[rsi + CodebookRecord.Header]);
        c.lea(rbp, __[rsi + 128]);
        c.lea(r12, __[rdi + Ahead]);
        c.mov(r13d, 8);
        Label part = c.CreateLabel();
        c.Label(ref part);
        Part();
        c.add(r8, 2 * _layout.Parts);
        c.add(r9, _layout.HighBytes / 8);
        c.add(r10, 4 * _layout.Indexes);
        c.add(r11, 128);
        c.add(rbx, 1024);
        c.add(rbp, 64);
        c.add(r12, _layout.RecordBytes / 8);
        c.dec(r13d);
        c.jnz(part);
        return _code.Finish();
    }

    private void Constants()
    {
        _code.Fill(1, BitConverter.SingleToInt32Bits(CodebookRecord.Factor(_format)));
        c.vpxord(Zmm(Zero), Zmm(Zero), Zmm(Zero));
        c.vmovdqu32(Zmm(Even), __zmmword_ptr[_code.Constant([.. Enumerable.Range(0, 16).Select(i => 2 * i)])]);
        c.vmovdqu32(Zmm(Odd), __zmmword_ptr[_code.Constant([.. Enumerable.Range(0, 16).Select(i => 2 * i + 1)])]);
        _code.Fill(High, IsIq1 ? 0x700 : _format == NumberFormat.IQ2_S ? 0x300 : 0x100);
        _code.Fill(Plus, 0x01010101);
        _code.Fill(Minus, -1);
        _code.Fill(Nibble, 0x0F0F0F0F);
        _code.Fill(One, 0x01010101);
        c.vmovdqu32(Zmm(Shift), __zmmword_ptr[_code.Constant([.. Enumerable.Repeat(0, 4), .. Enumerable.Repeat(4, 4), .. Enumerable.Repeat(0, 8)])]);
    }

    // 32 inputs.
    private void Part()
    {
        for (int at = 0; at < (_layout.RecordBytes + 7) / 8; at += 64) c.prefetcht0(__byte_ptr[r12 + at]);
        SmallScales();
        if (_format == NumberFormat.IQ1_S) ShiftsOfWords();
        if (_format == NumberFormat.IQ2_S)
            for (int h = 0; h < 4; h++) c.vpmovzxbd(Ymm(Words + h), __qword_ptr[r9 + 8 * h]);
        if (IsIq3)
            for (int four = 0; four < 8; four++) Four(four);
        else
            for (int eight = 0; eight < 4; eight++) Eight(eight);
    }

    private void SmallScales()
    {
        AssemblerRegisterYMM t = Ymm(0);
        for (int i = 0; i < 2; i++)
        {
            if (_layout.Parts == 0)
            {
                // Bits 12–14 of words.
                if (i == 0)
                {
                    c.vpsrlw(Zmm(0), __zmmword_ptr[r9], 12);
                    c.vpmovwb(t, Zmm(0));
                    c.vpandd(t, t, __dword_bcst[_code.Constant(0x07070707)]);
                }
            }
            else if (i == 0 || _layout.Parts == 16)
            {
                c.vbroadcasti32x4(t, __xmmword_ptr[r8 + 16 * i]);
                c.vpsrlvd(t, t, Ymm(Shift));
                c.vpandd(t, t, Ymm(Nibble));
            }
            if (i == 0 || _layout.Parts == 16)
            {
                c.vpaddb(t, t, t);
                c.vpaddb(t, t, Ymm(One));
            }
            c.vmovdqu32(__ymmword_ptr[rbp + 32 * i], t);
        }
    }

    // IQ1_S: words of 8 outputs, and what is added to their codes.
    private void ShiftsOfWords()
    {
        for (int h = 0; h < 4; h++)
        {
            c.vpmovzxwd(Ymm(Words + h), __xmmword_ptr[r9 + 16 * h]);
            c.vpslld(Ymm(0), Ymm(Words + h), 16);
            c.vpmovd2m(k2, Ymm(0));
            c.vpblendmq(Zmm(Delta + h).k2, Zmm(Plus), Zmm(Minus));
        }
    }

    private void Eight(int eight)
    {
        for (int h = 0; h < 4; h++)
        {
            AssemblerRegisterYMM index = Ymm(h), t = Ymm(Words + 4);
            c.vpmovzxbd(index, __qword_ptr[r10 + 32 * eight + 8 * h]);
            switch (_format)
            {
                case NumberFormat.IQ2_XS:
                    c.kmovb(k2, __byte_ptr[r9 + 4 * eight + h]);
                    c.vpaddd(index.k2, index, Ymm(High));
                    break;
                case NumberFormat.IQ1_S or NumberFormat.IQ2_S:
                    int left = 8 - (_format == NumberFormat.IQ1_S ? 3 : 2) * eight;
                    if (left > 0) c.vpslld(t, Ymm(Words + h), (byte)left);
                    else if (left < 0) c.vpsrld(t, Ymm(Words + h), (byte)-left);
                    c.vpternlogd(index, left == 0 ? Ymm(Words + h) : t, Ymm(High), 0xF8); // a | b & c
                    break;
                case NumberFormat.IQ1_M:
                    c.vpmovzxbd(t, __qword_ptr[r9 + 16 * eight + 8 * (h & 1)]);
                    c.vpslld(t, t, h < 2 ? (byte)8 : (byte)4);
                    c.vpternlogd(index, t, Ymm(High), 0xF8);
                    c.vpslld(t, t, 20); // bit 3 of the nibble to the top
                    c.vpmovd2m(k2, t);
                    c.vpblendmq(Zmm(Delta + h).k2, Zmm(Plus), Zmm(Minus));
                    break;
            }
            AssemblerRegisterZMM codes = Zmm(4 + h);
            c.vpxord(codes, codes, codes);
            c.kxnorw(k1, k1, k1);
            c.vpgatherdq(codes.k1, __[rdx + index * 8]);
            if (IsIq1)
            {
                c.vpaddb(codes, codes, Zmm(Delta + h));
            }
            else
            {
                c.kmovq(k3, __qword_ptr[r11 + 32 * eight + 8 * h]);
                c.vpsubb(codes.k3, Zmm(Zero), codes);
            }
        }
        for (int half = 0; half < 2; half++)
        {
            AssemblerRegisterZMM first = Zmm(4 + 2 * half), second = Zmm(5 + 2 * half), t = Zmm(Words + 5);
            c.vmovdqa32(t, first);
            c.vpermt2d(t, Zmm(Even), second);
            c.vpermt2d(first, Zmm(Odd), second);
            c.vmovdqu32(__zmmword_ptr[rbx + 256 * eight + 64 * half], t);
            c.vmovdqu32(__zmmword_ptr[rbx + 256 * eight + 128 + 64 * half], first);
        }
    }

    private void Four(int four)
    {
        for (int h = 0; h < 2; h++)
        {
            AssemblerRegisterZMM index = Zmm(2 * (four & 1) + h), codes = Zmm(4 + 2 * (four & 1) + h);
            c.vpmovzxbd(index, __xmmword_ptr[r10 + 32 * four + 16 * h]);
            if (_format == NumberFormat.IQ3_S)
            {
                c.kmovw(k2, __word_ptr[r9 + 4 * four + 2 * h]);
                c.vpaddd(index.k2, index, Zmm(High));
            }
            c.vpxord(codes, codes, codes);
            c.kxnorw(k1, k1, k1);
            c.vpgatherdd(codes.k1, __[rdx + index * 4]);
            c.kmovq(k3, __qword_ptr[r11 + 16 * four + 8 * h]);
            c.vpsubb(codes.k3, Zmm(Zero), codes);
            c.vmovdqu32(__zmmword_ptr[rbx + 128 * four + 64 * h], codes);
        }
    }
}
