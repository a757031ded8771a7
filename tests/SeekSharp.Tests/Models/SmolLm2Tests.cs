using System.Text.Json;
using SeekSharp.Checkpoints;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>A real published model, loaded once in both arithmetics, when a test first asks: without the file that test is skipped.</summary>
public sealed class SmolLm2Fixture : IDisposable
{
    private readonly Lazy<ModelFolder> _folder = new(() => ModelFolder.Open(Repository.Shared("models/SmolLM2-135M-Instruct.Q4_1.gguf")));
    private readonly Lazy<JsonElement> _expected = new(() => JsonDocument.Parse(File.ReadAllBytes(Repository.Shared("models/smollm2.expected.json"))).RootElement);
    private readonly Lazy<LanguageModel> _exact, _default;

    public SmolLm2Fixture()
    {
        _exact = new(() => LanguageModel.Load(_folder.Value, new ModelOptions { Exact = true, Threads = 2 }));
        _default = new(() => LanguageModel.Load(_folder.Value, new ModelOptions { Threads = 2 }));
    }

    public LanguageModel Exact => _exact.Value;
    public LanguageModel Default => _default.Value;
    public JsonElement Expected => _expected.Value;

    public void Dispose()
    {
        if (_exact.IsValueCreated) _exact.Value.Dispose();
        if (_default.IsValueCreated) _default.Value.Dispose();
        if (_folder.IsValueCreated) _folder.Value.Dispose();
    }
}

/// <summary>SmolLM2-135M-Instruct in Q4_1 (../shared/models): logits, greedy texts, perplexity, and how far the default arithmetic is from exact.</summary>
public sealed class SmolLm2Tests(SmolLm2Fixture fixture) : IClassFixture<SmolLm2Fixture>
{
    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    [Fact]
    public void Exact_logits_are_the_golden_ones()
    {
        var expected = new GoldenFile(Repository.Shared("models/smollm2.logits.safetensors"));
        Golden.AssertClose(expected.Floats("logits_dequantized"), Golden.Logits(fixture.Exact, expected.Ints("input_ids")), "logits");
    }

    /// <summary>
    /// All 12 prompts, 48 tokens each. The golden continuation is fed in one go and each position's best token must be the next golden
    /// one: the same statement as generating one by one, because logits do not depend on how the ids are cut (tested below and in BatchInvarianceTests).
    /// </summary>
    [Fact]
    public void Exact_greedy_ids_are_the_golden_ones()
    {
        int prompts = 0;
        foreach (JsonElement prompt in fixture.Expected.GetProperty("prompts").EnumerateArray())
        {
            int[] ids = Ints(prompt.GetProperty("ids")), answer = Ints(prompt.GetProperty("exact").GetProperty("ids"));
            Assert.Equal(48, answer.Length);
            float[] logits = Golden.Logits(fixture.Exact, [.. ids, .. answer[..^1]]);
            int v = fixture.Exact.VocabularySize;
            for (int i = 0; i < answer.Length; i++)
                Assert.Equal(answer[i], Golden.ArgMax(logits.AsSpan((ids.Length - 1 + i) * v, v)));
            prompts++;
        }
        Assert.Equal(12, prompts);
    }

    [Fact]
    public void Exact_greedy_one_token_at_a_time()
    {
        JsonElement prompt = fixture.Expected.GetProperty("prompts")[0];
        Assert.Equal(Ints(prompt.GetProperty("exact").GetProperty("ids"))[..12], Golden.Greedy(fixture.Exact, Ints(prompt.GetProperty("ids")), 12));
    }

    /// <summary>
    /// Perplexity over 2170 predictions in windows of 512, and the distance of the default arithmetic (bf16 cache) from exact. llama.cpp's
    /// own distance on the same text: mean KL 2.6e-3, same best token at 96.5 %.
    /// </summary>
    [Fact]
    public void Perplexity_and_the_default_arithmetic_s_distance_from_exact()
    {
        JsonElement golden = fixture.Expected.GetProperty("perplexity");
        int[] ids = Ints(golden.GetProperty("ids"));
        double expected = golden.GetProperty("exact").GetProperty("perplexity").GetDouble();
        double nllExact = 0, nllDefault = 0, divergence = 0;
        int predictions = 0, sameBest = 0, v = fixture.Exact.VocabularySize;
        for (int start = 0; start < ids.Length; start += 512)
        {
            int[] window = ids[start..Math.Min(start + 512, ids.Length)];
            float[] exact = Golden.Logits(fixture.Exact, window), usual = Golden.Logits(fixture.Default, window);
            for (int t = 0; t + 1 < window.Length; t++)
            {
                ReadOnlySpan<float> p = exact.AsSpan(t * v, v), q = usual.AsSpan(t * v, v);
                double lseP = LogSumExp(p), lseQ = LogSumExp(q), kl = 0;
                for (int i = 0; i < v; i++)
                {
                    double d = p[i] - lseP;
                    if (d > -30) kl += Math.Exp(d) * (d - (q[i] - lseQ));
                }
                divergence += kl;
                nllExact += lseP - p[window[t + 1]];
                nllDefault += lseQ - q[window[t + 1]];
                if (Golden.ArgMax(p) == Golden.ArgMax(q)) sameBest++;
                predictions++;
            }
        }
        double perplexityExact = Math.Exp(nllExact / predictions), perplexityDefault = Math.Exp(nllDefault / predictions);
        string found = $"perplexity exact {perplexityExact:F6}, default {perplexityDefault:F6}, mean KL {divergence / predictions:E3}, same best {100.0 * sameBest / predictions:F2} %";
        TestContext.Current.TestOutputHelper?.WriteLine(found);
        Assert.Equal(2170, predictions);
        Assert.True(Math.Abs(perplexityExact / expected - 1) <= 1e-4, found);
        Assert.True(Math.Abs(perplexityDefault / expected - 1) <= 5e-3, found);
        Assert.True(divergence / predictions <= 2.6e-3, found);
        Assert.True(sameBest >= 0.965 * predictions, found);
    }

    private static double LogSumExp(ReadOnlySpan<float> x)
    {
        float max = float.NegativeInfinity;
        foreach (float f in x) max = MathF.Max(max, f);
        double sum = 0;
        foreach (float f in x) sum += MathF.Exp(f - max);
        return max + Math.Log(sum);
    }
}
