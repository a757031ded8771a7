namespace SeekSharp.Tokenization;

/// <summary><c>{% for target in items if test recursive %}…{% else %}…{% endfor %}</c>.</summary>
internal sealed class ForStatement(int line, Expression target, Expression items, Expression? test, bool recursive, Statement[] body, Statement[] otherwise)
    : Statement(line)
{
    protected override Flow Execute(Renderer r)
    {
        object iterable = items.Evaluate(r);
        if (!recursive) return Loop(r, iterable, 0);
        PrintStatement.Print(r, r.Wrap(RenderLevel(r, iterable, 0)));
        return Flow.Normal;
    }

    /// <summary>One level of a recursive loop, as text.</summary>
    public string RenderLevel(Renderer r, object iterable, int depth) => r.Capture(() => Loop(r, iterable, depth));

    private Flow Loop(Renderer r, object iterable, int depth)
    {
        Scope before = r.Scope;
        if (test is not null) iterable = new PyIterator("generator", Filtered(r, iterable));
        var loop = new LoopContext(r.Budget, iterable, recursive ? this : null, before, depth);
        bool completed = false;
        while (loop.Next(out object item))
        {
            r.Budget.Allocate(24);
            r.Scope = new Scope(before);
            r.Scope.Set("loop", loop);
            Assignment.Assign(r, target, item);
            Flow flow = Run(body, r);
            r.Scope = before;
            completed |= flow == Flow.Normal;
            if (flow == Flow.Break) break;
        }
        r.Scope = before;
        // As in Jinja, a round that ended early (by continue or break) does not count as one for else.
        return completed ? Flow.Normal : RunInner(otherwise, r);
    }

    private IEnumerable<object> Filtered(Renderer r, object iterable)
    {
        Scope around = r.Scope;
        foreach (object item in PySequence.Iterate(r.Budget, iterable))
        {
            Scope before = r.Scope;
            r.Scope = new Scope(around);
            Assignment.Assign(r, target, item);
            bool passes = r.IsTrue(test!.Evaluate(r));
            r.Scope = before;
            if (passes) yield return item;
        }
    }
}
