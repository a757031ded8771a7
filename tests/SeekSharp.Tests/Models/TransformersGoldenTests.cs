using SeekSharp.Checkpoints;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The tiny models in published layouts: logits, residual stream, router choices, greedy ids and MTP logits as Transformers computes them.</summary>
public sealed class TransformersGoldenTests
{
    public static TheoryData<string> Names =>
    [
        "llama3", "llama_linear", "llama_yarn", "qwen2", "qwen2_tied", "qwen3", "qwen3_moe", "deepseek_v2_lite", "deepseek_v2",
        "deepseek_v3", "deepseek_v3_plain", "deepseek_v3_mtp", "deepseek_v3_fp8", "deepseek_v3_fp8_ue8m0",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public void Exact_arithmetic_is_Transformers(string name)
    {
        GoldenFile expected = Golden.Expected(name);
        int[] ids = expected.Ints("input_ids");
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        var trace = new ForwardTrace();
        float[] logits = Golden.Logits(model, ids, trace);

        for (int i = 0; i <= model.Config.NumHiddenLayers; i++)
            Golden.AssertClose(expected.Floats($"hidden.{i}"), trace.Hidden[i], $"{name} hidden.{i}");
        for (int i = 0; i < model.Config.NumHiddenLayers; i++)
        {
            Assert.Equal(expected.Has($"router.{i}.indices"), trace.Routers.ContainsKey(i));
            if (!trace.Routers.TryGetValue(i, out RouterTrace? router)) continue;
            Assert.Equal(expected.Ints($"router.{i}.indices"), router.Experts);
            Golden.AssertClose(expected.Floats($"router.{i}.weights"), router.Weights, $"{name} router.{i}.weights");
        }
        Golden.AssertClose(expected.Floats("logits"), logits, $"{name} logits");
        Assert.Equal(expected.Ints("greedy"), Golden.Greedy(model, ids, 16));
    }

    [Fact]
    public void Mtp_logits_are_Transformers()
    {
        GoldenFile expected = Golden.Expected("deepseek_v3_mtp");
        int[] ids = expected.Ints("input_ids");
        using ModelFolder folder = ModelFolder.Open(Golden.File("deepseek_v3_mtp"));
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        using KvCache cache = model.CreateCache(multiTokenPrediction: true);
        var logits = new float[ids.Length * model.VocabularySize];
        var mtp = new float[(ids.Length - 1) * model.VocabularySize];
        model.ForwardAll(cache, ids, logits, mtp);
        Golden.AssertClose(expected.Floats("logits"), logits, "logits");
        Golden.AssertClose(expected.Floats("mtp_logits"), mtp, "mtp_logits");
    }
}
