using SeekSharp.Checkpoints;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The last row's logits alone, from a cache that the multi-token-prediction module follows.</summary>
public sealed class MtpLastRowTests
{
    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(512)]
    public void Last_row_is_the_same_bits_with_and_without_the_module(int chunk)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/models/deepseek_v3_mtp"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1, ChunkSize = chunk });
        int v = model.VocabularySize;
        int[] ids = [5, 6, 7, 8, 9];
        var all = new float[ids.Length * v];
        var last = new float[v + 2 * v]; // room on both sides: nothing may be written there
        using (KvCache cache = model.CreateCache()) model.ForwardAll(cache, ids, all);
        using (KvCache cache = model.CreateCache(multiTokenPrediction: true)) model.Forward(cache, ids, last.AsSpan(v, v));
        Assert.Equal(all[^v..], last[v..(2 * v)]);
        Assert.All(last[..v], x => Assert.Equal(0f, x));
        Assert.All(last[(2 * v)..], x => Assert.Equal(0f, x));
    }
}
