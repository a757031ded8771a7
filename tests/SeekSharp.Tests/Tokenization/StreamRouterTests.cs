using System.Diagnostics;
using System.Text;
using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

public sealed class StreamRouterTests
{
    private sealed record Case(string Id, ToolFormat Format, string Rule, bool Opens, string Text, string Reasoning, string Content, List<(string Name, JsonElement Arguments)> Calls);

    private sealed record Result(string Reasoning, string Content, List<RoutedToolCall> Calls);

    private static List<Case> Goldens()
    {
        var cases = new List<Case>();
        foreach (string line in File.ReadLines(Repository.Shared("goldens/router/cases.jsonl")))
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            var calls = row.GetProperty("tool_calls").EnumerateArray().Select(c => (c.GetProperty("name").GetString()!, c.GetProperty("arguments"))).ToList();
            string Text(string key) => row.GetProperty(key).GetString()!;
            cases.Add(new Case(Text("id"), ToolFormats.Parse(Text("family")), Text("rule"), row.GetProperty("prompt_opens_think").GetBoolean(), Text("text"), Text("reasoning"), Text("content"), calls));
        }
        Assert.Equal(207, cases.Count);
        return cases;
    }

    private static Result Route(ToolFormat format, bool opens, IEnumerable<string> parts)
    {
        var router = new StreamRouter(format, opens);
        var (reasoning, content, calls) = (new StringBuilder(), new StringBuilder(), new List<RoutedToolCall>());
        void Take(IReadOnlyList<RoutedPiece> pieces)
        {
            foreach (RoutedPiece piece in pieces)
            {
                Assert.Equal(piece.Kind == RoutedKind.ToolCall, piece.ToolCall is not null);
                Assert.Equal(piece.Kind == RoutedKind.ToolCall, piece.Text.Length == 0);
                if (piece.Text.Length > 0) Assert.False(char.IsLowSurrogate(piece.Text[0]) || char.IsHighSurrogate(piece.Text[^1]), "half a character");
                if (piece.ToolCall is not null) calls.Add(piece.ToolCall);
                else (piece.Kind == RoutedKind.Reasoning ? reasoning : content).Append(piece.Text);
            }
        }
        foreach (string part in parts) Take(router.Push(part));
        Take(router.Finish());
        Assert.Empty(router.Finish());
        return new Result(reasoning.ToString(), content.ToString(), calls);
    }

    private static void AssertGolden(Case c, IEnumerable<string> parts, string how)
    {
        Result got = Route(c.Format, c.Opens, parts);
        string at = $"case {c.Id} ({c.Rule}), {how}: ";
        Assert.True(c.Reasoning == got.Reasoning, $"{at}reasoning {got.Reasoning}");
        Assert.True(c.Content == got.Content, $"{at}content {got.Content}");
        Assert.True(c.Calls.Count == got.Calls.Count, $"{at}{got.Calls.Count} calls");
        for (int i = 0; i < c.Calls.Count; i++)
        {
            Assert.Equal(c.Calls[i].Name, got.Calls[i].Name);
            using JsonDocument arguments = JsonDocument.Parse(got.Calls[i].Arguments);
            Assert.True(JsonElement.DeepEquals(c.Calls[i].Arguments, arguments.RootElement), $"{at}arguments {got.Calls[i].Arguments}");
        }
    }

    private static IEnumerable<string> Letters(string text) => text.Select(c => c.ToString());

    private static List<string> RandomParts(string text, Random random, int average)
    {
        var parts = new List<string>();
        for (int at = 0; at < text.Length;)
        {
            int length = Math.Min(text.Length - at, random.Next(2 * average + 1));
            parts.Add(text.Substring(at, length));
            at += length;
        }
        return parts;
    }

    [Fact]
    public void Goldens_hold_as_a_whole_and_letter_by_letter()
    {
        foreach (Case c in Goldens())
        {
            AssertGolden(c, [c.Text], "whole");
            AssertGolden(c, Letters(c.Text), "letter by letter");
        }
    }

    [Fact]
    public void Goldens_hold_cut_at_every_place()
    {
        foreach (Case c in Goldens())
            for (int cut = 0; cut <= c.Text.Length; cut++)
                AssertGolden(c, [c.Text[..cut], c.Text[cut..]], $"cut at {cut}");
    }

    [Fact]
    public void Goldens_hold_cut_at_random_places()
    {
        var random = new Random(7);
        foreach (Case c in Goldens())
            for (int i = 0; i < 40; i++)
                AssertGolden(c, RandomParts(c.Text, random, 1 + i % 12), $"random cuts {i}");
    }

    [Fact]
    public void Goldens_hold_for_the_plain_twin()
    {
        foreach (Case c in Goldens())
        {
            var (reasoning, content, calls) = WholeTextRouter.Route(c.Format, c.Opens, c.Text);
            Assert.Equal((c.Reasoning, c.Content, c.Calls.Count), (reasoning, content, calls.Count));
        }
    }

    /// <summary>Texts made of pieces of all forms, in any order, against the plain twin.</summary>
    [Fact]
    public void Equals_the_plain_twin_on_random_texts()
    {
        string[] general = ["<think>", "</think>", " ", "\n", "x", "name", "{", "}", "\"", "\\", "{}", "{\"a\": \"", "\"}", ",", ";", "1", "𝒳", "<", "<｜", "｜>", "```", "\n```json\n", "[", "]", ":", "\u0001"];
        string[] deepSeek = ["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁call▁end｜>",
            "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{}\n```<｜tool▁call▁end｜>", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜>", "<｜tool▁sep｜>f\n```json\n", "f<｜tool▁sep｜>", "\n```<｜tool▁call▁end｜>", "<｜tool▁cal"];
        string[] qwen = ["<tool_call>", "</tool_call>", "<tool_call>{\"name\": \"f\"", "{\"name\": \"f\", \"arguments\": {}}", "<tool_call>{\"name\": \"f\", \"parameters\": {\"s\": \"</tool_call>\"}}", "</tool", ", \"arguments\": {}}"];
        string[] llama = ["<|python_tag|>", "{\"name\": \"f\", \"parameters\": {}}", "{\"name\": \"f\"", "; ", ", \"parameters\": {\"a\": [1.5e3, null]}}", "<|py"];
        var random = new Random(11);
        int withCalls = 0;
        for (int round = 0; round < 30_000; round++)
        {
            var format = (ToolFormat)random.Next(6);
            string[] own = format switch { ToolFormat.Qwen => qwen, ToolFormat.Llama3 => llama, ToolFormat.None => general, _ => deepSeek };
            var text = new StringBuilder();
            for (int n = random.Next(14); n >= 0; n--) text.Append(random.Next(2) == 0 ? general[random.Next(general.Length)] : own[random.Next(own.Length)]);
            if (format == ToolFormat.Llama3 && random.Next(2) == 0) text.Insert(0, llama[random.Next(2)]);
            if (random.Next(8) == 0) text.Length = random.Next(text.Length);
            if (text.Length > 0 && char.IsHighSurrogate(text[^1])) text.Length--;
            bool opens = random.Next(3) == 0;
            var want = WholeTextRouter.Route(format, opens, text.ToString());
            Result got = Route(format, opens, random.Next(4) switch
            {
                0 => [text.ToString()],
                1 => Letters(text.ToString()),
                _ => RandomParts(text.ToString(), random, 1 + random.Next(20)),
            });
            if (want.Reasoning != got.Reasoning || want.Content != got.Content || !want.Calls.SequenceEqual(got.Calls))
                Assert.Fail($"round {round}, {format}, opens {opens}: {JsonSerializer.Serialize(text.ToString())}\nwant {want.Reasoning}|{want.Content}|{string.Join(',', want.Calls)}\ngot  {got.Reasoning}|{got.Content}|{string.Join(',', got.Calls)}");
            if (got.Calls.Count > 0) withCalls++;
        }
        Assert.True(withCalls > 2500, $"only {withCalls} texts had calls");
    }

    [Fact]
    public void Changed_goldens_equal_the_plain_twin()
    {
        var random = new Random(13);
        List<Case> cases = Goldens();
        for (int round = 0; round < 20_000; round++)
        {
            Case c = cases[random.Next(cases.Count)];
            var text = new StringBuilder(c.Text);
            for (int n = random.Next(1, 4); n > 0 && text.Length > 0; n--)
            {
                int at = random.Next(text.Length), length = Math.Min(random.Next(1, 20), text.Length - at);
                string part = text.ToString(at, length);
                if (random.Next(2) == 0) text.Remove(at, length);
                else text.Insert(random.Next(text.Length), part);
            }
            if (random.Next(3) == 0) text.Append(cases[random.Next(cases.Count)].Text);
            string all = string.Concat(text.ToString().Where(ch => !char.IsSurrogate(ch)));
            var want = WholeTextRouter.Route(c.Format, c.Opens, all);
            Result got = Route(c.Format, c.Opens, RandomParts(all, random, 1 + random.Next(20)));
            if (want.Reasoning != got.Reasoning || want.Content != got.Content || !want.Calls.SequenceEqual(got.Calls))
                Assert.Fail($"round {round}, {c.Format}, opens {c.Opens}: {JsonSerializer.Serialize(all)}\nwant {want.Reasoning}|{want.Content}|{string.Join(',', want.Calls)}\ngot  {got.Reasoning}|{got.Content}|{string.Join(',', got.Calls)}");
        }
    }

    private static string Given(StreamRouter router, string text) =>
        string.Join("|", router.Push(text).Select(p => p.Kind switch { RoutedKind.Reasoning => "R:" + p.Text, RoutedKind.Content => "C:" + p.Text, _ => "T:" + p.ToolCall!.Name }));

    [Fact]
    public void Text_is_given_out_as_soon_as_it_is_certain()
    {
        var router = new StreamRouter(ToolFormat.Qwen, promptOpensThink: true);
        Assert.True(router.IsThinking);
        Assert.Equal("", Given(router, "\n"));
        Assert.Equal("R:Two", Given(router, "Two"));
        Assert.Equal("R: and", Given(router, " and "));
        Assert.Equal("R: two", Given(router, "two<"));
        Assert.Equal("R:<b", Given(router, "b</thi"));
        Assert.Equal("", Given(router, "nk>"));
        Assert.False(router.IsThinking);
        Assert.Equal("", Given(router, "\n"));
        Assert.Equal("C:Four", Given(router, "Four\n<tool"));
        Assert.Equal("C:\n<toolbox>", Given(router, "box>"));
        Assert.Equal("", Given(router, "<tool_call>{\"name\": \"f\", \"arguments\": {}}"));
        Assert.Equal("T:f", Given(router, "</tool_call>"));
        // A block that cannot be a call any more is content at once, before its end marker.
        Assert.Equal("C:<tool_call>oops", Given(router, "<tool_call>oops"));
        Assert.Equal("C: a", Given(router, " a"));
        Assert.Empty(router.Finish());
    }

    [Fact]
    public void A_call_is_given_out_before_its_section_ends()
    {
        var router = new StreamRouter(ToolFormat.DeepSeekV31, promptOpensThink: false);
        Assert.Equal("C:Sure.", Given(router, "Sure. <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}"));
        Assert.Equal("T:now", Given(router, "<｜tool▁call▁end｜>"));
        Assert.Equal("", Given(router, "<｜tool▁call▁begin｜>f"));
        Assert.Equal("C: <｜tool▁call▁begin｜>f<｜x", Given(router, "<｜x"));
    }

    [Fact]
    public void Without_a_tool_format_only_thinking_is_parted()
    {
        var router = new StreamRouter(ToolFormat.None, promptOpensThink: false);
        Assert.Equal("R:hm", Given(router, "<think>hm </think> "));
        Assert.Equal("C:a <tool_call> ", Given(router, "a <tool_call> "));
        Assert.Throws<InvalidOperationException>(() =>
        {
            router.Finish();
            router.Push("x");
        });
    }

    [Fact]
    public void Deep_nesting_is_no_call_and_ends_nothing()
    {
        string deep = "{\"name\": \"f\", \"arguments\": " + string.Concat(Enumerable.Repeat("{\"a\": ", 100_000));
        Result got = Route(ToolFormat.Qwen, false, ["<tool_call>", deep, "</tool_call>!"]);
        Assert.Equal("<tool_call>" + deep + "</tool_call>!", got.Content);
        string allowed = string.Concat(Enumerable.Repeat("{\"a\":", 500)) + "1" + new string('}', 500);
        Assert.Equal(allowed, Assert.Single(Route(ToolFormat.Qwen, false, ["<tool_call>{\"name\": \"f\", \"arguments\": " + allowed + "}</tool_call>"]).Calls).Arguments);
    }

    public static TheoryData<string, string> Hostile => new()
    {
        { "", "<" }, { "", " " }, { "", "<think" }, { "<think>", "</thin" }, { "<think>", "\n " }, { "<think><tool_call>", "</think" },
        { "", "<tool_call>" }, { "", "<tool_call>{\"name\": \"</tool_call>" }, { "", "<tool_call>{\"" }, { "<tool_call>", "{" }, { "<tool_call>{\"a\": \"", "\\\\" }, { "<tool_call>{\"a\": [", "1, " },
        { "", "<tool_call>{},\"</tool_call>:\"" }, { "<tool_call>", "\r\n" }, { "", "</tool_call" },
        { "", "<｜tool▁calls▁begin｜>" }, { "", "<｜tool▁call▁begin｜>" }, { "", "<｜tool▁call▁begin｜><｜tool▁call▁end｜>" }, { "", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": \"<｜tool▁call▁end｜>" },
        { "", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁calls▁end" }, { "", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>x<｜tool▁calls▁end｜>" }, { "", "<｜tool▁call▁begin｜>x<｜tool▁sep｜>f\n```json\n{\"a\":\"<｜tool▁call▁end｜>" },
        { "<｜tool▁call▁begin｜>x<｜tool▁sep｜>f\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁call▁begin｜>", "<｜tool▁sep｜>\n```jso" }, { "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>", "x<｜tool▁calls▁e" },
        { "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜>", " " }, { "", "<｜tool▁cal" }, { "", "<｜tool▁call▁begin｜>x<｜tool▁sep｜>f\n```json\n{}\n```" },
        { "", "{\"name\": \"f\", \"parameters\": {}};" }, { "", "<|python_tag|>" }, { "<|python_tag|>{", "\"a\": 1, " }, { "a", "<|python_ta" }, { "{", "\"a\":{" },
    };

    /// <summary>A megabyte of what could make a reader go back again and again, whole and letter by letter.</summary>
    [Theory]
    [MemberData(nameof(Hostile))]
    public void Work_is_linear(string start, string repeated)
    {
        string text = start + string.Concat(Enumerable.Repeat(repeated, 1_000_000 / repeated.Length));
        string[] letters = [.. Letters(text[..100_000])];
        foreach (ToolFormat format in Enum.GetValues<ToolFormat>())
        {
            // Other tests and other programs run beside this one: the best of a few attempts counts.
            TimeSpan best = TimeSpan.MaxValue;
            for (int attempt = 0; attempt < 4 && best > TimeSpan.FromSeconds(2); attempt++)
            {
                long began = Stopwatch.GetTimestamp();
                Count(format, [text]);
                Count(format, letters);
                if (Stopwatch.GetElapsedTime(began) is var took && took < best) best = took;
            }
            Assert.True(best < TimeSpan.FromSeconds(2), $"{format} took {best}");
        }

        static void Count(ToolFormat format, string[] parts)
        {
            var router = new StreamRouter(format, promptOpensThink: false);
            foreach (string part in parts) router.Push(part);
            router.Finish();
        }
    }
}
