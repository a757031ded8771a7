namespace SeekSharp.Tokenization;

/// <summary>A part of a rule: a terminal (a non-empty text of an expression) or another rule.</summary>
/// <param name="Text">The terminal; null for a rule.</param>
/// <param name="Rule">The rule's number.</param>
internal readonly record struct Symbol(ByteRegex? Text, int Rule)
{
    public static Symbol Of(ByteRegex text) => new(text, -1);

    public static Symbol Of(int rule) => new(null, rule);
}

/// <summary>A rule: a choice of sequences, or one symbol repeated.</summary>
internal sealed class GrammarRule(string name)
{
    /// <summary>What messages call it.</summary>
    public string Name { get; } = name;

    public List<Symbol[]> Choices { get; set; } = [];

    /// <summary>Not null: the rule is this symbol, Min to Max times (Max -1: without end).</summary>
    public Symbol? Repeated { get; set; }

    public int Min { get; set; }

    public int Max { get; set; }

    /// <summary>Matches the empty text.</summary>
    public bool Nullable { get; set; }

    /// <summary>Matches any text at all.</summary>
    public bool Productive { get; set; }

    /// <summary>Rules that this one can begin with have higher ranks.</summary>
    public int Rank { get; set; }

    /// <summary>The place of each choice's first symbol.</summary>
    public int[] Starts { get; set; } = [];
}

/// <summary>The place in a rule that is reached when a symbol has been read.</summary>
/// <param name="Next">The symbol that comes; null at the end of the rule, and behind an item of a repetition.</param>
/// <param name="Repeats">The rule whose item has been read; null in a sequence.</param>
internal readonly record struct RulePlace(Symbol? Next, GrammarRule? Repeats);

/// <summary>
/// A context-free grammar whose terminals are expressions over bytes. <see cref="Close"/> drops what can match nothing and refuses left recursion; from then on it does not change.
/// </summary>
internal sealed class GrammarRules(ByteRegexPool pool)
{
    public const int MostRules = 100_000;
    private const int MostDepth = 4_000; // of rules that begin with rules

    private readonly List<GrammarRule> _rules = [];
    private readonly List<RulePlace> _places = [];

    public ByteRegexPool Pool { get; } = pool;

    public Symbol Start { get; private set; }

    public GrammarRule this[int rule] => _rules[rule];

    public int Count => _rules.Count;

    public RulePlace Place(int place) => _places[place];

    /// <summary>A rule to be filled in.</summary>
    public int Add(string name)
    {
        if (_rules.Count >= MostRules) throw new GrammarException($"{name}: too large: over {MostRules} rules");
        _rules.Add(new GrammarRule(name));
        return _rules.Count - 1;
    }

    public int Sequence(string name, params ReadOnlySpan<Symbol> symbols)
    {
        int rule = Add(name);
        _rules[rule].Choices.Add(symbols.ToArray());
        return rule;
    }

    public int Choice(string name, params IEnumerable<Symbol> choices)
    {
        int rule = Add(name);
        _rules[rule].Choices.AddRange(choices.Select(c => new[] { c }));
        return rule;
    }

    public int Repeat(string name, Symbol item, int min, int max)
    {
        int rule = Add(name);
        (_rules[rule].Repeated, _rules[rule].Min, _rules[rule].Max) = (item, min, max);
        return rule;
    }

    public bool Nullable(Symbol symbol) => symbol.Text?.Nullable ?? _rules[symbol.Rule].Nullable;

    /// <summary>Ends the building.</summary>
    /// <exception cref="GrammarException">The grammar matches nothing, or a rule can begin with itself.</exception>
    public void Close(Symbol start)
    {
        Start = start;
        FindProductive();
        if (!Productive(start)) throw new GrammarException("the grammar admits nothing: no text can satisfy it");
        foreach (GrammarRule rule in _rules)
        {
            rule.Choices.RemoveAll(c => !Array.TrueForAll(c, Productive));
            if (rule.Repeated is { } item && !Productive(item)) (rule.Repeated, rule.Choices) = (null, rule.Min == 0 ? [[]] : []);
        }
        FindNullable();
        FindRanks();
        foreach (GrammarRule rule in _rules)
        {
            if (rule.Repeated is not null)
            {
                rule.Starts = [_places.Count];
                _places.Add(new RulePlace(null, rule));
                continue;
            }
            rule.Starts = new int[rule.Choices.Count];
            for (int i = 0; i < rule.Starts.Length; i++)
            {
                rule.Starts[i] = _places.Count;
                foreach (Symbol symbol in rule.Choices[i]) _places.Add(new RulePlace(symbol, null));
                _places.Add(new RulePlace(null, null));
            }
        }
    }

    private bool Productive(Symbol symbol) => symbol.Text is { } text ? Pool.Matches(text) : _rules[symbol.Rule].Productive;

    private void FindProductive() => Spread(
        rule => rule.Productive,
        rule => rule.Productive = true,
        rule => rule.Repeated is { } item ? rule.Min == 0 || Productive(item) : rule.Choices.Exists(c => Array.TrueForAll(c, Productive)));

    private void FindNullable() => Spread(
        rule => rule.Nullable,
        rule => rule.Nullable = true,
        rule => rule.Repeated is { } item ? rule.Min == 0 || Nullable(item) : rule.Choices.Exists(c => Array.TrueForAll(c, Nullable)));

    /// <summary>Sets a mark wherever its condition holds, until nothing changes; who uses a newly marked rule is looked at again.</summary>
    private void Spread(Predicate<GrammarRule> marked, Action<GrammarRule> mark, Predicate<GrammarRule> holds)
    {
        List<int>?[] users = new List<int>?[_rules.Count];
        for (int r = 0; r < _rules.Count; r++)
        {
            foreach (Symbol symbol in Symbols(_rules[r]))
                if (symbol.Text is null) (users[symbol.Rule] ??= []).Add(r);
        }
        Stack<int> todo = new(Enumerable.Range(0, _rules.Count));
        while (todo.TryPop(out int r))
        {
            if (marked(_rules[r]) || !holds(_rules[r])) continue;
            mark(_rules[r]);
            foreach (int user in users[r] ?? []) todo.Push(user);
        }
    }

    private static IEnumerable<Symbol> Symbols(GrammarRule rule) => rule.Repeated is { } item ? [item] : rule.Choices.SelectMany(c => c);

    /// <summary>Numbers the rules so that whatever a rule can begin with comes after it.</summary>
    private void FindRanks()
    {
        byte[] seen = new byte[_rules.Count]; // 1: on the way, 2: done
        int next = _rules.Count;
        for (int r = 0; r < _rules.Count; r++) Visit(r, 0);

        void Visit(int r, int depth)
        {
            GrammarRule rule = _rules[r];
            if (seen[r] == 2) return;
            if (seen[r] == 1) throw new GrammarException($"{rule.Name}: left recursion: it can begin with itself, for ever");
            if (depth > MostDepth) throw new GrammarException($"{rule.Name}: rules begin with rules over {MostDepth} deep");
            seen[r] = 1;
            foreach (Symbol[] choice in rule.Repeated is { } item ? [[item]] : rule.Choices)
            {
                foreach (Symbol symbol in choice)
                {
                    if (symbol.Text is null) Visit(symbol.Rule, depth + 1);
                    if (!Nullable(symbol)) break;
                }
            }
            seen[r] = 2;
            rule.Rank = --next;
        }
    }
}
