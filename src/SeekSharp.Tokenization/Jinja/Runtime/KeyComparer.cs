using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>Hash and equality of dictionary keys as in Python: 1, 1.0 and True are one key, text is one key with or without markup.</summary>
internal sealed class KeyComparer(Budget budget) : IEqualityComparer<object>
{
    bool IEqualityComparer<object>.Equals(object? x, object? y) => PyCompare.AreEqual(budget, x!, y!);

    public int GetHashCode(object key)
    {
        budget.Step();
        switch (key)
        {
            case string s:
                budget.Step(s.Length >> 6);
                return s.GetHashCode(StringComparison.Ordinal);
            case Markup m: return GetHashCode(m.Text);
            case bool b: return (b ? 1L : 0L).GetHashCode();
            case long n: return n.GetHashCode();
            case BigInteger n: return n.GetHashCode();
            case double d:
                if (double.IsInteger(d))
                    return Math.Abs(d) < 9e18 ? ((long)d).GetHashCode() : new BigInteger(d).GetHashCode();
                return d.GetHashCode();
            case Undefined: return 7;
            case PyTuple t:
                budget.Enter();
                int hash = t.Items.Length;
                foreach (object item in t.Items) hash = HashCode.Combine(hash, GetHashCode(item));
                budget.Leave();
                return hash;
            case PyList or PyDict or DictView { Kind: DictViewKind.Items } or DictView { Kind: DictViewKind.Keys }:
                throw new TemplateException($"unhashable type: '{PyType.Name(key)}'");
            default: return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key);
        }
    }
}
