using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>Several sequences in one pass, and blocks that they share: the bits are those of each sequence alone.</summary>
public sealed class BatchedForwardTests
{
    private static int[] Ids(int seed, int count, int vocabulary) => [.. Enumerable.Range(0, count).Select(i => new Random(seed * 1000 + i).Next(vocabulary))];

    [Theory]
    [InlineData("gguf/llama_q8_0", 64)]
    [InlineData("gguf/llama_q4_k", 512)]
    [InlineData("gguf/qwen3", 7)]
    [InlineData("gguf/deepseek_v3", 512)]
    [InlineData("deepseek_v2", 16)]
    [InlineData("qwen3_moe", 33)]
    [InlineData("deepseek_v3_mtp", 20)]
    public void Company_changes_no_bit(string name, int chunk)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2, ChunkSize = chunk });
        int v = model.VocabularySize, h = model.Config.HiddenSize;
        bool mtp = model.HasMultiTokenPrediction;
        var random = new Random(chunk);
        int[][] texts = [.. ((int[])[90, 1, 33, 64, 17, 70]).Select((length, i) => Ids(i, length, v))];
        float[][] alone = [.. texts.Select(ids => Golden.Logits(model, ids))];

        using BlockPool pool = model.CreatePool(16, mtp);
        KvCache[] caches = [.. texts.Select(_ => model.CreateCache(pool))];
        while (caches.Zip(texts).Any(s => s.First.Length < s.Second.Length))
        {
            var parts = new List<BatchPart>();
            var ids = new List<int>();
            var expected = new List<float>();
            foreach (int s in Enumerable.Range(0, texts.Length).OrderBy(_ => random.Next()))
            {
                int from = caches[s].Length, left = texts[s].Length - from;
                if (left == 0 || random.Next(3) == 0) continue;
                int take = random.Next(2) == 0 ? 1 : random.Next(1, left + 1), rows = random.Next(take + 1);
                parts.Add(new(caches[s], take, rows));
                ids.AddRange(texts[s].AsSpan(from, take));
                expected.AddRange(alone[s].AsSpan((from + take - rows) * v, rows * v));
            }
            if (parts.Count == 0) continue;
            var logits = new float[expected.Count];
            var hidden = new float[expected.Count / v * h];
            model.Forward(parts.ToArray(), ids.ToArray(), logits, hidden);
            Golden.AssertSameBits([.. expected], logits, $"{name}: {parts.Count} sequences");
            Assert.Equal(expected.Count > 0, hidden.Any(x => x != 0));
        }
        Assert.Equal(texts.Sum(t => (t.Length + 63) / 64), pool.Used);
        foreach (KvCache cache in caches) cache.Dispose();
        Assert.Equal(0, pool.Used);
    }

    /// <summary>A second sequence takes over whole blocks, and with the module following, the last token again for its hidden state.</summary>
    [Theory]
    [InlineData("gguf/llama_q8_0", KvFormat.Q8_0)]
    [InlineData("gguf/deepseek_v3", KvFormat.BF16)]
    [InlineData("deepseek_v3_mtp", KvFormat.BF16)]
    public void Shared_blocks_change_no_bit_and_are_never_written(string name, KvFormat format)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2, Kv = format });
        int v = model.VocabularySize;
        bool mtp = model.HasMultiTokenPrediction;
        int[] ids = Ids(3, 150, v), other = [.. ids[..128], .. Ids(4, 20, v)];
        using KvCache own = model.CreateCache(mtp);
        (float[] Logits, float[] Mtp) alone = All(own, other, 0);

        using BlockPool pool = model.CreatePool(8, mtp);
        using KvCache first = model.CreateCache(pool), second = model.CreateCache(pool);
        All(first, ids, 0);
        byte[][] before = [.. Enumerable.Range(0, 2).Select(b => pool.Memory(first.Table[b]).ToArray())];
        second.Share(first.Table[0]);
        second.Share(first.Table[1]);
        if (mtp) second.StepBack();
        int from = second.Length;
        Assert.Equal(mtp ? 127 : 128, from);
        (float[] Logits, float[] Mtp) found = All(second, other, from);
        Golden.AssertSameBits(alone.Logits[(from * v)..], found.Logits, name);
        if (mtp) Golden.AssertSameBits(alone.Mtp[(from * v)..], found.Mtp, "the module");
        for (int b = 0; b < 2; b++) Assert.Equal(before[b], pool.Memory(first.Table[b]).ToArray());
        Assert.Equal(mtp ? 5 : 4, pool.Used); // with the module the last shared block was copied

        // The first one goes on from where the two parted, too.
        first.Truncate(0);
        first.Release();
        Assert.Equal(3, pool.Used);

        (float[], float[]) All(KvCache cache, int[] text, int done)
        {
            var logits = new float[(text.Length - done) * v];
            var module = new float[mtp ? (text.Length - done - 1) * v : 0]; // at the beginning and after a step back: one row less
            model.ForwardAll(cache, text.AsSpan(done), logits, module);
            return (logits, module);
        }
    }

    [Fact]
    public void A_pool_that_is_full_says_so_and_its_blocks_come_back()
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File("qwen2"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1 });
        using BlockPool pool = model.CreatePool(3);
        using KvCache a = model.CreateCache(pool), b = model.CreateCache(pool);
        model.Forward(a, new int[100], []);
        model.Forward(b, new int[64], []);
        Assert.Equal((3, 0), (pool.Used, pool.Free));
        Assert.Equal(1, b.Missing(65));
        Assert.Contains("3 blocks", Assert.Throws<ModelException>(() => model.Forward(b, new int[1], [])).Message);
        Assert.Equal(64, b.Length);
        a.Release();
        Assert.Equal(2, pool.Free);
        model.Forward(b, new int[1], []);
        int free = Enumerable.Range(0, 3).Single(i => pool.Holders(i) == 0);
        Assert.Throws<InvalidOperationException>(() => pool.Release(free));
        Assert.Throws<InvalidOperationException>(() => pool.Hold(free));
        b.Dispose();
        Assert.Equal(0, pool.Used);
    }

    [Fact]
    public void The_module_s_draft_is_what_it_says_when_the_token_comes()
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File("deepseek_v3_mtp"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2 });
        int v = model.VocabularySize;
        int[] ids = Ids(9, 80, v);
        var module = new float[79 * v];
        using (KvCache cache = model.CreateCache(true)) model.ForwardAll(cache, ids, new float[80 * v], module);
        using KvCache one = model.CreateCache(true), two = model.CreateCache(true);
        model.Forward(one, ids.AsSpan(0, 70), []);
        model.Forward(two, ids.AsSpan(0, 20), []);
        var drafts = new float[2 * v];
        model.Draft([one, two], [ids[70], ids[20]], drafts);
        Golden.AssertSameBits(module[(69 * v)..(70 * v)], drafts[..v], "a draft");
        Golden.AssertSameBits(module[(19 * v)..(20 * v)], drafts[v..], "another");
        // Tokens that turn out wrong, cut off again: the module goes on as if they had never been.
        model.Forward(one, [ids[70], 1, 2, 3], []);
        one.Truncate(71);
        var logits = new float[9 * v];
        var rest = new float[9 * v];
        model.ForwardAll(one, ids.AsSpan(71, 9), logits, rest);
        Golden.AssertSameBits(module[(70 * v)..], rest, "after refused drafts");
    }
}
