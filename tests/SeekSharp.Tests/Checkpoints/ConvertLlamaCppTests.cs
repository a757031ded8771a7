using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>llama.cpp loads what <c>convert</c> writes and computes Transformers' logits from it.</summary>
public sealed class ConvertLlamaCppTests
{
    private static readonly int[] Lengths = [1, 2, 3, 9, 25, 48];

    [Theory]
    [InlineData("llama3")]
    [InlineData("llama_linear")]
    [InlineData("llama_yarn")]
    [InlineData("qwen2")]
    [InlineData("qwen2_tied")]
    [InlineData("qwen3")]
    [InlineData("qwen3_moe")]
    [InlineData("deepseek_v3")]
    [InlineData("deepseek_v3_plain")]
    [InlineData("deepseek_v3_mtp")]
    [InlineData("deepseek_v3_fp8")]
    [InlineData("deepseek_v3_fp8_ue8m0")]
    public async Task Logits_are_those_of_Transformers(string model)
    {
        using TemporaryFolder folder = new();
        SmallTokenizer.AddModel(folder, model);
        ModelConverter.Run(folder.Path, folder["out.gguf"], FileType.Find("F32")!);
        (int[] ids, float[][] expected, float largest) = Golden(model);
        float[][] actual = await LlamaCpp.LogProbabilities(folder["out.gguf"], ids, expected[0].Length, Lengths, SmallTokenizer.LetterA);
        float worst = expected.Zip(actual, (e, a) => e.Zip(a, (x, y) => Math.Abs(x - y)).Max()).Max();
        Assert.True(worst <= 1e-4f * largest, $"{model}: {worst / largest:G3} of the largest logit");
    }

    /// <summary>The prompt, the log probabilities after each of <see cref="Lengths"/> tokens, and the largest |logit|.</summary>
    internal static (int[] Ids, float[][] LogProbabilities, float Largest) Golden(string model)
    {
        GoldenFile golden = GoldenFile.Open(Repository.Shared($"goldens/models/{model}/expected.safetensors"));
        float[] logits = golden.Floats("logits");
        int vocabulary = golden.Shape("logits")[1];
        return (golden.Ints("input_ids"), [.. Lengths.Select(n => LogSoftmax(logits[((n - 1) * vocabulary)..(n * vocabulary)]))], logits.Max(Math.Abs));
    }

    private static float[] LogSoftmax(float[] row)
    {
        double max = row.Max(), sum = row.Sum(x => Math.Exp(x - max));
        return [.. row.Select(x => (float)(x - max - Math.Log(sum)))];
    }
}
