using SeekSharp.Chat;
using Xunit;

namespace SeekSharp.Tests.Chat;

public sealed class StopStringsTests
{
    private static (string Shown, string? Found) Feed(IEnumerable<string> pieces, params string[] stops)
    {
        var matcher = new StopStrings(stops);
        string shown = "";
        foreach (string piece in pieces)
        {
            shown += matcher.Push(piece);
            foreach (string stop in stops.Where(s => s.Length > 0)) Assert.DoesNotContain(stop, shown);
        }
        return (shown + matcher.Flush(), matcher.Found);
    }

    [Theory]
    [InlineData("one two three", "two", "one ")]
    [InlineData("aab", "ab", "a")]
    [InlineData("aaab", "aab", "a")]
    [InlineData("abcabd", "abd", "abc")]
    [InlineData("stop", "stop", "")]
    public void The_text_ends_before_the_stop_string_wherever_it_is_cut(string text, string stop, string shown)
    {
        for (int cut = 0; cut <= text.Length; cut++)
            Assert.Equal((shown, stop), Feed([text[..cut], text[cut..]], stop));
        Assert.Equal((shown, stop), Feed(text.Select(c => c.ToString()), stop));
    }

    [Fact]
    public void A_beginning_that_comes_to_nothing_is_shown()
    {
        Assert.Equal(("User is here", null), Feed(["Us", "er is", " here"], "User:"));
        Assert.Equal(("the end: Use", null), Feed(["the end: Use"], "User:"));
    }

    [Fact]
    public void What_cannot_be_part_of_a_stop_string_is_shown_at_once()
    {
        var matcher = new StopStrings(["END"]);
        Assert.Equal("abc", matcher.Push("abcE"));
        Assert.Equal("Ex", matcher.Push("xEN"));
        Assert.Equal("", matcher.Push("D and more"));
        Assert.Equal("", matcher.Push("never"));
        Assert.Equal("END", matcher.Found);
    }

    [Fact]
    public void The_first_to_be_complete_wins_and_of_two_the_longer()
    {
        Assert.Equal(("a", "bc"), Feed(["abcd"], "abcd", "bc"));
        Assert.Equal(("x", "abc"), Feed(["xabc"], "bc", "abc", ""));
    }

    [Fact]
    public void A_long_stop_string_on_a_long_text_takes_linear_time()
    {
        var matcher = new StopStrings([new string('a', 1_000_000) + "b"]);
        int shown = 0;
        for (int i = 0; i < 3000; i++) shown += matcher.Push(new string('a', 1000)).Length;
        Assert.Equal(2_000_000, shown);
    }

    [Fact]
    public void It_finds_what_a_plain_search_finds()
    {
        var random = new Random(3);
        for (int round = 0; round < 2000; round++)
        {
            string text = Letters(40);
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Letters(random.Next(1, 6)))];
            // The plain twin: the stop string whose end comes first; of those that end together the longest.
            (int end, string? stop) = stops.Select(s => (End: text.IndexOf(s, StringComparison.Ordinal) is var at and >= 0 ? at + s.Length : int.MaxValue, Stop: s))
                .Where(f => f.End != int.MaxValue).OrderBy(f => f.End).ThenByDescending(f => f.Stop.Length).Select(f => (f.End, (string?)f.Stop)).FirstOrDefault((int.MaxValue, null));
            (string, string?) expected = stop is null ? (text, null) : (text[..(end - stop.Length)], stop);
            int cut = random.Next(41);
            Assert.Equal(expected, Feed([text[..cut], text[cut..]], stops));
        }

        string Letters(int n) => string.Concat(Enumerable.Range(0, n).Select(_ => "ab"[random.Next(2)]));
    }
}
