using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>What no file and no text may do: hang, eat memory, or bring another exception than the boundary's own. And what the real tokenizers must be able to.</summary>
public class TokenizerHostileTests
{
    [Fact]
    public void MutatedFilesBringNothingButTokenizerExceptions()
    {
        string folder = Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "Tokenization", "TokenizerFiles");
        byte[][] seeds = [.. Directory.GetFiles(folder, "*.json").Order().Select(File.ReadAllBytes)];
        Assert.NotEmpty(seeds);
        Random random = new(20261122);
        int loaded = 0;
        for (int round = 0; round < 1200; round++)
        {
            byte[] file = [.. seeds[random.Next(seeds.Length)]];
            for (int edits = random.Next(1, 4); edits > 0; edits--) file = round % 2 == 0 ? MutateBytes(file, random) : MutateValue(file, random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Stopwatch watch = Stopwatch.StartNew();
            try
            {
                Tokenizer tokenizer = Tokenizer.FromJson(file);
                int[] ids = tokenizer.Encode("a the <s> \n12é😀 aaaaaaaa");
                tokenizer.Decode(ids);
                TokenStream stream = tokenizer.CreateStream(true);
                foreach (int id in ids) stream.Push(id);
                stream.Flush();
                loaded++;
            }
            catch (TokenizerException)
            {
            }
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(watch.Elapsed.TotalSeconds < 20, $"round {round} takes {watch.Elapsed}"); // a second at most on a quiet machine
            Assert.True(bytes < file.Length + (64 << 20), $"round {round} allocates {bytes} bytes");
        }
        Assert.True(loaded > 250, $"only {loaded} mutants load");
    }

    private static byte[] MutateBytes(byte[] file, Random random)
    {
        if (file.Length == 0) return file;
        // Three times in four before the vocabulary: almost any change in there makes a merge without its tokens.
        int model = file.AsSpan().IndexOf("\"vocab\""u8);
        int at = random.Next(model > 0 && random.Next(4) > 0 ? model : file.Length);
        switch (random.Next(6))
        {
            case 0:
                file[at] = (byte)random.Next(256);
                return file;
            case 1:
                return [.. file[..at], .. file[Math.Min(file.Length, at + random.Next(1, 20))..]];
            case 2:
                string[] words = ["null", "-1", "1e99", "4294967295", "99999999999999999999", "\"\"", "{}", "[]", "true", "\\ud800", "(a+)+$", "\\p{L}{1,1000}{1,1000}", "Regex", "String", "\u0000"];
                return [.. file[..at], .. Encoding.UTF8.GetBytes(words[random.Next(words.Length)]), .. file[at..]];
            case 3:
                int other = random.Next(file.Length);
                int length = Math.Min(random.Next(1, 60), file.Length - other);
                return [.. file[..at], .. file[other..(other + length)], .. file[at..]];
            case 4:
                return file[..Math.Max(1, at)];
            default:
                // A number somewhere becomes another one.
                int digit = Array.FindIndex(file, at, b => b is >= (byte)'0' and <= (byte)'9');
                if (digit >= 0) file[digit] = (byte)('0' + random.Next(10));
                return file;
        }
    }

    /// <summary>Gives one value outside vocabulary and merges another value, mostly of its kind.</summary>
    private static byte[] MutateValue(byte[] file, Random random)
    {
        JsonNode root;
        try
        {
            root = JsonNode.Parse(file)!;
        }
        catch (JsonException)
        {
            return file;
        }
        List<JsonNode> values = [];
        Collect(root);
        JsonNode? chosen = values.Count > 0 ? values[random.Next(values.Count)] : null;
        string[] texts = ["", "a", "▁", "Always", "never", "Sequence", "NFKC", "ByteLevel", "Metaspace", "(a|b)*?", @"\p{L}+|\s+(?!\S)", "[", "a{1,999}{1,999}", "é", "the", "<s>", "B"];
        JsonNode? other = random.Next(5) == 0 ? JsonNode.Parse(new[] { "null", "[]", "{}", "-3", "1e40", "true", "\"x\"", "4294967295" }[random.Next(8)]) : chosen?.GetValueKind() switch
        {
            JsonValueKind.True => false,
            JsonValueKind.False => true,
            JsonValueKind.Number => random.Next(3) == 0 ? int.MaxValue : random.Next(400),
            _ => texts[random.Next(texts.Length)],
        };
        chosen?.ReplaceWith(other);
        return Encoding.UTF8.GetBytes(root.ToJsonString());

        void Collect(JsonNode? node)
        {
            if (node is JsonArray array)
                foreach (JsonNode? item in array) Collect(item);
            else if (node is JsonObject o)
                foreach ((string name, JsonNode? item) in o)
                {
                    if (name is not ("vocab" or "merges")) Collect(item);
                }
            else if (node is not null) values.Add(node);
        }
    }

    /// <summary>Each piece may be cheap enough by itself: the budget is that of the whole text.</summary>
    [Fact]
    public void ManyHostilePiecesAreBoundedTogether()
    {
        static object Split(string regex) => new { type = "Split", pattern = new { Regex = regex }, behavior = "Isolated", invert = false };
        string json = JsonSerializer.Serialize(new
        {
            pre_tokenizer = new { type = "Sequence", pretokenizers = new[] { Split(".{16}"), Split("(a|aa)+(?>b)") } },
            model = new { type = "BPE", vocab = new { a = 0 }, merges = Array.Empty<string>() },
        });
        Tokenizer tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes(json));
        Assert.Equal(16, tokenizer.Encode(new string('a', 16)).Length);
        Stopwatch watch = Stopwatch.StartNew();
        Assert.Throws<TokenizerException>(() => tokenizer.Encode(new string('a', 160_000)));
        Assert.True(watch.Elapsed.TotalSeconds < 20, $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen2_5")]
    [InlineData("llama3_1")]
    public void LongTextsAreNotQuadratic(string name)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        string path = Repository.Shared($"goldens/tokenizers/{name}/tokenizer.json.gz");
        Tokenizer tokenizer = Tokenizer.FromFile(path);
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(bytes < new FileInfo(path).Length + (64 << 20), $"loading allocates {bytes} bytes");

        Stopwatch watch = Stopwatch.StartNew();
        foreach (string letter in new[] { "a", "😀", " ", "\n", "1", "é", "中" })
        {
            string text = string.Concat(Enumerable.Repeat(letter, 1_000_000 / Encoding.UTF8.GetByteCount(letter)));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: false)));
        }
        Assert.True(watch.Elapsed.TotalSeconds < 60, $"seven texts of a megabyte take {watch.Elapsed}"); // some three seconds of CPU
    }

    [Fact]
    public void OneBosWhoeverAddsIt()
    {
        Tokenizer llama = Tokenizer.FromFile(Repository.Shared("goldens/tokenizers/llama3_1/tokenizer.json.gz"));
        Assert.Equal([128000, 15339], llama.EncodePrompt("hello"));
        Assert.Equal([128000, 15339], llama.EncodePrompt("<|begin_of_text|>hello"));
        Tokenizer deepseek = Tokenizer.FromFile(Repository.Shared("goldens/tokenizers/deepseek_v3/tokenizer.json.gz"));
        Assert.Equal(0, deepseek.EncodePrompt("<｜begin▁of▁sentence｜>hello")[0]);
        Assert.DoesNotContain(0, deepseek.EncodePrompt("<｜begin▁of▁sentence｜>hello")[1..]);
    }

    [Fact]
    public async Task ManyThreadsEncodeAlike()
    {
        Tokenizer tokenizer = Tokenizer.FromFile(Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "Tokenization", "TokenizerFiles", "byte_level_split_digits.json"));
        string[] texts = [.. Enumerable.Range(0, 200).Select(i => $"the engine reads {i} tokens 模型{i} naïve  café\n")];
        int[][] expected = [.. texts.Select(t => tokenizer.Encode(t))];
        int[][][] found = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => texts.Select(t => tokenizer.Encode(t)).ToArray())));
        foreach (int[][] one in found) Assert.Equal(expected, one);
    }
}
