using System.Text.RegularExpressions;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>Regular expressions and GBNF.</summary>
public sealed class GrammarTextTests
{
    [Theory]
    [InlineData("[0-9]{2,3}", "12|123", "1|1234|1a")]
    [InlineData("(a|b)*c?", "|abab|c|abc", "d|ca")]
    [InlineData("^\\d+(?:\\.\\d+)?$", "1|1.5", "1.|.5|x")]
    [InlineData("[^\\x00-\\x7f]+", "é日😀", "a")]
    [InlineData("\\p{Lu}\\p{Ll}*", "Ärger|A", "ärger")]
    [InlineData("a.c", "abc|a日c", "a\nc|ac")]
    [InlineData("(?!foo)\\w+", "bar|fo", "foo|foobar")]
    [InlineData("[\\w-.]+@x", "a-b.c@x", "a b@x")]
    [InlineData("\\u{1f600}|\\u65e5", "😀|日", "é")]
    public void A_regular_expression_matches_from_end_to_end(string pattern, string yes, string no) => Check(Grammar.Regex(pattern), yes, no);

    [Theory]
    [InlineData("root ::= \"a\"+ [^b-d\\n]? # rest", "a|aaa|aax", "|b|ab")]
    [InlineData("root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= [0-9]+ | \"(\" expr \")\"", "1+2|(1+(2+3))+4", "1+|(1|)")]
    [InlineData("root ::= item{2,3} end?\nitem ::= \"x\" |\n  \"y\"\nend ::= \"\\u00e9\" | \"\\\"\" .", "xy|yyyé|xx\"q", "x|xxxx|xyé\"")]
    [InlineData("root ::= list\nlist ::= \"\" | \"a\" list", "|aaaa", "b")]
    [InlineData("root ::= a a\na ::= b*\nb ::= \"(\" a \")\"", "|()|()(())", "(|)(")]
    public void Gbnf_is_read_as_llama_cpp_reads_it(string gbnf, string yes, string no) => Check(Grammar.Gbnf(gbnf), yes, no);

    [Fact]
    public void The_json_grammar_of_llama_cpp_takes_json()
    {
        Grammar grammar = Grammar.Gbnf("""
            root   ::= object
            value  ::= object | array | string | number | ("true" | "false" | "null") ws
            object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
            array  ::= "[" ws ( value ("," ws value)* )? "]" ws
            string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
            number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
            ws ::= | " " | "\n" [ \t]{0,20}
            """);
        Check(grammar, "{\"a\": [1, -2.5e3, \"x\\n\", {}, []], \"b\": null}|{}", "[1]|{\"a\"}|{\"a\":01}");
    }

    [Theory]
    [InlineData("root ::= root \"a\" | \"b\"", "left recursion")]
    [InlineData("root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a \"y\" | \"z\"", "left recursion")]
    [InlineData("root ::= \"a\" root", "admits nothing")]
    [InlineData("start ::= \"a\"", "no rule called root")]
    [InlineData("root ::= missing", "line 1: there is no rule called missing")]
    [InlineData("root ::= \"a\"\nroot ::= \"b\"", "line 2: the rule root is there twice")]
    [InlineData("root ::= \"a", "a literal does not end")]
    [InlineData("root ::= [a", "a class does not end")]
    [InlineData("root ::= (\"a\"", "a group does not end")]
    [InlineData("root = \"a\"", "expected ::=")]
    public void Broken_gbnf_is_refused(string gbnf, string part) => Assert.Contains(part, Assert.Throws<GrammarException>(() => Grammar.Gbnf(gbnf)).Message);

    /// <summary>.NET's engine, in ECMAScript mode, as the twin: random expressions on random texts.</summary>
    [Fact]
    public void Expressions_agree_with_those_of_dotnet()
    {
        var random = new Random(21);
        int matched = 0;
        for (int round = 0; round < 300; round++)
        {
            string pattern = Expression(random, 3);
            Grammar grammar;
            try
            {
                grammar = Grammar.Regex(pattern);
            }
            catch (GrammarException e)
            {
                Assert.True(e.Message.Contains("admits nothing", StringComparison.Ordinal) || e.Message.Contains("inside a repetition is not supported", StringComparison.Ordinal), e.Message);
                continue;
            }
            var twin = new Regex($"^(?:{pattern})\\z", RegexOptions.ECMAScript);
            for (int i = 0; i < 30; i++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => "ab1_"[random.Next(4)]));
                bool expected = twin.IsMatch(text);
                if (expected) matched++;
                Assert.True(expected == GrammarText.Takes(grammar, text), $"{pattern} on {text}: expected {expected}");
            }
        }
        Assert.True(matched > 300);
    }

    private static string Expression(Random random, int depth)
    {
        if (depth == 0) return new[] { "a", "b", "[ab]", "\\d", ".", "[^a]", "\\w" }[random.Next(7)];
        return random.Next(6) switch
        {
            0 => $"(?:{Expression(random, depth - 1)}|{Expression(random, depth - 1)})",
            1 => $"(?:{Expression(random, depth - 1)}){new[] { "*", "+", "?", "{2}", "{1,2}", "{2,}", "*?" }[random.Next(7)]}",
            2 => $"(?{(random.Next(2) == 0 ? "=" : "!")}{Expression(random, depth - 1)}){Expression(random, depth - 1)}",
            _ => Expression(random, depth - 1) + Expression(random, depth - 1),
        };
    }

    private static void Check(Grammar grammar, string yes, string no)
    {
        foreach (string text in yes.Split('|')) Assert.True(GrammarText.Takes(grammar, text), text);
        foreach (string text in no.Split('|')) Assert.False(GrammarText.Takes(grammar, text), text);
    }
}
