using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Filters on text.</summary>
internal static class TextFilters
{
    public static readonly Dictionary<string, Builtin> All = new()
    {
        ["capitalize"] = ByMethod("capitalize"),
        ["lower"] = ByMethod("lower"),
        ["upper"] = ByMethod("upper"),
        ["title"] = Title,
        ["center"] = (r, args) =>
        {
            object?[] a = args.Bind("center", 1, "value", "width");
            return Method(r, a[0]!, "center", a[1] ?? Boxed.Int(80));
        },
        ["trim"] = (r, args) =>
        {
            object?[] a = args.Bind("trim", 1, "value", "chars");
            return Method(r, a[0]!, "strip", a[1] ?? None.Value);
        },
        ["e"] = Escape,
        ["escape"] = Escape,
        ["forceescape"] = (r, args) => new Markup(Markup.Escape(r.Budget, r.Str(args.Bind("forceescape", 1, "value")[0]!))),
        ["safe"] = (r, args) => args.Bind("safe", 1, "value")[0] is Markup m ? m : new Markup(r.Str(args.Positional[0])),
        ["format"] = (r, args) =>
        {
            object format = Soft(r, args.Count > 0 ? args.Positional[0] : throw new TemplateException("format() missing value"));
            Arguments rest = args.Skip(1);
            if (rest.Count > 0 && rest.Keywords.Count > 0) throw new TemplateException("can't handle positional and keyword arguments at the same time");
            if (rest.Keywords.Count == 0) return PercentFormat.Format(r, format, new PyTuple(rest.Positional));
            var named = new PyDict(r.Budget);
            foreach ((string name, object value) in rest.Keywords) named.Set(name, value);
            return PercentFormat.Format(r, format, named);
        },
        ["indent"] = Indent,
        ["replace"] = Replace,
        ["striptags"] = (r, args) => StripTags(r.Budget, r.Str(args.Bind("striptags", 1, "value")[0]!)),
        ["truncate"] = Truncate,
        ["urlencode"] = UrlEncode,
        ["urlize"] = Urlize.Filter,
        ["wordcount"] = (r, args) => Boxed.Int(WordCount(r, r.Str(args.Bind("wordcount", 1, "s")[0]!))),
        ["wordwrap"] = WordWrap.Filter,
        ["xmlattr"] = XmlAttributes,
    };

    private static readonly System.Buffers.SearchValues<char> NotInNames = System.Buffers.SearchValues.Create(" \t\n\r\f\v/>=");

    /// <summary>Text as it is, anything else as its text.</summary>
    private static object Soft(Renderer r, object value) => value is string or Markup ? value : r.Str(value);

    private static object Method(Renderer r, object value, string method, params object[] args) => TextMethods.All[method](r, Soft(r, value), Arguments.Of(args));

    private static Builtin ByMethod(string method) => (r, args) => Method(r, args.Bind(method, 1, "s")[0]!, method);

    private static object Escape(Renderer r, Arguments args)
    {
        object value = args.Bind("escape", 1, "s")[0]!;
        return value is Markup ? value : new Markup(Markup.Escape(r.Budget, value));
    }

    /// <summary>Jinja's title: words begin behind blanks, hyphens and opening brackets only.</summary>
    private static string Title(Renderer r, Arguments args)
    {
        string s = r.Str(args.Bind("title", 1, "s")[0]!);
        r.Budget.Allocate(s.Length);
        r.Budget.Step(s.Length >> 2);
        var text = new StringBuilder(s.Length);
        for (int i = 0; i < s.Length;)
        {
            int end = i;
            bool separator = IsSeparator(s[i]);
            while (end < s.Length && IsSeparator(s[end]) == separator) end++;
            if (separator) text.Append(s, i, end - i);
            else
            {
                CodePoints.At(s, i, out int first);
                text.Append(CaseMapping.Upper(s.Substring(i, first))).Append(CaseMapping.Lower(s[(i + first)..end]));
            }
            i = end;
        }
        return text.ToString();
    }

    private static bool IsSeparator(char c) => c is '-' or '(' or '{' or '[' or '<' || Characters.IsSpace(c);

    private static object Replace(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("replace", 3, "s", "old", "new", "count");
        long count = -1;
        if (a[3] is { } given and not None && !PyNumber.TryLong(given, out count)) throw new TemplateException($"'{PyType.Name(given)}' object cannot be interpreted as an integer");
        if (!r.AutoEscape) return TextMethods.Replace(r.Budget, r.Str(a[0]!), r.Str(a[1]!), r.Str(a[2]!), count);
        object s = a[1] is Markup || (a[2] is Markup && a[0] is not Markup) ? new Markup(Markup.Escape(r.Budget, a[0]!)) : Soft(r, a[0]!);
        string with = s is Markup ? Markup.Escape(r.Budget, Soft(r, a[2]!)) : r.Str(a[2]!);
        string replaced = TextMethods.Replace(r.Budget, r.Str(s), r.Str(a[1]!), with, count);
        return s is Markup ? new Markup(replaced) : replaced;
    }

    private static object Indent(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("indent", 1, "s", "width", "first", "blank");
        string lead;
        if (PyText.AsText(a[1]) is { } given) lead = given;
        else
        {
            var spec = new FormatSpec { Width = a[1] is null ? 4 : TextMethods.Width(r.Budget, a[1]!) };
            lead = spec.Pad(r.Budget, "", 0, '<');
        }
        if (a[0] is Undefined u) throw u.Error(r.Budget);
        string s = PyText.AsText(a[0]) ?? throw new TemplateException($"unsupported operand type(s) for +=: '{PyType.Name(a[0]!)}' and 'str'");
        if (a[0] is Markup) lead = Markup.Escape(r.Budget, a[1] is Markup ? a[1]! : lead);
        bool first = a[2] is { } f && r.IsTrue(f), blank = a[3] is { } b && r.IsTrue(b);
        var text = new StringBuilder();
        bool start = true;
        foreach (string line in TextMethods.Lines(r.Budget, s + "\n"))
        {
            r.Budget.Allocate((long)line.Length + lead.Length + 1);
            if (!start) text.Append('\n');
            if (start ? first : blank || line.Length > 0) text.Append(lead);
            text.Append(line);
            start = false;
        }
        r.Budget.Allocate(text.Length);
        return a[0] is Markup ? new Markup(text.ToString()) : text.ToString();
    }

    private static object Truncate(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("truncate", 1, "s", "length", "killwords", "end", "leeway");
        object s = a[0]!;
        string end = a[3] is null ? "..." : TextMethods.Required("truncate", a[3]!);
        long Int(object? value, long otherwise) => value is null or None ? otherwise : PyNumber.TryLong(value, out long n) ? n : throw new TemplateException("truncate() wants integers");
        long length = Int(a[1], 255), leeway = Int(a[4], 5), endLength = CodePoints.Length(end);
        if (length < endLength) throw new TemplateException($"expected length >= {endLength}, got {length}");
        if (leeway < 0) throw new TemplateException($"expected leeway >= 0, got {leeway}");
        if (PySequence.Length(r.Budget, s) <= length + leeway) return s;
        object cut = PySequence.Slice(r.Budget, s, null, Boxed.Int(length - endLength), null);
        if (!(a[2] is { } kill && r.IsTrue(kill)))
        {
            string text = PyText.AsText(cut) ?? throw new TemplateException($"'{PyType.Name(s)}' object has no attribute 'rsplit'");
            int space = text.LastIndexOf(' ');
            if (space >= 0) cut = cut is Markup ? new Markup(text[..space]) : text[..space];
        }
        return Arithmetic.Apply(r, BinaryOperator.Add, cut, end);
    }

    private static long WordCount(Renderer r, string s)
    {
        r.Budget.Step(s.Length >> 2);
        long words = 0;
        bool inside = false;
        for (int i = 0; i < s.Length;)
        {
            bool word = Characters.IsWord(CodePoints.At(s, i, out int length));
            if (word && !inside) words++;
            inside = word;
            i += length;
        }
        return words;
    }

    private static string UrlEncode(Renderer r, Arguments args)
    {
        object value = args.Bind("urlencode", 1, "value")[0]!;
        if (value is string or Markup || PySequence.TryIterate(r.Budget, value) is null) return Quote(r, value, false);
        IEnumerable<object> pairs = value is PyDict dict ? dict.Items.Select(p => new PyTuple(p.Key, p.Value)) : PySequence.Iterate(r.Budget, value);
        var parts = new List<string>();
        foreach (object pair in pairs)
        {
            List<object> two = PySequence.ToList(r.Budget, pair);
            if (two.Count != 2) throw new TemplateException("not enough values to unpack (expected 2)");
            parts.Add(Quote(r, two[0], true) + "=" + Quote(r, two[1], true));
        }
        return string.Join("&", parts);
    }

    private static string Quote(Renderer r, object value, bool query)
    {
        byte[] bytes = value is PyBytes b ? b.Bytes : Encoding.UTF8.GetBytes(r.Str(value));
        r.Budget.Allocate(bytes.Length * 3L);
        var text = new StringBuilder();
        foreach (byte c in bytes)
        {
            if (char.IsAsciiLetterOrDigit((char)c) || c is (byte)'_' or (byte)'.' or (byte)'-' or (byte)'~' || (c == '/' && !query)) text.Append((char)c);
            else if (c == ' ' && query) text.Append('+');
            else text.Append('%').Append(c.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return text.ToString();
    }

    private static object XmlAttributes(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("xmlattr", 1, "d", "autospace");
        if (a[0] is not PyDict dict) throw new TemplateException($"'{PyType.Name(a[0]!)}' object has no attribute 'items'");
        var parts = new List<string>();
        foreach ((object key, object value) in dict.Items)
        {
            if (value is None or Undefined) continue;
            string name = TextMethods.Required("xmlattr", key);
            if (name.AsSpan().ContainsAny(NotInNames)) throw new TemplateException($"Invalid character in attribute name: {PyText.Repr(r.Budget, key)}");
            parts.Add($"{Markup.Escape(r.Budget, key)}=\"{Markup.Escape(r.Budget, value)}\"");
            r.Budget.Allocate(parts[^1].Length);
        }
        string text = string.Join(" ", parts);
        if (text.Length > 0 && (a[1] is null || r.IsTrue(a[1]!))) text = " " + text;
        return r.Wrap(text);
    }

    /// <summary>Without comments and tags, white space made single, entities read.</summary>
    public static string StripTags(Budget budget, string s)
    {
        budget.Allocate(s.Length * 2L);
        var text = new StringBuilder();
        for (int i = 0; i < s.Length;)
        {
            int tag = s.IndexOf('<', i);
            bool comment = tag >= 0 && string.CompareOrdinal(s, tag, "<!--", 0, 4) == 0;
            int end = tag < 0 ? -1 : comment ? s.IndexOf("-->", tag, StringComparison.Ordinal) : s.IndexOf('>', tag);
            if (end < 0)
            {
                text.Append(s, i, s.Length - i);
                break;
            }
            text.Append(s, i, tag - i);
            i = end + (comment ? 3 : 1);
        }
        return System.Net.WebUtility.HtmlDecode(string.Join(' ', TextMethods.Words(budget, text.ToString(), -1, false)));
    }
}
