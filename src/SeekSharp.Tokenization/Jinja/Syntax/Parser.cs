namespace SeekSharp.Tokenization;

/// <summary>
/// Jinja's grammar of statements (expressions are in the other part). What Jinja finds only when it compiles is found here too: unknown filters
/// and tests (but not inside if, where they fail only when reached), break outside of a loop, assignment to loop.
/// </summary>
internal sealed partial class Parser
{
    private readonly List<Token> _tokens;
    private readonly Budget _budget;
    private int _at;
    private readonly Stack<string> _openTags = new();
    private readonly Stack<string[]> _endTags = new();
    private readonly Dictionary<string, BlockStatement> _blocks = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    // Unknown filters and tests that nothing has excused yet.
    private readonly List<TemplateException> _unknown = [];
    private readonly List<SpecialNames> _macros = [];
    private int _loops;
    private int _loopTargets;
    private bool _topLevel = true;

    private Parser(List<Token> tokens, Budget budget)
    {
        _tokens = tokens;
        _budget = budget;
    }

    public static TemplateSyntax Parse(string source, Budget budget)
    {
        var parser = new Parser(Lexer.Read(source), budget);
        Statement[] body = parser.Statements(null);
        parser.FailUnknown(0);
        return new TemplateSyntax { Body = body, Blocks = parser._blocks, Names = parser._names };
    }

    private Token Current => _tokens[_at];

    private Token Ahead => _tokens[Math.Min(_at + 1, _tokens.Count - 1)];

    private Token Next()
    {
        Token token = _tokens[_at];
        if (_at < _tokens.Count - 1) _at++;
        return token;
    }

    private bool Skip(string name)
    {
        if (!Current.IsName(name)) return false;
        Next();
        return true;
    }

    private bool SkipOperator(string symbol)
    {
        if (!Current.IsOperator(symbol)) return false;
        Next();
        return true;
    }

    private Token Expect(TokenKind kind)
    {
        if (Current.Kind == kind) return Next();
        string wanted = kind == TokenKind.Name ? "name" : new Token(kind, "", 0).Describe();
        throw Current.Kind == TokenKind.End ? Error($"unexpected end of template, expected '{wanted}'.") : Error($"expected token '{wanted}', got '{Current.Describe()}'");
    }

    private void ExpectOperator(string symbol)
    {
        if (!SkipOperator(symbol))
            throw Current.Kind == TokenKind.End ? Error($"unexpected end of template, expected '{symbol}'.") : Error($"expected token '{symbol}', got '{Current.Describe()}'");
    }

    private void ExpectName(string name)
    {
        if (!Skip(name)) throw Error($"expected token '{name}', got '{Current.Describe()}'");
    }

    private TemplateException Error(string message, int? line = null)
    {
        int at = line ?? Current.Line;
        return new TemplateException($"{message} (line {at})") { Line = at };
    }

    private void FailUnknown(int from)
    {
        if (_unknown.Count > from) throw _unknown[from];
    }

    /// <summary>Statements up to one of the end tags, which is left to be read; null reads to the end of the template.</summary>
    private Statement[] Statements(string[]? ends)
    {
        var body = new List<Statement>();
        if (ends is not null) _endTags.Push(ends);
        while (Current.Kind != TokenKind.End)
        {
            Token token = Next();
            if (token.Kind == TokenKind.Data) body.Add(new TextStatement(token.Line, token.Text));
            else if (token.Kind == TokenKind.VariableBegin)
            {
                int line = Current.Line;
                body.Add(new PrintStatement(line, Tuple()));
                Expect(TokenKind.VariableEnd);
            }
            else
            {
                if (ends is not null && Current.Kind == TokenKind.Name && ends.Contains(Current.Text)) break;
                body.Add(Statement());
                Expect(TokenKind.BlockEnd);
            }
        }
        if (ends is not null)
        {
            if (Current.Kind == TokenKind.End) throw UnknownTag(null, Current.Line);
            _endTags.Pop();
        }
        return [.. body];
    }

    /// <summary>The body of a block tag, its closing tag included when it is the only one possible.</summary>
    private Statement[] Body(bool dropEnd, params string[] ends)
    {
        SkipOperator(":");
        Expect(TokenKind.BlockEnd);
        _budget.Enter();
        Statement[] body = Statements(ends);
        _budget.Leave();
        if (dropEnd) Next();
        return body;
    }

    /// <summary>A body in which an unknown filter is an error again, even inside an if; break reaches no loop outside when <paramref name="function"/>.</summary>
    private Statement[] ScopedBody(bool function, string end)
    {
        (int loops, bool top) = (_loops, _topLevel);
        int mark = _unknown.Count;
        if (function) _loops = 0;
        _topLevel = false;
        Statement[] body = Body(true, end);
        FailUnknown(mark);
        (_loops, _topLevel) = (loops, top);
        return body;
    }

    private Statement Statement()
    {
        Token tag = Current;
        if (tag.Kind != TokenKind.Name) throw Error("tag name expected");
        _openTags.Push(tag.Text);
        Next();
        Statement statement = tag.Text switch
        {
            "for" => For(tag.Line),
            "if" => If(tag.Line),
            "set" => Set(tag.Line),
            "macro" => Macro(tag.Line),
            "call" => Call(tag.Line),
            "filter" => FilterBlock(tag.Line),
            "with" => With(tag.Line),
            "block" => Block(tag.Line),
            "print" => Print(tag.Line),
            "autoescape" => AutoEscape(tag.Line),
            "generation" => new GenerationStatement(tag.Line, ScopedBody(true, "endgeneration")),
            "break" => Jump(tag.Line, Flow.Break),
            "continue" => Jump(tag.Line, Flow.Continue),
            "include" or "import" or "from" or "extends" => Load(tag),
            _ => throw UnknownTag(tag, tag.Line),
        };
        _openTags.Pop();
        return statement;
    }

    private TemplateException UnknownTag(Token? tag, int line)
    {
        string? looking = _endTags.TryPeek(out string[]? ends) ? string.Join(" or ", ends.Select(e => $"'{e}'")) : null;
        string message = tag is null ? "Unexpected end of template." : $"Encountered unknown tag '{tag.Value.Text}'.";
        if (tag is not null) _openTags.Pop();
        if (looking is not null)
            message += tag is not null && _endTags.Any(e => e.Contains(tag.Value.Text))
                ? $" You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                : $" Jinja was looking for the following tags: {looking}.";
        if (_openTags.TryPeek(out string? open)) message += $" The innermost block that needs to be closed is '{open}'.";
        return Error(message, line);
    }

    private JumpStatement Jump(int line, Flow flow)
    {
        if (_loops == 0) throw Error(flow == Flow.Break ? "'break' outside loop" : "'continue' not properly in loop", line);
        return new JumpStatement(line, flow);
    }

    private ForStatement For(int line)
    {
        int mark = _loopTargets;
        Expression target = Target(namespaces: false);
        ExpectName("in");
        Expression items = Tuple(conditional: false);
        int unknown = _unknown.Count;
        Expression? test = Skip("if") ? Expression() : null;
        bool recursive = Skip("recursive");
        bool top = _topLevel;
        _topLevel = false;
        _loops++;
        Statement[] body = Body(false, "endfor", "else");
        _loops--;
        Statement[] otherwise = Next().Text == "endfor" ? [] : Body(true, "endfor");
        _topLevel = top;
        FailUnknown(unknown);
        if (_loopTargets > mark) throw Error("Can't assign to special loop variable in for-loop target", line);
        return new ForStatement(line, target, items, test, recursive, body, otherwise);
    }

    private IfStatement If(int line)
    {
        int unknown = _unknown.Count;
        var branches = new List<(Expression, Statement[])>();
        Statement[] otherwise = [];
        while (true)
        {
            Expression test = Tuple(conditional: false);
            branches.Add((test, Body(false, "elif", "else", "endif")));
            string end = Next().Text;
            if (end == "elif") continue;
            if (end == "else") otherwise = Body(true, "endif");
            break;
        }
        _unknown.RemoveRange(unknown, _unknown.Count - unknown);
        return new IfStatement(line, [.. branches], otherwise);
    }

    private Statement Set(int line)
    {
        Expression target = Target(namespaces: true);
        if (SkipOperator("=")) return new SetStatement(line, target, Tuple());
        int unknown = _unknown.Count;
        FilterExpression? filter = Filter(null, inline: false) as FilterExpression;
        FailUnknown(unknown);
        bool top = _topLevel;
        _topLevel = false;
        Statement[] body = Body(true, "endset");
        _topLevel = top;
        FailUnknown(unknown);
        return new SetBlockStatement(line, target, filter, body);
    }

    private FilterBlockStatement FilterBlock(int line)
    {
        int unknown = _unknown.Count;
        var filter = (FilterExpression)Filter(null, inline: true)!;
        FailUnknown(unknown);
        return new FilterBlockStatement(line, filter, ScopedBody(false, "endfilter"));
    }

    private WithStatement With(int line)
    {
        var variables = new List<(Expression, Expression)>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0) ExpectOperator(",");
            int mark = _loopTargets;
            Expression target = Target(namespaces: false);
            _loopTargets = mark;
            ExpectOperator("=");
            variables.Add((target, Expression()));
        }
        return new WithStatement(line, [.. variables], ScopedBody(false, "endwith"));
    }

    private AutoEscapeStatement AutoEscape(int line)
    {
        Expression value = Expression();
        return new AutoEscapeStatement(line, value, ScopedBody(false, "endautoescape"));
    }

    private PrintAllStatement Print(int line)
    {
        var values = new List<Expression>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0) ExpectOperator(",");
            values.Add(Expression());
        }
        return new PrintAllStatement(line, [.. values]);
    }

    private BlockStatement Block(int line)
    {
        string name = Expect(TokenKind.Name).Text;
        bool scoped = Skip("scoped"), required = Skip("required");
        if (Current.IsOperator("-"))
            throw Error("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
        var block = new BlockStatement(line, name, scoped, required);
        if (!_blocks.TryAdd(name, block)) throw Error($"block '{name}' defined twice", line);
        // A block's names do not concern the macro around it.
        SpecialNames[] macros = [.. _macros];
        _macros.Clear();
        block.Body = ScopedBody(true, "endblock");
        _macros.AddRange(macros);
        if (required && block.Body.Any(s => s is not TextStatement { IsBlank: true })) throw Error("Required blocks can only contain comments or whitespace", line);
        Skip(name);
        return block;
    }

    private MacroStatement Macro(int line)
    {
        string name = Expect(TokenKind.Name).Text;
        if (!Current.IsOperator("(")) throw Error($"expected token '(', got '{Current.Describe()}'");
        return new MacroStatement(line, name, MacroBody(line, "endmacro", null, out _));
    }

    private CallStatement Call(int line)
    {
        MacroBody body = MacroBody(line, "endcall", CallTarget, out CallExpression? call);
        return new CallStatement(line, body, call!);
    }

    private CallExpression CallTarget()
    {
        int line = Current.Line;
        return Expression() as CallExpression ?? throw Error("expected call", line);
    }

    /// <summary>The parameters and the body of a macro or call block; between them stands what a call block calls.</summary>
    private MacroBody MacroBody(int line, string end, Func<CallExpression>? callee, out CallExpression? call)
    {
        int unknown = _unknown.Count;
        Parameter[] parameters = callee is null || Current.IsOperator("(") ? Signature() : [];
        FailUnknown(unknown);
        call = callee?.Invoke();
        var names = new SpecialNames();
        _macros.Add(names);
        Statement[] body = ScopedBody(true, end);
        _macros.RemoveAt(_macros.Count - 1);
        bool Uses(string name) => names.Read.Contains(name) && !Array.Exists(parameters, p => p.Name == name);
        int explicitCaller = Array.FindIndex(parameters, p => p.Name == "caller");
        if (names.Read.Contains("caller") && explicitCaller >= 0 && parameters[explicitCaller].Default is null)
            throw Error("When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.", line);
        return new MacroBody
        {
            Parameters = parameters,
            Body = body,
            UsesCaller = names.Read.Contains("caller"),
            UsesKwargs = Uses("kwargs"),
            UsesVarargs = Uses("varargs"),
        };
    }

    private Parameter[] Signature()
    {
        var parameters = new List<Parameter>();
        ExpectOperator("(");
        bool defaults = false;
        while (!Current.IsOperator(")"))
        {
            if (parameters.Count > 0) ExpectOperator(",");
            string name = TargetName();
            Expression? value = null;
            if (SkipOperator("="))
            {
                defaults = true;
                value = Expression();
            }
            else if (defaults) throw Error("non-default argument follows default argument");
            if (parameters.Exists(p => p.Name == name)) throw Error($"duplicate argument '{name}' in function definition");
            foreach (SpecialNames macro in _macros) macro.Stored(name);
            parameters.Add(new Parameter(name, value));
        }
        ExpectOperator(")");
        return [.. parameters];
    }

    private LoadStatement Load(Token tag)
    {
        if (tag.Text == "extends" && !_topLevel) throw Error("cannot use extend from a non top-level scope", tag.Line);
        Expression template = Expression();
        if (tag.Text == "include" && Current.IsName("ignore") && Ahead.IsName("missing"))
        {
            Next();
            Next();
        }
        if (tag.Text == "import")
        {
            ExpectName("as");
            TargetName();
        }
        if (tag.Text == "from")
        {
            ExpectName("import");
            while (Current.Kind == TokenKind.Name && !(Current.Text is "with" or "without" && Ahead.IsName("context")))
            {
                if (TargetName().StartsWith('_')) throw Error("names starting with an underline can not be imported", tag.Line);
                if (Skip("as")) TargetName();
                if (!SkipOperator(",")) break;
            }
        }
        if (Current.Text is "with" or "without" && Current.Kind == TokenKind.Name && Ahead.IsName("context"))
        {
            Next();
            Next();
        }
        return new LoadStatement(tag.Line, template);
    }

    /// <summary>Which of the names that Jinja fills in a macro's body reads before it sets them.</summary>
    private sealed class SpecialNames
    {
        private readonly HashSet<string> _open = ["caller", "kwargs", "varargs"];

        public HashSet<string> Read { get; } = [];

        public void Loaded(string name)
        {
            if (_open.Contains(name)) Read.Add(name);
        }

        public void Stored(string name) => _open.Remove(name);
    }
}
