using System.Diagnostics;
using System.Text;
using System.Text.Json;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>What schemas allow and what not, keyword by keyword; what is refused; what is bounded.</summary>
public sealed class GrammarSchemaTests
{
    [Theory]
    [InlineData("""{"type":["integer","null"]}""", "0|-12|null", "01|1.5|+1|nul|\"1\"|true| 1")]
    [InlineData("""{"type":"number"}""", "0|-0.5|1e5|1.25E-3", ".5|1.|1e|--1|0x1")]
    [InlineData("""{"minimum":-2.5,"type":"number"}""", "-2.5|-2.50|-2.49|0|1000.1|-1", "-2.51|-3|-10")]
    [InlineData("""{"exclusiveMinimum":10,"maximum":1234,"type":"integer"}""", "11|99|100|1000|1234", "10|9|-11|1235|2000|10000")]
    [InlineData("""{"minimum":10,"exclusiveMinimum":true,"type":"integer"}""", "11", "10")]
    [InlineData("""{"exclusiveMaximum":0,"type":"number"}""", "-0.001|-5", "0|0.0|-0|-0.0|1")]
    [InlineData("""{"minimum":0,"type":"number"}""", "0|0.5|1e9", "-1|-0.1")]
    [InlineData("""{"multipleOf":0.01,"type":"number"}""", "1|1.5|1.25|1.250|-0.07", "1.255|0.001")]
    [InlineData("""{"multipleOf":7,"type":"integer"}""", "0|7|-14|700", "1|8|15")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":3}""", "\"ab\"|\"é日😀\"|\"\\u00e9\\n\"|\"\\ud83d\\ude00a\"", "\"a\"|\"abcd\"|\"\\ud83da\"|ab")]
    [InlineData("""{"type":"string","pattern":"b+"}""", "\"abc\"|\"b\"|\"\\\"b\"", "\"ac\"|\"\"")]
    [InlineData("""{"type":"string","pattern":"^a$|^(b|c)[^d]"}""", "\"a\"|\"bx\"|\"ce...\"", "\"ab\"|\"b\"|\"bd\"")]
    [InlineData("""{"type":"string","pattern":"^(?!x)[a-z]+$"}""", "\"abc\"", "\"xbc\"|\"\"")]
    [InlineData("""{"type":"string","format":"date"}""", "\"2024-02-29\"|\"2023-12-31\"", "\"2023-02-29\"|\"2023-13-01\"|\"2023-04-31\"")]
    [InlineData("""{"type":"string","format":"date-time"}""", "\"2024-01-01T23:59:59.5+01:00\"|\"2024-01-01T00:00:00Z\"", "\"2024-01-01\"|\"2024-01-01T24:00:00Z\"")]
    [InlineData("""{"type":"string","format":"email"}""", "\"a.b@c-d.org\"", "\"a@\"|\"@b\"|\"a b@c\"|\"a..b@c\"")]
    [InlineData("""{"type":"string","format":"ipv6"}""", "\"::1\"|\"2001:db8::ff00:42:8329\"|\"::ffff:1.2.3.4\"", "\":1\"|\"1::2::3\"|\"12345::\"")]
    [InlineData("""{"type":"string","format":"uri"}""", "\"https://a.b/c?d=e#f\"|\"urn:x:y\"", "\"/a/b\"|\"http://a b\"")]
    [InlineData("""{"type":"string","format":"uuid"}""", "\"123e4567-e89b-12d3-a456-426614174000\"", "\"123e4567\"")]
    [InlineData("""{"type":"string","format":"int-of-my-own"}""", "\"anything\"", "1")]
    [InlineData("""{"enum":["a",1,null,[1,{"b":2}]]}""", "\"a\"|1|null|[1,{\"b\":2}]|[ 1, { \"b\": 2 } ]", "\"b\"|2|[1]")]
    [InlineData("""{"const":"a\u0001\"b"}""", "\"a\\u0001\\\"b\"", "\"a\"")]
    [InlineData("""{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}""", "[1]|[1,2,3]|[\n  1,\n  2\n]", "[]|[1,2,3,4]|[1,]|[\"a\"]")]
    [InlineData("""{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false}""", "[]|[1]|[1,\"a\"]", "[\"a\"]|[1,\"a\",2]")]
    [InlineData("""{"items":[{"type":"integer"}],"additionalItems":{"type":"null"},"minItems":2,"type":"array"}""", "[1,null]|[1,null,null]", "[1]|[1,2]")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["b"],"additionalProperties":false}""", "{\"b\":1}|{\"a\":1,\"b\":2}|{\n  \"a\": 1,\n  \"b\": 2\n}", "{}|{\"a\":1}|{\"b\":1,\"a\":2}|{\"b\":1,\"c\":2}|{\"b\":1,}")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}}""", "{}|{\"a\":1,\"x\":\"y\"}|{\"ab\":\"y\"}", "{\"a\":\"y\"}|{\"x\":1}|{\"\\u0061\":\"y\"}|{\"x\":\"y\",\"a\":1}")]
    [InlineData("""{"type":"object","patternProperties":{"^n":{"type":"integer"},"s$":{"minimum":5}},"additionalProperties":false}""", "{}|{\"n\":1}|{\"ns\":7}|{\"xs\":null}", "{\"ns\":1}|{\"n\":null}|{\"x\":1}")]
    [InlineData("""{"type":"object","properties":{"nx":{"minimum":3}},"patternProperties":{"^n":{"type":"integer"}}}""", "{\"nx\":3}", "{\"nx\":2}|{\"nx\":3.5}")]
    [InlineData("""{"type":"object","propertyNames":{"pattern":"^[a-c]+$"},"maxProperties":2}""", "{}|{\"a\":1,\"b\":2}", "{\"d\":1}|{\"a\":1,\"b\":1,\"c\":1}")]
    [InlineData("""{"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2,"additionalProperties":false}""", "{\"a\":1,\"c\":1}|{\"b\":1,\"c\":1}", "{}|{\"b\":1}")]
    [InlineData("""{"type":"object","additionalProperties":{"type":"integer"},"minProperties":1}""", "{\"a\":1}|{\"a\":1,\"b\":2}", "{}")]
    [InlineData("""{"dependentRequired":{"a":["b"]},"properties":{"a":{},"b":{}}}""", "1|{}|{\"b\":1}|{\"a\":1,\"b\":2}", "{\"a\":1}")]
    [InlineData("""{"dependencies":{"a":{"required":["b"]},"c":["b"]},"properties":{"a":{},"b":{},"c":{}},"type":"object"}""", "{\"a\":1,\"b\":2}|{\"b\":1,\"c\":1}", "{\"a\":1}|{\"c\":1}")]
    [InlineData("""{"anyOf":[{"type":"string"},{"minimum":5}]}""", "\"a\"|5|null", "4")]
    [InlineData("""{"allOf":[{"minimum":5},{"maximum":6}],"type":"integer"}""", "5|6", "4|7")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"minimum":2}]}""", "1|2.5|null", "3|1.5")]
    [InlineData("""{"oneOf":[{"required":["a"]},{"required":["b"]}],"type":"object","properties":{"a":{},"b":{}}}""", "{\"a\":1}|{\"b\":1}", "{}|{\"a\":1,\"b\":1}")]
    [InlineData("""{"oneOf":[{"properties":{"k":{"const":"x"},"v":{"type":"integer"}},"required":["k","v"]},{"properties":{"k":{"const":"y"},"w":{"type":"string"}},"required":["k","w"]}],"type":"object"}""", "{\"k\":\"x\",\"v\":1}|{\"k\":\"y\",\"w\":\"z\"}", "{\"k\":\"x\",\"w\":\"z\"}|{\"k\":\"z\"}")]
    [InlineData("""{"oneOf":[{"type":["null","string"]},{"anyOf":[{"enum":[null,"a"]},{"type":"number"}]}]}""", "\"b\"|1", "null|\"a\"")]
    [InlineData("""{"not":{"type":["string","integer"]}}""", "1.5|null|{}|[]", "1|\"a\"")]
    [InlineData("""{"type":"string","not":{"enum":["a","bc"]}}""", "\"ab\"|\"b\"|\"\"", "\"a\"|\"bc\"")]
    [InlineData("""{"type":"integer","not":{"multipleOf":2}}""", "1|3", "2|0")]
    [InlineData("""{"if":{"properties":{"t":{"const":1}},"required":["t"]},"then":{"required":["u"]},"else":{"required":["v"]},"properties":{"t":{},"u":{},"v":{}},"type":"object"}""", "{\"t\":1,\"u\":2}|{\"t\":2,\"v\":2}|{\"v\":1}", "{\"t\":1}|{\"t\":1,\"v\":1}|{\"u\":1}")]
    [InlineData("""{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}}}""", "{\"v\":1,\"next\":null}|{\"v\":1,\"next\":{\"v\":2,\"next\":null}}", "{\"v\":1}|{\"v\":1,\"next\":{}}")]
    [InlineData("""{"$ref":"#item","$defs":{"x":{"$anchor":"item","type":"null"}}}""", "null", "1")]
    [InlineData("""{"title":"t","description":"d","default":1,"examples":[2],"$comment":"c","readOnly":true,"x-mine":{"type":1}}""", "1|\"a\"|{\"b\":[]}", "{a:1}")]
    [InlineData("true", "{\"a\":[1,2,{\"b\":null}]}|\"\\u00e9\\/\"|[ ]|{ }|{ \"a\" : 1 }", "{|[1,]|\"\u0001\"")]
    public void A_schema_admits_what_it_should(string schema, string valid, string invalid)
    {
        Grammar grammar = Grammar.JsonSchema(schema);
        foreach (string text in valid.Split('|')) Assert.True(GrammarText.Takes(grammar, text), text);
        foreach (string text in invalid.Split('|')) Assert.False(GrammarText.Takes(grammar, text), text);
    }

    [Theory]
    [InlineData("""{"properties":{"a":{"uniqueItems":true}}}""", "#/properties/a: uniqueItems: is not supported")]
    [InlineData("""{"contains":{"type":"string"}}""", "#: contains: is not supported")]
    [InlineData("""{"unevaluatedProperties":false}""", "unevaluatedProperties")]
    [InlineData("""{"$dynamicRef":"#a"}""", "$dynamicRef")]
    [InlineData("""{"not":{"additionalProperties":{"type":"string"}}}""", "additionalProperties inside not")]
    [InlineData("""{"type":"string","format":"idn-email"}""", "format: \"idn-email\"")]
    [InlineData("""{"pattern":"(a)\\1"}""", "pattern: regular expression")]
    [InlineData("""{"pattern":"a("}""", "a group does not end")]
    [InlineData("""{"pattern":"\\bx"}""", "\\b is not supported")]
    [InlineData("""{"type":"strnig"}""", "there is no type \"strnig\"")]
    [InlineData("""{"$ref":"http://example.org/x"}""", "only references within the schema")]
    [InlineData("""{"$ref":"#/$defs/none"}""", "there is nothing at this place")]
    [InlineData("""{"minLength":-1}""", "expected a whole number from 0")]
    [InlineData("""{"required":"a"}""", "required: expected a list of strings")]
    [InlineData("""{"minProperties":3,"type":"object"}""", "minProperties")]
    [InlineData("""{"properties":{"a":7}}""", "#/properties/a: expected a schema")]
    [InlineData("""{"type":"object",}""", "expected JSON")]
    // Nothing can satisfy these.
    [InlineData("false", "admits nothing")]
    [InlineData("""{"type":"integer","minimum":2,"maximum":1}""", "admits nothing")]
    [InlineData("""{"type":"string","pattern":"^a$","minLength":2}""", "admits nothing")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""", "admits nothing")]
    [InlineData("""{"enum":[]}""", "admits nothing")]
    // These never come to a value.
    [InlineData("""{"$ref":"#"}""", "recurses for ever")]
    [InlineData("""{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"allOf":[{"$ref":"#"}]}}}""", "recurses for ever")]
    public void What_is_not_supported_is_refused_by_name(string schema, string part)
    {
        var e = Assert.Throws<GrammarException>(() => Grammar.JsonSchema(schema));
        Assert.Contains(part, e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    public static TheoryData<string> Hostile => new()
    {
        string.Concat(Enumerable.Repeat("[", 100_000)),
        "{\"a\":" + string.Concat(Enumerable.Repeat("[", 200_000)),
        string.Concat(Enumerable.Repeat("""{"not":""", 200)) + "{\"minLength\":1}" + new string('}', 200),
        $$"""{"allOf":[{{string.Join(',', Enumerable.Range(0, 14).Select(i => $$"""{"anyOf":[{"required":["a{{i}}"]},{"required":["b{{i}}"]}]}"""))}}]}""",
        $$"""{"oneOf":[{{string.Join(',', Enumerable.Range(0, 60).Select(i => $$"""{"required":["a{{i}}","b{{i}}"]}"""))}}]}""",
        """{"type":"string","pattern":"(((a{1,1000}){1,1000}){1,1000}){1,1000}"}""",
        """{"type":"string","pattern":"(x+x+)+y(a|b|ab)*c.{0,500}z"}""",
        """{"type":"string","pattern":"^(?=(.*a.{14}b))(?!.*c.{13}d)(?=.*e.{15}f).*$"}""",
        """{"type":"string","minLength":1000000000,"maxLength":1000000000}""",
        """{"type":"array","minItems":1000000000,"maxItems":1000000000}""",
        """{"type":"integer","multipleOf":999983,"minimum":1e300}""",
        $$"""{"type":"string","pattern":"{{string.Concat(Enumerable.Repeat("(", 5000))}}"}""",
        $$"""{"enum":[{{string.Join(',', Enumerable.Range(1, 3000).Select(i => $"\"{new string('a', i)}\""))}}]}""",
        $$"""{"type":"object","properties":{ {{string.Join(',', Enumerable.Range(0, 3000).Select(i => $"\"p{i}\":{{\"type\":\"integer\"}}"))}} } }""",
        """{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"x":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}}},"b":{"properties":{"x":{"allOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/c"}]}}},"c":{"properties":{"x":{"$ref":"#/$defs/a"}}}}}""",
    };

    /// <summary>Each compiles, or is refused with the one exception; a few tokens are followed where it compiles. All of it is bounded.</summary>
    [Theory]
    [MemberData(nameof(Hostile))]
    public void Hostile_schemas_are_bounded(string schema)
    {
        long start = Stopwatch.GetTimestamp(), memory = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            GrammarMatcher matcher = new TokenGrammar(Grammar.JsonSchema(schema), GrammarText.Vocabulary).CreateMatcher();
            uint[] mask = new uint[GrammarText.Vocabulary.MaskLength];
            foreach (char c in "\"aaaaaaa")
            {
                matcher.FillMask(mask);
                matcher.Accept(GrammarText.IdOf((byte)c));
            }
        }
        catch (GrammarException)
        {
            // refused in one line
        }
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 20); // a loaded machine; a tenth of it elsewhere
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - memory, 0, 4L << 30);
    }

    /// <summary>Schemas and values drawn at random: what a grammar takes is what the plain validator says, in the schema's order of keys.</summary>
    [Fact]
    public void Grammars_agree_with_the_validator()
    {
        var random = new Random(11);
        int compiled = 0, valid = 0, invalid = 0, missed = 0;
        for (int round = 0; round < 300; round++)
        {
            string schema = Draw.Schema(random, 3);
            Grammar grammar;
            try
            {
                grammar = Grammar.JsonSchema(schema);
            }
            catch (GrammarException)
            {
                continue;
            }
            compiled++;
            var pool = new ByteRegexPool();
            (SchemaReader reader, SchemaNode root) = SchemaReader.Open(schema, pool);
            for (int i = 0; i < 16; i++)
            {
                string text = Draw.Value(random, 3);
                using JsonDocument value = JsonDocument.Parse(text);
                bool expected = new SchemaValidator(reader).Validate(value.RootElement, root);
                using JsonDocument document = JsonDocument.Parse(schema);
                bool taken = GrammarText.Takes(grammar, text) || GrammarText.Takes(grammar, SeekSharp.Cli.SchemaKeyOrder.Apply(value.RootElement, document.RootElement)?.ToJsonString() ?? "null");
                Assert.True(expected || !taken, $"{schema} takes {text}, which is not valid");
                if (expected) valid++;
                else invalid++;
                if (expected && !taken) missed++;
            }
        }
        Assert.True(compiled > 150 && valid > 300 && invalid > 500, $"{compiled} schemas, {valid} valid and {invalid} invalid values");
        // Alternatives that name the same keys in different orders: no one order of the value's fits all of them.
        Assert.True(missed <= 0.02 * valid, $"{missed} of {valid} valid values were not taken");
    }

    /// <summary>Whatever a grammar writes by itself is valid.</summary>
    [Fact]
    public void What_a_grammar_generates_is_valid()
    {
        var random = new Random(12);
        uint[] mask = new uint[GrammarText.Vocabulary.MaskLength];
        int complete = 0;
        for (int round = 0; round < 300; round++)
        {
            string schema = Draw.Schema(random, 3);
            TokenGrammar grammar;
            try
            {
                grammar = new TokenGrammar(Grammar.JsonSchema(schema), GrammarText.Vocabulary);
            }
            catch (GrammarException)
            {
                continue;
            }
            (SchemaReader reader, SchemaNode root) = SchemaReader.Open(schema, new ByteRegexPool());
            for (int text = 0; text < 4; text++)
            {
                GrammarMatcher matcher = grammar.CreateMatcher();
                List<byte> bytes = [];
                while (bytes.Count < 300 && !(matcher.CanEnd && (matcher.IsComplete || random.Next(4) == 0)))
                {
                    matcher.FillMask(mask);
                    int[] allowed = [.. Enumerable.Range(1, GrammarText.Vocabulary.Size - 1).Where(id => (mask[id >> 5] >> (id & 31) & 1) != 0)];
                    int id = allowed[random.Next(allowed.Length)];
                    Assert.True(matcher.Accept(id));
                    bytes.AddRange(GrammarText.Tokenizer.TokenBytes(id));
                }
                if (!matcher.CanEnd) continue;
                complete++;
                using JsonDocument value = JsonDocument.Parse(bytes.ToArray());
                // A key that comes twice counts once, and the validator would read both; exponents of three digits go beyond what it computes with.
                string written = Encoding.UTF8.GetString(bytes.ToArray());
                if (Repeats(value.RootElement) || System.Text.RegularExpressions.Regex.IsMatch(written, "[eE][+-]?[0-9]{3}")) continue;
                Assert.True(new SchemaValidator(reader).Validate(value.RootElement, root), $"wrote {written} for {schema}");
            }
        }
        Assert.True(complete > 200, $"{complete} complete values");
    }

    private static bool Repeats(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().Select(m => m.Name).Distinct().Count() != value.EnumerateObject().Count() || value.EnumerateObject().Any(m => Repeats(m.Value)),
        JsonValueKind.Array => value.EnumerateArray().Any(Repeats),
        _ => false,
    };

    /// <summary>Random schemas over the keys a, b and c, and random values of the same kinds.</summary>
    private static class Draw
    {
        public static string Schema(Random random, int depth)
        {
            List<string> keywords = [];
            void Add(double chance, Func<string> keyword)
            {
                if (random.NextDouble() < chance) keywords.Add(keyword());
            }
            string Sub() => Schema(random, depth - 1);
            string Names() => string.Join(',', new[] { "a", "b", "c" }.Where(_ => random.Next(3) == 0).Select(n => $"\"{n}\""));
            if (random.Next(25) == 0) return random.Next(3) == 0 ? "false" : "true";
            Add(0.5, () => $"\"type\":[{string.Join(',', new[] { "null", "boolean", "integer", "number", "string", "array", "object", "object" }.Where(_ => random.Next(3) == 0).Append("object").Distinct().Select(t => $"\"{t}\""))}]");
            Add(0.1, () => $"\"minimum\":{random.Next(-3, 4)}");
            Add(0.1, () => $"\"exclusiveMaximum\":{random.Next(-3, 4)}.5");
            Add(0.05, () => "\"multipleOf\":0.5");
            Add(0.1, () => $"\"minLength\":{random.Next(3)}");
            Add(0.1, () => $"\"maxLength\":{random.Next(3)}");
            Add(0.1, () => $"\"pattern\":\"{new[] { "^a", "b$", "^[ab]*$", "x|^$" }[random.Next(4)]}\"");
            Add(0.08, () => "\"enum\":[\"a\",1,null,{\"a\":1},[],\"ab\"]");
            if (depth > 0)
            {
                Add(0.5, () => $"\"properties\":{{\"a\":{Sub()},\"b\":{Sub()},\"c\":{Sub()}}}");
                Add(0.2, () => $"\"required\":[{Names()}]");
                Add(0.2, () => $"\"additionalProperties\":{Sub()}");
                Add(0.1, () => $"\"patternProperties\":{{\"^[bd]\":{Sub()}}}");
                Add(0.1, () => $"\"maxProperties\":{random.Next(4)}");
                Add(0.1, () => $"\"items\":{Sub()}");
                Add(0.1, () => $"\"prefixItems\":[{Sub()}]");
                Add(0.1, () => $"\"maxItems\":{random.Next(3)}");
                Add(0.1, () => $"\"minItems\":{random.Next(3)}");
                Add(0.15, () => $"\"anyOf\":[{Sub()},{Sub()}]");
                Add(0.1, () => $"\"allOf\":[{Sub()}]");
                Add(0.15, () => $"\"oneOf\":[{Sub()},{Sub()}]");
                Add(0.15, () => $"\"not\":{Sub()}");
                Add(0.1, () => $"\"if\":{Sub()},\"then\":{Sub()},\"else\":{Sub()}");
                Add(0.1, () => $"\"dependentRequired\":{{\"a\":[{Names()}]}}");
                Add(0.05, () => $"\"dependentSchemas\":{{\"b\":{Sub()}}}");
            }
            return $"{{{string.Join(',', keywords)}}}";
        }

        public static string Value(Random random, int depth)
        {
            switch (random.Next(depth > 0 ? 12 : 6))
            {
                case 0: return "null";
                case 1: return random.Next(2) == 0 ? "true" : "false";
                case 2: return random.Next(-4, 5).ToString();
                case 3: return $"{random.Next(-4, 5)}.{random.Next(1, 10)}";
                case 4 or 5: return $"\"{string.Concat(Enumerable.Range(0, random.Next(4)).Select(_ => "abx"[random.Next(3)]))}\"";
                case 6: return $"[{string.Join(',', Enumerable.Range(0, random.Next(3)).Select(_ => Value(random, depth - 1)))}]";
                default: return $"{{{string.Join(',', new[] { "a", "b", "c", "d" }.Where(_ => random.Next(2) == 0).Select(k => $"\"{k}\":{Value(random, depth - 1)}"))}}}";
            }
        }
    }
}
