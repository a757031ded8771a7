using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>One rendering: its variables, its output so far, its budget.</summary>
internal sealed class Renderer
{
    private readonly StringBuilder _root = new();
    private int _rootUnits;
    private int _rootPoints;

    public Renderer(TemplateSyntax template, Budget budget, DateTimeOffset now)
    {
        Template = template;
        Budget = budget;
        Now = now;
        Output = _root;
        Scope globals = new(null);
        foreach ((string name, object value) in Globals.All) globals.Set(name, value);
        globals.Set("self", new BlockTable());
        Root = new Scope(globals);
        Scope = Root;
    }

    public TemplateSyntax Template { get; }

    public Budget Budget { get; }

    /// <summary>What strftime_now reads.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>The template's outermost scope; the variables given lie here.</summary>
    public Scope Root { get; }

    public Scope Scope { get; set; }

    /// <summary>Where text goes at present: the prompt, or what a macro, a set block or a filter block collects.</summary>
    public StringBuilder Output { get; set; }

    /// <summary>The line of the node being evaluated, for messages.</summary>
    public int Line { get; set; }

    public bool AutoEscape { get; set; }

    /// <summary>The text inside generation blocks, in code points of the prompt.</summary>
    public List<(int Start, int End)> Spans { get; } = [];

    public string Text => _root.ToString();

    public void Write(string text)
    {
        Budget.Allocate(text.Length);
        Output.Append(text);
    }

    /// <summary>Runs statements with an output of their own.</summary>
    public string Capture(Action body)
    {
        StringBuilder before = Output;
        var text = new StringBuilder();
        Output = text;
        try
        {
            body();
        }
        finally
        {
            Output = before;
        }
        Budget.Allocate(text.Length);
        return text.ToString();
    }

    /// <summary>Text as a macro, a set block or a filter block gives it: markup where escaping is on.</summary>
    public object Wrap(string text) => AutoEscape ? new Markup(text) : text;

    /// <summary>How many code points the prompt itself has by now, without what blocks are still collecting.</summary>
    public int PromptLength()
    {
        string added = _root.ToString(_rootUnits, _root.Length - _rootUnits);
        // A pair of surrogates is never cut: text is written in whole strings.
        _rootPoints += CodePoints.Length(added);
        _rootUnits = _root.Length;
        return _rootPoints;
    }

    public bool IsTrue(object value) => PyCompare.IsTrue(Budget, value);

    public string Str(object value) => PyText.Str(Budget, value);

    /// <summary>Calls whatever a template calls.</summary>
    public object Call(object callee, Arguments args)
    {
        Budget.Step(4);
        switch (callee)
        {
            case Callable c:
                Budget.Enter();
                object result = c.Call(this, args);
                Budget.Leave();
                return result;
            case Undefined u: throw u.Error(Budget);
            default: throw new TemplateException($"'{PyType.Name(callee)}' object is not callable");
        }
    }
}

/// <summary>What <c>self</c> is: the template's blocks by name.</summary>
internal sealed class BlockTable;

/// <summary>One block, which a template may call: <c>self.title()</c>.</summary>
internal sealed class BlockReference(string name, BlockStatement block) : Callable(name)
{
    public override string TypeName => "BlockReference";

    public override object Call(Renderer r, Arguments args)
    {
        args.Check(Name, 0, 0);
        return r.Wrap(r.Capture(() => block.Render(r, r.Root)));
    }
}
