using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace SeekSharp.Kernels;

/// <summary>
/// A function in the making, for what .NET 10 has no intrinsics for (AVX512-VNNI, AVX512-BF16). System V calling convention; called as
/// <c>delegate* unmanaged[SuppressGCTransition]</c>, so a call is kept short (some 100 µs). All general registers but rsp may be used.
/// </summary>
internal sealed class AssembledCode
{
    private static readonly AssemblerRegister64[] Saved = [rbx, rbp, r12, r13, r14, r15];
    private readonly List<(Label Label, int[] Values)> _constants = [];

    public AssembledCode()
    {
        foreach (AssemblerRegister64 register in Saved) C.push(register);
    }

    /// <summary>Where instructions go.</summary>
    public Assembler C { get; } = new(64);

    /// <summary>Ends the function and puts it where it can run; 0 where executable memory is refused.</summary>
    public nint Finish()
    {
        C.vzeroupper();
        for (int i = Saved.Length - 1; i >= 0; i--) C.pop(Saved[i]);
        C.ret();
        foreach ((Label label, int[] values) in _constants)
        {
            Label place = label;
            C.Label(ref place);
            foreach (int value in values) C.dd(value);
        }
        using var stream = new MemoryStream();
        C.Assemble(new StreamCodeWriter(stream), 0);
        return ExecutableMemory.Commit(stream.GetBuffer().AsSpan(0, (int)stream.Length));
    }

    /// <summary>Does the system run what is assembled here?</summary>
    public static unsafe bool Works()
    {
        try
        {
            var code = new AssembledCode();
            code.C.lea(rax, __[rdi + 42]);
            nint function = code.Finish();
            return function != 0 && ((delegate* unmanaged[SuppressGCTransition]<long, long>)function)(1) == 43;
        }
        catch (DllNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Sets all 16 numbers of a register.</summary>
    public void Fill(int register, int value) => C.vpbroadcastd(Zmm(register), __dword_ptr[Constant(value)]);

    /// <summary>Sets a register to four numbers four times each.</summary>
    public void Lanes(int register, int first, int second, int third, int fourth)
        => C.vmovdqu32(Zmm(register), __zmmword_ptr[Constant([.. Enumerable.Repeat(first, 4), .. Enumerable.Repeat(second, 4), .. Enumerable.Repeat(third, 4), .. Enumerable.Repeat(fourth, 4)])]);

    /// <summary>Sets each quarter of a register to a table of 16 bytes.</summary>
    public void Table(int register, ReadOnlySpan<byte> table)
        => C.vbroadcasti32x4(Zmm(register), __xmmword_ptr[Constant(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(table).ToArray())]);

    /// <summary>Numbers that lie behind the code.</summary>
    public Label Constant(params int[] values)
    {
        Label label = C.CreateLabel();
        _constants.Add((label, values));
        return label;
    }

    /// <summary>zmm<paramref name="number"/>.</summary>
    public static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);

    /// <summary>ymm<paramref name="number"/>, the lower half of the same.</summary>
    public static AssemblerRegisterYMM Ymm(int number) => new(Register.YMM0 + number);
}
