using SeekSharp.Checkpoints;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>The main claim on the two golden models that lie in the repository itself (see Goldens/README.md).</summary>
public sealed class FreshCloneTests
{
    [Theory]
    [InlineData("llama_q8_0")]
    [InlineData("deepseek_v3_q8_0")]
    public void Exact_arithmetic_is_llama_cpp_on_dequantized_weights(string name)
    {
        string path = Path.Combine(Repository.Root, "tests", "SeekSharp.Tests", "Models", "Goldens", name);
        var expected = new GoldenFile(path + ".expected.safetensors");
        int[] ids = expected.Ints("input_ids");
        using ModelFolder folder = ModelFolder.Open(path + ".gguf");
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        Golden.AssertClose(expected.Floats("logits_dequantized"), Golden.Logits(model, ids), name);
        Assert.Equal(expected.Ints("greedy_dequantized"), Golden.Greedy(model, ids, 16));
    }
}
