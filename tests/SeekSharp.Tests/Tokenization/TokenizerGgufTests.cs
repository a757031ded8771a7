using System.Text;
using System.Text.Json;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>Vocabularies inside GGUF files.</summary>
public class TokenizerGgufTests
{
    [Fact]
    public void SmolLm2GivesTheIdsAndBytesOfLlamaCpp()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("models/SmolLM2-135M-Instruct.Q4_1.gguf"));
        Tokenizer tokenizer = folder.Tokenizer!;
        TokenizerGolden golden = new();
        foreach (JsonElement line in TokenizerGolden.Lines(Repository.Shared("models/smollm2.tokens.jsonl")))
        {
            string text = line.GetProperty("text").GetString()!;
            golden.Same(text, "ids", TokenizerGolden.Ids(line, "ids"), tokenizer.Encode(text, addSpecialTokens: false, parseSpecial: false));
            golden.Same(text, "ids_special", TokenizerGolden.Ids(line, "ids_special"), tokenizer.Encode(text, addSpecialTokens: false));
            foreach ((string ids, string bytes) in new[] { ("ids", "bytes"), ("ids_special", "bytes_special") })
            {
                byte[] found = [.. TokenizerGolden.Ids(line, ids).SelectMany(tokenizer.TokenBytes)];
                golden.Same(text, bytes, line.GetProperty(bytes).GetString(), Convert.ToHexStringLower(found));
                golden.Same(text, "decoded " + ids, Encoding.UTF8.GetString(found), tokenizer.Decode(TokenizerGolden.Ids(line, ids)));
            }
        }
        golden.AssertAllSame(atLeast: 62 * 6);
    }

    [Theory]
    [InlineData("deepseek_v3", "deepseek-v3")]
    [InlineData("qwen2_5", "qwen2")]
    [InlineData("qwen2_5", "deepseek-r1-qwen")]
    [InlineData("llama3_1", "llama-bpe")]
    public void APublishedTokenizerAsAGgufVocabularyGivesTheSameIds(string name, string pre)
    {
        Tokenizer tokenizer = Tokenizer.FromVocabulary(VocabularyOf(Repository.Shared($"goldens/tokenizers/{name}/tokenizer.json.gz"), pre));
        TokenizerGolden golden = new();
        Normalizer nfc = new NormalizationForms(compatibility: false, compose: true);
        foreach (JsonElement line in TokenizerGolden.Lines(Repository.Shared($"goldens/tokenizers/{name}/cases.jsonl.gz")))
        {
            string text = line.GetProperty("text").GetString()!;
            // llama.cpp does not normalize, does not know that ſ is an s, and takes Qwen's plain token </s> for a control token.
            if (name == "qwen2_5" && text.Contains("</s>", StringComparison.Ordinal)) continue;
            if (line.GetProperty("kind").GetString() == "new_unicode" || nfc.Apply(text) != text || text.Contains('ſ', StringComparison.Ordinal)) continue;
            int[] ids = TokenizerGolden.Ids(line, "ids");
            golden.Same(TokenizerGolden.Show(text), "ids", ids, tokenizer.Encode(text, addSpecialTokens: false));
            golden.Same(TokenizerGolden.Show(text), "decoded", line.GetProperty("decoded").GetString(), tokenizer.Decode(TokenizerGolden.Ids(line, "ids_special")));
        }
        golden.AssertAllSame(atLeast: 2700);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void SentencePieceMergesAsThePlainWay(int seed)
    {
        Random random = new(seed);
        List<string> tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>"), "▁", "a", "b", "c", "é"];
        while (tokens.Count < 420)
        {
            string joined = tokens[random.Next(259, tokens.Count)] + tokens[random.Next(259, tokens.Count)];
            if (joined.Length < 7 && !tokens.Contains(joined)) tokens.Add(joined);
        }
        float[] scores = [.. tokens.Select(_ => -(float)random.Next(40))];
        int[] types = [2, 3, 3, .. Enumerable.Repeat(6, 256), .. Enumerable.Repeat(1, tokens.Count - 259)];
        Tokenizer tokenizer = Tokenizer.FromVocabulary(new GgufVocabulary { Model = "llama", Tokens = [.. tokens], Scores = scores, TokenTypes = types, BosTokenId = 1, EosTokenId = 2 });
        for (int round = 0; round < 300; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => "aabbbcc é😀"[random.Next(9)])).Replace('\ud83d', 'x');
            List<string> symbols = [.. ("▁" + text.Replace(' ', '▁')).EnumerateRunes().Select(r => r.ToString())];
            while (true)
            {
                int best = -1;
                for (int i = 0; i + 1 < symbols.Count; i++)
                    if (tokens.Contains(symbols[i] + symbols[i + 1]) && (best < 0 || Score(i) > Score(best))) best = i;
                if (best < 0) break;
                symbols[best] += symbols[best + 1];
                symbols.RemoveAt(best + 1);
            }
            float Score(int i) => scores[tokens.IndexOf(symbols[i] + symbols[i + 1])];
            int[] expected = [1, .. symbols.SelectMany(s => tokens.Contains(s) ? [tokens.IndexOf(s)] : Encoding.UTF8.GetBytes(s).Select(b => b + 3))];
            Assert.Equal(expected, tokenizer.Encode(text));
            Assert.Equal("<s> " + text, tokenizer.Decode(expected));
            Assert.Equal(text, tokenizer.Decode(expected, skipSpecialTokens: true));
        }
    }

    [Fact]
    public void SpecialTokensAreFoundLongestFirstAndOnlyWhenAsked()
    {
        GgufVocabulary v = new()
        {
            Model = "gpt2",
            Tokens = ["a", "b", "c", "d", "<s>", "bcd", "ab", "<x>"],
            TokenTypes = [1, 1, 1, 1, 3, 4, 4, 3],
            Merges = [],
            BosTokenId = 4,
            EosTokenId = 7,
            AddBosToken = true,
            AddEosToken = true,
        };
        Tokenizer tokenizer = Tokenizer.FromVocabulary(v);
        Assert.Equal([4, 0, 5, 7], tokenizer.Encode("abcd"));   // not the leftmost, the longest
        Assert.Equal([4, 7, 5, 7], tokenizer.Encode("<x>bcd"));
        Assert.Equal([0, 7, 3], tokenizer.Encode("a<x>d", addSpecialTokens: false));
        Assert.Equal([0, 3], tokenizer.Encode("a<x>d", addSpecialTokens: false, parseSpecial: false)); // < x > are no tokens here
        Assert.Equal([4, 0], tokenizer.EncodePrompt("a"));
        Assert.Equal([4, 0], tokenizer.EncodePrompt("<s>a"));
        Assert.True(tokenizer.IsSpecial(4));
        Assert.False(tokenizer.IsSpecial(5));
        Assert.Equal("abcd", tokenizer.Decode([4, 0, 5, 7], skipSpecialTokens: true));
    }

    [Fact]
    public void WhatIsNotSupportedIsRefusedByName()
    {
        GgufVocabulary v = new() { Model = "gpt2", Tokens = ["a"], Merges = [], Pre = "chameleon" };
        Assert.Contains("chameleon", Assert.Throws<TokenizerException>(() => Tokenizer.FromVocabulary(v)).Message, StringComparison.Ordinal);
        Assert.Contains("bert", Assert.Throws<TokenizerException>(() => Tokenizer.FromVocabulary(v with { Model = "bert" })).Message, StringComparison.Ordinal);
        Assert.Contains("merges", Assert.Throws<TokenizerException>(() => Tokenizer.FromVocabulary(v with { Pre = null, Merges = null })).Message, StringComparison.Ordinal);
    }

    internal static GgufVocabulary VocabularyOf(string path, string pre)
    {
        using JsonDocument doc = JsonDocument.Parse(TokenizerFile.Read(path));
        JsonElement model = doc.RootElement.GetProperty("model");
        SortedDictionary<int, (string Text, int Type)> tokens = [];
        foreach (JsonProperty p in model.GetProperty("vocab").EnumerateObject()) tokens[p.Value.GetInt32()] = (p.Name, 1);
        foreach (JsonElement a in doc.RootElement.GetProperty("added_tokens").EnumerateArray())
            tokens[a.GetProperty("id").GetInt32()] = (a.GetProperty("content").GetString()!, a.GetProperty("special").GetBoolean() ? 3 : 4);
        int n = tokens.Keys.Max() + 1;
        return new GgufVocabulary
        {
            Model = "gpt2",
            Pre = pre,
            Tokens = [.. Enumerable.Range(0, n).Select(i => tokens.TryGetValue(i, out var t) ? t.Text : $"[PAD{i}]")],
            TokenTypes = [.. Enumerable.Range(0, n).Select(i => tokens.TryGetValue(i, out var t) ? t.Type : 5)],
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(m => m.ValueKind == JsonValueKind.String ? m.GetString()! : $"{m[0].GetString()} {m[1].GetString()}")],
        };
    }
}
