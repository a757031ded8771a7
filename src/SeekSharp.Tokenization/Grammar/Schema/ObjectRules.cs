using System.Runtime.InteropServices;

namespace SeekSharp.Tokenization;

/// <summary>Rules for the members of an object: named ones in order, each there or not, then those that only patterns or <c>additionalProperties</c> speak of.</summary>
internal sealed class ObjectRules(GrammarRules rules, JsonPieces json, SchemaNormalizer normal, ScalarRegex scalars, Func<List<SchemaLiteral>, Symbol> valueOf)
{
    private const int MostPatterns = 6;
    private const int MostCounted = 20_000;

    private readonly GrammarRules _rules = rules;
    private readonly JsonPieces _json = json;
    private readonly Func<List<SchemaLiteral>, Symbol> _valueOf = valueOf;
    private readonly ByteRegexPool _pool = rules.Pool;

    /// <summary>A member that the schema names.</summary>
    private readonly record struct Member(string Name, List<SchemaLiteral> Value, bool Required);

    public IEnumerable<Symbol[]> Of(string place, SchemaShape shape)
    {
        List<Member> members = Members(shape);
        if (members.Exists(m => m.Required && !NameAllowed(shape, m.Name))) return [];
        int required = members.Count(m => m.Required);
        List<(ByteRegex Key, List<SchemaLiteral> Value)> others = Others(place, shape, members);
        (int min, int max) = (shape.MinProperties, shape.MaxProperties);
        if (min <= required) min = 0;
        if (others.Count == 0 && max >= members.Count) max = -1;
        if (max >= 0 && (max < required || max < shape.MinProperties)) return [];
        // The same key may come twice where no name is said, and counts once: more than one such member proves nothing.
        if (min > 1 && others.Count > 0) throw new GrammarException($"{place}: minProperties above 1 and above the required ones, with keys that the schema does not name, is not supported");
        return new Build(this, place, members.FindAll(m => NameAllowed(shape, m.Name)), others, min, max).Choices();
    }

    /// <summary>Whether a member that must be there cannot be.</summary>
    public bool IsImpossible(SchemaShape shape, Predicate<List<SchemaLiteral>> impossible)
    {
        List<Member> members = Members(shape);
        if (shape.MaxProperties >= 0 && (shape.MaxProperties < shape.MinProperties || shape.MaxProperties < members.Count(m => m.Required))) return true;
        return shape.Required.Exists(shape.Forbidden.Contains) || members.Exists(m => m.Required && (!NameAllowed(shape, m.Name) || impossible(m.Value)));
    }

    /// <summary>Names in the order of the schemas, then those that are only required.</summary>
    private static List<Member> Members(SchemaShape shape)
    {
        List<string> names = [];
        HashSet<string> seen = [];
        foreach (ObjectPart part in shape.Objects)
            foreach ((string name, _) in part.Named)
                if (seen.Add(name)) names.Add(name);
        foreach (string name in shape.Required)
            if (seen.Add(name)) names.Add(name);
        foreach (string name in shape.Forbidden)
            if (seen.Add(name)) names.Add(name);
        HashSet<string> required = [.. shape.Required];
        return [.. names.Select(n => new Member(n, ValueOf(shape, n), required.Contains(n)))];
    }

    private static List<SchemaLiteral> ValueOf(SchemaShape shape, string name)
    {
        List<SchemaLiteral> goal = [];
        void Add(SchemaLiteral literal)
        {
            if (!goal.Contains(literal)) goal.Add(literal);
        }
        foreach (ObjectPart part in shape.Objects)
        {
            bool spoken = false;
            foreach ((string n, SchemaLiteral value) in part.Named)
            {
                if (n != name) continue;
                spoken = true;
                Add(value);
            }
            foreach ((_, ByteRegex regex, SchemaLiteral value) in part.Patterns)
            {
                if (!SchemaValidator.Matches(regex, name)) continue;
                spoken = true;
                Add(value);
            }
            if (!spoken && part.Rest is { } rest) Add(rest);
        }
        return goal;
    }

    /// <summary>Kinds of keys that no schema names, by the patterns that they match, and what their values must satisfy.</summary>
    private List<(ByteRegex Key, List<SchemaLiteral> Value)> Others(string place, SchemaShape shape, List<Member> members)
    {
        List<(string Pattern, ByteRegex Regex)> patterns = [.. shape.Objects.SelectMany(o => o.Patterns).Select(p => (p.Pattern, p.Regex)).DistinctBy(p => p.Pattern)];
        if (patterns.Count > MostPatterns) throw new GrammarException($"{place}: patternProperties: {patterns.Count} patterns that may overlap, at most {MostPatterns} are supported");
        List<ByteRegex> always = [.. NameConditions(shape)];
        if (members.Count > 0) always.Add(_pool.Not(_json.AnyContent(members.Select(m => m.Name))));
        List<(ByteRegex Key, List<SchemaLiteral> Value)> result = [];
        for (int subset = 0; subset < 1 << patterns.Count; subset++)
        {
            List<ByteRegex> key = [.. always];
            if (subset == 0) key.Add(_pool.Star(_json.Character));
            for (int i = 0; i < patterns.Count; i++) key.Add((subset >> i & 1) != 0 ? patterns[i].Regex : _pool.Not(patterns[i].Regex));
            List<SchemaLiteral> goal = [];
            foreach (ObjectPart part in shape.Objects)
            {
                bool spoken = false;
                foreach ((string pattern, _, SchemaLiteral value) in part.Patterns)
                {
                    if ((subset >> patterns.FindIndex(p => p.Pattern == pattern) & 1) == 0) continue;
                    spoken = true;
                    if (!goal.Contains(value)) goal.Add(value);
                }
                if (!spoken && part.Rest is { } rest && !goal.Contains(rest)) goal.Add(rest);
            }
            if (goal.Exists(l => l.Node.Constant is bool constant && constant != l.Holds)) continue;
            ByteRegex keys = _pool.And(CollectionsMarshal.AsSpan(key));
            if (_pool.Matches(keys)) result.Add((keys, goal));
        }
        return result;
    }

    /// <summary>Contents of strings that <c>propertyNames</c> allows.</summary>
    private IEnumerable<ByteRegex> NameConditions(SchemaShape shape)
    {
        foreach (SchemaLiteral name in shape.Names)
        {
            IEnumerable<SchemaShape> strings = normal.Expand([name]).Where(s => s.Enum is not null || (s.Types & JsonTypes.String) != 0);
            yield return _pool.Or([.. strings.Select(s =>
                s.Enum is { } values ? _json.AnyContent([.. values.Where(v => v.ValueKind == System.Text.Json.JsonValueKind.String).Select(v => v.GetString()!)]) : scalars.Content(s))]);
        }
    }

    private bool NameAllowed(SchemaShape shape, string name) => !shape.Forbidden.Contains(name) && NameConditions(shape).All(c => SchemaValidator.Matches(c, name));

    private Symbol Key(ByteRegex content) => Symbol.Of(_pool.Concat(_json.Quoted(content), _json.Mark(':', true, true)));

    /// <summary>The rules of one object: a rule says what may come from member i on, when c members have been counted.</summary>
    private sealed class Build
    {
        private readonly ObjectRules _all;
        private readonly GrammarRules _rules;
        private readonly string _place;
        private readonly List<Member> _members;
        private readonly int _min;
        private readonly int _max;
        private readonly int _counts; // counts that are told apart
        private readonly Symbol _comma;
        private readonly Symbol _close;
        private readonly Symbol[] _keys;
        private readonly Symbol[] _values;
        private readonly Symbol? _pair; // a member that is not named
        private readonly int[,] _tails; // behind a member
        private readonly int[,] _nexts; // a member must come

        public Build(ObjectRules all, string place, List<Member> members, List<(ByteRegex Key, List<SchemaLiteral> Value)> others, int min, int max)
        {
            (_all, _rules, _place, _members, _min, _max) = (all, all._rules, place, members, min, max);
            _counts = Math.Max(Math.Max(min, max), 0) + 1;
            if ((long)_counts * (_members.Count + 1) > MostCounted) throw new GrammarException($"{place}: minProperties or maxProperties is too large beside so many properties");
            JsonPieces json = all._json;
            _comma = Symbol.Of(json.Mark(',', true, true));
            _close = Symbol.Of(json.Mark('}', true, false));
            _keys = [.. _members.Select(m => all.Key(json.Content(m.Name)))];
            _values = [.. _members.Select(m => all._valueOf(m.Value))];
            if (others.Count > 0)
            {
                int pair = _rules.Add(place);
                foreach ((ByteRegex key, List<SchemaLiteral> value) in others) _rules[pair].Choices.Add([all.Key(key), all._valueOf(value)]);
                _pair = Symbol.Of(pair);
            }
            _tails = new int[_members.Count + 1, _counts];
            _nexts = new int[_members.Count + 1, _counts];
        }

        public IEnumerable<Symbol[]> Choices()
        {
            JsonPieces json = _all._json;
            ByteRegex open = json.Mark('{', false, true);
            int m = _members.Count;
            for (int c = 0; c < _counts; c++) _tails[m, c] = Last(c);
            for (int c = 0; c < _counts; c++) _nexts[m, c] = Other(c);
            for (int i = m - 1; i >= 0; i--)
            {
                for (int c = 0; c < _counts; c++)
                {
                    int next = _nexts[i, c] = _rules.Add(_place);
                    if (Counted(c) is int counted) _rules[next].Choices.Add([_keys[i], _values[i], Symbol.Of(_tails[i + 1, counted])]);
                    if (!_members[i].Required) _rules[next].Choices.Add([Symbol.Of(_nexts[i + 1, c])]);
                    int tail = _tails[i, c] = _rules.Add(_place);
                    _rules[tail].Choices.Add([_comma, Symbol.Of(next)]);
                    if (MayEnd(i, c)) _rules[tail].Choices.Add([_close]);
                }
            }
            if (MayEnd(0, 0)) yield return [Symbol.Of(_rules.Pool.Concat(open, _rules.Pool.Byte('}')))];
            yield return [Symbol.Of(open), Symbol.Of(_nexts[0, 0])];
        }

        private bool MayEnd(int from, int c) => c >= _min && !_members.Skip(from).Any(m => m.Required);

        /// <summary>The count with one member more; null when that is too many.</summary>
        private int? Counted(int c) => _max >= 0 && c >= _max ? null : Math.Min(c + 1, _counts - 1);

        /// <summary>Behind all named members: any number of others, then the end.</summary>
        private int Last(int c)
        {
            if (_pair is not { } pair || _max >= 0 && c >= _max) return c >= _min ? _rules.Sequence(_place, _close) : _rules.Add(_place);
            int more = _rules.Sequence(_place, _comma, pair);
            int rest = _rules.Repeat(_place, Symbol.Of(more), Math.Max(0, _min - c), _max < 0 ? -1 : _max - c);
            return _rules.Sequence(_place, Symbol.Of(rest), _close);
        }

        /// <summary>One member that is not named, and what follows it.</summary>
        private int Other(int c)
        {
            int rule = _rules.Add(_place);
            if (_pair is { } pair && Counted(c) is int counted) _rules[rule].Choices.Add([pair, Symbol.Of(_tails[_members.Count, counted])]);
            return rule;
        }
    }
}
