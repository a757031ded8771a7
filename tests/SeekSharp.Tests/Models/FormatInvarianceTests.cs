using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using SeekSharp.Tests.Kernels;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>
/// Batch invariance as a property: for every weight format that there is, in a grouped-query model and in one with latent attention and experts, random
/// chunks of 1 … 130 tokens, 1 … 5 threads and any cache format give the bits of the text computed in one piece.
/// </summary>
public sealed class FormatInvarianceTests
{
    private const int Tokens = 140, Vocabulary = RandomModel.Vocabulary, Draws = 3;

    public static TheoryData<NumberFormat, bool> Cases()
    {
        var data = new TheoryData<NumberFormat, bool>();
        foreach (NumberFormat format in TestMatrix.Formats)
        {
            data.Add(format, false);
            data.Add(format, true);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Chunks_and_threads_change_no_bit(NumberFormat format, bool latent)
    {
        using var matrices = new RandomModel(format);
        ModelWeights weights = matrices.Weights(latent);
        ModelConfig config = RandomModel.Config(latent);
        var random = new Random(1000 * (int)format + (latent ? 1 : 0));
        int[] ids = [.. Enumerable.Range(0, Tokens).Select(_ => random.Next(Vocabulary))];
        KvFormat kv = (KvFormat)random.Next(Enum.GetValues<KvFormat>().Length);
        float[] whole = Run(config, weights, new ModelOptions { Threads = 1, Kv = kv, ChunkSize = Tokens }, ids, [Tokens]);
        Assert.True(whole.Distinct().Count() > whole.Length / 2 && whole.All(float.IsFinite), "the logits say something");
        for (int draw = 0; draw < Draws; draw++)
        {
            var calls = new List<int>();
            for (int left = Tokens; left > 0; left -= calls[^1]) calls.Add(Math.Min(left, random.Next(1, 131)));
            int threads = random.Next(1, 6), chunk = random.Next(1, 131);
            float[] parts = Run(config, weights, new ModelOptions { Threads = threads, Kv = kv, ChunkSize = chunk }, ids, calls);
            Golden.AssertSameBits(whole, parts, $"{format}, latent {latent}, {kv} cache, {threads} threads, chunks of {chunk}, calls of {string.Join(' ', calls)}");
        }
    }

    private static float[] Run(ModelConfig config, ModelWeights weights, ModelOptions options, int[] ids, IReadOnlyList<int> calls)
    {
        using var model = new LanguageModel(config, weights, options);
        using KvCache cache = model.CreateCache();
        var logits = new float[ids.Length * Vocabulary];
        int done = 0;
        foreach (int count in calls)
        {
            model.ForwardAll(cache, ids.AsSpan(done, count), logits.AsSpan(done * Vocabulary, count * Vocabulary));
            done += count;
        }
        return logits;
    }
}
