using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's methods of str. Those of markup give markup again, and escape what is put in.</summary>
internal static class TextMethods
{
    public static readonly Dictionary<string, Method> All = new()
    {
        ["upper"] = Simple("upper", CaseMapping.Upper),
        ["lower"] = Simple("lower", CaseMapping.Lower),
        ["title"] = Simple("title", CaseMapping.Title),
        ["capitalize"] = Simple("capitalize", CaseMapping.Capitalize),
        ["swapcase"] = Simple("swapcase", CaseMapping.Swap),
        ["casefold"] = Simple("casefold", CaseMapping.Fold),
        ["isalpha"] = Is(s => Characters.All(s, Characters.IsAlpha)),
        ["isdigit"] = Is(s => Characters.All(s, Characters.IsDigit)),
        ["isdecimal"] = Is(s => Characters.All(s, Characters.IsDecimal)),
        ["isnumeric"] = Is(s => Characters.All(s, Characters.IsNumeric)),
        ["isalnum"] = Is(s => Characters.All(s, c => Characters.IsAlpha(c) || Characters.IsNumeric(c))),
        ["isspace"] = Is(s => Characters.All(s, Characters.IsSpace)),
        ["isprintable"] = Is(s => s.Length == 0 || Characters.All(s, Characters.IsPrintable)),
        ["isascii"] = Is(s => Ascii.IsValid(s)),
        ["islower"] = Is(s => Characters.HasCase(s, upper: false)),
        ["isupper"] = Is(s => Characters.HasCase(s, upper: true)),
        ["istitle"] = Is(Characters.IsTitle),
        ["isidentifier"] = Is(Characters.IsIdentifier),
        ["strip"] = (r, self, args) => Strip(r, self, args, true, true),
        ["lstrip"] = (r, self, args) => Strip(r, self, args, true, false),
        ["rstrip"] = (r, self, args) => Strip(r, self, args, false, true),
        ["split"] = (r, self, args) => Split(r, self, args, fromRight: false),
        ["rsplit"] = (r, self, args) => Split(r, self, args, fromRight: true),
        ["splitlines"] = (r, self, args) =>
        {
            object?[] a = args.Bind("splitlines", 0, "keepends");
            return new PyList([.. Lines(r.Budget, Text(self), a[0] is { } keep && r.IsTrue(keep)).Select(line => Like(self, line))]);
        },
        ["partition"] = (r, self, args) => Partition(r, self, args, last: false),
        ["rpartition"] = (r, self, args) => Partition(r, self, args, last: true),
        ["replace"] = (r, self, args) =>
        {
            object?[] a = args.Bind("replace", 2, "old", "new", "count");
            long count = a[2] is null ? -1 : Int(a[2]!);
            string with = self is Markup ? Markup.Escape(r.Budget, a[1]!) : Required("replace", a[1]!);
            return Like(self, Replace(r.Budget, Text(self), Required("replace", a[0]!), with, count));
        },
        ["startswith"] = (r, self, args) => Affix(r, self, args, "startswith"),
        ["endswith"] = (r, self, args) => Affix(r, self, args, "endswith"),
        ["removeprefix"] = (r, self, args) => Remove(r, self, args, "removeprefix"),
        ["removesuffix"] = (r, self, args) => Remove(r, self, args, "removesuffix"),
        ["find"] = (r, self, args) => Boxed.Int(Find(r, self, args, "find", last: false)),
        ["rfind"] = (r, self, args) => Boxed.Int(Find(r, self, args, "rfind", last: true)),
        ["index"] = (r, self, args) => Boxed.Int(Found(Find(r, self, args, "index", last: false))),
        ["rindex"] = (r, self, args) => Boxed.Int(Found(Find(r, self, args, "rindex", last: true))),
        ["count"] = (r, self, args) => Count(r, self, args),
        ["join"] = Join,
        ["format"] = (r, self, args) => BraceFormat.Format(r, self, args, null),
        ["format_map"] = (r, self, args) =>
        {
            args.Check("format_map", 1, 1);
            return BraceFormat.Format(r, self, Arguments.None, args.Positional[0] as PyDict ?? throw new TemplateException("format_map() wants a mapping"));
        },
        ["center"] = (r, self, args) => Pad(r, self, args, "center", '^'),
        ["ljust"] = (r, self, args) => Pad(r, self, args, "ljust", '<'),
        ["rjust"] = (r, self, args) => Pad(r, self, args, "rjust", '>'),
        ["zfill"] = (r, self, args) =>
        {
            args.Check("zfill", 1, 1);
            string s = Text(self);
            var spec = new FormatSpec { Fill = "0", Width = Width(r.Budget, args.Positional[0]) };
            return Like(self, spec.Pad(r.Budget, s, s.Length > 0 && s[0] is '+' or '-' ? 1 : 0, '='));
        },
        ["expandtabs"] = ExpandTabs,
        ["encode"] = (r, self, args) => Encode(r, Text(self), args),
        ["translate"] = Translate,
        ["unescape"] = (r, self, args) => System.Net.WebUtility.HtmlDecode(Text(self)),
        ["striptags"] = (r, self, args) => TextFilters.StripTags(r.Budget, Text(self)),
    };

    private static readonly System.Buffers.SearchValues<char> LineBreaks = System.Buffers.SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029");

    public static string Text(object self) => PyText.AsText(self)!;

    /// <summary>Markup for what comes of markup.</summary>
    private static object Like(object self, string text) => self is Markup ? new Markup(text) : text;

    public static string Required(string method, object value) =>
        PyText.AsText(value) ?? throw new TemplateException($"{method}() argument must be str, not {PyType.Name(value)}");

    private static long Int(object value) => PyNumber.TryLong(value, out long n) ? n
        : value is System.Numerics.BigInteger big ? big.Sign * (long.MaxValue / 4)
        : throw new TemplateException($"'{PyType.Name(value)}' object cannot be interpreted as an integer");

    /// <summary>A width, refused where the budget has no room for it.</summary>
    public static int Width(Budget budget, object value)
    {
        long width = Int(value);
        if (width > int.MaxValue / 2) budget.Allocate(long.MaxValue / 2);
        return (int)Math.Max(width, -1);
    }

    private static Method Simple(string name, Func<string, string> map) => (r, self, args) =>
    {
        args.Check(name, 0, 0);
        string s = Text(self);
        r.Budget.Allocate(s.Length);
        r.Budget.Step(s.Length >> 3);
        return Like(self, map(s));
    };

    private static Method Is(Func<string, bool> test) => (r, self, args) =>
    {
        args.Check("is…", 0, 0);
        r.Budget.Step(Text(self).Length >> 2);
        return Boxed.Bool(test(Text(self)));
    };

    private static object Strip(Renderer r, object self, Arguments args, bool left, bool right)
    {
        args.Check("strip", 0, 1);
        string? set = args.Count == 0 || args.Positional[0] is None ? null : Required("strip", args.Positional[0]);
        return Like(self, Strip(r.Budget, Text(self), set, left, right));
    }

    public static string Strip(Budget budget, string s, string? set, bool left, bool right)
    {
        HashSet<int>? points = null;
        if (set is not null)
        {
            budget.Step(set.Length);
            points = [];
            for (int i = 0; i < set.Length;)
            {
                points.Add(CodePoints.At(set, i, out int length));
                i += length;
            }
        }
        int start = 0, end = s.Length;
        while (left && start < end)
        {
            int point = CodePoints.At(s, start, out int length);
            if (!(points?.Contains(point) ?? Characters.IsSpace(point))) break;
            start += length;
        }
        while (right && end > start)
        {
            int length = end - start > 1 && char.IsLowSurrogate(s[end - 1]) && char.IsHighSurrogate(s[end - 2]) ? 2 : 1;
            if (!(points?.Contains(CodePoints.At(s, end - length, out _)) ?? Characters.IsSpace(s[end - length]))) break;
            end -= length;
        }
        budget.Step(s.Length - (end - start) >> 3);
        budget.Allocate(end - start);
        return s[start..end];
    }

    private static PyList Split(Renderer r, object self, Arguments args, bool fromRight)
    {
        object?[] a = args.Bind(fromRight ? "rsplit" : "split", 0, "sep", "maxsplit");
        long max = a[1] is null ? -1 : Int(a[1]!);
        string? separator = a[0] is null or None ? null : Required("split", a[0]!);
        if (separator is "") throw new TemplateException("empty separator");
        IEnumerable<string> parts = separator is null ? Words(r.Budget, Text(self), max, fromRight) : Parts(r.Budget, Text(self), separator, max, fromRight);
        return new PyList([.. parts.Select(part => Like(self, part))]);
    }

    public static List<string> Words(Budget budget, string s, long max, bool fromRight)
    {
        var words = new List<string>();
        budget.Allocate(s.Length);
        budget.Step(s.Length >> 2);
        int at = fromRight ? s.Length - 1 : 0, step = fromRight ? -1 : 1;
        while (true)
        {
            while (at >= 0 && at < s.Length && Characters.IsSpace(s[at])) at += step;
            if (at < 0 || at >= s.Length) break;
            budget.Allocate(20);
            if (max >= 0 && words.Count >= max)
            {
                words.Add(fromRight ? s[..(at + 1)] : s[at..]);
                break;
            }
            int start = at;
            while (at >= 0 && at < s.Length && !Characters.IsSpace(s[at])) at += step;
            words.Add(fromRight ? s[(at + 1)..(start + 1)] : s[start..at]);
        }
        if (fromRight) words.Reverse();
        return words;
    }

    private static List<string> Parts(Budget budget, string s, string separator, long max, bool fromRight)
    {
        var parts = new List<string>();
        budget.Allocate(s.Length);
        int from = 0, end = s.Length;
        while (max < 0 || parts.Count < max)
        {
            int at = fromRight ? StringSearch.LastIndexOf(budget, s, separator, end) : StringSearch.IndexOf(budget, s, separator, from);
            if (at < 0) break;
            budget.Allocate(20);
            parts.Add(fromRight ? s[(at + separator.Length)..end] : s[from..at]);
            from = at + separator.Length;
            end = at;
        }
        parts.Add(fromRight ? s[..end] : s[from..]);
        if (fromRight) parts.Reverse();
        return parts;
    }

    /// <summary>Python's splitlines.</summary>
    public static List<string> Lines(Budget budget, string s, bool keepEnds = false)
    {
        var lines = new List<string>();
        budget.Allocate(s.Length);
        for (int i = 0; i < s.Length;)
        {
            int end = s.AsSpan(i).IndexOfAny(LineBreaks);
            budget.Allocate(20);
            if (end < 0)
            {
                lines.Add(s[i..]);
                break;
            }
            end += i;
            int next = s[end] == '\r' && end + 1 < s.Length && s[end + 1] == '\n' ? end + 2 : end + 1;
            lines.Add(s[i..(keepEnds ? next : end)]);
            i = next;
        }
        return lines;
    }

    private static PyTuple Partition(Renderer r, object self, Arguments args, bool last)
    {
        args.Check("partition", 1, 1);
        string s = Text(self), separator = Required("partition", args.Positional[0]);
        if (separator.Length == 0) throw new TemplateException("empty separator");
        int at = last ? StringSearch.LastIndexOf(r.Budget, s, separator, s.Length) : StringSearch.IndexOf(r.Budget, s, separator, 0);
        r.Budget.Allocate(s.Length);
        if (at < 0) return last ? new PyTuple(Like(self, ""), Like(self, ""), Like(self, s)) : new PyTuple(Like(self, s), Like(self, ""), Like(self, ""));
        return new PyTuple(Like(self, s[..at]), Like(self, separator), Like(self, s[(at + separator.Length)..]));
    }

    /// <summary>Python's replace; a negative count replaces all.</summary>
    public static string Replace(Budget budget, string s, string old, string with, long count)
    {
        var text = new StringBuilder();
        int from = 0;
        if (old.Length == 0)
        {
            foreach (string point in CodePoints.Split(s))
            {
                if (count-- == 0) break;
                budget.Allocate(with.Length + 2);
                text.Append(with).Append(point);
                from += point.Length;
                if (count == 0) break;
            }
            if (count != 0 && from == s.Length) text.Append(with);
        }
        else
        {
            for (; count != 0; count--)
            {
                int at = StringSearch.IndexOf(budget, s, old, from);
                if (at < 0) break;
                budget.Allocate((long)with.Length + at - from);
                text.Append(s, from, at - from).Append(with);
                from = at + old.Length;
            }
            if (from == 0) return s;
        }
        text.Append(s, from, s.Length - from);
        budget.Allocate(text.Length);
        return text.ToString();
    }

    /// <summary>The part of the text that optional start and end arguments name, in UTF-16 units; null where start lies behind the end.</summary>
    private static (int Start, int End)? Range(string s, Arguments args, int first)
    {
        object? start = args.Count > first ? args.Positional[first] : null, end = args.Count > first + 1 ? args.Positional[first + 1] : null;
        if (start is null or None && end is null or None) return (0, s.Length);
        int length = CodePoints.Length(s);
        long from = start is null or None ? 0 : Int(start), to = end is null or None ? length : Int(end);
        if (from < 0) from = Math.Max(0, from + length);
        if (to < 0) to = Math.Max(0, to + length);
        to = Math.Min(to, length);
        if (from > to) return null;
        return (CodePoints.ToUnits(s, (int)from), CodePoints.ToUnits(s, (int)to));
    }

    private static object Affix(Renderer r, object self, Arguments args, string name)
    {
        args.Check(name, 1, 3);
        string s = Text(self);
        object[] candidates = args.Positional[0] is PyTuple tuple ? tuple.Items : [args.Positional[0]];
        var range = Range(s, args, 1);
        foreach (object candidate in candidates)
        {
            string affix = PyText.AsText(candidate)
                ?? throw new TemplateException($"{name} first arg must be str or a tuple of str, not {PyType.Name(candidate)}");
            r.Budget.Step(1 + (affix.Length >> 6));
            if (range is not var (start, end)) continue;
            ReadOnlySpan<char> part = s.AsSpan(start, end - start);
            if (name == "startswith" ? part.StartsWith(affix, StringComparison.Ordinal) : part.EndsWith(affix, StringComparison.Ordinal)) return Boxed.True;
        }
        return Boxed.False;
    }

    private static object Remove(Renderer r, object self, Arguments args, string name)
    {
        args.Check(name, 1, 1);
        string s = Text(self), affix = Required(name, args.Positional[0]);
        r.Budget.Allocate(s.Length);
        if (name == "removeprefix") return Like(self, s.StartsWith(affix, StringComparison.Ordinal) ? s[affix.Length..] : s);
        return Like(self, s.EndsWith(affix, StringComparison.Ordinal) ? s[..^affix.Length] : s);
    }

    private static long Find(Renderer r, object self, Arguments args, string name, bool last)
    {
        args.Check(name, 1, 3);
        string s = Text(self), needle = Required(name, args.Positional[0]);
        if (Range(s, args, 1) is not var (start, end)) return -1;
        int at;
        if (last) at = StringSearch.LastIndexOf(r.Budget, s, needle, end);
        else at = StringSearch.IndexOf(r.Budget, s, needle, start);
        if (at < start || at + needle.Length > end) return -1;
        r.Budget.Step(at >> 5);
        return CodePoints.FromUnits(s, at);
    }

    private static long Found(long at) => at >= 0 ? at : throw new TemplateException("substring not found");

    private static object Count(Renderer r, object self, Arguments args)
    {
        args.Check("count", 1, 3);
        string s = Text(self), needle = Required("count", args.Positional[0]);
        if (Range(s, args, 1) is not var (start, end)) return Boxed.Int(0);
        if (needle.Length == 0) return Boxed.Int(CodePoints.Length(s.AsSpan(start, end - start)) + 1);
        long count = 0;
        while ((start = StringSearch.IndexOf(r.Budget, s, needle, start)) >= 0 && start + needle.Length <= end)
        {
            count++;
            start += needle.Length;
        }
        return Boxed.Int(count);
    }

    private static object Join(Renderer r, object self, Arguments args)
    {
        args.Check("join", 1, 1);
        string separator = Text(self);
        var text = new StringBuilder();
        IEnumerable<object> items = PySequence.TryIterate(r.Budget, args.Positional[0]) ?? throw new TemplateException("can only join an iterable");
        int at = 0;
        foreach (object item in items)
        {
            string part = self is Markup ? Markup.Escape(r.Budget, item)
                : PyText.AsText(item) ?? throw new TemplateException($"sequence item {at}: expected str instance, {PyType.Name(item)} found");
            r.Budget.Allocate(part.Length + (at > 0 ? separator.Length : 0));
            if (at++ > 0) text.Append(separator);
            text.Append(part);
        }
        r.Budget.Allocate(text.Length);
        return Like(self, text.ToString());
    }

    private static object Pad(Renderer r, object self, Arguments args, string name, char align)
    {
        args.Check(name, 1, 2);
        var spec = new FormatSpec { Width = Width(r.Budget, args.Positional[0]) };
        if (args.Count > 1)
        {
            spec.Fill = Required(name, args.Positional[1]);
            if (CodePoints.Length(spec.Fill) != 1) throw new TemplateException("The fill character must be exactly one character long");
        }
        return Like(self, align == '^' ? Center(r.Budget, Text(self), spec) : spec.Pad(r.Budget, Text(self), 0, align));
    }

    /// <summary>Python's center: an odd blank goes left where the width is odd.</summary>
    public static string Center(Budget budget, string s, FormatSpec spec)
    {
        int missing = spec.Width - CodePoints.Length(s);
        if (missing <= 0) return s;
        int left = missing / 2 + (missing & spec.Width & 1);
        var lead = spec with { Width = spec.Width - missing + left };
        return spec.Pad(budget, lead.Pad(budget, s, 0, '>'), 0, '<');
    }

    private static object ExpandTabs(Renderer r, object self, Arguments args)
    {
        object?[] a = args.Bind("expandtabs", 0, "tabsize");
        int size = a[0] is null ? 8 : Width(r.Budget, a[0]!);
        var text = new StringBuilder();
        int column = 0;
        foreach (char c in Text(self))
        {
            if (c == '\t')
            {
                int blanks = size > 0 ? size - column % size : 0;
                r.Budget.Allocate(blanks);
                text.Append(' ', blanks);
                column += blanks;
                continue;
            }
            text.Append(c);
            column = c is '\n' or '\r' ? 0 : char.IsLowSurrogate(c) ? column : column + 1;
        }
        r.Budget.Allocate(text.Length);
        return Like(self, text.ToString());
    }

    private static PyBytes Encode(Renderer r, string s, Arguments args)
    {
        object?[] a = args.Bind("encode", 0, "encoding", "errors");
        string name = a[0] is null ? "utf8" : Required("encode", a[0]!).ToLowerInvariant().Replace("-", "").Replace("_", "");
        r.Budget.Allocate(s.Length * 2L);
        Encoding encoding = name switch
        {
            "utf8" => new UTF8Encoding(false, true),
            "ascii" or "usascii" => Encoding.GetEncoding("us-ascii", EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback),
            "latin1" or "iso88591" => Encoding.GetEncoding("iso-8859-1", EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback),
            _ => throw new TemplateException($"unknown encoding: {name}"),
        };
        try
        {
            return new PyBytes(encoding.GetBytes(s));
        }
        catch (EncoderFallbackException)
        {
            throw new TemplateException($"'{name}' codec can't encode this text");
        }
    }

    private static object Translate(Renderer r, object self, Arguments args)
    {
        args.Check("translate", 1, 1);
        var text = new StringBuilder();
        foreach (string point in CodePoints.Split(Text(self)))
        {
            r.Budget.Step();
            object key = Boxed.Int(CodePoints.At(point, 0, out _));
            object? mapped = PySequence.TryIndex(r.Budget, args.Positional[0], key);
            string part = mapped switch { null => point, None => "", long n and >= 0 and <= 0xFFFF => ((char)n).ToString(), _ => PyText.AsText(mapped) ?? throw new TemplateException("character mapping must return integer, None or str") };
            r.Budget.Allocate(part.Length);
            text.Append(part);
        }
        return Like(self, text.ToString());
    }
}
