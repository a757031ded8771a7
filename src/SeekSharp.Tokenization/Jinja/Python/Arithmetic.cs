using System.Numerics;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's binary operators over all types.</summary>
internal static class Arithmetic
{
    private static readonly string[] Symbols = ["+", "-", "*", "/", "//", "%", "** or pow()"];

    public static object Apply(Renderer r, BinaryOperator op, object x, object y)
    {
        Budget budget = r.Budget;
        if (x is Undefined u) throw u.Error(budget);
        if (op == BinaryOperator.Modulo && x is string or Markup) return PercentFormat.Format(r, x, y);
        if (y is Undefined v) throw v.Error(budget);
        if (PyNumber.IsNumber(x) && PyNumber.IsNumber(y)) return Numbers(op, x, y);
        if (op == BinaryOperator.Add) return Add(budget, x, y);
        if (op == BinaryOperator.Multiply)
        {
            if (IsSequence(x)) return Repeat(budget, x, y);
            if (IsSequence(y)) return Repeat(budget, y, x);
        }
        throw Unsupported(op, x, y);
    }

    private static object Numbers(BinaryOperator op, object x, object y) => op switch
    {
        BinaryOperator.Add => PyNumber.Add(x, y),
        BinaryOperator.Subtract => PyNumber.Subtract(x, y),
        BinaryOperator.Multiply => PyNumber.Multiply(x, y),
        BinaryOperator.Divide => PyNumber.Divide(x, y),
        BinaryOperator.FloorDivide => PyNumber.FloorDivide(x, y),
        BinaryOperator.Modulo => PyNumber.Modulo(x, y),
        _ => PyNumber.Power(x, y),
    };

    private static object Add(Budget budget, object x, object y)
    {
        string? a = PyText.AsText(x), b = PyText.AsText(y);
        if (a is not null && b is not null)
        {
            if (x is Markup || y is Markup)
            {
                a = Markup.Escape(budget, x);
                b = Markup.Escape(budget, y);
                budget.Allocate((long)a.Length + b.Length);
                return new Markup(a + b);
            }
            budget.Allocate((long)a.Length + b.Length);
            return a + b;
        }
        if (a is not null) throw new TemplateException($"can only concatenate str (not \"{PyType.Name(y)}\") to str");
        if (x is PyList l)
        {
            if (y is not PyList m) throw new TemplateException($"can only concatenate list (not \"{PyType.Name(y)}\") to list");
            budget.AllocateItems((long)l.Items.Count + m.Items.Count);
            return new PyList([.. l.Items, .. m.Items]);
        }
        if (x is PyTuple t)
        {
            if (y is not PyTuple s) throw new TemplateException($"can only concatenate tuple (not \"{PyType.Name(y)}\") to tuple");
            budget.AllocateItems((long)t.Items.Length + s.Items.Length);
            return new PyTuple([.. t.Items, .. s.Items]);
        }
        throw Unsupported(BinaryOperator.Add, x, y);
    }

    private static bool IsSequence(object value) => value is string or Markup or PyList or PyTuple;

    private static object Repeat(Budget budget, object sequence, object times)
    {
        if (!PyNumber.IsInteger(times)) throw new TemplateException($"can't multiply sequence by non-int of type '{PyType.Name(times)}'");
        BigInteger asked = BigInteger.Max(0, PyNumber.Big(times));
        long length = sequence switch { string s => s.Length, Markup m => m.Text.Length, PyList l => l.Items.Count, _ => ((PyTuple)sequence).Items.Length };
        BigInteger total = asked * length;
        if (PyText.AsText(sequence) is { } text)
        {
            budget.Allocate(total > int.MaxValue ? long.MaxValue / 2 : (long)total);
            string repeated = total.IsZero ? "" : new StringBuilder().Insert(0, text, (int)asked).ToString();
            return sequence is Markup ? new Markup(repeated) : repeated;
        }
        budget.AllocateItems(total > int.MaxValue ? int.MaxValue : (long)total);
        IList<object> items = sequence is PyList list ? list.Items : ((PyTuple)sequence).Items;
        var result = new List<object>((int)total);
        if (length > 0)
            for (int i = 0; i < asked; i++) result.AddRange(items);
        return sequence is PyList ? new PyList(result) : new PyTuple([.. result]);
    }

    private static TemplateException Unsupported(BinaryOperator op, object x, object y) =>
        new($"unsupported operand type(s) for {Symbols[(int)op]}: '{PyType.Name(x)}' and '{PyType.Name(y)}'");
}

