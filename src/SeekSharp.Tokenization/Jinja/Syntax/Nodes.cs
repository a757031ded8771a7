namespace SeekSharp.Tokenization;

/// <summary>A part of a template that has a value.</summary>
internal abstract class Expression(int line)
{
    public int Line { get; } = line;

    /// <summary>The value; pays a step and one level of depth.</summary>
    public object Evaluate(Renderer r)
    {
        r.Budget.Step();
        r.Budget.Enter();
        object value = Value(r);
        r.Budget.Leave();
        return value;
    }

    protected abstract object Value(Renderer r);
}

/// <summary>How a statement ended.</summary>
internal enum Flow { Normal, Break, Continue }

/// <summary>A part of a template that is run.</summary>
internal abstract class Statement(int line)
{
    public int Line { get; } = line;

    protected abstract Flow Execute(Renderer r);

    public static Flow Run(Statement[] body, Renderer r)
    {
        r.Budget.Enter();
        Flow flow = Flow.Normal;
        foreach (Statement statement in body)
        {
            r.Budget.Step();
            r.Line = statement.Line;
            flow = statement.Execute(r);
            if (flow != Flow.Normal) break;
        }
        r.Budget.Leave();
        return flow;
    }

    /// <summary>Runs statements in a scope of their own.</summary>
    public static Flow RunInner(Statement[] body, Renderer r)
    {
        Scope before = r.Scope;
        r.Budget.Allocate(16);
        r.Scope = new Scope(before);
        Flow flow = Run(body, r);
        r.Scope = before;
        return flow;
    }
}

/// <summary>A parsed template.</summary>
internal sealed class TemplateSyntax
{
    public required Statement[] Body { get; init; }
    public required Dictionary<string, BlockStatement> Blocks { get; init; }

    /// <summary>Names of variables that the template reads.</summary>
    public required HashSet<string> Names { get; init; }
}
