using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>
/// The contract: a sequence's logits are the same bits however its ids were cut into chunks and calls, and with any number of
/// threads, for every weight format, architecture and cache format.
/// </summary>
public sealed class BatchInvarianceTests
{
    private const int Tokens = 140; // three blocks of the cache, the last one partial

    public static TheoryData<string> Names =>
    [
        "gguf/llama", "gguf/llama_f16", "gguf/llama_bf16", "gguf/llama_q4_0", "gguf/llama_q4_1", "gguf/llama_q5_1", "gguf/llama_q8_0", "gguf/llama_q4_k",
        "gguf/llama_q6_k", "gguf/llama_iq4_xs", "gguf/qwen3", "gguf/deepseek_v3", "gguf/deepseek_v3_q4_k", "qwen2", "qwen3_moe", "deepseek_v2", "deepseek_v3_fp8", "deepseek_v3_mtp",
    ];

    /// <summary>Ids of the golden prompt, again and again in another order.</summary>
    private static int[] Ids(string name)
    {
        int[] prompt = Golden.Expected(name).Ints("input_ids");
        return [.. Enumerable.Range(0, Tokens).Select(i => prompt[(i * 7 + i / prompt.Length) % prompt.Length])];
    }

    private static float[] Run(ModelFolder folder, int[] ids, ModelOptions options)
    {
        using LanguageModel model = LanguageModel.Load(folder, options);
        using KvCache cache = model.CreateCache(model.HasMultiTokenPrediction);
        int v = model.VocabularySize, mtp = model.HasMultiTokenPrediction ? ids.Length - 1 : 0;
        var all = new float[(ids.Length + mtp) * v]; // the module's logits behind the model's
        model.ForwardAll(cache, ids, all.AsSpan(0, ids.Length * v), all.AsSpan(ids.Length * v));
        return all;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Chunks_change_no_bit(string name)
    {
        int[] ids = Ids(name);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        foreach (KvFormat kv in Enum.GetValues<KvFormat>())
        {
            float[] whole = Run(folder, ids, new ModelOptions { Threads = 2, Kv = kv });
            foreach (int chunk in (int[])[1, 3, 7, 64, 130])
                Golden.AssertSameBits(whole, Run(folder, ids, new ModelOptions { Threads = 2, Kv = kv, ChunkSize = chunk }), $"{name}, {kv} cache, chunks of {chunk}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Threads_change_no_bit(string name)
    {
        int[] ids = Ids(name);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        float[] one = Run(folder, ids, new ModelOptions { Threads = 1 });
        for (int threads = 2; threads <= 5; threads++)
            Golden.AssertSameBits(one, Run(folder, ids, new ModelOptions { Threads = threads, ChunkSize = 50 }), $"{name}, {threads} threads");
    }

    [Theory]
    [InlineData("gguf/llama_q4_k")]
    [InlineData("gguf/deepseek_v3_q4_k")]
    [InlineData("deepseek_v3_fp8")]
    public void Exact_arithmetic_keeps_the_contract_too(string name)
    {
        int[] ids = Ids(name);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        float[] whole = Run(folder, ids, new ModelOptions { Threads = 2, Exact = true });
        foreach (int chunk in (int[])[1, 7, 130])
            Golden.AssertSameBits(whole, Run(folder, ids, new ModelOptions { Threads = 3, Exact = true, ChunkSize = chunk }), $"{name}, chunks of {chunk}");
    }

    /// <summary>Calls of any length, and tokens that were cut off and computed again (as after a refused draft or a changed turn).</summary>
    [Theory]
    [InlineData("gguf/llama_q8_0")]
    [InlineData("gguf/deepseek_v3_q8_0")]
    public void Calls_and_truncation_change_no_bit(string name)
    {
        int[] ids = Ids(name);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2 });
        float[] whole = Golden.Logits(model, ids);
        using KvCache cache = model.CreateCache();
        int v = model.VocabularySize;
        var row = new float[v];
        var random = new Random(5);
        for (int at = 0; at < ids.Length;)
        {
            int count = Math.Min(random.Next(1, 20), ids.Length - at);
            if (at > 0 && random.Next(3) == 0)
            {
                int wrong = random.Next(1, 90);
                model.Forward(cache, Enumerable.Range(0, Math.Min(wrong, 200 - at)).Select(i => i % 200).ToArray(), row); // tokens that turn out wrong
                cache.Truncate(at);
            }
            model.Forward(cache, ids.AsSpan(at, count), row);
            at += count;
            Golden.AssertSameBits(whole[((at - 1) * v)..(at * v)], row, $"after {at} tokens");
        }
    }
}
