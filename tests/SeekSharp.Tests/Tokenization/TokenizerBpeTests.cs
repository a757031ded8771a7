using System.Text;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Tokenization;

/// <summary>The BPE itself: merging, the fast ways against the plain one, and what long words cost.</summary>
public class TokenizerBpeTests
{
    private const string Small = """
        {"version":"1.0","added_tokens":[{"id":9,"content":"<x>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
         "normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":{"type":"Fuse"},
         "model":{"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"a":1,"b":2,"c":3,"!":4," ":5,"ab":6,"abc":7,"aa":8},"merges":[["a","b"],["ab","c"],["a","a"]]}}
        """;

    [Fact]
    public void AWordIsMergedByRankAndUnknownLettersBecomeTheUnknownToken()
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes(Small));
        Assert.Equal([7, 8, 6, 0, 9, 2], tokenizer.Encode("abcaaabz<x>b"));
        Assert.Equal("abcaaab<unk><x>b", tokenizer.Decode([7, 8, 6, 0, 9, 2]));
        Assert.Equal("abcaaab<unk>b", tokenizer.Decode([7, 8, 6, 0, 9, 2], skipSpecialTokens: true));
        Assert.Equal(10, tokenizer.VocabularySize);
        Assert.Equal([0, 0, 0, 2], tokenizer.Encode("<x>b", parseSpecial: false));
    }

    [Fact]
    public void IdsOutOfRangeAreRefused()
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes(Small));
        Assert.Contains("out of range", Assert.Throws<TokenizerException>(() => tokenizer.Decode([10])).Message, StringComparison.Ordinal);
        Assert.Throws<TokenizerException>(() => tokenizer.Decode([-1]));
        Assert.Throws<TokenizerException>(() => tokenizer.CreateStream().Push(10));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void HeapAndScanMergeAlike(int seed)
    {
        Random random = new(seed);
        MergeTable merges = new(4000);
        int next = 8;
        List<(int, int)> taken = [];
        for (int rank = 0; rank < 300; rank++)
        {
            (int, int) pair = (random.Next(next), random.Next(next));
            if (taken.Contains(pair)) continue;
            taken.Add(pair);
            merges.Set(pair.Item1, pair.Item2, rank, next++);
        }
        BpeMerger merger = new(merges);
        for (int round = 0; round < 300; round++)
        {
            int[] word = new int[random.Next(2, 200)];
            for (int i = 0; i < word.Length; i++) word[i] = random.Next(8);
            int[] other = [.. word];
            int byScan = merger.MergeByScan(word);
            int byHeap = merger.MergeByHeap(other);
            Assert.Equal(word[..byScan], other[..byHeap]);
        }
    }

    [Fact]
    public void AMegabyteOfOneLetterIsNotQuadratic()
    {
        Tokenizer tokenizer = Tokenizer.FromJson(Encoding.UTF8.GetBytes(Small));
        int[] ids = tokenizer.Encode(new string('a', 1_000_001));
        Assert.Equal(500_001, ids.Length);
        Assert.Equal(1, ids[^1]);
    }
}
