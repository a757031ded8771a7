using System.IO.Compression;
using System.Text;
using System.Text.Json;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Fuzz;

/// <summary>A <c>tokenizer.json</c>: read, then a text encoded and decoded.</summary>
internal sealed class TokenizerTarget : FuzzTarget
{
    private const string Sample = "Hello, world! It's 12345 — naïve é e\u0301 世界 🌍👩‍👩‍👧 𝐀𠮷 <|im_end|></s>\n\n\t  x  \r\nＡＢＣ ﬁ Σίσυφος İ ẞ ½ \u0000\uFEFF end";

    private readonly JsonMutator _json;
    private readonly byte[]? _packed;

    public TokenizerTarget(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        if (path.EndsWith(".gz", StringComparison.Ordinal))
        {
            _packed = file;
            using var stream = new GZipStream(new MemoryStream(file), CompressionMode.Decompress);
            using var plain = new MemoryStream();
            stream.CopyTo(plain);
            file = plain.ToArray();
        }
        _json = new JsonMutator(file);
        FileBytes = file.Length;
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        Tokenizer tokenizer;
        if (_packed is not null && r.Once(2))
        {
            using var folder = new TemporaryFolder();
            File.WriteAllBytes(folder["tokenizer.json.gz"], JsonMutator.MutateBytes(_packed, r));
            tokenizer = Tokenizer.FromFile(folder["tokenizer.json.gz"]);
        }
        else tokenizer = Tokenizer.FromJson(_json.Mutate(r));
        progress.Reached = Reached.Opened;
        int[] ids = tokenizer.Encode(Sample, r.Once(2), r.Once(2));
        tokenizer.Decode(ids, r.Once(2));
        TokenStream stream = tokenizer.CreateStream();
        foreach (int id in ids) stream.Push(id);
        stream.Flush();
        return Reached.Opened;
    }
}

/// <summary>A <c>tokenizer_config.json</c> or <c>generation_config.json</c>.</summary>
internal sealed unsafe class SmallConfigTarget : FuzzTarget
{
    private readonly JsonMutator _json;
    private readonly bool _generation;

    public SmallConfigTarget(byte[] text, bool generation)
    {
        _json = new JsonMutator(text);
        _generation = generation;
        FileBytes = text.Length;
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        byte[] text = _json.Mutate(r);
        fixed (byte* p = text)
        {
            FileImage image = FileImage.OfMemory(Name, (nint)p, text.Length);
            if (_generation) _ = GenerationConfigReader.Read(image);
            else _ = TokenizerConfig.Read(image).IdOf("x");
        }
        return Reached.Opened;
    }
}

/// <summary>A chat template, rendered over a conversation.</summary>
internal sealed class TemplateTarget : FuzzTarget
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly string[] Snippets =
    [
        "{% for i in range(1000000000) %}x{% endfor %}", "{{ 'a' * 1000000000 }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% set ns = namespace(x=[]) %}", "|tojson", "|join(',')", "[::-1]",
        "[0]", "[1:]", ".x", "(", ")", "{{", "}}", "{%", "%}", "{#", "#}", "-", "|length", "|trim", "is defined", "not ", " in ", "loop.index0", "**", "//", "%", "1e999", "9223372036854775807", "''",
        "{% if %}", "{% else %}", "{% endfor %}", "{% endif %}", "{% set x = x + x %}", "|replace('', 'aa')", "|map(attribute='role')|list", "{% raw %}", "raise_exception('x')", "strftime_now('%Y')",
        "|int", "|string", "|default('')", "{% generation %}", "{% break %}", "range(99999999)|list", "|selectattr('role')", "|sort", "|groupby('role')", "|batch(3)", "((((((((((", "~", "|safe", "|e",
    ];

    private readonly string[] _tokens;
    private readonly JsonElement[] _variables;

    public TemplateTarget(string source, JsonElement[] variables)
    {
        _tokens = Split(source);
        _variables = variables;
        FileBytes = Encoding.UTF8.GetByteCount(source);
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        var tokens = new List<string>(_tokens);
        for (int i = 1 + r.Next(3); i > 0 && tokens.Count > 0; i--)
        {
            int at = r.Next(tokens.Count);
            switch (r.Next(7))
            {
                case 0: tokens.RemoveAt(at); break;
                case 1: tokens[at] = r.Pick(_tokens); break;
                case 2: tokens.Insert(at, r.Pick(Snippets)); break;
                case 3: tokens[at] = r.Pick(Snippets); break;
                case 4:
                    int other = r.Next(tokens.Count);
                    (tokens[at], tokens[other]) = (tokens[other], tokens[at]);
                    break;
                case 5:
                    int length = Math.Min(1 + r.Next(40), tokens.Count - at);
                    tokens.InsertRange(r.Next(tokens.Count), tokens.GetRange(at, length));
                    break;
                default:
                    tokens.RemoveRange(at, Math.Min(1 + r.Next(40), tokens.Count - at));
                    break;
            }
        }
        string source = string.Concat(tokens);
        if (r.Once(15)) source = Encoding.UTF8.GetString(JsonMutator.MutateBytes(Encoding.UTF8.GetBytes(source), r));
        ChatTemplate template = ChatTemplate.Parse(source);
        progress.Reached = Reached.Opened;
        template.Render(r.Pick(_variables), Now);
        return Reached.Opened;
    }

    // Words, numbers, runs of blanks and single signs.
    private static string[] Split(string text)
    {
        var tokens = new List<string>();
        for (int i = 0; i < text.Length;)
        {
            int start = i++;
            if (Class(text[start]) is int c and > 0)
                while (i < text.Length && Class(text[i]) == c) i++;
            tokens.Add(text[start..i]);
        }
        return [.. tokens];

        static int Class(char ch) => char.IsAsciiLetterOrDigit(ch) || ch == '_' ? 1 : char.IsWhiteSpace(ch) ? 2 : ch >= 0x80 ? 3 : 0;
    }
}

/// <summary>A model's output, cut anywhere: the router takes any text, so nothing may be thrown at all.</summary>
internal sealed class RouterTarget : FuzzTarget
{
    private readonly string _text;

    public RouterTarget(string text)
    {
        _text = text;
        FileBytes = text.Length;
    }

    public override Reached Run(FuzzRandom r, Progress progress)
    {
        char[] text = [.. Encoding.UTF8.GetString(JsonMutator.MutateBytes(Encoding.UTF8.GetBytes(_text), r))];
        if (text.Length > 0 && r.Once(3)) text[r.Next(text.Length)] = (char)r.Bits();
        var router = new StreamRouter((ToolFormat)r.Next(Enum.GetValues<ToolFormat>().Length), r.Once(2));
        for (int at = 0; at < text.Length;)
        {
            int n = Math.Min(1 + r.Next(24), text.Length - at);
            router.Push(text.AsSpan(at, n));
            at += n;
        }
        router.Finish();
        progress.Reached = Reached.Opened;
        return Reached.Opened;
    }
}
