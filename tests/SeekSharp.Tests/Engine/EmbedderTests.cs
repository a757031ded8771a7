using SeekSharp.Checkpoints;
using SeekSharp.Engine;
using SeekSharp.Models;
using SeekSharp.Tests.Models;
using Xunit;

namespace SeekSharp.Tests.Engine;

public sealed class EmbedderTests
{
    [Theory]
    [InlineData("gguf/llama_q8_0", false)]
    [InlineData("deepseek_v3", false)]
    [InlineData("deepseek_v3", true)]
    public void Vectors_are_the_pooled_hidden_states_and_company_changes_no_bit(string name, bool mean)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2 });
        var embedder = new Embedder(model);
        var random = new Random(3);
        int[][] texts = [.. ((int[])[5, 1, 60, 190, 100, 3]).Select(n => Enumerable.Range(0, n).Select(_ => random.Next(model.VocabularySize)).ToArray())];
        Pooling pooling = mean ? Pooling.Mean : Pooling.Last;
        float[][] together = embedder.Embed(texts, pooling);
        int h = model.Config.HiddenSize;
        for (int t = 0; t < texts.Length; t++)
        {
            Golden.AssertSameBits(embedder.Embed([texts[t]], pooling)[0], together[t], $"text {t}");

            // By hand, in one pass.
            using KvCache cache = model.CreateCache();
            var hidden = new float[texts[t].Length * h];
            model.Forward([new BatchPart(cache, texts[t].Length, texts[t].Length)], texts[t], default, hidden);
            double[] expected = [.. Enumerable.Range(0, h).Select(i => mean ? Enumerable.Range(0, texts[t].Length).Average(r => (double)hidden[r * h + i]) : hidden[(texts[t].Length - 1) * h + i])];
            double length = Math.Sqrt(expected.Sum(x => x * x));
            Golden.AssertClose([.. expected.Select(x => (float)(x / length))], together[t], $"text {t}", 1e-6);
            Assert.Equal(1, together[t].Sum(x => (double)x * x), 1e-5);
        }
    }

    [Fact]
    public void What_cannot_be_is_refused_before_anything_is_computed()
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File("gguf/llama"));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1, ContextLength = 300 });
        var embedder = new Embedder(model);
        Assert.Contains("text 1 has no tokens", Assert.Throws<EngineException>(() => embedder.Embed([[1], []], Pooling.Mean)).Message);
        Assert.Contains("301 tokens, the context 300", Assert.Throws<EngineException>(() => embedder.Embed([new int[301]], Pooling.Mean)).Message);
        Assert.Contains("-1", Assert.Throws<EngineException>(() => embedder.Embed([[-1]], Pooling.Mean)).Message);
        Assert.Empty(embedder.Embed([], Pooling.Last));
        Assert.Single(embedder.Embed([new int[300]], Pooling.Last)); // two passes
        Assert.ThrowsAny<OperationCanceledException>(() => embedder.Embed([[1]], Pooling.Last, new CancellationToken(true)));
    }
}
