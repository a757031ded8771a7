using System.Runtime.InteropServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// The fast engine: an automaton over classes of code points, made state by state as texts need it. A state is the list of places in the expression where a
/// match may be, the preferred one first, so that it finds what a backtracking engine would, in one step a character.
/// A look at one neighbour (<c>(?!\S)</c>, <c>$</c>, <c>\b</c>) is decided in the step over that neighbour. Longer looks, atomic groups and back references
/// need <see cref="Backtracker"/>. Thread-safe.
/// </summary>
internal sealed class Automaton
{
    private const int MaxInstructions = 3000;
    private const int MaxStates = 5000;
    private const int MaxTable = 1 << 21;
    private const int MaxThreads = 1 << 20; // over all states
    private const int Unknown = -1;

    private enum Op
    {
        Set,
        Split,
        Check,
        Match,
    }

    private readonly record struct Instruction(Op Op, int Argument, int X, int Y);

    /// <summary>A condition on the neighbours of a place. Sets are numbers of <see cref="_sets"/>.</summary>
    private readonly record struct Condition(PlaceKind? Place, int Set, bool Behind, bool Negative);

    private readonly List<Instruction> _program = [];
    private readonly List<CodePointSet> _sets = [];
    private readonly List<Condition> _conditions = [];
    private readonly bool _looksBehind;
    private readonly int _lineFeed;
    private readonly int _word;
    private readonly ClassMap _classes = null!;
    private readonly byte[] _ascii = [];
    private readonly bool[][] _members = [];
    private readonly int _stride;
    private readonly int _edge; // the class of both ends of the text

    private readonly Lock _lock = new();
    private readonly List<(int[] Threads, int Previous)> _states = [([], 0)]; // 0: no match can come any more
    private readonly Dictionary<string, int> _stateOf = [];
    private readonly int[] _starts = [];
    private readonly int[] _mark = [];
    private int _stamp;
    private int _threads;
    private volatile int[] _table = [];
    private volatile bool _overflow;

    private Automaton(RegexNode root)
    {
        _lineFeed = SetNumber(CodePointSet.Of('\n'));
        _word = SetNumber(RegexProperties.Word);
        int start = Compile(root, Emit(new(Op.Match, 0, 0, 0)));
        if (start < 0) return;
        if (ClassMap.Create(_sets, out _members) is not ClassMap classes) return;
        _classes = classes;
        _ascii = classes.Ascii();
        _edge = classes.Count;
        _stride = classes.Count + 1;
        _looksBehind = _conditions.Any(c => c.Place is PlaceKind.LineStart or PlaceKind.TextStart or PlaceKind.WordEdge or PlaceKind.NoWordEdge || c.Place is null && c.Behind);
        _mark = new int[_program.Count];
        _table = new int[_stride * 8];
        _starts = new int[_stride];
        for (int previous = 0; previous <= _edge; previous++)
            _starts[previous] = _looksBehind || previous == 0 ? StateOf([start], _looksBehind ? previous : 0) * _stride : _starts[0];
        Ready = true;
    }

    private bool Ready { get; }

    /// <summary>Null when the expression needs the other engine.</summary>
    public static Automaton? Create(RegexNode root)
    {
        Automaton automaton = new(root);
        return automaton.Ready ? automaton : null;
    }

    /// <summary>
    /// The leftmost match at or behind <paramref name="from"/>. Null: none. False in <paramref name="usable"/>: the automaton grew too large, and the other
    /// engine has to do it.
    /// </summary>
    public bool Find(ReadOnlySpan<char> text, int from, ref long budget, out int start, out int end, out bool usable)
    {
        usable = true;
        int[] table = _table;
        byte[] ascii = _ascii;
        for (start = from; start <= text.Length;)
        {
            int state = _starts[_looksBehind ? Before(text, start) : 0];
            int i = start;
            end = -1;
            while (true)
            {
                int length = 1;
                int cls;
                if (i < text.Length)
                {
                    int c = text[i];
                    if (c < 128)
                    {
                        cls = ascii[c];
                    }
                    else
                    {
                        if (char.IsHighSurrogate((char)c) && i + 1 < text.Length)
                        {
                            c = ((c - 0xD800) << 10) + text[i + 1] - 0xDC00 + 0x10000;
                            length = 2;
                        }
                        cls = _classes.Of(c);
                    }
                }
                else
                {
                    cls = _edge;
                }
                int step = table[state + cls];
                if (step == Unknown)
                {
                    step = Build(state, cls, ref budget);
                    if (step == Unknown)
                    {
                        usable = false;
                        return false;
                    }
                    table = _table;
                }
                if ((step & 1) != 0) end = i;
                state = step >> 1;
                if (state == 0) break;
                i += length;
            }
            budget -= i - start + 1;
            if (end >= 0) return true;
            if (budget < 0) throw TextPattern.TooSlow();
            start += start < text.Length && char.IsHighSurrogate(text[start]) ? 2 : 1;
        }
        end = -1;
        return false;
    }

    private int Before(ReadOnlySpan<char> text, int at)
    {
        if (at == 0) return _edge;
        int c = text[at - 1];
        if (char.IsLowSurrogate((char)c) && at > 1) c = char.ConvertToUtf32(text[at - 2], (char)c);
        return _classes.Of(c);
    }

    // ---- The program: each node is compiled to lead to an instruction that is there already; -1: it cannot be.

    private int Emit(Instruction i)
    {
        if (_program.Count >= MaxInstructions) return -1;
        _program.Add(i);
        return _program.Count - 1;
    }

    private int SetNumber(CodePointSet set)
    {
        int i = _sets.FindIndex(s => s.SetEquals(set));
        if (i >= 0) return i;
        _sets.Add(set);
        return _sets.Count - 1;
    }

    private int Compile(RegexNode node, int next)
    {
        if (next < 0) return -1;
        switch (node)
        {
            case RegexNode.Set set:
                return Emit(new(Op.Set, SetNumber(set.Points), next, 0));
            case RegexNode.Sequence sequence:
                for (int i = sequence.Items.Count - 1; i >= 0; i--) next = Compile(sequence.Items[i], next);
                return next;
            case RegexNode.Choice choice:
                {
                    int at = Compile(choice.Items[^1], next);
                    for (int i = choice.Items.Count - 2; i >= 0; i--)
                    {
                        int item = Compile(choice.Items[i], next);
                        if (item < 0 || at < 0) return -1;
                        at = Emit(new(Op.Split, 0, item, at));
                    }
                    return at;
                }
            case RegexNode.Capture capture:
                return Compile(capture.Item, next);
            case RegexNode.Repeat repeat:
                return CompileRepeat(repeat, next);
            case RegexNode.Place place:
                return Check(new Condition(place.Kind, 0, false, false), next);
            case RegexNode.Look look when Single(look.Item) is CodePointSet one:
                return Check(new Condition(null, SetNumber(one), look.Behind, look.Negative), next);
            default:
                return -1;
        }
    }

    private int Check(Condition condition, int next)
    {
        _conditions.Add(condition);
        return Emit(new(Op.Check, _conditions.Count - 1, next, 0));
    }

    private int CompileRepeat(RegexNode.Repeat repeat, int next)
    {
        int at = next;
        if (repeat.Max < 0)
        {
            int loop = Emit(new(Op.Split, 0, 0, 0));
            int item = Compile(repeat.Item, loop);
            if (item < 0) return -1;
            _program[loop] = repeat.Greedy ? new(Op.Split, 0, item, next) : new(Op.Split, 0, next, item);
            at = loop;
        }
        else
        {
            for (int i = repeat.Min; i < repeat.Max && at >= 0; i++)
            {
                int item = Compile(repeat.Item, at);
                at = item < 0 ? -1 : Emit(repeat.Greedy ? new(Op.Split, 0, item, next) : new(Op.Split, 0, next, item));
            }
        }
        for (int i = 0; i < repeat.Min && at >= 0; i++)
        {
            int before = _program.Count;
            at = Compile(repeat.Item, at);
            if (_program.Count == before) break; // An item of nothing: once is as good as a thousand times.
        }
        return at;
    }

    private static CodePointSet? Single(RegexNode node) => node switch
    {
        RegexNode.Set set => set.Points,
        RegexNode.Capture capture => Single(capture.Item),
        RegexNode.Sequence { Items: [var one] } => Single(one),
        RegexNode.Choice choice when choice.Items.Select(Single).ToArray() is var all && !all.Contains(null) => all.Aggregate((a, b) => a!.Union(b!)),
        _ => null,
    };

    // ---- States.

    private int StateOf(List<int> threads, int previous)
    {
        if (threads.Count == 0) return 0;
        string key = string.Concat((char)previous, new string(MemoryMarshal.Cast<int, char>(CollectionsMarshal.AsSpan(threads))));
        if (_stateOf.TryGetValue(key, out int state)) return state;
        state = _states.Count;
        _threads += threads.Count;
        if (state >= MaxStates || _threads > MaxThreads || (state + 1) * _stride > MaxTable) return -1;
        _states.Add(([.. threads], previous));
        _stateOf[key] = state;
        int[] table = _table;
        if ((state + 1) * _stride > table.Length)
        {
            int old = table.Length;
            Array.Resize(ref table, Math.Max(old * 2, (state + 1) * _stride));
        }
        table.AsSpan(state * _stride, _stride).Fill(Unknown);
        _table = table;
        return state;
    }

    private int Build(int offset, int cls, ref long budget)
    {
        lock (_lock)
        {
            if (_overflow) return Unknown;
            int known = _table[offset + cls];
            if (known != Unknown) return known;
            (int[] threads, int previous) = _states[offset / _stride];
            List<int> next = [];
            bool match = false;
            HashSet<int> targets = [];
            _stamp++;
            foreach (int thread in threads)
            {
                match = Follow(thread, previous, cls, next, targets);
                if (match) break;
            }
            budget -= _program.Count / 8 + 1;
            int state = StateOf(next, _looksBehind ? cls : 0);
            if (state < 0)
            {
                _overflow = true;
                return Unknown;
            }
            int step = state * _stride << 1 | (match ? 1 : 0);
            _table[offset + cls] = step;
            return step;
        }
    }

    /// <summary>Follows a thread to all instructions that take the next code point, in order of preference; true when it comes to a match, behind which nothing is preferred.</summary>
    private bool Follow(int thread, int previous, int cls, List<int> next, HashSet<int> targets)
    {
        Stack<int> todo = new();
        todo.Push(thread);
        while (todo.TryPop(out int pc))
        {
            if (_mark[pc] == _stamp) continue;
            _mark[pc] = _stamp;
            Instruction i = _program[pc];
            switch (i.Op)
            {
                case Op.Match:
                    return true;
                case Op.Set:
                    if (cls != _edge && _members[i.Argument][cls] && targets.Add(i.X)) next.Add(i.X);
                    break;
                case Op.Split:
                    todo.Push(i.Y);
                    todo.Push(i.X);
                    break;
                case Op.Check:
                    if (Holds(_conditions[i.Argument], previous, cls)) todo.Push(i.X);
                    break;
            }
        }
        return false;
    }

    private bool Holds(Condition condition, int previous, int next)
    {
        bool In(int set, int cls) => cls != _edge && _members[set][cls];
        return condition.Place switch
        {
            PlaceKind.LineStart => previous == _edge || In(_lineFeed, previous) && next != _edge,
            PlaceKind.LineEnd => next == _edge || In(_lineFeed, next),
            PlaceKind.TextStart => previous == _edge,
            PlaceKind.TextEnd => next == _edge,
            PlaceKind.WordEdge => In(_word, previous) != In(_word, next),
            PlaceKind.NoWordEdge => In(_word, previous) == In(_word, next),
            _ => In(condition.Set, condition.Behind ? previous : next) != condition.Negative,
        };
    }
}
