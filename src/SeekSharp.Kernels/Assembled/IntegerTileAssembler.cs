using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static SeekSharp.Kernels.AssembledCode;

namespace SeekSharp.Kernels;

/// <summary>
/// Emits the int8 tiles: rows of activations × 32 outputs, <c>vpdpbusd</c> over the codes of a part of a block, then acc = fma(sum, scale of the weights · scale of
/// the activations, acc) and the minima, blocks in order, as <see cref="PlainProduct"/> has it.
/// <para>
/// Function (rdi weights, rsi blocks of 32 inputs, rdx pointers to rows of activations, rcx groups of rows, r8 sums [row][32], r9 offset within the rows).
/// Registers: acc zmm0 … 2R−1 (row 0 outputs 0–15, 16–31, row 1 …), integers from 2R on, rows in <see cref="Rows"/>, r15 the offset.
/// </para>
/// </summary>
internal sealed class IntegerTileAssembler
{
    /// <summary>Rows of a tile at most: from packed weights, from expanded ones.</summary>
    public const int PackedRows = 4, ExpandedRows = 6;

    /// <summary>
    /// Lines of what comes next that a tile over expanded blocks asks for with each block: from the address that lies 8 bytes before the blocks, which it moves on. All at once they would take the
    /// core's buffers for lines under way, and what expands would wait for them.
    /// </summary>
    public const int AskedLines = 2;

    private static readonly AssemblerRegister64[] Rows = [rax, rbx, rbp, r12, r13, r14];
    private readonly AssembledCode _code = new();
    private readonly Assembler c;
    private readonly IntegerShape _shape;
    private readonly int _rows, _chains;

    // Sums of a row and half: of the even quads, and of the odd ones. vpdpbusd takes five cycles until the next may add to its sum; one row or two have too few sums to fill them, least of all while
    // a core's other thread has half of what is in flight.
    private IntegerTileAssembler(IntegerShape shape, int rows, int chains = 1) => (c, _shape, _rows, _chains) = (_code.C, shape, rows, chains);

    private static AssemblerRegisterZMM Acc(int row, int half) => Zmm(2 * row + half);
    private AssemblerRegisterZMM Sum(int row, int half, int chain = 0) => Zmm(2 * _rows * (chain + 1) + 2 * row + half);

    /// <summary>A tile that unpacks in registers: sums start at zero, but for the codebook formats, of which one record is at hand at a time.</summary>
    public static nint Packed(IntegerShape shape, int rows) => new IntegerTileAssembler(shape, rows, chains: rows <= 2 ? 2 : 1).Packed();

    /// <summary>A tile over expanded blocks: sums are added to.</summary>
    public static nint Expanded(IntegerShape shape, int rows) => new IntegerTileAssembler(shape, rows).Expanded();

    /// <summary>Function (rdi packed record, rsi blocks, r8 expanded blocks).</summary>
    public static nint Expand(IntegerShape shape) => new IntegerTileAssembler(shape, 0).ExpandBlocks();

    private nint Packed()
    {
        var unpack = new IntegerUnpacker(_code, _shape);
        unpack.Constants();
        bool lookedUp = PackedLayout.IsCodebook(_shape.Format); // and in cache
        Groups(accumulate: lookedUp, () => c.mov(r9, rsi), () => EachBlock(unpack, r9, r13, lookedUp ? null : PrefetchHeader, () =>
        {
            for (int part = 0; part < _shape.Parts; part++)
            {
                Begin(part, _shape.Zero, _shape.IsShared);
                Quads(part, quad =>
                {
                    if (!lookedUp)
                    {
                        Prefetch(quad, Prefetching.Far, second: true);
                        Prefetch(quad, Prefetching.Near, second: false);
                    }
                    if (_shape.IsShared) unpack.SharedCodes(quad);
                    else unpack.Codes(quad);
                }, Zmm(IntegerUnpacker.Low), Zmm(IntegerUnpacker.High), Zmm(IntegerUnpacker.Broadcast));
                unpack.Scales(part);
                Join();
                if (_shape.IsShared) Separate();
                End(Zmm(IntegerUnpacker.Scale), Zmm(IntegerUnpacker.Scale + 1), Zmm(IntegerUnpacker.Low));
            }
            for (int part = 0; part < _shape.Mins; part++)
            {
                unpack.Mins(part);
                AddMins(part, Zmm(IntegerUnpacker.Scale), Zmm(IntegerUnpacker.Scale + 1), subtract: _shape.MinsAreSubtracted);
            }
            c.add(r15, ActivationForms.UnsignedBytes);
        }));
        return _code.Finish();
    }

    private nint Expanded()
    {
        AssemblerRegisterZMM low = Zmm(24), high = Zmm(25), broadcast = Zmm(26), scaleLow = Zmm(27), scaleHigh = Zmm(28), passing = Zmm(29);
        int codes = (_shape.Parts + _shape.Mins) * 128;
        Groups(accumulate: true, () =>
        {
            c.mov(r10, rdi);
            c.mov(r11, rsi);
            c.mov(r9, __qword_ptr[rdi - 8]);
        }, () =>
        {
            Label block = c.CreateLabel();
            c.Label(ref block);
            for (int line = 0; line < AskedLines; line++) c.prefetcht1(__byte_ptr[r9 + 64 * line]);
            c.add(r9, 64 * AskedLines);
            for (int part = 0; part < _shape.Parts; part++)
            {
                Begin(part, _shape.Zero == 0 ? 0 : 128, shared: false);
                Quads(part, quad =>
                {
                    c.vmovdqa32(low, __zmmword_ptr[r10 + codes + 128 * quad]);
                    c.vmovdqa32(high, __zmmword_ptr[r10 + codes + 128 * quad + 64]);
                }, low, high, broadcast);
                c.vmovaps(scaleLow, __zmmword_ptr[r10 + 128 * part]);
                c.vmovaps(scaleHigh, __zmmword_ptr[r10 + 128 * part + 64]);
                End(scaleLow, scaleHigh, passing);
            }
            for (int part = 0; part < _shape.Mins; part++)
            {
                c.vmovaps(scaleLow, __zmmword_ptr[r10 + 128 * (_shape.Parts + part)]);
                c.vmovaps(scaleHigh, __zmmword_ptr[r10 + 128 * (_shape.Parts + part) + 64]);
                AddMins(part, scaleLow, scaleHigh, _shape.MinsAreSubtracted);
            }
            c.add(r15, ActivationForms.UnsignedBytes);
            c.add(r10, _shape.ExpandedBytes);
            c.dec(r11);
            c.jnz(block);
            c.mov(__qword_ptr[rdi - 8], r9);
        });
        return _code.Finish();
    }

    // Unsigned bytes 128 above the value where there is a zero point, so that one tile serves all formats of a kind.
    private nint ExpandBlocks()
    {
        const int Raise = 23;
        var unpack = new IntegerUnpacker(_code, _shape);
        unpack.Constants();
        bool raise = _shape.Zero is not (0 or 128);
        if (raise) _code.Fill(Raise, (128 - _shape.Zero) * 0x01010101);
        EachBlock(unpack, rsi, r13, null, () =>
        {
            for (int part = 0; part < _shape.Parts; part++)
            {
                unpack.Scales(part);
                Store(128 * part);
            }
            for (int part = 0; part < _shape.Mins; part++)
            {
                unpack.Mins(part);
                Store(128 * (_shape.Parts + part));
            }
            for (int quad = 0; quad < 8; quad++)
            {
                unpack.Codes(quad);
                for (int h = 0; h < 2; h++)
                {
                    AssemblerRegisterZMM codes = Zmm(IntegerUnpacker.Low + h);
                    if (raise) c.vpaddb(codes, codes, Zmm(Raise));
                    c.vmovdqa32(__zmmword_ptr[r8 + (_shape.Parts + _shape.Mins) * 128 + 128 * quad + 64 * h], codes);
                }
            }
            c.add(r8, _shape.ExpandedBytes);
        });
        return _code.Finish();

        void Store(int offset)
        {
            for (int h = 0; h < 2; h++) c.vmovaps(__zmmword_ptr[r8 + offset + 64 * h], Zmm(IntegerUnpacker.Scale + h));
        }
    }

    // The lines of a record before its codes.
    private void PrefetchHeader()
    {
        for (int at = 0; at < _shape.Header; at += 64)
        {
            c.prefetcht1(__byte_ptr[r10 + Prefetching.Far + at]);
            c.prefetcht0(__byte_ptr[r10 + Prefetching.Near + at]);
        }
    }

    // A quad's share of the codes.
    private void Prefetch(int quad, int ahead, bool second)
    {
        int line = _shape.CodeBytes / 8; // bytes of a quad
        for (int at = (quad * line + 63) / 64 * 64; at < (quad + 1) * line; at += 64)
        {
            AssemblerMemoryOperand place = __byte_ptr[r11 + ahead + at];
            if (second) c.prefetcht1(place);
            else c.prefetcht0(place);
        }
    }

    // Loop over groups of rows: pointers, sums, blocks, sums back.
    private void Groups(bool accumulate, Action begin, Action blocks)
    {
        Label group = c.CreateLabel();
        if (!accumulate) c.xor(r9d, r9d);
        else c.push(r9);
        c.Label(ref group);
        for (int i = 0; i < _rows; i++) c.mov(Rows[i], __qword_ptr[rdx + 8 * i]);
        for (int i = 0; i < _rows; i++)
            for (int h = 0; h < 2; h++)
            {
                if (accumulate) c.vmovups(Acc(i, h), __zmmword_ptr[r8 + 128 * i + 64 * h]);
                else c.vpxord(Acc(i, h), Acc(i, h), Acc(i, h));
            }
        if (accumulate) c.mov(r15, __qword_ptr[rsp]);
        else c.xor(r15d, r15d);
        begin();
        blocks();
        for (int i = 0; i < _rows; i++)
            for (int h = 0; h < 2; h++) c.vmovups(__zmmword_ptr[r8 + 128 * i + 64 * h], Acc(i, h));
        c.add(rdx, 8 * _rows);
        c.add(r8, 128 * _rows);
        c.dec(rcx);
        c.jnz(group);
        if (accumulate) c.pop(r9);
    }

    // Loop over packed blocks, `left` of them, and records: r10 the record, r11 the block's codes, r14 its small scales.
    private void EachBlock(IntegerUnpacker unpack, AssemblerRegister64 left, AssemblerRegister64 inner, Action? begin, Action body)
    {
        Label record = c.CreateLabel(), block = c.CreateLabel();
        c.mov(r10, rdi);
        c.Label(ref record);
        unpack.Record();
        begin?.Invoke();
        c.lea(r11, __[r10 + _shape.Header]);
        if (_shape.Blocks > 1)
        {
            c.lea(r14, __[r10 + _shape.Sub]);
            c.mov(inner, _shape.Blocks);
            c.Label(ref block);
        }
        body();
        if (_shape.Blocks > 1)
        {
            c.add(r11, _shape.CodeBytes);
            c.add(r14, 32 * _shape.Parts);
            c.dec(inner);
            c.jnz(block);
        }
        c.add(r10, _shape.RecordBytes);
        c.sub(left, _shape.Blocks);
        c.jnz(record);
    }

    // Integers start at −zero · Σ x; the record has it times 128. Where bytes are shared, the upper ones start 16 times that above the lower ones.
    private void Begin(int part, int zero, bool shared)
    {
        for (int i = 0; i < _rows; i++)
        {
            for (int chain = 1; chain < _chains; chain++)
                for (int h = 0; h < 2; h++) c.vpxord(Sum(i, h, chain), Sum(i, h, chain), Sum(i, h, chain));
            if (zero == 0)
            {
                c.vpxord(Sum(i, 0), Sum(i, 0), Sum(i, 0));
                c.vpxord(Sum(i, 1), Sum(i, 1), Sum(i, 1));
                continue;
            }
            int offset = _shape.Parts == 1 ? ActivationForms.ZeroOfBlock : ActivationForms.ZeroOfHalf + 4 * part;
            AssemblerRegisterZMM first = Sum(i, shared ? 1 : 0);
            c.vpbroadcastd(first, __dword_ptr[Rows[i] + r15 + offset]);
            if (zero < 128) c.vpsrad(Sum(i, 0), first, (byte)(7 - int.Log2(zero)));
            if (shared) c.vpaddd(Sum(i, 1), Sum(i, 1), Sum(i, 0));
            else c.vmovdqa32(Sum(i, 1), Sum(i, 0));
        }
    }

    private void Quads(int part, Action<int> load, AssemblerRegisterZMM low, AssemblerRegisterZMM high, AssemblerRegisterZMM broadcast)
    {
        int count = 8 / _shape.Parts;
        for (int quad = part * count; quad < (part + 1) * count; quad++)
        {
            load(quad);
            for (int i = 0; i < _rows; i++)
            {
                c.vpbroadcastd(broadcast, __dword_ptr[Rows[i] + r15 + 4 * quad]);
                int chain = quad % _chains;
                c.vpdpbusd(Sum(i, 0, chain), low, broadcast);
                c.vpdpbusd(Sum(i, 1, chain), high, broadcast);
            }
        }
    }

    private void Join()
    {
        for (int chain = 1; chain < _chains; chain++)
            for (int i = 0; i < _rows; i++)
                for (int h = 0; h < 2; h++) c.vpaddd(Sum(i, h), Sum(i, h), Sum(i, h, chain));
    }

    // What the upper outputs' sums have above the lower ones' is 16 times theirs.
    private void Separate()
    {
        for (int i = 0; i < _rows; i++)
        {
            c.vpsubd(Sum(i, 1), Sum(i, 1), Sum(i, 0));
            c.vpsrad(Sum(i, 1), Sum(i, 1), 4);
        }
    }

    private void End(AssemblerRegisterZMM scaleLow, AssemblerRegisterZMM scaleHigh, AssemblerRegisterZMM passing)
    {
        for (int i = 0; i < _rows; i++)
            for (int h = 0; h < 2; h++)
            {
                c.vcvtdq2ps(Sum(i, h), Sum(i, h));
                c.vmulps(passing, h == 0 ? scaleLow : scaleHigh, __dword_bcst[Rows[i] + r15 + ActivationForms.Scale]);
                c.vfmadd231ps(Acc(i, h), Sum(i, h), passing);
            }
    }

    private void AddMins(int part, AssemblerRegisterZMM low, AssemblerRegisterZMM high, bool subtract)
    {
        int offset = _shape.Mins == 1 ? ActivationForms.SumOfBlock : ActivationForms.SumOfHalf + 4 * part;
        for (int i = 0; i < _rows; i++)
            for (int h = 0; h < 2; h++)
            {
                AssemblerMemoryOperand sum = __dword_bcst[Rows[i] + r15 + offset];
                if (subtract) c.vfnmadd231ps(Acc(i, h), h == 0 ? low : high, sum);
                else c.vfmadd231ps(Acc(i, h), h == 0 ? low : high, sum);
            }
    }
}
