using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static SeekSharp.Kernels.AssembledCode;

namespace SeekSharp.Kernels;

/// <summary>
/// Emits the inner loops of attention over a bf16 cache for the matrix unit (<see cref="MatrixUnit"/>), 16 rows (queries) at a time; rows that are not there may hold anything, no row's
/// numbers meet another's. <c>tdpbf16ps</c> multiplies a tile [16 rows][32 numbers] by one that has pairs of numbers side by side, [16 pairs][16 columns][2]. Between
/// <see cref="Configure"/> and <see cref="Release"/> every tile has 16 rows of 64 bytes.
/// </summary>
internal sealed class MatrixTileAssembler
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 16;

    private static readonly AssemblerRegisterTMM[] Sums = [tmm0, tmm1, tmm2, tmm3];
    private readonly AssembledCode _code = new();
    private readonly Assembler c;

    private MatrixTileAssembler() => c = _code.C;

    /// <summary>Takes the unit: ().</summary>
    public static nint Configure()
    {
        var code = new AssembledCode();
        // Palette 1; bytes of a row at 16, 16 bits each; rows at 48, a byte each.
        Label place = code.Constant(1, 0, 0, 0, 0x400040, 0x400040, 0x400040, 0x400040, 0, 0, 0, 0, 0x10101010, 0x10101010, 0, 0);
        code.C.ldtilecfg(__[place]);
        return code.Finish();
    }

    /// <summary>Gives it back: ().</summary>
    public static nint Release()
    {
        var code = new AssembledCode();
        code.C.tilerelease();
        return code.Finish();
    }

    /// <summary>Turns 16 rows of pairs into columns: (rdi source, rsi bytes from a row to the next, rdx result [pairs][16 rows][2], rcx sixteens of pairs).</summary>
    public static nint Turn() => new MatrixTileAssembler().EmitTurn();

    /// <summary>
    /// Two tokens' numbers side by side: (rdi values, rsi bytes from a token to the next, rdx thirty-twos of numbers, rcx result). Of each 32 numbers two tiles' columns,
    /// [2][32 pairs of tokens][16 numbers][2], in the order of <c>vpunpcklwd</c> and <c>vpunpckhwd</c>.
    /// </summary>
    public static nint Pair() => new MatrixTileAssembler().EmitPair();

    /// <summary>
    /// Scores of 16 rows × 64 keys that lie side by side: (rdi queries, rsi bytes from a query to the next, rdx keys [pairs][64][2], rcx sixteens of pairs, r8 result [16][64]).
    /// </summary>
    public static nint Keys() => new MatrixTileAssembler().EmitKeys();

    /// <summary>
    /// Scores of 16 rows × 64 keys whose numbers lie side by side: (rdi keys, rsi bytes from a key to the next, rdx queries as <see cref="Turn"/> leaves them, rcx thirty-twos of numbers, r8 result [16][64]).
    /// </summary>
    public static nint Dots() => new MatrixTileAssembler().EmitDots();

    /// <summary>
    /// 16 rows' sums from 64 keys: (rdi weights [16][64], rsi values as <see cref="Pair"/> leaves them, rdx thirty-twos of numbers, rcx bytes from 32 numbers' sums to the next, r8 sums [16][32] each,
    /// r9 corrections [16]). sums = fma(sums, correction, Σ weight · value), the inner sum over pairs of keys in order.
    /// </summary>
    public static nint Values() => new MatrixTileAssembler().EmitValues();

    private nint EmitTurn()
    {
        Label loop = c.CreateLabel();
        c.lea(r10, __[rsi + rsi * 2]);
        c.Label(ref loop);
        c.mov(r11, rdi);
        for (int i = 0; i < 16; i += 4)
        {
            c.vmovups(Zmm(i), __zmmword_ptr[r11]);
            c.vmovups(Zmm(i + 1), __zmmword_ptr[r11 + rsi]);
            c.vmovups(Zmm(i + 2), __zmmword_ptr[r11 + rsi * 2]);
            c.vmovups(Zmm(i + 3), __zmmword_ptr[r11 + r10]);
            c.lea(r11, __[r11 + rsi * 4]);
        }
        Transpose();
        for (int i = 0; i < 16; i++) c.vmovups(__zmmword_ptr[rdx + i * 64], Zmm(i));
        c.add(rdi, 64);
        c.add(rdx, 1024);
        c.dec(rcx);
        c.jnz(loop);
        return _code.Finish();
    }

    // Token by token: the rows' tiles are then in cache, where tiles of keys would ask for 64 rows' lines at once and no prefetcher follow.
    private nint EmitPair()
    {
        Label loop = c.CreateLabel(), numbers = c.CreateLabel();
        c.mov(eax, 32);
        c.Label(ref loop);
        c.mov(r10, rdi);
        c.mov(r11, rcx);
        c.mov(r8, rdx);
        c.Label(ref numbers);
        c.vmovups(Zmm(0), __zmmword_ptr[r10]);
        c.vmovups(Zmm(1), __zmmword_ptr[r10 + rsi]);
        c.vpunpcklwd(Zmm(2), Zmm(0), Zmm(1));
        c.vpunpckhwd(Zmm(3), Zmm(0), Zmm(1));
        c.vmovups(__zmmword_ptr[r11], Zmm(2));
        c.vmovups(__zmmword_ptr[r11 + 2048], Zmm(3));
        c.add(r10, 64);
        c.add(r11, 4096);
        c.dec(r8);
        c.jnz(numbers);
        c.lea(rdi, __[rdi + rsi * 2]);
        c.add(rcx, 64);
        c.dec(eax);
        c.jnz(loop);
        return _code.Finish();
    }

    private nint EmitKeys()
    {
        Label loop = c.CreateLabel();
        foreach (AssemblerRegisterTMM sum in Sums) c.tilezero(sum);
        c.mov(eax, 256);
        c.Label(ref loop);
        c.tileloadd(tmm4, __[rdi + rsi]);
        for (int k = 0; k < 4; k++)
        {
            AssemblerRegisterTMM keys = k % 2 == 0 ? tmm5 : tmm6;
            c.tileloadd(keys, __[rdx + rax + 64 * k]);
            c.tdpbf16ps(Sums[k], tmm4, keys);
        }
        c.add(rdi, 64);
        c.add(rdx, 16 * 256);
        c.dec(rcx);
        c.jnz(loop);
        for (int k = 0; k < 4; k++) c.tilestored(__[r8 + rax + 64 * k], Sums[k]);
        return _code.Finish();
    }

    private nint EmitDots()
    {
        Label loop = c.CreateLabel();
        Frame(4096);
        foreach (AssemblerRegisterTMM sum in Sums) c.tilezero(sum);
        c.mov(eax, 64);
        c.mov(r10, rsi);
        c.shl(r10, 4); // 16 keys
        c.lea(r11, __[rdi + r10]);
        c.lea(r12, __[rdi + r10 * 2]);
        c.lea(r13, __[r11 + r10 * 2]);
        c.Label(ref loop);
        c.tileloadd(tmm4, __[rdx + rax]);
        for (int k = 0; k < 4; k++)
        {
            AssemblerRegisterTMM keys = k % 2 == 0 ? tmm5 : tmm6;
            AssemblerRegister64 place = k switch { 0 => rdi, 1 => r11, 2 => r12, _ => r13 };
            c.tileloadd(keys, __[place + rsi]);
            c.tdpbf16ps(Sums[k], keys, tmm4);
            c.add(place, 64);
        }
        c.add(rdx, 1024);
        c.dec(rcx);
        c.jnz(loop);
        for (int k = 0; k < 4; k++) c.tilestored(__[rsp + rax + 1024 * k], Sums[k]);
        for (int k = 0; k < 4; k++) // [key][row] to [row][key]
        {
            for (int i = 0; i < 16; i++) c.vmovups(Zmm(i), __zmmword_ptr[rsp + 1024 * k + 64 * i]);
            Transpose();
            for (int i = 0; i < 16; i++) c.vmovups(__zmmword_ptr[r8 + 256 * i + 64 * k], Zmm(i));
        }
        c.mov(rsp, rbp);
        return _code.Finish();
    }

    private nint EmitValues()
    {
        Label loop = c.CreateLabel();
        Frame(4096);
        c.mov(eax, 128);
        c.tileloadd(tmm6, __[rdi + rax]);
        c.tileloadd(tmm7, __[rdi + rax + 64]);
        c.mov(eax, 64);
        for (int r = 0; r < 16; r++) c.vbroadcastss(Zmm(16 + r), __dword_ptr[r9 + 4 * r]);
        c.mov(r10, rsp);
        c.Label(ref loop);
        for (int half = 0; half < 2; half++)
        {
            c.tilezero(Sums[half]);
            c.tileloadd(tmm4, __[rsi + rax + 2048 * half]);
            c.tdpbf16ps(Sums[half], tmm6, tmm4);
            c.tileloadd(tmm5, __[rsi + rax + 2048 * half + 1024]);
            c.tdpbf16ps(Sums[half], tmm7, tmm5);
            c.tilestored(__[r10 + rax + 1024 * half], Sums[half]);
        }
        for (int r = 0; r < 16; r++)
            for (int half = 0; half < 2; half++)
            {
                AssemblerRegisterZMM sum = Zmm((2 * r + half) % 8);
                c.vmovups(sum, __zmmword_ptr[r10 + 1024 * half + 64 * r]);
                c.vfmadd231ps(sum, Zmm(16 + r), __zmmword_ptr[r8 + 128 * r + 64 * half]);
                c.vmovups(__zmmword_ptr[r8 + 128 * r + 64 * half], sum);
            }
        c.xor(r10, 2048); // the other half of the frame, so that the next tiles need not wait
        c.add(rsi, 4096);
        c.add(r8, rcx);
        c.dec(rdx);
        c.jnz(loop);
        c.mov(rsp, rbp);
        return _code.Finish();
    }

    // Room on the stack, aligned to its size; rbp keeps the stack pointer.
    private void Frame(int bytes)
    {
        c.mov(rbp, rsp);
        c.sub(rsp, bytes);
        c.and(rsp, -bytes);
    }

    // 16 × 16 numbers of 32 bits in zmm0–15: rows to columns.
    private void Transpose()
    {
        for (int i = 0; i < 16; i += 2)
        {
            c.vunpcklps(Zmm(16 + i), Zmm(i), Zmm(i + 1));
            c.vunpckhps(Zmm(17 + i), Zmm(i), Zmm(i + 1));
        }
        for (int i = 0; i < 16; i += 4)
            for (int j = 0; j < 2; j++)
            {
                c.vunpcklpd(Zmm(i + 2 * j), Zmm(16 + i + j), Zmm(18 + i + j));
                c.vunpckhpd(Zmm(i + 2 * j + 1), Zmm(16 + i + j), Zmm(18 + i + j));
            }
        // zmm[4b + j] now has in its quarter q column 4q + j of rows 4b … 4b + 3.
        for (int j = 0; j < 4; j++)
        {
            c.vshuff32x4(Zmm(16 + 4 * j), Zmm(j), Zmm(4 + j), 0x88);
            c.vshuff32x4(Zmm(17 + 4 * j), Zmm(j), Zmm(4 + j), 0xDD);
            c.vshuff32x4(Zmm(18 + 4 * j), Zmm(8 + j), Zmm(12 + j), 0x88);
            c.vshuff32x4(Zmm(19 + 4 * j), Zmm(8 + j), Zmm(12 + j), 0xDD);
        }
        for (int j = 0; j < 4; j++)
        {
            c.vshuff32x4(Zmm(j), Zmm(16 + 4 * j), Zmm(18 + 4 * j), 0x88);
            c.vshuff32x4(Zmm(8 + j), Zmm(16 + 4 * j), Zmm(18 + 4 * j), 0xDD);
            c.vshuff32x4(Zmm(4 + j), Zmm(17 + 4 * j), Zmm(19 + 4 * j), 0x88);
            c.vshuff32x4(Zmm(12 + j), Zmm(17 + 4 * j), Zmm(19 + 4 * j), 0xDD);
        }
    }
}
