using SeekSharp.Cli.Terminal;
using Xunit;

namespace SeekSharp.Tests.Cli;

public sealed class LineEditorTests
{
    private readonly LineHistory _history = new(null);
    private FakeScreen _screen = new(20, 10);

    // One letter stands for one key; these for those without a letter.
    private const char Left = '\uE000', Right = '\uE001', Up = '\uE002', Down = '\uE003', Home = '\uE004', End = '\uE005', Delete = '\uE006', WordLeft = '\uE007', WordRight = '\uE008';
    private const string Ctrl_A = "\x01", Ctrl_C = "\x03", Ctrl_D = "\x04", Ctrl_E = "\x05", Ctrl_K = "\x0b", Ctrl_U = "\x15", Ctrl_W = "\x17", Ctrl_Y = "\x19", Backspace = "\x7f";

    private (LineEnd End, string Text) Type(string keys)
    {
        var queue = new Queue<char>(keys);
        var editor = new LineEditor(() => Key(queue.Dequeue()), () => false, _screen, () => (_screen.Width, _screen.Height), _history);
        return editor.Read("> ", ". ");
    }

    /// <summary>As <see cref="Type"/>, where all keys are already there, as in a paste.</summary>
    private (LineEnd End, string Text) Paste(string keys)
    {
        var queue = new Queue<char>(keys);
        var editor = new LineEditor(() => Key(queue.Dequeue()), () => queue.Count > 0, _screen, () => (_screen.Width, _screen.Height), _history);
        return editor.Read("> ", ". ");
    }

    private static ConsoleKeyInfo Key(char c) => c switch
    {
        Left => new('\0', ConsoleKey.LeftArrow, false, false, false),
        Right => new('\0', ConsoleKey.RightArrow, false, false, false),
        WordLeft => new('\0', ConsoleKey.LeftArrow, false, false, true),
        WordRight => new('\0', ConsoleKey.RightArrow, false, false, true),
        Up => new('\0', ConsoleKey.UpArrow, false, false, false),
        Down => new('\0', ConsoleKey.DownArrow, false, false, false),
        Home => new('\0', ConsoleKey.Home, false, false, false),
        End => new('\0', ConsoleKey.End, false, false, false),
        Delete => new('\0', ConsoleKey.Delete, false, false, false),
        '\x1b' => new(c, ConsoleKey.Escape, false, false, false),
        '\r' => new(c, ConsoleKey.Enter, false, false, false),
        _ => new(c, ConsoleKey.None, false, false, c < ' '),
    };

    [Theory]
    [InlineData("hello\r", "hello")]
    [InlineData("hllo\uE000\uE000\uE000e\r", "hello")]
    [InlineData("hllo\uE004\uE001e\uE005!\r", "hello!")]
    [InlineData("ello" + Ctrl_A + "h" + Ctrl_E + "!\r", "hello!")]
    [InlineData("one two three" + Ctrl_W + "x\r", "one two x")]
    [InlineData("one two" + Ctrl_U + "x\r", "x")]
    [InlineData("one two\uE007" + Ctrl_K + "x\r", "one x")]
    [InlineData("one two\uE007" + Ctrl_K + Ctrl_A + Ctrl_Y + " \r", "two one ")]
    [InlineData("one two\uE007\uE007\uE008!\r", "one! two")]
    [InlineData("helloo" + Backspace + "\r", "hello")]
    [InlineData("hello\uE004\uE006j" + Ctrl_D + "\r", "jllo")]
    public void Keys_edit(string keys, string expected) => Assert.Equal((LineEnd.Line, expected), Type(keys));

    [Fact]
    public void Letters_of_several_units_move_and_go_as_one()
    {
        Assert.Equal((LineEnd.Line, "日x"), Type("日👩‍🚀" + Backspace + "x\r"));
        Assert.Equal((LineEnd.Line, "𝐀x👍🏽"), Type("𝐀👍🏽" + Left + "x\r"));
        Assert.Equal((LineEnd.Line, "ab"), Type("ae\u0301" + Backspace + "b\r"));
    }

    [Fact]
    public void Control_C_and_D_end_the_line()
    {
        Assert.Equal((LineEnd.Interrupted, ""), Type("half" + Ctrl_C));
        Assert.Equal((LineEnd.EndOfInput, ""), Type(Ctrl_D));
        Assert.Equal(["> half", ">", ""], _screen.Lines);
    }

    [Fact]
    public void History_goes_up_and_down_and_keeps_the_draft()
    {
        _history.Add("first");
        _history.Add("second");
        Assert.Equal("second", Type(Up + "\r").Text);
        Assert.Equal("first!", Type($"{Up}{Up}{Up}!\r").Text);
        Assert.Equal("draft", Type($"draft{Up}{Up}{Down}{Down}{Down}\r").Text);
    }

    [Fact]
    public void A_paste_is_text_with_its_line_breaks()
    {
        Assert.Equal((LineEnd.Line, "a\nb\tc日𝐀!"), Paste("\x1b[200~a\rb\tc\x07日𝐀\r\x1b[201~!\r"));
        Assert.Equal(["> a", ". b    c日𝐀!", ""], _screen.Lines);
    }

    [Fact]
    public void Up_and_down_move_within_several_lines()
    {
        Assert.Equal("abX\ncd", Paste($"\x1b[200~ab\rcd\x1b[201~{Up}X\r").Text);
        Assert.Equal("ab\ncYd", Paste($"\x1b[200~ab\rcd\x1b[201~{Up}{Left}{Down}Y\r").Text);
    }

    [Fact]
    public void Long_and_wide_text_is_broken_into_rows_and_the_cursor_is_where_it_should_be()
    {
        Type("0123456789abcdefghijklmnop\r"); // two columns of prompt in twenty
        Assert.Equal(["> 0123456789abcdefgh", "ijklmnop", ""], _screen.Lines);
        _screen = new FakeScreen(10, 10);
        Type("日日日日日日" + Left + Left + Left + "x\r");
        Assert.Equal(["> 日日日x", "日日日", ""], _screen.Lines);
    }

    [Fact]
    public void A_text_higher_than_the_screen_shows_the_end()
    {
        _screen = new FakeScreen(20, 4);
        Assert.Equal("1\n2\n3\n4\n5\n6", Paste("\x1b[200~1\r2\r3\r4\r5\r6\x1b[201~\r").Text);
        Assert.Equal([". 4", ". 5", ". 6", ""], _screen.Lines);
    }

    [Fact]
    public void Random_keys_leave_the_screen_as_the_text_is()
    {
        var random = new Random(7);
        string[] keys = ["a", "b", " ", "日", "é", "😀", "𝐀", $"{Left}", $"{Right}", $"{Home}", $"{End}", Backspace, $"{Delete}", Ctrl_K, Ctrl_W, Ctrl_Y, $"{WordLeft}", $"{WordRight}"];
        for (int round = 0; round < 200; round++)
        {
            _screen = new FakeScreen(12, 50);
            string text = Type(string.Concat(Enumerable.Range(0, 80).Select(_ => keys[random.Next(random.Next(2) == 0 ? 7 : keys.Length)])) + "\r").Text;
            Assert.Equal((">" + text).Replace(" ", ""), string.Concat(_screen.Lines).Replace(" ", ""));
        }
    }

    [Theory]
    [InlineData("abc", 3)]
    [InlineData("日本", 4)]
    [InlineData("👩‍🚀", 2)]
    [InlineData("e\u0301", 1)]
    [InlineData("🇫🇷", 2)]
    [InlineData("ｱ", 1)]
    [InlineData("Ａ", 2)]
    public void Widths_are_the_terminals(string text, int columns) => Assert.Equal(columns, TextWidth.Of(text));

    [Fact]
    public void History_survives_in_its_file()
    {
        string file = Path.Combine(Path.GetTempPath(), $"seeksharp-history-{Environment.ProcessId}");
        try
        {
            var history = new LineHistory(file);
            history.Add("one\ntwo\\n");
            history.Add("three");
            history.Add("three");
            var again = new LineHistory(file);
            Assert.Equal(2, again.Count);
            Assert.Equal("one\ntwo\\n", again[0]);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
