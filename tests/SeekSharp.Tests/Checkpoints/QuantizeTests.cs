using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>
/// <c>quantize</c> against llama.cpp's <c>llama-quantize</c> on the same file: every tensor in the same format, the same
/// bytes where a format has one answer, and logits (computed by llama.cpp) that are no further from the exact ones.
/// </summary>
public sealed class QuantizeTests
{
    private const string All = "F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K Q4_K_M Q5_K_M", Some = "Q8_0 Q4_0 Q5_K Q4_K_M Q5_K_M";

    [Theory]
    [InlineData("llama3", All)]        // rows of 64: everything falls back
    [InlineData("qwen2_tied", Some)]   // tied: the embedding is the output matrix
    [InlineData("qwen3_moe", Some)]    // eight experts have rules of their own
    [InlineData("deepseek_v3", Some)]  // rows of 16 (attn_k_b) have no blocks at all
    public void Small_models_get_llama_quantizes_formats(string model, string types)
    {
        using TemporaryFolder folder = new();
        SmallTokenizer.AddModel(folder, model);
        ModelConverter.Run(folder.Path, folder["f32.gguf"], FileType.Find("F32")!);
        foreach (string type in types.Split(' ')) Compare(folder, type);
    }

    [Fact]
    public void A_deep_model_with_rows_of_256_gets_llama_quantizes_mixes()
    {
        using TemporaryFolder folder = new();
        WriteDeep(folder["f32.gguf"], layers: 9);
        foreach (string type in (string[])["Q4_0", "Q4_K", "Q4_K_M", "Q5_K_M"]) Compare(folder, type);
    }

    [Theory]
    [InlineData("Q4_0")]
    [InlineData("Q4_K_M")]
    [InlineData("Q5_K")]
    [InlineData("Q6_K")]
    public async Task Logits_of_a_quantized_model_are_within_llama_cpps_own_spread(string type)
    {
        using TemporaryFolder folder = new();
        WriteDeep(folder["f32.gguf"], layers: 3);
        (string theirs, string ours) = Both(folder, type);
        int[] ids = [272, .. Enumerable.Range(0, 30).Select(i => i * 37 % 256)], lengths = [2, 9, 16, 23, 31];
        const int Vocabulary = 288;
        float[][] exact = await LlamaCpp.LogProbabilities(folder["f32.gguf"], ids, Vocabulary, lengths, 'a' - '!');
        double a = Error(await LlamaCpp.LogProbabilities(theirs, ids, Vocabulary, lengths, 'a' - '!')), b = Error(await LlamaCpp.LogProbabilities(ours, ids, Vocabulary, lengths, 'a' - '!'));
        Assert.True(b <= 1.15 * a, $"{type}: rms of our log probabilities' error {b:G4}, of llama-quantize's {a:G4}");

        double Error(float[][] rows) => Math.Sqrt(rows.Zip(exact, (x, y) => x.Zip(y, (p, q) => ((double)p - q) * (p - q)).Average()).Average());
    }

    [Fact]
    public void A_quantized_split_or_old_file_is_taken_too()
    {
        using TemporaryFolder folder = new();
        string q4 = Repository.Shared("goldens/gguf/llama_q4_0.gguf");
        ModelConverter.Result result = ModelConverter.Run(q4, folder["q8.gguf"], FileType.Find("Q8_0")!);
        Assert.Contains(result.Notes, n => n.Contains("quantized already"));
        ModelConverter.Run(q4, folder["f32.gguf"], FileType.Find("F32")!);
        using (GgufCheckpoint a = GgufCheckpoint.Open(q4), b = GgufCheckpoint.Open(folder["f32.gguf"]))
            foreach (string name in a.Tensors.Keys) Assert.True(Floats(a.Tensors[name]).AsSpan().SequenceEqual(Floats(b.Tensors[name])), name);
        ModelConverter.Run(Repository.Shared("goldens/gguf/llama_split-00001-of-00002.gguf"), folder["whole.gguf"], FileType.Find("F32")!);
        ModelConverter.Run(Repository.Shared("goldens/gguf/llama.gguf"), folder["same.gguf"], FileType.Find("F32")!);
        using GgufCheckpoint whole = GgufCheckpoint.Open(folder["whole.gguf"]), same = GgufCheckpoint.Open(folder["same.gguf"]);
        Assert.False(whole.Metadata.Contains("split.count"));
        Assert.Equal(same.Tensors.Keys.Order(), whole.Tensors.Keys.Order());
        foreach (string name in same.Tensors.Keys) Assert.True(Bytes(same.Tensors[name]).SequenceEqual(Bytes(whole.Tensors[name])), name);
    }

    [Fact]
    public void Cancelled_work_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        Assert.Throws<OperationCanceledException>(() => ModelConverter.Run(Repository.Shared("goldens/gguf/llama.gguf"), folder["a.gguf"], FileType.Find("Q8_0")!, cancellation: new CancellationToken(true)));
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static void Compare(TemporaryFolder folder, string type)
    {
        (string theirs, string ours) = Both(folder, type);
        using GgufCheckpoint a = GgufCheckpoint.Open(theirs), b = GgufCheckpoint.Open(ours);
        Assert.Equal(a.Tensors.Keys.Order(), b.Tensors.Keys.Order());
        List<string> other = [];
        foreach (CheckpointTensor t in a.Tensors.Values)
        {
            CheckpointTensor mine = b.Tensors[t.Name];
            if (mine.Format != t.Format) other.Add($"{t.Name} is {mine.Format}, llama-quantize's is {t.Format}");
            else if (t.Format is not (NumberFormat.Q4_K or NumberFormat.Q5_K or NumberFormat.Q6_K) && !Bytes(t).SequenceEqual(Bytes(mine))) other.Add($"{t.Name}: {t.Format} with other bytes");
        }
        Assert.True(other.Count == 0, $"{type}: {string.Join("; ", other)}");
    }

    private static (string Theirs, string Ours) Both(TemporaryFolder folder, string type)
    {
        string theirs = folder[$"theirs-{type}.gguf"], ours = folder[$"ours-{type}.gguf"];
        string[] pure = type is "Q4_K" or "Q5_K" ? ["--pure"] : [];
        LlamaCpp.Run("llama-quantize", [.. pure, folder["f32.gguf"], theirs, type, "1"]);
        ModelConverter.Run(folder["f32.gguf"], ours, FileType.Find(type)!);
        return (theirs, ours);
    }

    /// <summary>The golden llama of one layer, repeated, with a matrix of its own for the output; weights are shuffled so that layers differ.</summary>
    private static void WriteDeep(string path, int layers)
    {
        using GgufCheckpoint one = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/llama_q6_k.gguf"));
        GgufMetadataBuilder metadata = GgufMetadataBuilder.CopyOf(one.Metadata);
        metadata.Set("llama.block_count", (uint)layers);
        List<(string Name, long[] Shape, float[] Values)> tensors = [];
        Random random = new(17);
        foreach (CheckpointTensor t in one.Tensors.Values)
        {
            bool layer = t.Name.StartsWith("blk.0.");
            for (int i = 0; i < (layer ? layers : 1); i++)
            {
                float[] values = Floats(t);
                if (layer) random.Shuffle(values);
                if (layer && (t.Name.Contains("attn_output") || t.Name.Contains("ffn_down")))
                    for (int k = 0; k < values.Length; k++) values[k] /= MathF.Sqrt(layers);
                tensors.Add((layer ? $"blk.{i}.{t.Name["blk.0.".Length..]}" : t.Name, t.Shape, values));
                if (t.Name == "token_embd.weight") tensors.Add(("output.weight", t.Shape, values));
            }
        }
        using GgufWriter writer = new(path, metadata, [.. tensors.Select(t => (t.Name, NumberFormat.F32, t.Shape))]);
        foreach ((_, _, float[] values) in tensors) writer.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values));
        writer.Complete();
    }

    private static unsafe ReadOnlySpan<byte> Bytes(CheckpointTensor t) => new((byte*)t.Address, (int)t.ByteLength);

    private static float[] Floats(CheckpointTensor t)
    {
        float[] floats = new float[t.Count];
        BlockDecoder.Decode(t.Format, Bytes(t), floats);
        return floats;
    }
}
