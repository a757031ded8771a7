using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>What the cache holds, how it grows, and what a model refuses.</summary>
public sealed class KvCacheTests
{
    private static LanguageModel Load(string name, ModelOptions? options = null)
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File(name)); // closed before the model: the model keeps what it needs
        return LanguageModel.Load(folder, options ?? new ModelOptions { Threads = 1 });
    }

    [Theory]
    [InlineData(KvFormat.F32, 4)]
    [InlineData(KvFormat.BF16, 2)]
    public void Latent_attention_keeps_the_latent_and_one_rotated_key(KvFormat format, int bytes)
    {
        using LanguageModel model = Load("deepseek_v3", new ModelOptions { Threads = 1, Kv = format });
        using KvCache cache = model.CreateCache();
        ModelConfig c = model.Config;
        Assert.Equal((long)(c.KvLoraRank + c.QkRopeHeadDim) * c.NumHiddenLayers * bytes, cache.BytesPerToken);
    }

    [Fact]
    public void Grouped_query_attention_keeps_keys_and_values()
    {
        using LanguageModel model = Load("qwen2");
        using KvCache cache = model.CreateCache();
        ModelConfig c = model.Config;
        Assert.Equal(KvFormat.BF16, cache.Format);
        Assert.Equal(2L * c.NumKeyValueHeads * c.HeadDim * c.NumHiddenLayers * 2, cache.BytesPerToken);
    }

    [Fact]
    public void Grows_by_blocks_of_64_tokens_and_not_before()
    {
        using LanguageModel model = Load("qwen2");
        using KvCache cache = model.CreateCache();
        Assert.Equal(0, cache.Bytes);
        int[] ids = [.. Enumerable.Range(2, 64)];
        model.Forward(cache, ids.AsSpan(0, 1), []);
        Assert.Equal(64 * cache.BytesPerToken, cache.Bytes);
        model.Forward(cache, ids.AsSpan(1), []);
        Assert.Equal(64 * cache.BytesPerToken, cache.Bytes);
        model.Forward(cache, ids.AsSpan(0, 1), []);
        Assert.Equal(128 * cache.BytesPerToken, cache.Bytes);
        Assert.Equal(65, cache.Length);
        cache.Truncate(10);
        Assert.Equal(10, cache.Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(11));
    }

    [Fact]
    public void Too_long_a_prompt_is_an_error_with_both_lengths()
    {
        using LanguageModel model = Load("gguf/llama", new ModelOptions { Threads = 1, ContextLength = 100 });
        using KvCache cache = model.CreateCache();
        var logits = new float[model.VocabularySize];
        string message = Assert.Throws<ModelException>(() => model.Forward(cache, new int[101], logits)).Message;
        Assert.Contains("101", message);
        Assert.Contains("100", message);
        Assert.Equal(0, cache.Length);
        Assert.Equal(0, cache.Bytes);
        model.Forward(cache, new int[100], logits);
        message = Assert.Throws<ModelException>(() => model.Forward(cache, new int[1], logits)).Message;
        Assert.Contains("101", message);
        Assert.Equal(100, cache.Length);
    }

    [Fact]
    public void The_context_is_the_model_s_where_nothing_is_said()
    {
        using LanguageModel model = Load("gguf/llama");
        Assert.Equal(model.Config.MaxPositionEmbeddings, model.ContextLength);
        using KvCache cache = model.CreateCache();
        Assert.Throws<ModelException>(() => model.Forward(cache, new int[model.ContextLength + 1], []));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(288)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void Token_ids_out_of_range_are_an_error_that_names_the_id(int id)
    {
        using LanguageModel model = Load("gguf/llama");
        using KvCache cache = model.CreateCache();
        var logits = new float[model.VocabularySize];
        string message = Assert.Throws<ModelException>(() => model.Forward(cache, [1, 2, id], logits)).Message;
        Assert.Contains($"{id}", message);
        Assert.Contains("position 2", message);
        Assert.Contains("287", message);
        Assert.Equal(0, cache.Length);
        model.Forward(cache, [1, 2], logits);
    }

    [Fact]
    public void No_tokens_and_foreign_caches_are_errors()
    {
        using LanguageModel a = Load("gguf/llama"), b = Load("gguf/qwen2");
        using KvCache cache = a.CreateCache();
        Assert.Throws<ModelException>(() => a.Forward(cache, [], []));
        Assert.Throws<ModelException>(() => b.Forward(cache, [1], []));
        Assert.Throws<ModelException>(() => a.CreateCache(multiTokenPrediction: true));
        Assert.Throws<ArgumentException>(() => a.Forward(cache, [1], new float[3]));
        Assert.Throws<ArgumentException>(() => a.ForwardAll(cache, [1, 2], new float[3]));
    }

    [Fact]
    public void A_disposed_model_or_cache_says_so()
    {
        LanguageModel model = Load("gguf/llama");
        KvCache cache = model.CreateCache();
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.Forward(cache, [1], []));
        using KvCache other = model.CreateCache();
        model.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.Forward(other, [1], []));
    }

    [Fact]
    public void Loading_tells_how_far_it_is()
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File("deepseek_v3"));
        var told = new Told();
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 1 }, told);
        Assert.Equal(told.Values.Order(), told.Values);
        Assert.InRange(told.Values[0], 0, 0.5);
        Assert.Equal(1, told.Values[^1], 1e-9);
    }

    private sealed class Told : IProgress<double>
    {
        public List<double> Values { get; } = [];
        public void Report(double value) => Values.Add(value);
    }
}
