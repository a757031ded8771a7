using System.Numerics;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Every golden model opens, its config says what its maker wrote, and all its weights are found.</summary>
public sealed class GoldenModelsTests
{
    public static TheoryData<string> Folders => new(["deepseek_v2", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_fp8", "deepseek_v3_fp8_ue8m0", "deepseek_v3_mtp",
        "deepseek_v3_plain", "llama3", "llama_linear", "llama_yarn", "qwen2", "qwen2_tied", "qwen3", "qwen3_moe"]);

    public static TheoryData<string> GgufFiles => new(["deepseek_v2", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_noyarn", "deepseek_v3_q4_k", "deepseek_v3_q8_0",
        "deepseek_v3_unsplit", "llama", "llama_bf16", "llama_f16", "llama_iq4_nl", "llama_iq4_xs", "llama_linear", "llama_q2_k", "llama_q3_k", "llama_q4_0", "llama_q4_1",
        "llama_q4_k", "llama_q5_0", "llama_q5_1", "llama_q5_k", "llama_q6_k", "llama_q8_0", "llama_ropefreqs", "llama_split-00002-of-00002", "llama_tied", "llama_v2", "qwen2", "qwen3"]);

    [Theory, MemberData(nameof(Folders))]
    public void Folder_gives_config_and_all_weights(string name)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/models/{name}"));
        Assert.False(folder.IsGguf);
        CheckWeights(folder.Config!, folder.LoadWeights());
        Assert.Equal(320, folder.Config!.VocabSize);
        Assert.Equal(640, folder.Config.MaxPositionEmbeddings);
        Assert.Equal([1], folder.Generation.EosTokenIds);
        Assert.Equal(0, folder.Config.BosTokenId);
    }

    [Theory, MemberData(nameof(GgufFiles))]
    public void Gguf_file_gives_config_and_all_weights(string name)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/gguf/{name}.gguf"));
        Assert.True(folder.IsGguf);
        CheckWeights(folder.Config!, folder.LoadWeights());
        Assert.Equal(288, folder.Config!.VocabSize);
        Assert.Equal(256, folder.Config.MaxPositionEmbeddings);
        Assert.Equal([273], folder.Generation.EosTokenIds);
        Assert.Equal(272, folder.Config.BosTokenId);
        Assert.Equal("<|bos|>", folder.BosToken);
        Assert.Equal("<|eos|>", folder.EosToken);
    }

    [Fact]
    public void The_published_model_opens()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("models/SmolLM2-135M-Instruct.Q4_1.gguf"));
        ModelConfig c = folder.Config!;
        Assert.Equal(("llama", 30, 576, 9, 3, 64, 49152, true), (c.ModelType, c.NumHiddenLayers, c.HiddenSize, c.NumAttentionHeads, c.NumKeyValueHeads, c.HeadDim, c.VocabSize, c.TieWordEmbeddings));
        Assert.Equal(100000f, c.Rope.Theta);
        CheckWeights(c, folder.LoadWeights());
        Assert.Equal((BigInteger)134515008, folder.Checkpoint!.ParameterCount);
        Assert.Contains(2, folder.Generation.EosTokenIds);
        Assert.Equal("<|im_end|>", folder.EosToken);
        Assert.Contains("<|im_start|>", folder.ChatTemplateSource!, StringComparison.Ordinal);
        Assert.Null(folder.ToolTemplateSource);
    }

    [Fact]
    public void Version_2_and_split_files_hold_the_same_tensors_as_the_whole_file()
    {
        using GgufCheckpoint whole = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/llama.gguf"));
        using GgufCheckpoint old = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/llama_v2.gguf"));
        using GgufCheckpoint split = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/llama_split-00001-of-00002.gguf"));
        Assert.Equal(2u, old.Version);
        Assert.Equal(2, split.Images.Count);
        foreach (GgufCheckpoint other in (GgufCheckpoint[])[old, split])
        {
            Assert.Equal(whole.Tensors.Keys, other.Tensors.Keys);
            foreach ((string name, CheckpointTensor t) in whole.Tensors)
            {
                Assert.Equal(t.Shape, other.Tensors[name].Shape);
                Assert.True(Bytes(t).SequenceEqual(Bytes(other.Tensors[name])), name);
            }
        }
    }

    [Fact]
    public void Tensors_keep_the_order_of_the_file()
    {
        using GgufCheckpoint gguf = GgufCheckpoint.Open(Repository.Shared("goldens/gguf/llama.gguf"));
        Assert.Equal(["token_embd.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "blk.0.attn_q.weight"], gguf.Tensors.Keys.Take(4));
        using SafetensorsCheckpoint shards = SafetensorsCheckpoint.Open(Repository.Shared("goldens/models/deepseek_v2/model.safetensors.index.json"));
        Assert.Equal(3, shards.Images.Count);
        Assert.Equal(["lm_head.weight", "model.layers.0.mlp.down_proj.weight"], shards.Tensors.Keys.Take(2));
    }

    [Theory, InlineData("deepseek_v3_fp8", 3), InlineData("deepseek_v3_fp8_ue8m0", 3)]
    public void Fp8_matrices_have_their_scales(string name, int blockRows)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/models/{name}"));
        ModelWeights w = folder.LoadWeights();
        MatrixSource gate = w.Layers[0].Dense!.Gate; // [320, 192]: 2.5 × 1.5 blocks
        Assert.Equal(NumberFormat.F8E4M3, gate.Format);
        Assert.Equal(blockRows * 2, gate.Scales!.Length);
        Assert.All(gate.Scales, s => Assert.InRange(s, 1e-6f, 1f));
        Assert.Null(w.Embedding.Scales);
        if (name.EndsWith("ue8m0", StringComparison.Ordinal)) Assert.All(gate.Scales, s => Assert.True(float.IsPow2(s)));
    }

    [Fact]
    public void Multi_token_prediction_module_is_found()
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared("goldens/models/deepseek_v3_mtp"));
        MultiTokenPredictionWeights module = Assert.Single(folder.LoadWeights().MultiTokenPrediction);
        Assert.Equal((64, 128), (module.Projection.Rows, module.Projection.Cols));
        Assert.NotNull(module.Layer.Experts);
        Assert.NotNull(module.Embedding);
        Assert.NotNull(module.Output);
    }

    [Fact]
    public void Tied_embeddings_are_one_matrix()
    {
        using ModelFolder gguf = ModelFolder.Open(Repository.Shared("goldens/gguf/llama_tied.gguf"));
        ModelWeights w = gguf.LoadWeights();
        Assert.Same(w.Embedding, w.Output);
        using ModelFolder hf = ModelFolder.Open(Repository.Shared("goldens/models/qwen2_tied"));
        ModelWeights v = hf.LoadWeights();
        Assert.Same(v.Embedding, v.Output);
    }

    [Theory, InlineData("deepseek_v32"), InlineData("deepseek_v4")]
    public void What_does_not_run_is_refused_by_name_but_its_config_parses(string type)
    {
        using ModelFolder folder = ModelFolder.Open(Repository.Shared($"goldens/models/{type}"));
        Assert.Equal(type, folder.Config!.ModelType);
        Assert.NotEmpty(folder.Checkpoint!.Tensors);
        CheckpointException e = Assert.Throws<CheckpointException>(folder.LoadWeights);
        Assert.Contains(type, e.Message, StringComparison.Ordinal);
        Assert.Contains("deepseek_v2, deepseek_v3, qwen2, qwen3, qwen3_moe, llama", e.Message, StringComparison.Ordinal);
    }

    private static unsafe ReadOnlySpan<byte> Bytes(CheckpointTensor t) => new((byte*)t.Address, (int)t.ByteLength);

    private static void CheckWeights(ModelConfig c, ModelWeights w)
    {
        Assert.Equal(c.NumHiddenLayers, w.Layers.Length);
        Assert.Equal((c.VocabSize, c.HiddenSize), (w.Embedding.Rows, w.Embedding.Cols));
        Assert.All(w.FinalNorm, x => Assert.InRange(x, -100f, 100f));
        for (int i = 0; i < w.Layers.Length; i++)
        {
            LayerWeights layer = w.Layers[i];
            Assert.Equal(c.IsLatentAttention, layer.Latent is not null);
            Assert.Equal(!c.IsLatentAttention, layer.GroupedQuery is not null);
            bool experts = c.IsMoeLayer.Count > i && c.IsMoeLayer[i];
            Assert.Equal(experts, layer.Experts is not null);
            Assert.Equal(!experts, layer.Dense is not null);
            if (experts) Assert.Equal(c.NRoutedExperts, layer.Experts!.Experts.Length);
        }
    }
}
