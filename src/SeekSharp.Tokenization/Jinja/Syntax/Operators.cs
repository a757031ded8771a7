using System.Text;

namespace SeekSharp.Tokenization;

internal enum BinaryOperator { Add, Subtract, Multiply, Divide, FloorDivide, Modulo, Power }

internal sealed class BinaryExpression(int line, BinaryOperator op, Expression left, Expression right) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object x = left.Evaluate(r), y = right.Evaluate(r);
        r.Line = Line;
        return Arithmetic.Apply(r, op, x, y);
    }
}

internal sealed class NotExpression(int line, Expression operand) : Expression(line)
{
    protected override object Value(Renderer r) => Boxed.Bool(!r.IsTrue(operand.Evaluate(r)));
}

/// <summary>Unary minus, and plus.</summary>
internal sealed class SignExpression(int line, Expression operand, bool minus) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object value = operand.Evaluate(r);
        r.Line = Line;
        if (value is Undefined u) throw u.Error(r.Budget);
        if (!PyNumber.IsNumber(value)) throw new TemplateException($"bad operand type for unary {(minus ? '-' : '+')}: '{PyType.Name(value)}'");
        return minus ? PyNumber.Negate(value) : value is bool b ? Boxed.Int(b ? 1 : 0) : value;
    }
}

internal sealed class AndExpression(int line, Expression left, Expression right) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object x = left.Evaluate(r);
        return r.IsTrue(x) ? right.Evaluate(r) : x;
    }
}

internal sealed class OrExpression(int line, Expression left, Expression right) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object x = left.Evaluate(r);
        return r.IsTrue(x) ? x : right.Evaluate(r);
    }
}

internal enum Comparison { Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, In, NotIn }

/// <summary>A chain of comparisons, <c>a &lt; b &lt; c</c>: each operand is evaluated once, and the first false one ends it.</summary>
internal sealed class CompareExpression(int line, Expression first, (Comparison Op, Expression Operand)[] rest) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        object x = first.Evaluate(r);
        foreach ((Comparison op, Expression operand) in rest)
        {
            object y = operand.Evaluate(r);
            r.Line = Line;
            if (!Holds(r.Budget, op, x, y)) return Boxed.False;
            x = y;
        }
        return Boxed.True;
    }

    public static bool Holds(Budget budget, Comparison op, object x, object y) => op switch
    {
        Comparison.Equal => PyCompare.AreEqual(budget, x, y),
        Comparison.NotEqual => !PyCompare.AreEqual(budget, x, y),
        Comparison.Less => PyCompare.IsLess(budget, x, y, false, "<"),
        Comparison.LessOrEqual => PyCompare.IsLess(budget, x, y, true, "<="),
        Comparison.Greater => PyCompare.IsLess(budget, y, x, false, ">"),
        Comparison.GreaterOrEqual => PyCompare.IsLess(budget, y, x, true, ">="),
        Comparison.In => PySequence.Contains(budget, y, x),
        _ => !PySequence.Contains(budget, y, x),
    };
}

/// <summary><c>a ~ b ~ c</c>: joined as text.</summary>
internal sealed class ConcatExpression(int line, Expression[] parts) : Expression(line)
{
    protected override object Value(Renderer r)
    {
        var values = new object[parts.Length];
        for (int i = 0; i < values.Length; i++) values[i] = parts[i].Evaluate(r);
        bool markup = r.AutoEscape && Array.Exists(values, v => v is Markup);
        var text = new StringBuilder();
        foreach (object value in values)
        {
            string part = markup ? Markup.Escape(r.Budget, value) : r.Str(value);
            r.Budget.Allocate(part.Length);
            text.Append(part);
        }
        r.Budget.Allocate(text.Length);
        return markup ? new Markup(text.ToString()) : text.ToString();
    }
}
