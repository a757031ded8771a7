using System.Numerics;

namespace SeekSharp.Tokenization;

/// <summary>Methods and attributes of Python's built-in types; those of text are in <see cref="TextMethods"/>.</summary>
internal static class Methods
{
    /// <summary>The attribute of that name, null where the type has none.</summary>
    public static object? Find(object value, string name)
    {
        switch (value)
        {
            case string or Markup:
                return TextMethods.All.TryGetValue(name, out Method? method) && !(name == "unescape" && value is string)
                    ? new BoundMethod(name, value, method) : null;
            case PyDict: return Bound(DictMethods, value, name);
            case PyList or PyTuple: return Bound(ListMethods, value, name);
            case PyRange range:
                return name switch { "start" => Boxed.Int(range.Start), "stop" => Boxed.Int(range.Stop), "step" => Boxed.Int(range.Step), _ => Bound(ListMethods, value, name) };
            case PyBytes: return Bound(BytesMethods, value, name);
            case DictView view when name == "mapping": return view.Dict;
            case bool or long or BigInteger:
                return name switch
                {
                    "real" or "numerator" => Boxed.Int(PyNumber.Big(value)),
                    "imag" => Boxed.Int(0),
                    "denominator" => Boxed.Int(1),
                    _ => Bound(IntegerMethods, value, name),
                };
            case double d:
                return name switch { "real" => d, "imag" => 0.0, _ => Bound(FloatMethods, value, name) };
            default: return null;
        }
    }

    private static BoundMethod? Bound(Dictionary<string, Method> methods, object self, string name) =>
        methods.TryGetValue(name, out Method? method) ? new BoundMethod(name, self, method) : null;

    private static readonly Dictionary<string, Method> DictMethods = new()
    {
        ["get"] = (r, self, args) =>
        {
            args.Check("get", 1, 2);
            return ((PyDict)self).TryGet(args.Positional[0], out object found) ? found : args.Count > 1 ? args.Positional[1] : None.Value;
        },
        ["keys"] = (r, self, args) => View(self, args, DictViewKind.Keys),
        ["values"] = (r, self, args) => View(self, args, DictViewKind.Values),
        ["items"] = (r, self, args) => View(self, args, DictViewKind.Items),
        ["copy"] = (r, self, args) =>
        {
            args.Check("copy", 0, 0);
            return Copy(r.Budget, (PyDict)self);
        },
        ["fromkeys"] = (r, self, args) => FromKeys(r, args),
    };

    private static DictView View(object self, Arguments args, DictViewKind kind)
    {
        args.Check("dict view", 0, 0);
        return new DictView((PyDict)self, kind);
    }

    public static PyDict Copy(Budget budget, PyDict dict)
    {
        budget.AllocateItems(dict.Count * 8L);
        var copy = new PyDict(budget);
        foreach ((object key, object value) in dict.Items) copy.Set(key, value);
        return copy;
    }

    public static object FromKeys(Renderer r, Arguments args)
    {
        args.Check("fromkeys", 1, 2);
        var dict = new PyDict(r.Budget);
        foreach (object key in PySequence.Iterate(r.Budget, args.Positional[0]))
        {
            r.Budget.Allocate(32);
            dict.Set(key, args.Count > 1 ? args.Positional[1] : None.Value);
        }
        return dict;
    }

    private static readonly Dictionary<string, Method> ListMethods = new()
    {
        ["index"] = (r, self, args) =>
        {
            args.Check("index", 1, 3);
            long from = args.Count > 1 && args.Positional[1] is long f ? f : 0, to = args.Count > 2 && args.Positional[2] is long t ? t : long.MaxValue;
            long length = PySequence.Length(r.Budget, self);
            if (from < 0) from += length;
            if (to < 0) to += length;
            long at = 0;
            foreach (object item in PySequence.Iterate(r.Budget, self))
            {
                if (at >= from && at < to && PyCompare.AreEqual(r.Budget, item, args.Positional[0])) return Boxed.Int(at);
                at++;
            }
            throw new TemplateException($"{PyText.Repr(r.Budget, args.Positional[0])} is not in {PyType.Name(self)}");
        },
        ["count"] = (r, self, args) =>
        {
            args.Check("count", 1, 1);
            return Boxed.Int(PySequence.Iterate(r.Budget, self).LongCount(item => PyCompare.AreEqual(r.Budget, item, args.Positional[0])));
        },
        ["copy"] = (r, self, args) =>
        {
            args.Check("copy", 0, 0);
            return self is PyList ? new PyList(PySequence.ToList(r.Budget, self)) : throw new TemplateException($"'{PyType.Name(self)} object' has no attribute 'copy'");
        },
    };

    private static readonly Dictionary<string, Method> BytesMethods = new()
    {
        ["decode"] = (r, self, args) =>
        {
            byte[] bytes = ((PyBytes)self).Bytes;
            r.Budget.Allocate(bytes.Length);
            try
            {
                return new System.Text.UTF8Encoding(false, true).GetString(bytes);
            }
            catch (System.Text.DecoderFallbackException)
            {
                throw new TemplateException("'utf-8' codec can't decode these bytes");
            }
        },
        ["hex"] = (r, self, args) => Convert.ToHexStringLower(((PyBytes)self).Bytes),
    };

    private static readonly Dictionary<string, Method> IntegerMethods = new()
    {
        ["bit_length"] = (r, self, args) => Boxed.Int((long)BigInteger.Abs(PyNumber.Big(self)).GetBitLength()),
        ["bit_count"] = (r, self, args) =>
        {
            long count = 0;
            for (BigInteger n = BigInteger.Abs(PyNumber.Big(self)); !n.IsZero; n >>= 32) count += BitOperations.PopCount((uint)(n & uint.MaxValue));
            return Boxed.Int(count);
        },
        ["conjugate"] = (r, self, args) => Boxed.Int(PyNumber.Big(self)),
        ["is_integer"] = (r, self, args) => Boxed.True,
    };

    private static readonly Dictionary<string, Method> FloatMethods = new()
    {
        ["is_integer"] = (r, self, args) => Boxed.Bool(double.IsInteger((double)self)),
        ["conjugate"] = (r, self, args) => self,
    };
}
