namespace SeekSharp.Tokenization;

/// <summary>The variable <c>loop</c>. It looks ahead only as far as it is asked to.</summary>
internal sealed class LoopContext(Budget budget, object iterable, ForStatement? recursive, Scope? scope, int depth) : Callable("loop")
{
    private readonly IEnumerator<object> _items = PySequence.Iterate(budget, iterable).GetEnumerator();
    private readonly Queue<object> _ahead = new();
    private long _index = -1;
    private object? _current;
    private object? _before;
    private PyTuple? _lastChanged;
    private long _length = -1;

    public override string TypeName => "LoopContext";

    /// <summary>Goes to the next item.</summary>
    public bool Next(out object item)
    {
        if (!Peek(out item)) return false;
        _ahead.Dequeue();
        _index++;
        _before = _current;
        _current = item;
        return true;
    }

    private bool Peek(out object item)
    {
        if (_ahead.TryPeek(out item!)) return true;
        if (!_items.MoveNext())
        {
            item = None.Value;
            return false;
        }
        item = _items.Current;
        _ahead.Enqueue(item);
        return true;
    }

    public long Length(Budget payer)
    {
        if (_length >= 0) return _length;
        if (iterable is not PyIterator && PySequence.TryLength(payer, iterable) is >= 0 and long known) return _length = known;
        while (_items.MoveNext())
        {
            payer.Allocate(12);
            _ahead.Enqueue(_items.Current);
        }
        return _length = _index + 1 + _ahead.Count;
    }

    /// <summary>Iterating over <c>loop</c> itself uses up what is left, in pairs.</summary>
    public IEnumerable<object> Rest(Budget payer)
    {
        while (Next(out object item))
        {
            payer.Step();
            yield return new PyTuple(item, this);
        }
    }

    public override object? Attribute(Renderer r, string name) => name switch
    {
        "index" => Boxed.Int(_index + 1),
        "index0" => Boxed.Int(_index),
        "revindex" => Boxed.Int(Length(r.Budget) - _index),
        "revindex0" => Boxed.Int(Length(r.Budget) - _index - 1),
        "first" => Boxed.Bool(_index == 0),
        "last" => Boxed.Bool(!Peek(out _)),
        "length" => Boxed.Int(Length(r.Budget)),
        "depth" => Boxed.Int(depth + 1),
        "depth0" => Boxed.Int(depth),
        "previtem" => _index == 0 || _before is null ? new Undefined("there is no previous item") : _before,
        "nextitem" => Peek(out object next) ? next : new Undefined("there is no next item"),
        "cycle" => new Function("cycle", (_, args) => args.Count == 0 ? throw new TemplateException("no items for cycling given") : args.Positional[_index % args.Count]),
        "changed" => new Function("changed", (caller, args) =>
        {
            var value = new PyTuple(args.Positional);
            if (_lastChanged is not null && PyCompare.AreEqual(caller.Budget, _lastChanged, value)) return Boxed.False;
            _lastChanged = value;
            return Boxed.True;
        }),
        _ => null,
    };

    public override object Call(Renderer r, Arguments args)
    {
        object?[] bound = args.Bind("loop", 1, "iterable");
        if (recursive is null) throw new TemplateException("The loop must have the 'recursive' marker to be called recursively.");
        Scope before = r.Scope;
        r.Scope = scope!;
        string text = recursive.RenderLevel(r, bound[0]!, depth + 1);
        r.Scope = before;
        return r.Wrap(text);
    }

    public override string Repr(Budget payer) => $"<LoopContext {_index + 1}/{Length(payer)}>";
}
