using System.Text;
using System.Text.RegularExpressions;

namespace SeekSharp.Tokenization;

/// <summary>The filter <c>urlize</c>: addresses in text become links.</summary>
internal static partial class Urlize
{
    [GeneratedRegex(@"^((https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})|([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)|(https?://)((([\d]{1,3})(\.[\d]{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\])))(?::[\d]{1,5})?(?:[/?#]\S*)?$", RegexOptions.IgnoreCase | RegexOptions.NonBacktracking)]
    private static partial Regex Address();

    [GeneratedRegex(@"^\S+@\w[\w.-]*\.\w+$", RegexOptions.NonBacktracking)]
    private static partial Regex Mail();

    public static object Filter(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("urlize", 1, "value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes");
        var rel = new SortedSet<string>(StringComparer.Ordinal) { "noopener" };
        if (a[4] is { } given and not None)
            foreach (string part in TextMethods.Words(r.Budget, TextMethods.Required("urlize", given), -1, false)) rel.Add(part);
        if (a[2] is { } nofollow && r.IsTrue(nofollow)) rel.Add("nofollow");
        string attributes = $" rel=\"{Markup.Escape(r.Budget, string.Join(' ', rel))}\"";
        if (a[3] is { } target and not None) attributes += $" target=\"{Markup.Escape(r.Budget, target)}\"";
        long limit = a[1] is null or None ? long.MaxValue : PyNumber.TryLong(a[1]!, out long n) ? n : throw new TemplateException("urlize() wants an integer");
        List<string> schemes = a[5] is null or None ? [] : [.. PySequence.ToList(r.Budget, a[5]!).Select(s => TextMethods.Required("urlize", s))];

        string source = Markup.Escape(r.Budget, a[0]!);
        r.Budget.Step(source.Length * 8L);
        var text = new StringBuilder();
        for (int i = 0; i < source.Length;)
        {
            int start = i;
            bool blank = Characters.IsSpace(source[i]);
            while (i < source.Length && Characters.IsSpace(source[i]) == blank) i++;
            string word = source[start..i];
            string linked = blank ? word : Word(r.Budget, word, attributes, limit, schemes);
            r.Budget.Allocate(linked.Length);
            text.Append(linked);
        }
        return r.Wrap(text.ToString());
    }

    private static string Word(Budget budget, string word, string attributes, long limit, List<string> schemes)
    {
        string[] openers = ["(", "<", "&lt;"], closers = [")", ">", ".", ",", "\n", "&gt;"];
        int start = 0, end = word.Length;
        while (openers.FirstOrDefault(o => string.CompareOrdinal(word, start, o, 0, o.Length) == 0) is { } opener) start += opener.Length;
        while (closers.FirstOrDefault(c => end - start >= c.Length && string.CompareOrdinal(word, end - c.Length, c, 0, c.Length) == 0) is { } closer) end -= closer.Length;
        string head = word[..start], middle = word[start..end], tail = word[end..];
        // A bracket that was opened inside belongs to the address.
        foreach ((string open, string close) in new[] { ("(", ")"), ("<", ">"), ("&lt;", "&gt;") })
        {
            int missing = Count(middle, open) - Count(middle, close);
            for (int k = Math.Min(missing, Count(tail, close)); k > 0; k--)
            {
                budget.Step(word.Length >> 3);
                int at = tail.IndexOf(close, StringComparison.Ordinal) + close.Length;
                middle += tail[..at];
                tail = tail[at..];
            }
        }
        string shown = CodePoints.Length(middle) > limit ? CodePoints.Slice(middle, 0, Math.Max(0, limit), 1, (int)Math.Max(0, limit)) + "..." : middle;
        if (Address().IsMatch(middle))
        {
            bool hasScheme = middle.StartsWith("https://", StringComparison.Ordinal) || middle.StartsWith("http://", StringComparison.Ordinal);
            middle = $"<a href=\"{(hasScheme ? "" : "https://")}{middle}\"{attributes}>{shown}</a>";
        }
        else if (middle.StartsWith("mailto:", StringComparison.Ordinal) && Mail().IsMatch(middle[7..])) middle = $"<a href=\"{middle}\">{middle[7..]}</a>";
        else if (middle.Contains('@') && !middle.StartsWith("www.", StringComparison.Ordinal) && middle[0] != '@' && !middle.Contains(':') && Mail().IsMatch(middle))
            middle = $"<a href=\"mailto:{middle}\">{middle}</a>";
        else if (schemes.Find(s => middle != s && middle.StartsWith(s, StringComparison.Ordinal)) is not null)
            middle = $"<a href=\"{middle}\"{attributes}>{middle}</a>";
        return head + middle + tail;
    }

    private static int Count(string s, string part)
    {
        int count = 0;
        for (int i = 0; (i = s.IndexOf(part, i, StringComparison.Ordinal)) >= 0; i += part.Length) count++;
        return count;
    }
}
