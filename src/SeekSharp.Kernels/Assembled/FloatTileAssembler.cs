using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static SeekSharp.Kernels.AssembledCode;

namespace SeekSharp.Kernels;

/// <summary>
/// Emits the tiles of the float formats: up to 12 rows of activations × 32 outputs, acc = fma(x[k], w[k], acc) for F32 and F16 (widened in registers), and
/// <c>vdpbf16ps</c> over pairs of K for BF16 and FP8 (widened to bf16 in registers). K in order; four bytes of each row are a step.
/// <para>
/// Function (rdi weights, rsi steps, rdx pointers to rows of activations, rcx offset within the rows, r8 sums [row][32], which are added to).
/// Registers: acc zmm0 … 2R−1, weights zmm24 and 25, an activation in zmm26.
/// </para>
/// </summary>
internal sealed class FloatTileAssembler
{
    /// <summary>Rows of a tile at most.</summary>
    public const int MostRows = 12;

    private static readonly AssemblerRegister64[] Rows = [rax, rbx, rbp, r9, r10, r11, r12, r13, r14, r15, rcx, rdx];
    private readonly AssembledCode _code = new();
    private readonly Assembler c;
    private readonly NumberFormat _format;

    private FloatTileAssembler(NumberFormat format) => (c, _format) = (_code.C, format);

    private bool Pairs => _format is NumberFormat.BF16 or NumberFormat.F8E4M3;
    private int StepBytes => _format switch { NumberFormat.F32 or NumberFormat.BF16 => 128, _ => 64 };

    /// <summary>A tile of <paramref name="rows"/> rows.</summary>
    public static nint Tile(NumberFormat format, int rows) => new FloatTileAssembler(format).Tile(rows);

    /// <summary>Function (rdi weights, rsi steps, r8 the same steps as F32 or BF16).</summary>
    public static nint Widen(NumberFormat format) => new FloatTileAssembler(format).Widen();

    private nint Tile(int rows)
    {
        Label step = c.CreateLabel();
        AssemblerRegisterZMM low = Zmm(24), high = Zmm(25), x = Zmm(26);
        Constants();
        c.push(r8);
        c.push(rsi);
        c.lea(r8, __[rcx]); // offset
        c.mov(rsi, rdx);
        for (int i = 0; i < rows; i++) c.mov(Rows[i], __qword_ptr[rsi + 8 * i]);
        c.mov(rsi, __qword_ptr[rsp + 8]);
        for (int i = 0; i < rows; i++)
            for (int h = 0; h < 2; h++) c.vmovups(Zmm(2 * i + h), __zmmword_ptr[rsi + 128 * i + 64 * h]);
        c.pop(rsi);
        c.Label(ref step);
        for (int at = 0; at < StepBytes; at += 64)
        {
            c.prefetcht1(__byte_ptr[rdi + Prefetching.Far + at]);
            c.prefetcht0(__byte_ptr[rdi + Prefetching.Near + at]);
        }
        Load(low, high);
        for (int i = 0; i < rows; i++)
        {
            c.vpbroadcastd(x, __dword_ptr[Rows[i] + r8]);
            for (int h = 0; h < 2; h++)
            {
                if (Pairs) c.vdpbf16ps(Zmm(2 * i + h), h == 0 ? low : high, x);
                else c.vfmadd231ps(Zmm(2 * i + h), h == 0 ? low : high, x);
            }
        }
        c.add(r8, 4);
        c.add(rdi, StepBytes);
        c.dec(rsi);
        c.jnz(step);
        c.pop(r8);
        for (int i = 0; i < rows; i++)
            for (int h = 0; h < 2; h++) c.vmovups(__zmmword_ptr[r8 + 128 * i + 64 * h], Zmm(2 * i + h));
        return _code.Finish();
    }

    private nint Widen()
    {
        Label step = c.CreateLabel();
        Constants();
        c.Label(ref step);
        c.prefetcht1(__byte_ptr[rdi + Prefetching.Far]);
        c.prefetcht0(__byte_ptr[rdi + Prefetching.Near]);
        Load(Zmm(24), Zmm(25));
        c.vmovups(__zmmword_ptr[r8], Zmm(24));
        c.vmovups(__zmmword_ptr[r8 + 64], Zmm(25));
        c.add(r8, 128);
        c.add(rdi, StepBytes);
        c.dec(rsi);
        c.jnz(step);
        return _code.Finish();
    }

    private void Constants()
    {
        if (_format != NumberFormat.F8E4M3) return;
        // The 7 bits below the sign: codes of exponent 0 are m · 2^-9, in bf16 no subnormals.
        _code.Fill(28, 0x07F007F0);
        _code.Fill(29, 0x3C003C00);
        _code.Fill(30, unchecked((int)0x80008000));
        var small = new int[16];
        for (int m = 0; m < 8; m++)
        {
            int bits = FloatFormats.ToBF16(m / 512f);
            for (int at = m; at < 32; at += 8) small[at / 2] |= bits << 16 * (at & 1);
        }
        c.vmovdqu32(Zmm(31), __zmmword_ptr[_code.Constant(small)]);
        _code.Fill(27, 0x07800780);
    }

    private void Load(AssemblerRegisterZMM low, AssemblerRegisterZMM high)
    {
        switch (_format)
        {
            case NumberFormat.F32 or NumberFormat.BF16:
                c.vmovups(low, __zmmword_ptr[rdi]);
                c.vmovups(high, __zmmword_ptr[rdi + 64]);
                break;
            case NumberFormat.F16:
                c.vcvtph2ps(low, __ymmword_ptr[rdi]);
                c.vcvtph2ps(high, __ymmword_ptr[rdi + 32]);
                break;
            default:
                E4M3(low, 0);
                E4M3(high, 32);
                break;
        }
    }

    // exponent and fraction move 4 to the left, 120 is added to the exponent; subnormals come from a table by their fraction; then the sign.
    private void E4M3(AssemblerRegisterZMM w, int offset)
    {
        AssemblerRegisterZMM code = Zmm(26);
        c.vpmovzxbw(code, __ymmword_ptr[rdi + offset]);
        c.vpsllw(w, code, 4);
        c.vptestnmw(k1, w, Zmm(27));
        c.vpandd(w, w, Zmm(28));
        c.vpaddw(w, w, Zmm(29));
        c.vpermw(w.k1, code, Zmm(31));
        c.vpsllw(code, code, 8);
        c.vpternlogd(w, code, Zmm(30), 0xF8); // a | b & c
    }
}
