namespace SeekSharp.Tokenization;

/// <summary>
/// The general engine: a program for a backtracking machine, with looks, atomic groups and back references. Its stack is on the heap, and every step is paid from a
/// budget, so that no expression can hang it. It is the plain twin of <see cref="Automaton"/>.
/// </summary>
internal sealed class Backtracker
{
    private const int MaxInstructions = 50_000;
    private const int MaxStack = 1 << 20;

    private enum Op
    {
        Set,        // one code point of Set
        Loop,       // X to Y code points of Set, as many as possible; Flag: none is given back
        Split,      // go on at X, and if that fails at Y
        Jump,
        Place,
        Look,       // the program at X to its Accept, then on; Flag: negative
        Atomic,     // ditto
        Save,       // the position into register X
        BackReference,
        NotEmpty,   // fails where the position is that of register X: a loop's item that took nothing
        Accept,
    }

    private readonly record struct Instruction(Op Op, CodePointSet? Set, int X, int Y, bool Back, bool Flag);

    private readonly List<Instruction> _program = [];
    private readonly int _start;
    private readonly CodePointSet? _first;
    private readonly CodePointSet _word = RegexProperties.Word;
    private int _registers;

    public Backtracker(RegexNode root)
    {
        _registers = 2 * (CountGroups(root) + 1);
        _start = 0;
        Compile(root, back: false);
        Emit(new(Op.Accept, null, 0, 0, false, false));
        _first = FirstOf(root);
    }

    /// <summary>The leftmost match at or behind <paramref name="from"/>.</summary>
    public bool Find(ReadOnlySpan<char> text, int from, ref long budget, out int start, out int end)
    {
        Machine machine = new(this, text, ref budget);
        for (start = from; start <= text.Length;)
        {
            int length = start < text.Length && char.IsHighSurrogate(text[start]) ? 2 : 1;
            if (_first is null || start < text.Length && _first.Contains(length == 1 ? text[start] : char.ConvertToUtf32(text[start], text[start + 1])))
            {
                end = machine.Run(_start, start);
                if (end >= 0) return true;
            }
            machine.Pay();
            start += length;
        }
        end = -1;
        return false;
    }

    // ---- The program.

    private int Emit(Instruction i)
    {
        if (_program.Count >= MaxInstructions) throw new TokenizerException($"regular expression: over {MaxInstructions} steps with its counted repeats written out");
        _program.Add(i);
        return _program.Count - 1;
    }

    private void Compile(RegexNode node, bool back)
    {
        switch (node)
        {
            case RegexNode.Set set:
                Emit(new(Op.Set, set.Points, 0, 0, back, false));
                break;
            case RegexNode.Sequence sequence:
                for (int i = 0; i < sequence.Items.Count; i++) Compile(sequence.Items[back ? sequence.Items.Count - 1 - i : i], back);
                break;
            case RegexNode.Choice choice:
                {
                    List<int> ends = [];
                    for (int i = 0; i < choice.Items.Count; i++)
                    {
                        int split = i + 1 < choice.Items.Count ? Emit(new(Op.Split, null, 0, 0, false, false)) : -1;
                        Compile(choice.Items[i], back);
                        if (split < 0) break;
                        ends.Add(Emit(new(Op.Jump, null, 0, 0, false, false)));
                        _program[split] = new(Op.Split, null, split + 1, _program.Count, false, false);
                    }
                    foreach (int end in ends) _program[end] = new(Op.Jump, null, _program.Count, 0, false, false);
                    break;
                }
            case RegexNode.Repeat repeat:
                CompileRepeat(repeat, back);
                break;
            case RegexNode.Look look:
                Sub(Op.Look, look.Item, look.Behind, look.Negative);
                break;
            case RegexNode.Atomic { Item: RegexNode.Repeat { Item: RegexNode.Set set, Greedy: true } loop } when !back:
                Emit(new(Op.Loop, set.Points, loop.Min, loop.Max, false, true));
                break;
            case RegexNode.Atomic atomic:
                Sub(Op.Atomic, atomic.Item, back, false);
                break;
            case RegexNode.Capture capture:
                Emit(new(Op.Save, null, 2 * capture.Index + (back ? 1 : 0), 0, false, false));
                Compile(capture.Item, back);
                Emit(new(Op.Save, null, 2 * capture.Index + (back ? 0 : 1), 0, false, false));
                break;
            case RegexNode.BackReference reference:
                if (back) throw new TokenizerException("regular expression: a back reference in a look-behind is not supported");
                Emit(new(Op.BackReference, null, 2 * reference.Index, 0, false, reference.IgnoreCase));
                break;
            case RegexNode.Place place:
                Emit(new(Op.Place, null, (int)place.Kind, 0, false, false));
                break;
        }
    }

    private void Sub(Op op, RegexNode item, bool back, bool negative)
    {
        int at = Emit(new(op, null, 0, 0, false, negative));
        Compile(item, back);
        Emit(new(Op.Accept, null, 0, 0, false, false));
        _program[at] = new(op, null, at + 1, _program.Count, false, negative);
    }

    private void CompileRepeat(RegexNode.Repeat repeat, bool back)
    {
        if (repeat is { Item: RegexNode.Set set, Greedy: true } && !back)
        {
            Emit(new(Op.Loop, set.Points, repeat.Min, repeat.Max, false, false));
            return;
        }
        for (int i = 0; i < repeat.Min; i++)
        {
            int before = _program.Count;
            Compile(repeat.Item, back);
            if (_program.Count == before) break; // An item of nothing.
        }
        if (repeat.Max < 0)
        {
            int register = _registers++;
            int loop = Emit(new(Op.Split, null, 0, 0, false, false));
            Emit(new(Op.Save, null, register, 0, false, false));
            Compile(repeat.Item, back);
            Emit(new(Op.NotEmpty, null, register, _program.Count + 2, false, false));
            Emit(new(Op.Jump, null, loop, 0, false, false));
            _program[loop] = repeat.Greedy ? new(Op.Split, null, loop + 1, _program.Count, false, false) : new(Op.Split, null, _program.Count, loop + 1, false, false);
            return;
        }
        List<int> splits = [];
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(Emit(new(Op.Split, null, 0, 0, false, false)));
            int before = _program.Count;
            Compile(repeat.Item, back);
            if (_program.Count == before) break;
        }
        foreach (int split in splits)
            _program[split] = repeat.Greedy ? new(Op.Split, null, split + 1, _program.Count, false, false) : new(Op.Split, null, _program.Count, split + 1, false, false);
    }

    private static int CountGroups(RegexNode node) => node switch
    {
        RegexNode.Capture c => Math.Max(c.Index, CountGroups(c.Item)),
        RegexNode.Sequence s => s.Items.Select(CountGroups).DefaultIfEmpty().Max(),
        RegexNode.Choice s => s.Items.Select(CountGroups).DefaultIfEmpty().Max(),
        RegexNode.Repeat r => CountGroups(r.Item),
        RegexNode.Look l => CountGroups(l.Item),
        RegexNode.Atomic a => CountGroups(a.Item),
        RegexNode.BackReference b => b.Index,
        _ => 0,
    };

    /// <summary>What a match may begin with; null: it may be empty, or nobody knows.</summary>
    private static CodePointSet? FirstOf(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.Set set:
                return set.Points;
            case RegexNode.Capture capture:
                return FirstOf(capture.Item);
            case RegexNode.Atomic atomic:
                return FirstOf(atomic.Item);
            case RegexNode.Repeat { Min: > 0 } repeat:
                return FirstOf(repeat.Item);
            case RegexNode.Choice choice:
                CodePointSet? all = CodePointSet.Empty;
                foreach (RegexNode item in choice.Items) all = FirstOf(item) is CodePointSet one ? all?.Union(one) : null;
                return all;
            case RegexNode.Sequence sequence:
                CodePointSet before = CodePointSet.Empty;
                foreach (RegexNode item in sequence.Items)
                {
                    if (item is RegexNode.Place or RegexNode.Look) continue;
                    if (FirstOf(item) is CodePointSet first) return before.Union(first);
                    if (item is not RegexNode.Repeat { Min: 0 } optional || FirstOf(optional.Item) is not CodePointSet maybe) return null;
                    before = before.Union(maybe);
                }
                return null;
            default:
                return null;
        }
    }

    // ---- The machine.

    private enum Resume
    {
        At,       // A: program, B: position
        Shorter,  // A: program behind a loop, B: position, C: the least one
        Register, // A: register, B: what it was
    }

    private ref struct Machine(Backtracker owner, ReadOnlySpan<char> text, ref long budget)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private readonly ref long _budget = ref budget;
        private readonly Backtracker _owner = owner;
        private readonly int[] _registers = Filled(owner._registers);
        private (Resume Kind, int A, int B, int C)[] _stack = new (Resume, int, int, int)[64];
        private int _top;

        private static int[] Filled(int n)
        {
            int[] registers = new int[n];
            Array.Fill(registers, -1);
            return registers;
        }

        public readonly void Pay()
        {
            if (--_budget < 0) throw TextPattern.TooSlow();
        }

        private void Push(Resume kind, int a, int b, int c = 0)
        {
            if (_top == _stack.Length)
            {
                if (_top >= MaxStack) throw TextPattern.TooSlow();
                Array.Resize(ref _stack, _top * 2);
            }
            _stack[_top++] = (kind, a, b, c);
        }

        /// <summary>Where the match from this place ends, or -1. Leaves the stack as it was but for registers to take back when <paramref name="keep"/>.</summary>
        public int Run(int pc, int at, bool keep = false)
        {
            int bottom = _top;
            while (true)
            {
                Pay();
                Instruction i = _owner._program[pc];
                bool ok = true;
                switch (i.Op)
                {
                    case Op.Set:
                        ok = i.Back ? StepBack(i.Set!, ref at) : Step(i.Set!, ref at);
                        pc++;
                        break;
                    case Op.Loop:
                        {
                            int count = 0;
                            int least = i.X == 0 ? at : -1;
                            while ((i.Y < 0 || count < i.Y) && Step(i.Set!, ref at))
                            {
                                if (++count == i.X) least = at;
                                Pay();
                            }
                            ok = count >= i.X;
                            pc++;
                            if (ok && at > least && !i.Flag) Push(Resume.Shorter, pc, at, least);
                            break;
                        }
                    case Op.Split:
                        Push(Resume.At, i.Y, at);
                        pc = i.X;
                        break;
                    case Op.Jump:
                        pc = i.X;
                        break;
                    case Op.Place:
                        ok = IsAt((PlaceKind)i.X, at);
                        pc++;
                        break;
                    case Op.Look:
                        {
                            int top = _top;
                            bool found = Run(i.X, at, keep: true) >= 0;
                            ok = found != i.Flag;
                            if (!ok || i.Flag) Unwind(top);
                            pc = i.Y;
                            break;
                        }
                    case Op.Atomic:
                        at = Run(i.X, at, keep: true);
                        ok = at >= 0;
                        pc = i.Y;
                        break;
                    case Op.Save:
                        Push(Resume.Register, i.X, _registers[i.X]);
                        _registers[i.X] = at;
                        pc++;
                        break;
                    case Op.BackReference:
                        ok = Again(i.X, i.Flag, ref at);
                        pc++;
                        break;
                    case Op.NotEmpty:
                        // An item that took nothing ends its loop.
                        pc = at == _registers[i.X] ? i.Y : pc + 1;
                        break;
                    case Op.Accept:
                        if (keep) DropChoices(bottom);
                        else Unwind(bottom);
                        return at;
                }
                if (!ok && !Back(bottom, ref pc, ref at)) return -1;
            }
        }

        private bool Back(int bottom, ref int pc, ref int at)
        {
            while (_top > bottom)
            {
                ref (Resume Kind, int A, int B, int C) e = ref _stack[_top - 1];
                if (e.Kind == Resume.Register)
                {
                    _registers[e.A] = e.B;
                    _top--;
                    continue;
                }
                pc = e.A;
                if (e.Kind == Resume.At)
                {
                    at = e.B;
                    _top--;
                    return true;
                }
                e.B -= char.IsLowSurrogate(_text[e.B - 1]) ? 2 : 1;
                at = e.B;
                if (e.B <= e.C) _top--;
                return true;
            }
            return false;
        }

        /// <summary>Takes everything back down to a height, registers included.</summary>
        private void Unwind(int height)
        {
            while (_top > height)
            {
                (Resume kind, int a, int b, _) = _stack[--_top];
                if (kind == Resume.Register) _registers[a] = b;
            }
        }

        /// <summary>Forgets other ways down to a height, and keeps what registers were.</summary>
        private void DropChoices(int height)
        {
            int kept = height;
            for (int i = height; i < _top; i++)
                if (_stack[i].Kind == Resume.Register) _stack[kept++] = _stack[i];
            _top = kept;
        }

        private readonly bool Step(CodePointSet set, ref int at)
        {
            if (at >= _text.Length) return false;
            int c = _text[at];
            int length = 1;
            if (char.IsHighSurrogate((char)c) && at + 1 < _text.Length)
            {
                c = char.ConvertToUtf32((char)c, _text[at + 1]);
                length = 2;
            }
            if (!set.Contains(c)) return false;
            at += length;
            return true;
        }

        private readonly bool StepBack(CodePointSet set, ref int at)
        {
            if (at == 0) return false;
            int c = Before(at);
            if (!set.Contains(c)) return false;
            at -= c > 0xFFFF ? 2 : 1;
            return true;
        }

        private readonly int Before(int at)
        {
            int c = _text[at - 1];
            return char.IsLowSurrogate((char)c) && at > 1 ? char.ConvertToUtf32(_text[at - 2], (char)c) : c;
        }

        private readonly bool IsWord(int at) =>
            at < _text.Length && _owner._word.Contains(char.IsHighSurrogate(_text[at]) && at + 1 < _text.Length ? char.ConvertToUtf32(_text[at], _text[at + 1]) : _text[at]);

        private readonly bool IsAt(PlaceKind kind, int at) => kind switch
        {
            PlaceKind.LineStart => at == 0 || _text[at - 1] == '\n' && at < _text.Length,
            PlaceKind.LineEnd => at == _text.Length || _text[at] == '\n',
            PlaceKind.TextStart => at == 0,
            PlaceKind.TextEnd => at == _text.Length,
            PlaceKind.WordEdge => IsWord(at) != (at > 0 && _owner._word.Contains(Before(at))),
            _ => IsWord(at) == (at > 0 && _owner._word.Contains(Before(at))),
        };

        private readonly bool Again(int register, bool ignoreCase, ref int at)
        {
            int from = _registers[register];
            int to = _registers[register + 1];
            if (from < 0 || to < from || to - from > _text.Length - at) return false;
            ReadOnlySpan<char> wanted = _text[from..to];
            ReadOnlySpan<char> found = _text.Slice(at, wanted.Length);
            _budget -= wanted.Length;
            if (!(ignoreCase ? wanted.Equals(found, StringComparison.OrdinalIgnoreCase) : wanted.SequenceEqual(found))) return false;
            at += wanted.Length;
            return true;
        }
    }
}
