using System.Diagnostics;
using System.Text;
using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>Damaged templates: whatever they become, they render or end in a TemplateException, soon and in little memory.</summary>
public class TemplateMutationTests
{
    private const int Seed = 20250120;

    private static readonly string[] Pieces =
    [
        "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", "(", ")", "[", "]", "{", "}", "'", "\"", "|", ".", ",", ":", "~", "**", "*", "//", "%", "=", "==", "<", "\n", " ", "\\", "\ud83d", "😀",
        " for x in ", " if ", " else ", " endif ", " endfor ", " set ", " macro m(a) ", " endmacro ", " call m(1) ", " endcall ", " break ", " is ", " not ", " in ", " and ", " recursive ", " filter upper ", " endfilter ", " raw ", " endraw ",
        "99999999999", "1e308", "0", "-1", "10 ** 80", "range(99999)", "messages", "loop", "loop(messages)", "caller()", "m(m)", "ns.x", "none", "true", "missing", "x", "'{:>9999999}'.format(x)", "'%9999999d' % 5", "['a'] * 9999999",
        "| list", "| map('upper')", "| tojson(indent=9999)", "| replace('', 'aaaaaaaa')", "| join(messages | string)", "| batch(3)", "| groupby('role')", "| sort", "| indent(99999)", "| center(9999999)", "| wordwrap(1)", "| urlize", "| pprint", "| length",
        ".split()", ".items()", ".append(1)", ".__class__", "[::-1]", "[1:]", "[::0]", ".format(*messages)", "(**messages[0])", "namespace(x=messages)", "cycler(1)", "dict(messages)", "raise_exception('no')", "strftime_now('%c %999999d')",
    ];

    [Fact]
    public void DamagedTemplatesNeverDoMoreThanFail()
    {
        string folder = Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "Tokenization", "Goldens");
        var sources = Directory.GetFiles(folder, "*.jinja").Order(StringComparer.Ordinal).Select(File.ReadAllText).ToList();
        foreach (string line in File.ReadLines(Path.Combine(folder, "templates.jsonl")))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            if (row.RootElement.TryGetProperty("template", out JsonElement template)) sources.Add(template.GetString()!);
        }
        JsonElement variables = JsonDocument.Parse("""{"messages":[{"role":"user","content":"hi <b> 😀"},{"role":"assistant","content":"yo","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":[1,2.5,null]}}}]}],"x":3,"l":[1,2,3],"d":{"a":1},"ns":"text"}""").RootElement;
        var random = new Random(Seed);
        int rendered = 0, failed = 0;
        var total = Stopwatch.StartNew();
        for (int i = 0; i < 6000 && total.Elapsed.TotalSeconds < 20; i++)
        {
            string mutant = Mutate(random, sources);
            var watch = Stopwatch.StartNew();
            try
            {
                ChatTemplate.Parse(mutant).Render(variables);
                rendered++;
            }
            catch (TemplateException e)
            {
                Assert.NotEmpty(e.Message);
                failed++;
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} of seed {Seed}: {e.GetType().Name} {e.Message}\n{mutant}\n{e.StackTrace}");
            }
            Assert.True(watch.Elapsed.TotalSeconds < 10, $"mutant {i} of seed {Seed} took {watch.Elapsed}: {mutant}");
        }
        Assert.True(rendered > 100 && failed > 100, $"{rendered} rendered, {failed} failed");
    }

    private static string Mutate(Random random, List<string> sources)
    {
        var text = new StringBuilder(sources[random.Next(sources.Count)]);
        for (int change = random.Next(1, 6); change > 0; change--)
        {
            int at = random.Next(text.Length + 1), length = Math.Min(random.Next(1, 20), text.Length - at);
            switch (random.Next(5))
            {
                case 0: text.Remove(at, length); break;
                case 1: text.Insert(at, text.ToString(at, length)); break;
                case 2:
                    string other = sources[random.Next(sources.Count)];
                    int from = random.Next(other.Length);
                    text.Insert(at, other.AsSpan(from, Math.Min(random.Next(1, 60), other.Length - from)));
                    break;
                default: text.Insert(at, Pieces[random.Next(Pieces.Length)]); break;
            }
        }
        return text.ToString();
    }
}
