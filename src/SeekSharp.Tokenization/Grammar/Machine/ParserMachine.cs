using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// Follows a grammar byte by byte through every reading at once: a top-down parser on a graph-structured stack, whose terminals are lazily made automata. Ambiguity is sound and
/// costs no more than the square of the text; left recursion is not allowed, so every step ends. States are kept and found again; when many have gathered, all are forgotten,
/// which costs only time. Not thread-safe: the pool's lock is held around it.
/// </summary>
internal sealed class ParserMachine
{
    private const int MostStates = 8_000;
    private const int MostNodes = 40_000;
    private const int MostItems = 5_000;

    private readonly GrammarRules _rules;
    private readonly ParserState _dead = new([], false);
    private readonly Dictionary<ParserItem[], ParserState> _states = new(new SameItems());
    private readonly Dictionary<ParserItem[], ParserState> _ending = new(new SameItems()); // those that can end
    private readonly Dictionary<StackEdge[], StackNode> _nodes = new(new SameEdges());
    private int _nodeIds;

    // What one closure works on.
    private readonly HashSet<(int Place, int Count, StackNode Node, bool Fresh)> _seen = [];
    private readonly Stack<(int Place, int Count, StackNode Node, bool Fresh)> _todo = new();
    private readonly Dictionary<int, HashSet<StackEdge>> _ruleCallers = [];
    private readonly PriorityQueue<int, int> _called = new();
    private readonly Dictionary<ByteRegex, HashSet<StackEdge>> _textCallers = [];
    private readonly List<ParserItem> _items = [];
    private readonly List<StackNode> _complete = [];
    private bool _canEnd;

    public ParserMachine(GrammarRules rules)
    {
        _rules = rules;
        StackEdge[] end = [new StackEdge(-1, 0, null)];
        Begin();
        if (rules.Nullable(rules.Start)) _canEnd = true;
        Call(rules.Start, end);
        Initial = Finish();
    }

    /// <summary>Before the first byte.</summary>
    public ParserState Initial { get; }

    /// <summary>Counts how often the states were forgotten.</summary>
    public int Generation { get; private set; }

    /// <summary>The state behind a byte; null when the grammar does not allow it.</summary>
    /// <exception cref="GrammarException">The readings become too many.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ParserState? Step(ParserState state, byte b)
    {
        ParserState? next = state.Next?[b];
        if (next is null)
        {
            if (!state.First.Contains(b)) return null;
            next = Make(state, b);
            (state.Next ??= new ParserState?[256])[b] = next;
        }
        return ReferenceEquals(next, _dead) ? null : next;
    }

    /// <summary>The state when the symbol that a node belongs to has just been read.</summary>
    public ParserState After(StackNode node)
    {
        if (node.After is { } known) return known;
        Begin();
        Pop(node);
        Drain();
        return node.After = Finish();
    }

    private ParserState Make(ParserState state, byte b)
    {
        Begin();
        foreach (ParserItem item in state.Items)
        {
            if (item.Text.Next(b) is not { } next) continue;
            if (next.Nullable) _complete.Add(item.Node);
            if (next.HasNext) _items.Add(new ParserItem(next, item.Node));
        }
        if (_items.Count == 0 && _complete.Count == 1) return After(_complete[0]);
        foreach (StackNode node in _complete) Pop(node);
        Drain();
        return Finish();
    }

    private void Begin()
    {
        _seen.Clear();
        _todo.Clear();
        _ruleCallers.Clear();
        _called.Clear();
        _textCallers.Clear();
        _items.Clear();
        _complete.Clear();
        _canEnd = false;
    }

    /// <summary>A symbol has been read: on to all places that waited for it.</summary>
    private void Pop(StackNode node)
    {
        foreach (StackEdge edge in node.Edges)
        {
            if (edge.Place < 0) _canEnd = true;
            else Visit(edge.Place, edge.Count, edge.Parent!, fresh: false);
        }
    }

    /// <param name="place">The place.</param>
    /// <param name="count">Items of a repetition so far.</param>
    /// <param name="node">What follows the rule.</param>
    /// <param name="fresh">Nothing of the rule has been read yet: its empty reading is its callers' business, who step over it.</param>
    private void Visit(int place, int count, StackNode node, bool fresh)
    {
        if (_seen.Add((place, count, node, fresh))) _todo.Push((place, count, node, fresh));
        if (_seen.Count > MostItems) throw new GrammarException("too costly: the text so far can be read in too many ways");
    }

    private void Drain()
    {
        while (true)
        {
            while (_todo.TryPop(out (int Place, int Count, StackNode Node, bool Fresh) at)) Expand(at.Place, at.Count, at.Node, at.Fresh);
            // All that call a rule at this byte are known when no rule that can begin with it is left: one node for them all.
            if (!_called.TryDequeue(out int rule, out _)) return;
            StackNode node = Node(_ruleCallers[rule]);
            GrammarRule called = _rules[rule];
            if (called.Repeated is { }) Visit(called.Starts[0], 0, node, fresh: true);
            else
                foreach (int start in called.Starts) Visit(start, 0, node, fresh: true);
        }
    }

    private void Expand(int place, int count, StackNode node, bool fresh)
    {
        RulePlace at = _rules.Place(place);
        if (at.Repeats is { } repeat)
        {
            Symbol item = repeat.Repeated!.Value;
            int min = _rules.Nullable(item) ? 0 : repeat.Min;
            if (count >= min && !fresh) Pop(node);
            if (repeat.Max >= 0 && count >= repeat.Max) return;
            int next = repeat.Max < 0 ? Math.Min(count + 1, min) : count + 1; // without an end only the least number counts
            if (repeat.Max >= 0 && next == repeat.Max) Call(item, node.Edges);
            else Call(item, [new StackEdge(place, next, node)]);
        }
        else if (at.Next is { } symbol)
        {
            // The last symbol of a rule returns to where the rule returns: right recursion needs no stack.
            RulePlace behind = _rules.Place(place + 1);
            if (behind.Next is null) Call(symbol, node.Edges);
            else Call(symbol, [new StackEdge(place + 1, 0, node)]);
            if (_rules.Nullable(symbol)) Visit(place + 1, 0, node, fresh);
        }
        else if (!fresh)
        {
            Pop(node);
        }
    }

    private void Call(Symbol symbol, StackEdge[] callers)
    {
        HashSet<StackEdge>? all;
        if (symbol.Text is { } text)
        {
            if (!_textCallers.TryGetValue(text, out all)) _textCallers[text] = all = [];
        }
        else if (!_ruleCallers.TryGetValue(symbol.Rule, out all))
        {
            _ruleCallers[symbol.Rule] = all = [];
            _called.Enqueue(symbol.Rule, _rules[symbol.Rule].Rank);
        }
        foreach (StackEdge caller in callers) all.Add(caller);
    }

    private ParserState Finish()
    {
        Drain();
        foreach ((ByteRegex text, HashSet<StackEdge> callers) in _textCallers)
            if (text.HasNext) _items.Add(new ParserItem(text, Node(callers)));
        if (_items.Count == 0 && !_canEnd) return _dead;
        if (_items.Count > 1)
        {
            _items.Sort(static (a, b) => a.Text.Id != b.Text.Id ? a.Text.Id.CompareTo(b.Text.Id) : a.Node.Id.CompareTo(b.Node.Id));
            int kept = 1;
            for (int i = 1; i < _items.Count; i++)
                if (_items[i] != _items[kept - 1]) _items[kept++] = _items[i];
            _items.RemoveRange(kept, _items.Count - kept);
        }
        ParserItem[] items = [.. _items];
        Dictionary<ParserItem[], ParserState> states = _canEnd ? _ending : _states;
        if (states.TryGetValue(items, out ParserState? known)) return known;
        if (_states.Count + _ending.Count >= MostStates || _nodes.Count >= MostNodes) Forget();
        return states[items] = new ParserState(items, _canEnd);
    }

    /// <summary>States that are still held elsewhere go on as before; they lose what they remember when they are met.</summary>
    private void Forget()
    {
        foreach (ParserState state in _states.Values.Concat(_ending.Values)) (state.Next, state.Mask) = (null, null);
        foreach (StackNode node in _nodes.Values) node.After = null;
        _states.Clear();
        _ending.Clear();
        _nodes.Clear();
        Generation++;
    }

    private StackNode Node(HashSet<StackEdge> callers)
    {
        StackEdge[] edges = [.. callers];
        if (edges.Length > 1)
        {
            Array.Sort(edges, static (a, b) =>
                a.Place != b.Place ? a.Place.CompareTo(b.Place) : a.Count != b.Count ? a.Count.CompareTo(b.Count) : (a.Parent?.Id ?? -1).CompareTo(b.Parent?.Id ?? -1));
        }
        if (!_nodes.TryGetValue(edges, out StackNode? node)) _nodes[edges] = node = new StackNode(_nodeIds++, edges);
        return node;
    }

    private sealed class SameItems : IEqualityComparer<ParserItem[]>
    {
        public bool Equals(ParserItem[]? x, ParserItem[]? y)
        {
            if (x!.Length != y!.Length) return false;
            for (int i = 0; i < x.Length; i++)
                if (!ReferenceEquals(x[i].Text, y[i].Text) || !ReferenceEquals(x[i].Node, y[i].Node)) return false;
            return true;
        }

        public int GetHashCode([DisallowNull] ParserItem[] items)
        {
            uint hash = 17;
            foreach (ParserItem item in items) hash = ((hash ^ (uint)item.Text.Id) * 2654435761u ^ (uint)item.Node.Id) * 2246822519u;
            return (int)(hash ^ hash >> 15);
        }
    }

    private sealed class SameEdges : IEqualityComparer<StackEdge[]>
    {
        public bool Equals(StackEdge[]? x, StackEdge[]? y)
        {
            if (x!.Length != y!.Length) return false;
            for (int i = 0; i < x.Length; i++)
                if (x[i].Place != y[i].Place || x[i].Count != y[i].Count || !ReferenceEquals(x[i].Parent, y[i].Parent)) return false;
            return true;
        }

        public int GetHashCode([DisallowNull] StackEdge[] edges)
        {
            uint hash = 17;
            foreach (StackEdge edge in edges) hash = (((hash ^ (uint)edge.Place) * 2654435761u ^ (uint)edge.Count) * 2246822519u ^ (uint)(edge.Parent?.Id ?? -1)) * 3266489917u;
            return (int)(hash ^ hash >> 15);
        }
    }
}
