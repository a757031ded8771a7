using System.Runtime.CompilerServices;

namespace SeekSharp.Tokenization;

/// <summary>
/// What one parse or rendering may spend: steps (time), characters ever allocated (memory), and depth. Everything that a template can
/// make long is paid for here before it is made, so that no template runs for ever, grows without bound or overflows the stack.
/// </summary>
internal sealed class Budget
{
    /// <summary>Integers beyond this many bits are refused; Python has no such limit, but no prompt needs them.</summary>
    public const int MaxIntegerBits = 1 << 16;

    /// <summary>Powers are what makes integers explode, and 2**256 is more than any prompt has asked for.</summary>
    public const int MaxPowerBits = 320;

    /// <summary>Python refuses to print or read integers beyond this many digits.</summary>
    public const int MaxIntegerDigits = 4300;

    /// <summary>Links of one chain of operators, attributes or filters.</summary>
    public const int MaxChain = 2000;

    private const int MaxDepth = 2500;
    private long _steps;
    private long _chars;
    private int _depth;

    /// <param name="inputLength">Characters of template and variables: who brings more may use more.</param>
    public Budget(long inputLength)
    {
        _steps = 3_000_000 + 64 * inputLength;
        _chars = (16L << 20) + 128 * inputLength;
        Keys = new KeyComparer(this);
    }

    /// <summary>Equality of dictionary keys, as Python has it; it pays from this budget.</summary>
    public KeyComparer Keys { get; }

    /// <summary>Pays for <paramref name="count"/> steps of work.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step(long count = 1)
    {
        if ((_steps -= count) < 0) throw new TemplateException("the template runs too long and was stopped");
    }

    /// <summary>Pays for memory: <paramref name="count"/> UTF-16 units, or what takes as much room.</summary>
    public void Allocate(long count)
    {
        if (count < 0 || (_chars -= count + 8) < 0)
        {
            _chars = -1;
            throw new TemplateException("the template makes too much text and was stopped");
        }
        Step(count >> 6);
    }

    /// <summary>Pays for a list of that many items.</summary>
    public void AllocateItems(long count)
    {
        if (count > int.MaxValue) Allocate(long.MaxValue / 2);
        Allocate(count * 4);
        Step(count >> 2);
    }

    /// <summary>Goes one level deeper; every call is paired with <see cref="Leave"/> unless an exception ends the rendering.</summary>
    public void Enter()
    {
        if (++_depth > MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw TooDeep();
    }

    /// <summary>Comes back from <see cref="Enter"/>.</summary>
    public void Leave() => _depth--;

    public static TemplateException TooDeep() => new("the template nests or recurses too deeply and was stopped");
}
