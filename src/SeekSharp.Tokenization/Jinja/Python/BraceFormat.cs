using System.Globalization;
using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>Python's <c>'{0} {name.part[key]!r:>{width}}'.format(…)</c>, with attributes as the sandbox gives them.</summary>
internal sealed class BraceFormat(Renderer r, Arguments args, PyDict? map, bool markup)
{
    private int _auto;
    private bool _manual;

    public static object Format(Renderer r, object self, Arguments args, PyDict? map)
    {
        bool markup = self is Markup;
        string text = new BraceFormat(r, args, map, markup).Expand(PyText.AsText(self)!, 2);
        return markup ? new Markup(text) : text;
    }

    private string Expand(string s, int depth)
    {
        if (depth < 0) throw new TemplateException("Max string recursion exceeded");
        r.Budget.Step(s.Length + 1);
        var text = new StringBuilder();
        for (int i = 0; i < s.Length; i++)
        {
            char c = s[i];
            if (c is '{' or '}' && i + 1 < s.Length && s[i + 1] == c)
            {
                text.Append(c);
                i++;
            }
            else if (c == '}') throw new TemplateException("Single '}' encountered in format string");
            else if (c == '{')
            {
                int start = i + 1, nest = 1;
                for (i = start; i < s.Length; i++)
                {
                    if (s[i] == '[')
                    {
                        int close = s.IndexOf(']', i);
                        if (close > 0) i = close;
                        continue;
                    }
                    if (s[i] == '{') nest++;
                    else if (s[i] == '}' && --nest == 0) break;
                }
                if (i >= s.Length) throw new TemplateException(start == s.Length ? "Single '{' encountered in format string" : "expected '}' before end of string");
                string part = Field(s[start..i], depth);
                r.Budget.Allocate(part.Length);
                text.Append(part);
            }
            else text.Append(c);
        }
        r.Budget.Allocate(text.Length);
        return text.ToString();
    }

    private string Field(string field, int depth)
    {
        int end = 0, nest = 0;
        for (; end < field.Length; end++)
        {
            if (field[end] == '[') nest++;
            else if (field[end] == ']') nest--;
            else if (nest <= 0 && field[end] is '!' or ':') break;
        }
        string name = field[..end], spec = "";
        char conversion = '\0';
        if (end < field.Length && field[end] == '!')
        {
            if (end + 1 >= field.Length) throw new TemplateException("end of string while looking for conversion specifier");
            conversion = field[end + 1];
            end += 2;
            if (end < field.Length && field[end] != ':') throw new TemplateException("expected ':' after conversion specifier");
        }
        if (end < field.Length) spec = Expand(field[(end + 1)..], depth - 1);
        object value = Lookup(name);
        if (conversion != '\0')
            value = conversion switch
            {
                's' => r.Str(value),
                'r' => PyText.Repr(r.Budget, value),
                'a' => PyText.Ascii(r.Budget, value),
                _ => throw new TemplateException($"Unknown conversion specifier {conversion}"),
            };
        if (!markup) return FormatSpec.Format(r, value, spec);
        if (value is Markup && spec.Length > 0) throw new TemplateException("Format specifier given, but markup takes none");
        return Markup.Escape(r.Budget, value is Markup ? value : FormatSpec.Format(r, value, spec));
    }

    private object Lookup(string name)
    {
        int i = name.AsSpan().IndexOfAny('.', '[');
        string first = i < 0 ? name : name[..i];
        object value = First(first);
        while (i >= 0 && i < name.Length)
        {
            if (name[i] == '.')
            {
                int end = name.AsSpan(i + 1).IndexOfAny('.', '[');
                end = end < 0 ? name.Length : i + 1 + end;
                if (end == i + 1) throw new TemplateException("Empty attribute in format string");
                value = Attributes.Get(r, value, name[(i + 1)..end]);
                i = end;
            }
            else
            {
                int end = name.IndexOf(']', i);
                if (end < 0) throw new TemplateException("Missing ']' in format string");
                string key = name[(i + 1)..end];
                if (key.Length == 0) throw new TemplateException("Empty attribute in format string");
                value = Attributes.Item(r, value, IsIndex(key) ? Index(key) : key);
                i = end + 1;
                if (i < name.Length && name[i] is not ('.' or '[')) throw new TemplateException("Only '.' or '[' may follow ']' in format field specifier");
            }
        }
        return value;
    }

    private static bool IsIndex(string key) => !key.AsSpan().ContainsAnyExceptInRange('0', '9');

    private static object Index(string key) => long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out long n) ? Boxed.Int(n) : throw new TemplateException("Too many decimal digits in format string");

    private object First(string name)
    {
        if (name.Length == 0)
        {
            if (_manual) throw new TemplateException("cannot switch from manual field specification to automatic field numbering");
            return Positional(_auto++);
        }
        if (IsIndex(name))
        {
            if (_auto > 0) throw new TemplateException("cannot switch from automatic field numbering to manual field specification");
            _manual = true;
            return Positional((long)Index(name));
        }
        if (map is not null) return map.TryGet(name, out object mapped) ? mapped : throw new TemplateException($"KeyError: '{name}'");
        foreach ((string key, object value) in args.Keywords)
            if (key == name) return value;
        throw new TemplateException($"KeyError: '{name}'");
    }

    private object Positional(long index) =>
        index < args.Count ? args.Positional[index] : throw new TemplateException("Replacement index " + index.ToString(CultureInfo.InvariantCulture) + " out of range for positional args tuple");
}
