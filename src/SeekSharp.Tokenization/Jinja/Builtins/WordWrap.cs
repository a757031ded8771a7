using System.Text;

namespace SeekSharp.Tokenization;

/// <summary>The filter <c>wordwrap</c>, as Python's textwrap breaks lines.</summary>
internal static class WordWrap
{
    public static object Filter(Renderer r, Arguments args)
    {
        object?[] a = args.Bind("wordwrap", 1, "s", "width", "break_long_words", "wrapstring", "break_on_hyphens");
        string s = TextMethods.Required("wordwrap", a[0]!);
        long width = a[1] is null ? 79 : PyNumber.TryLong(a[1]!, out long w) ? w : throw new TemplateException("wordwrap() wants an integer");
        if (width <= 0) throw new TemplateException($"invalid width {width} (must be > 0)");
        bool breakWords = a[2] is null || r.IsTrue(a[2]!), hyphens = a[4] is null || r.IsTrue(a[4]!);
        string between = a[3] is null or None ? "\n" : TextMethods.Required("wordwrap", a[3]!);
        var text = new StringBuilder();
        bool first = true;
        foreach (string line in TextMethods.Lines(r.Budget, s))
        {
            if (!first) text.Append(between);
            first = false;
            bool firstPart = true;
            foreach (string part in Wrap(r.Budget, Chunks(line, hyphens), width, breakWords, hyphens))
            {
                r.Budget.Allocate((long)part.Length + between.Length);
                if (!firstPart) text.Append(between);
                firstPart = false;
                text.Append(part);
            }
        }
        r.Budget.Allocate(text.Length);
        return text.ToString();
    }

    private static bool IsBlank(char c) => c is ' ' or '\t' or '\n' or '\v' or '\f' or '\r';

    private static bool IsLetter(string s, int i) => i >= 0 && i < s.Length && (char.IsLetter(s[i]) || s[i] == '_');

    /// <summary>Runs of blanks, and words cut behind hyphens between letters.</summary>
    private static List<string> Chunks(string s, bool hyphens)
    {
        var chunks = new List<string>();
        for (int i = 0; i < s.Length;)
        {
            int start = i;
            bool blank = IsBlank(s[i]);
            while (i < s.Length && IsBlank(s[i]) == blank)
            {
                i++;
                if (blank || !hyphens || s[i - 1] != '-') continue;
                bool before = (IsLetter(s, i - 2) && IsLetter(s, i - 3)) || (IsLetter(s, i - 2) && i > 3 && s[i - 3] == '-' && IsLetter(s, i - 4));
                bool after = IsLetter(s, i) && (IsLetter(s, i + 1) || (i + 1 < s.Length && s[i + 1] == '-' && IsLetter(s, i + 2)));
                if (before && after) break;
            }
            chunks.Add(s[start..i]);
        }
        return chunks;
    }

    private static List<string> Wrap(Budget budget, List<string> chunks, long width, bool breakWords, bool hyphens)
    {
        var lines = new List<string>();
        var waiting = new Stack<string>(Enumerable.Reverse(chunks));
        while (waiting.Count > 0)
        {
            var line = new List<string>();
            long length = 0;
            if (lines.Count > 0 && string.IsNullOrWhiteSpace(waiting.Peek())) waiting.Pop();
            while (waiting.Count > 0 && length + CodePoints.Length(waiting.Peek()) <= width)
            {
                budget.Step();
                length += CodePoints.Length(waiting.Peek());
                line.Add(waiting.Pop());
            }
            if (waiting.Count > 0 && CodePoints.Length(waiting.Peek()) > width)
            {
                string word = waiting.Pop();
                budget.Allocate(word.Length);
                long room = Math.Max(1, width - length);
                if (breakWords)
                {
                    int end = CodePoints.ToUnits(word, (int)room);
                    if (hyphens && word.Length > room)
                    {
                        int hyphen = word.LastIndexOf('-', (int)room - 1);
                        if (hyphen > 0 && word.AsSpan(0, hyphen).ContainsAnyExcept('-')) end = hyphen + 1;
                    }
                    line.Add(word[..end]);
                    waiting.Push(word[end..]);
                }
                else if (line.Count == 0) line.Add(word);
                else waiting.Push(word);
            }
            if (line.Count > 0 && string.IsNullOrWhiteSpace(line[^1])) line.RemoveAt(line.Count - 1);
            if (line.Count > 0) lines.Add(string.Concat(line));
        }
        return lines;
    }
}
