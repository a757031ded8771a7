namespace SeekSharp.Tokenization;

// Jinja's grammar of expressions, weakest first: inline if, or, and, not, comparisons, + -, ~, * / // %, **, unary, postfix, filters and tests.
internal sealed partial class Parser
{
    private Expression Expression(bool conditional = true)
    {
        _budget.Step();
        _budget.Enter();
        Expression value = conditional ? Conditional() : Or();
        _budget.Leave();
        return value;
    }

    private Expression Conditional()
    {
        int unknown = _unknown.Count;
        int line = Current.Line;
        Expression value = Or();
        while (Skip("if"))
        {
            Expression test = Or();
            Expression? otherwise = null;
            if (Skip("else"))
            {
                _budget.Enter();
                otherwise = Conditional();
                _budget.Leave();
            }
            value = new ConditionalExpression(line, test, value, otherwise);
            // Inside an inline if an unknown filter fails only when it is reached.
            _unknown.RemoveRange(unknown, _unknown.Count - unknown);
            line = Current.Line;
        }
        return value;
    }

    /// <summary>Counts a chain's links: each is a level of depth when evaluated, and too many are told before that.</summary>
    private static void Link(ref int links)
    {
        if (++links > Budget.MaxChain) throw Budget.TooDeep();
    }

    private Expression Or()
    {
        Expression left = And();
        int links = 0;
        for (int line = Current.Line; Skip("or"); line = Current.Line, Link(ref links)) left = new OrExpression(line, left, And());
        return left;
    }

    private Expression And()
    {
        Expression left = Not();
        int links = 0;
        for (int line = Current.Line; Skip("and"); line = Current.Line, Link(ref links)) left = new AndExpression(line, left, Not());
        return left;
    }

    private Expression Not()
    {
        int line = Current.Line;
        if (!Skip("not")) return Compare();
        _budget.Enter();
        Expression operand = Not();
        _budget.Leave();
        return new NotExpression(line, operand);
    }

    private Expression Compare()
    {
        int line = Current.Line;
        Expression first = Sum();
        List<(Comparison, Expression)>? rest = null;
        while (true)
        {
            Comparison op;
            if (Current.Kind == TokenKind.Operator && Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
                op = Next().Text switch
                {
                    "==" => Comparison.Equal,
                    "!=" => Comparison.NotEqual,
                    "<" => Comparison.Less,
                    "<=" => Comparison.LessOrEqual,
                    ">" => Comparison.Greater,
                    _ => Comparison.GreaterOrEqual,
                };
            else if (Skip("in")) op = Comparison.In;
            else if (Current.IsName("not") && Ahead.IsName("in"))
            {
                Next();
                Next();
                op = Comparison.NotIn;
            }
            else break;
            (rest ??= []).Add((op, Sum()));
        }
        return rest is null ? first : new CompareExpression(line, first, [.. rest]);
    }

    private Expression Sum()
    {
        int line = Current.Line, links = 0;
        Expression left = Concat();
        while (Current.Kind == TokenKind.Operator && Current.Text is "+" or "-")
        {
            BinaryOperator op = Next().Text == "+" ? BinaryOperator.Add : BinaryOperator.Subtract;
            left = new BinaryExpression(line, op, left, Concat());
            Link(ref links);
            line = Current.Line;
        }
        return left;
    }

    private Expression Concat()
    {
        int line = Current.Line;
        Expression first = Product();
        if (!Current.IsOperator("~")) return first;
        var parts = new List<Expression> { first };
        while (SkipOperator("~")) parts.Add(Product());
        return new ConcatExpression(line, [.. parts]);
    }

    private Expression Product()
    {
        int line = Current.Line, links = 0;
        Expression left = Power();
        while (Current.Kind == TokenKind.Operator && Current.Text is "*" or "/" or "//" or "%")
        {
            BinaryOperator op = Next().Text switch
            {
                "*" => BinaryOperator.Multiply,
                "/" => BinaryOperator.Divide,
                "//" => BinaryOperator.FloorDivide,
                _ => BinaryOperator.Modulo,
            };
            left = new BinaryExpression(line, op, left, Power());
            Link(ref links);
            line = Current.Line;
        }
        return left;
    }

    // Unlike in Python, ** binds weaker than a sign in front of it, and groups from the left.
    private Expression Power()
    {
        int line = Current.Line, links = 0;
        Expression left = Unary(true);
        while (SkipOperator("**"))
        {
            left = new BinaryExpression(line, BinaryOperator.Power, left, Unary(true));
            Link(ref links);
            line = Current.Line;
        }
        return left;
    }

    private Expression Unary(bool filters)
    {
        Token token = Current;
        Expression value;
        if (token.Kind == TokenKind.Operator && token.Text is "-" or "+")
        {
            Next();
            _budget.Enter();
            value = new SignExpression(token.Line, Unary(false), token.Text == "-");
            _budget.Leave();
        }
        else value = Primary(false);
        value = Postfix(value);
        return filters ? FiltersAndTests(value) : value;
    }

    private Expression Primary(bool namespaces)
    {
        Token token = Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                if (token.Text is "true" or "True") return new Constant(token.Line, Boxed.True);
                if (token.Text is "false" or "False") return new Constant(token.Line, Boxed.False);
                if (token.Text is "none" or "None") return new Constant(token.Line, None.Value);
                if (namespaces && SkipOperator(".")) return new NamespaceTarget(token.Line, token.Text, Expect(TokenKind.Name).Text);
                return new NameExpression(token.Line, token.Text);
            case TokenKind.String:
                string text = token.Text;
                if (Current.Kind == TokenKind.String)
                {
                    var joined = new System.Text.StringBuilder(text);
                    while (Current.Kind == TokenKind.String) joined.Append(Next().Text);
                    text = joined.ToString();
                }
                return new Constant(token.Line, text);
            case TokenKind.Integer or TokenKind.Float:
                return new Constant(token.Line, token.Value!);
            case TokenKind.Operator when token.Text == "(":
                Expression inner = Tuple(parentheses: true);
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return List(token.Line);
            case TokenKind.Operator when token.Text == "{":
                return Dict(token.Line);
            default:
                throw Error($"unexpected '{token.Describe()}'", token.Line);
        }
    }

    /// <summary>One expression, or several with commas as a tuple.</summary>
    private Expression Tuple(bool conditional = true, bool parentheses = false) =>
        Tuple(() => Expression(conditional), parentheses);

    private Expression Tuple(Func<Expression> item, bool parentheses)
    {
        int line = Current.Line;
        var items = new List<Expression>();
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0) ExpectOperator(",");
            if (Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || Current.IsOperator(")")) break;
            items.Add(item());
            if (!Current.IsOperator(",")) break;
            isTuple = true;
        }
        if (isTuple) return new TupleExpression(line, [.. items]);
        if (items.Count > 0) return items[0];
        if (!parentheses) throw Error($"Expected an expression, got '{Current.Describe()}'");
        return new TupleExpression(line, []);
    }

    private ListExpression List(int line)
    {
        var items = new List<Expression>();
        while (!Current.IsOperator("]"))
        {
            if (items.Count > 0) ExpectOperator(",");
            if (Current.IsOperator("]")) break;
            items.Add(Expression());
        }
        ExpectOperator("]");
        return new ListExpression(line, [.. items]);
    }

    private DictExpression Dict(int line)
    {
        var pairs = new List<(Expression, Expression)>();
        while (!Current.IsOperator("}"))
        {
            if (pairs.Count > 0) ExpectOperator(",");
            if (Current.IsOperator("}")) break;
            Expression key = Expression();
            ExpectOperator(":");
            pairs.Add((key, Expression()));
        }
        ExpectOperator("}");
        return new DictExpression(line, [.. pairs]);
    }

    private Expression Postfix(Expression value)
    {
        for (int links = 0; ; Link(ref links))
        {
            Note(value);
            if (Current.IsOperator(".") || Current.IsOperator("[")) value = Subscript(value);
            else if (Current.IsOperator("(")) value = CallOf(value);
            else return value;
        }
    }

    private Expression FiltersAndTests(Expression value)
    {
        for (int links = 0; ; Link(ref links))
        {
            if (Current.IsOperator("|")) value = Filter(value, inline: false)!;
            else if (Current.IsName("is")) value = Test(value);
            else if (Current.IsOperator("(")) value = CallOf(value);
            else return value;
        }
    }

    /// <summary>Remembers that a variable is read.</summary>
    private void Note(Expression value)
    {
        if (value is not NameExpression { Name: var name }) return;
        _names.Add(name);
        foreach (SpecialNames macro in _macros) macro.Loaded(name);
    }

    private Expression Subscript(Expression value)
    {
        Token token = Next();
        if (token.Text == ".")
        {
            Token name = Next();
            if (name.Kind == TokenKind.Name) return new AttributeExpression(token.Line, value, name.Text);
            if (name.Kind != TokenKind.Integer) throw Error("expected name or number", name.Line);
            return new ItemExpression(token.Line, value, new Constant(name.Line, name.Value!));
        }
        var keys = new List<Func<Expression, Expression>>();
        var parts = new List<Expression>();
        while (!Current.IsOperator("]"))
        {
            if (keys.Count > 0) ExpectOperator(",");
            keys.Add(Subscribed(token.Line, parts));
        }
        ExpectOperator("]");
        return keys.Count == 1 ? keys[0](value) : new ItemExpression(token.Line, value, new TupleExpression(token.Line, [.. parts]));
    }

    /// <summary>One key or slice between brackets: how it applies alone, and in <paramref name="parts"/> what it is among several.</summary>
    private Func<Expression, Expression> Subscribed(int line, List<Expression> parts)
    {
        Expression? start = null, stop = null, step = null;
        if (!Current.IsOperator(":"))
        {
            start = Expression();
            if (!Current.IsOperator(":"))
            {
                parts.Add(start);
                return owner => new ItemExpression(line, owner, start);
            }
        }
        Next();
        bool AtEnd() => Current.IsOperator("]") || Current.IsOperator(",");
        if (!Current.IsOperator(":") && !AtEnd()) stop = Expression();
        if (SkipOperator(":") && !AtEnd()) step = Expression();
        parts.Add(new LooseSlice(line));
        return owner => new SliceExpression(line, owner, start, stop, step);
    }

    private ArgumentList Arguments()
    {
        int line = Current.Line;
        ExpectOperator("(");
        var positional = new List<Expression>();
        var keywords = new List<(string, Expression)>();
        Expression? star = null, doubleStar = null;
        bool comma = false;
        void Ensure(bool allowed)
        {
            if (!allowed) throw Error("invalid syntax for function call expression", line);
        }
        while (!Current.IsOperator(")"))
        {
            if (comma)
            {
                ExpectOperator(",");
                if (Current.IsOperator(")")) break;
            }
            if (SkipOperator("*"))
            {
                Ensure(star is null && doubleStar is null);
                star = Expression();
            }
            else if (SkipOperator("**"))
            {
                Ensure(doubleStar is null);
                doubleStar = Expression();
            }
            else if (Current.Kind == TokenKind.Name && Ahead.IsOperator("="))
            {
                Ensure(doubleStar is null);
                string name = Next().Text;
                Next();
                keywords.Add((name, Expression()));
            }
            else
            {
                Ensure(star is null && doubleStar is null && keywords.Count == 0);
                positional.Add(Expression());
            }
            comma = true;
        }
        ExpectOperator(")");
        if (positional.Count + keywords.Count == 0 && star is null && doubleStar is null) return ArgumentList.Empty;
        return new ArgumentList([.. positional], [.. keywords], star, doubleStar);
    }

    private CallExpression CallOf(Expression callee)
    {
        int line = Current.Line;
        return new CallExpression(line, callee, Arguments());
    }

    /// <summary>A chain of filters; null where there is none.</summary>
    private Expression? Filter(Expression? value, bool inline)
    {
        int links = 0;
        while (inline || Current.IsOperator("|"))
        {
            Link(ref links);
            if (!inline) Next();
            inline = false;
            Token token = Expect(TokenKind.Name);
            string name = DottedName(token.Text);
            ArgumentList args = Current.IsOperator("(") ? Arguments() : ArgumentList.Empty;
            if (!Filters.All.ContainsKey(name)) _unknown.Add(Error($"No filter named '{name}'.", token.Line));
            value = new FilterExpression(token.Line, value, name, args);
        }
        return value;
    }

    private string DottedName(string name)
    {
        while (SkipOperator(".")) name += "." + Expect(TokenKind.Name).Text;
        return name;
    }

    private Expression Test(Expression value)
    {
        Token token = Next();
        bool negated = Skip("not");
        string name = DottedName(Expect(TokenKind.Name).Text);
        ArgumentList args = ArgumentList.Empty;
        if (Current.IsOperator("(")) args = Arguments();
        else if (Current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float || Current.IsOperator("[") || Current.IsOperator("{"))
        {
            if (!(Current.IsName("else") || Current.IsName("or") || Current.IsName("and")))
            {
                if (Current.IsName("is")) throw Error("You cannot chain multiple tests with is");
                _budget.Enter();
                args = new ArgumentList([Postfix(Primary(false))], [], null, null);
                _budget.Leave();
            }
        }
        if (!Tests.All.ContainsKey(name)) _unknown.Add(Error($"No test named '{name}'.", token.Line));
        Expression test = new TestExpression(token.Line, value, name, args);
        return negated ? new NotExpression(token.Line, test) : test;
    }

    /// <summary>What a set, for or with assigns to.</summary>
    private Expression Target(bool namespaces)
    {
        Expression target = Tuple(() => TargetPart(namespaces), false);
        CheckTarget(target);
        return target;
    }

    private Expression TargetPart(bool namespaces)
    {
        _budget.Enter();
        Expression part = Primary(namespaces);
        _budget.Leave();
        return part;
    }

    private string TargetName()
    {
        Token token = Expect(TokenKind.Name);
        if (token.Text is "true" or "false" or "none" or "True" or "False" or "None") throw Error("can't assign to 'name'", token.Line);
        return token.Text;
    }

    private void CheckTarget(Expression target)
    {
        switch (target)
        {
            case NameExpression name:
                if (name.Name == "loop") _loopTargets++;
                foreach (SpecialNames macro in _macros) macro.Stored(name.Name);
                break;
            case NamespaceTarget: break;
            case TupleExpression tuple:
                _budget.Enter();
                foreach (Expression item in tuple.Items) CheckTarget(item);
                _budget.Leave();
                break;
            default:
                string kind = target is Constant ? "const" : target.GetType().Name.Replace("Expression", "").ToLowerInvariant();
                throw Error($"can't assign to '{kind}'", target.Line);
        }
    }
}
