using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static SeekSharp.Kernels.AssembledCode;

namespace SeekSharp.Kernels;

/// <summary>
/// Emits the inner loops of attention over a bf16 cache, for each number of rows (queries). Sums stay in registers; how a row's sum is formed depends neither on the
/// number of rows nor on the tile's place. Two forms: <c>vdpbf16ps</c>, which takes queries and weights as bf16, and, for CPUs on which that instruction is slower than two
/// fused multiply-adds, fp32 with the cache widened in registers (a shift for the even numbers, a mask for the odd ones), which takes them as floats.
/// </summary>
internal sealed class AttentionTileAssembler
{
    /// <summary>Rows of a tile of <c>Keys</c>, of <c>Dots</c> and of <c>Values</c> at most.</summary>
    public const int KeyRows = 6, DotRows = 4, ValueRows = 12;
    /// <summary>Keys of a tile of <c>Dots</c>.</summary>
    public const int DotKeys = 16;

    private const int Mask = 31;
    private readonly AssembledCode _code = new();
    private readonly Assembler c;
    private readonly bool _pairs;

    private AttentionTileAssembler(bool pairs)
    {
        (c, _pairs) = (_code.C, pairs);
        if (!pairs) _code.Fill(Mask, unchecked((int)0xFFFF0000));
    }

    /// <summary>
    /// Scores of rows × 64 keys that lie side by side: (rdi queries, rsi bytes from a query to the next, rdx keys [pairs][64][2], rcx pairs, r8 result [rows][64]).
    /// A score sums over pairs of numbers in order. Registers: acc zmm0 … 4R−1, keys 24–27, a query's numbers 28–30.
    /// </summary>
    public static nint Keys(int rows, bool pairs) => new AttentionTileAssembler(pairs).Keys(rows);

    /// <summary>
    /// Scores of rows × 16 keys whose numbers lie side by side, 32 in a vector: (rdi queries, rsi bytes from a query to the next, rdx keys, rcx bytes from a key to the
    /// next, r8 vectors of 32 numbers, r9 result [rows][64]). A score is 16 partial sums, pair i of numbers goes to i mod 16, which are added across at the end. The fp32
    /// form wants of each 32 numbers of a query the even ones first. Registers: acc zmm0–15, keys 16–23 or 24–27, queries from 24 or 28 on.
    /// </summary>
    public static nint Dots(int rows, bool pairs) => new AttentionTileAssembler(pairs).Dots(rows);

    /// <summary>
    /// 32 numbers of the rows' sums: (rdi weights [rows][64], rsi values, rdx bytes from a key to the next, rcx keys, of the form of pairs: pairs of keys, r8 sums [rows][32], r9 corrections [rows]).
    /// sums = sums · correction + Σ weight · value, over keys (pairs of keys) in order. The 32 sums lie in the order of <c>vpunpcklwd</c> and <c>vpunpckhwd</c>, in fp32 the even ones first.
    /// Registers: acc zmm0 … 2R−1, values 24–27, a weight 28–30.
    /// </summary>
    public static nint Values(int rows, bool pairs) => new AttentionTileAssembler(pairs).Values(rows);

    /// <summary>
    /// Integer scores of rows × 64 keys: (rdi queries, unsigned bytes, rsi bytes from a query to the next, rdx keys [quads][64][4], rcx quads, r8 result [rows][64], r9 what the 64 sums start
    /// from). Registers as in Keys.
    /// </summary>
    public static nint Keys8(int rows)
    {
        var code = new AssembledCode();
        Assembler c = code.C;
        Label loop = c.CreateLabel();
        for (int i = 0; i < rows * 4; i++) c.vmovdqu32(Zmm(i), __zmmword_ptr[r9 + i % 4 * 64]);
        c.lea(r10, __[rsi + rsi * 2]);
        c.add(r10, rdi); // the fourth query
        c.Label(ref loop);
        for (int k = 0; k < 4; k++) c.vmovdqu32(Zmm(24 + k), __zmmword_ptr[rdx + k * 64]);
        for (int r = 0; r < rows; r++)
        {
            AssemblerRegister64 b = r < 3 ? rdi : r10;
            AssemblerRegisterZMM query = Zmm(28 + r % 3);
            c.vpbroadcastd(query, (r % 3) switch { 0 => __dword_ptr[b], 1 => __dword_ptr[b + rsi], _ => __dword_ptr[b + rsi * 2] });
            for (int k = 0; k < 4; k++) c.vpdpbusd(Zmm(r * 4 + k), query, Zmm(24 + k));
        }
        c.add(rdx, 256);
        c.add(rdi, 4);
        c.add(r10, 4);
        c.dec(rcx);
        c.jnz(loop);
        for (int i = 0; i < rows * 4; i++) c.vmovdqu32(__zmmword_ptr[r8 + i * 64], Zmm(i));
        return code.Finish();
    }

    /// <summary>
    /// 32 numbers of the rows' sums from 64 keys: (rdi weights [rows][64], unsigned bytes, rsi values, [16 quads of keys][…][4], rdx bytes from a quad to the next, rcx the weights' scales [rows], r8 sums
    /// [rows][32], r9 corrections [rows]). sums = fma(integer sum, scale, sums · correction). Registers: acc zmm0 … 2R−1, values 24 and 25, a weight 28–30.
    /// </summary>
    public static nint Values8(int rows)
    {
        var code = new AssembledCode();
        Assembler c = code.C;
        Label loop = c.CreateLabel();
        for (int i = 0; i < rows * 2; i++) c.vpxord(Zmm(i), Zmm(i), Zmm(i));
        c.mov(eax, 16);
        c.Label(ref loop);
        for (int k = 0; k < 2; k++) c.vmovdqu32(Zmm(24 + k), __zmmword_ptr[rsi + k * 64]);
        for (int r = 0; r < rows; r++)
        {
            c.vpbroadcastd(Zmm(28 + r % 3), __dword_ptr[rdi + r * 64]);
            for (int k = 0; k < 2; k++) c.vpdpbusd(Zmm(2 * r + k), Zmm(28 + r % 3), Zmm(24 + k));
        }
        c.add(rsi, rdx);
        c.add(rdi, 4);
        c.dec(eax);
        c.jnz(loop);
        for (int r = 0; r < rows; r++)
        {
            c.vbroadcastss(Zmm(24), __dword_ptr[rcx + r * 4]);
            c.vbroadcastss(Zmm(25), __dword_ptr[r9 + r * 4]);
            for (int k = 0; k < 2; k++)
            {
                c.vcvtdq2ps(Zmm(2 * r + k), Zmm(2 * r + k));
                c.vmulps(Zmm(26 + k), Zmm(25), __zmmword_ptr[r8 + r * 128 + k * 64]);
                c.vfmadd231ps(Zmm(26 + k), Zmm(2 * r + k), Zmm(24));
                c.vmovups(__zmmword_ptr[r8 + r * 128 + k * 64], Zmm(26 + k));
            }
        }
        return code.Finish();
    }

    private nint Keys(int rows)
    {
        Label loop = c.CreateLabel();
        Clear(rows * 4);
        c.lea(r9, __[rsi + rsi * 2]);
        c.add(r9, rdi); // the fourth query
        c.Label(ref loop);
        for (int half = 0; half < (_pairs ? 1 : 2); half++)
        {
            for (int k = 0; k < 4; k++) LoadKeys(24 + k, __zmmword_ptr[rdx + k * 64], half);
            for (int r = 0; r < rows; r++)
            {
                AssemblerRegister64 b = r < 3 ? rdi : r9;
                AssemblerRegisterZMM query = Zmm(28 + r % 3);
                int offset = 4 * half;
                c.vbroadcastss(query, (r % 3) switch { 0 => __dword_ptr[b + offset], 1 => __dword_ptr[b + rsi + offset], _ => __dword_ptr[b + rsi * 2 + offset] });
                for (int k = 0; k < 4; k++) Multiply(r * 4 + k, 24 + k, query);
            }
        }
        int step = _pairs ? 4 : 8;
        c.add(rdx, 256);
        c.add(rdi, step);
        c.add(r9, step);
        c.dec(rcx);
        c.jnz(loop);
        for (int i = 0; i < rows * 4; i++) c.vmovups(__zmmword_ptr[r8 + i * 64], Zmm(i));
        return _code.Finish();
    }

    private nint Dots(int rows)
    {
        Label loop = c.CreateLabel(), keys = c.CreateLabel();
        int first = _pairs ? 24 : 16; // registers of keys; in fp32 the odd numbers 4 further
        c.lea(r10, __[rcx + rcx * 2]); // three keys
        c.lea(r12, __[rsi + rsi * 2]); // three queries
        c.mov(ebp, DotKeys / 4);
        c.Label(ref keys);
        c.mov(rbx, r8);
        c.mov(rax, rdi);
        c.mov(r11, rdx);
        Clear(rows * 4);
        c.Label(ref loop);
        for (int half = 0; half < (_pairs ? 1 : 2); half++)
        {
            LoadKeys(first + 4 * half, __zmmword_ptr[r11], half);
            LoadKeys(first + 4 * half + 1, __zmmword_ptr[r11 + rcx], half);
            LoadKeys(first + 4 * half + 2, __zmmword_ptr[r11 + rcx * 2], half);
            LoadKeys(first + 4 * half + 3, __zmmword_ptr[r11 + r10], half);
        }
        for (int half = 0; half < (_pairs ? 1 : 2); half++)
            for (int r = 0; r < rows; r++)
            {
                int offset = 64 * half;
                AssemblerRegisterZMM query = Zmm(first == 24 ? 28 + r : 24 + r);
                c.vmovups(query, r switch { 0 => __zmmword_ptr[rax + offset], 1 => __zmmword_ptr[rax + rsi + offset], 2 => __zmmword_ptr[rax + rsi * 2 + offset], _ => __zmmword_ptr[rax + r12 + offset] });
                for (int k = 0; k < 4; k++) Multiply(r * 4 + k, first + 4 * half + k, query);
            }
        c.add(r11, 64);
        c.add(rax, _pairs ? 64 : 128);
        c.dec(rbx);
        c.jnz(loop);
        Across(rows);
        c.vmovups(__xmmword_ptr[r9], xmm0);
        for (int r = 1; r < rows; r++) c.vextractf32x4(__xmmword_ptr[r9 + r * 256], Zmm(0), (byte)r);
        c.add(r9, 16);
        c.lea(rdx, __[rdx + rcx * 4]);
        c.dec(ebp);
        c.jnz(keys);
        return _code.Finish();
    }

    // The 16 partial sums of rows × 4 keys, row r's in zmm4r …, to zmm0 [row][key].
    private void Across(int rows)
    {
        AssemblerRegisterZMM a = Zmm(24), b = Zmm(25), d = Zmm(26), e = Zmm(27);
        for (int r = 0; r < rows; r++)
        {
            c.vunpcklps(a, Zmm(4 * r), Zmm(4 * r + 1));
            c.vunpckhps(b, Zmm(4 * r), Zmm(4 * r + 1));
            c.vunpcklps(d, Zmm(4 * r + 2), Zmm(4 * r + 3));
            c.vunpckhps(e, Zmm(4 * r + 2), Zmm(4 * r + 3));
            c.vaddps(a, a, b);
            c.vaddps(d, d, e);
            c.vunpcklpd(b, a, d);
            c.vunpckhpd(e, a, d);
            c.vaddps(Zmm(4 * r), b, e); // in each quarter the four keys
        }
        AssemblerRegisterZMM Row(int r) => Zmm(4 * Math.Min(r, rows - 1));
        c.vshuff32x4(a, Row(0), Row(1), 0x44);
        c.vshuff32x4(b, Row(0), Row(1), 0xEE);
        c.vshuff32x4(d, Row(2), Row(3), 0x44);
        c.vshuff32x4(e, Row(2), Row(3), 0xEE);
        c.vaddps(a, a, b);
        c.vaddps(d, d, e);
        c.vshuff32x4(b, a, d, 0x88);
        c.vshuff32x4(e, a, d, 0xDD);
        c.vaddps(Zmm(0), b, e);
    }

    private nint Values(int rows)
    {
        Label loop = c.CreateLabel();
        AssemblerRegisterZMM low = Zmm(26), high = Zmm(27);
        int stride = _pairs ? 128 : 256;
        for (int r = 0; r < rows; r++)
        {
            c.vbroadcastss(low, __dword_ptr[r9 + r * 4]);
            c.vmulps(Zmm(2 * r), low, __zmmword_ptr[r8 + r * 128]);
            c.vmulps(Zmm(2 * r + 1), low, __zmmword_ptr[r8 + r * 128 + 64]);
        }
        c.Label(ref loop);
        if (_pairs)
        {
            c.vmovups(Zmm(24), __zmmword_ptr[rsi]);
            c.vmovups(Zmm(25), __zmmword_ptr[rsi + rdx]);
            c.vpunpcklwd(low, Zmm(24), Zmm(25));
            c.vpunpckhwd(high, Zmm(24), Zmm(25));
            c.lea(rsi, __[rsi + rdx * 2]);
        }
        else
        {
            LoadKeys(26, __zmmword_ptr[rsi], 0);
            LoadKeys(27, __zmmword_ptr[rsi], 1);
            c.add(rsi, rdx);
        }
        for (int r = 0; r < rows; r++)
        {
            AssemblerRegisterZMM weight = Zmm(28 + r % 3);
            c.vbroadcastss(weight, __dword_ptr[rdi + r * stride]);
            Multiply(2 * r, 26, weight);
            Multiply(2 * r + 1, 27, weight);
        }
        c.add(rdi, 4);
        c.dec(rcx);
        c.jnz(loop);
        for (int i = 0; i < rows * 2; i++) c.vmovups(__zmmword_ptr[r8 + i * 64], Zmm(i));
        return _code.Finish();
    }

    private void Clear(int registers)
    {
        for (int i = 0; i < registers; i++) c.vpxord(Zmm(i), Zmm(i), Zmm(i));
    }

    // In fp32 the first (half 0) or the second number of each pair.
    private void LoadKeys(int register, AssemblerMemoryOperand source, int half)
    {
        if (_pairs) c.vmovups(Zmm(register), source);
        else if (half == 0) c.vpslld(Zmm(register), source, 16);
        else c.vpandd(Zmm(register), Zmm(Mask), source);
    }

    private void Multiply(int sum, int cached, AssemblerRegisterZMM x)
    {
        if (_pairs) c.vdpbf16ps(Zmm(sum), Zmm(cached), x);
        else c.vfmadd231ps(Zmm(sum), Zmm(cached), x);
    }
}
