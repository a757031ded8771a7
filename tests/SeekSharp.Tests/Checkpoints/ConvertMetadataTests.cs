using System.IO.Compression;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Keys, vocabularies and refusals of converted files.</summary>
public sealed class ConvertMetadataTests
{
    [Fact]
    public void DeepSeek_has_the_keys_of_the_split_form()
    {
        using GgufCheckpoint gguf = Convert("deepseek_v3", out _);
        (string, object)[] expected =
        [
            ("general.architecture", "deepseek2"), ("general.file_type", 0u), ("deepseek2.block_count", 4u), ("deepseek2.context_length", 640u), ("deepseek2.embedding_length", 64u),
            ("deepseek2.feed_forward_length", 128u), ("deepseek2.attention.head_count", 4u), ("deepseek2.attention.head_count_kv", 1u), ("deepseek2.attention.key_length", 40u),
            ("deepseek2.attention.value_length", 32u), ("deepseek2.attention.key_length_mla", 24u), ("deepseek2.attention.value_length_mla", 16u), ("deepseek2.attention.q_lora_rank", 32u),
            ("deepseek2.attention.kv_lora_rank", 32u), ("deepseek2.attention.layer_norm_rms_epsilon", 1e-6f), ("deepseek2.rope.dimension_count", 8u), ("deepseek2.rope.freq_base", 10000f),
            ("deepseek2.rope.scaling.type", "yarn"), ("deepseek2.rope.scaling.factor", 40f), ("deepseek2.rope.scaling.original_context_length", 16u),
            ("deepseek2.rope.scaling.yarn_log_multiplier", 0.1f), ("deepseek2.leading_dense_block_count", 1u), ("deepseek2.expert_count", 16u), ("deepseek2.expert_used_count", 4u),
            ("deepseek2.expert_shared_count", 1u), ("deepseek2.expert_feed_forward_length", 32u), ("deepseek2.expert_weights_scale", 2.5f), ("deepseek2.expert_weights_norm", true),
            ("deepseek2.expert_gating_func", 2u), ("deepseek2.expert_group_count", 4u), ("deepseek2.expert_group_used_count", 2u), ("deepseek2.vocab_size", 320u),
            ("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "gpt-2"), ("tokenizer.ggml.bos_token_id", 0u), ("tokenizer.ggml.eos_token_id", 1u), ("tokenizer.ggml.add_bos_token", true),
            ("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}"),
        ];
        foreach ((string key, object value) in expected)
        {
            Assert.True(gguf.Metadata.Values.TryGetValue(key, out GgufValue found), $"{key} is missing");
            Assert.Equal(value, gguf.Metadata.GetScalar(found));
        }
    }

    [Fact]
    public void Lite_models_say_mscale_exactly_and_that_llama_cpp_wants_26_or_27_layers()
    {
        using GgufCheckpoint gguf = Convert("deepseek_v2_lite", out ModelConverter.Result result);
        Assert.Equal(0.0707f, (float)gguf.Metadata.GetNumber("deepseek2.rope.scaling.yarn_log_multiplier")!);
        Assert.False(gguf.Metadata.Contains("deepseek2.attention.q_lora_rank"));
        Assert.False(gguf.Metadata.Contains("deepseek2.expert_group_count"));
        Assert.Equal(1, gguf.Metadata.GetInteger("deepseek2.expert_gating_func"));
        Assert.Contains(result.Notes, n => n.Contains("26 or 27"));
    }

    [Fact]
    public void Groups_of_V2_and_the_prediction_module_are_told()
    {
        using (GgufCheckpoint gguf = Convert("deepseek_v2", out ModelConverter.Result result))
        {
            Assert.Equal(4, gguf.Metadata.GetInteger("deepseek2.expert_group_count"));
            Assert.Contains(result.Notes, n => n.Contains("V3's rule"));
        }
        using (GgufCheckpoint gguf = Convert("deepseek_v3_mtp", out ModelConverter.Result result))
        {
            Assert.DoesNotContain(gguf.Tensors.Keys, n => n.StartsWith("blk.4."));
            Assert.Contains(result.Notes, n => n.Contains("multi-token-prediction"));
        }
    }

    [Theory]
    [InlineData("deepseek_v3", "deepseek-v3", 128000, 0, 1, true)]
    [InlineData("llama3_1", "llama-bpe", 128000, 128000, 128009, true)]
    [InlineData("qwen2_5", "qwen2", 151643, null, 151645, false)]
    public void Published_tokenizers_become_vocabularies(string name, string pre, int plain, int? bos, int eos, bool addBos)
    {
        using TemporaryFolder folder = new();
        string golden = Repository.Shared($"goldens/tokenizers/{name}");
        File.Copy(Path.Combine(golden, "tokenizer_config.json"), folder["tokenizer_config.json"]);
        File.Copy(Path.Combine(golden, "tokenizer.json.gz"), folder["tokenizer.json.gz"]);
        JsonNode json = JsonNode.Parse(new GZipStream(File.OpenRead(folder["tokenizer.json.gz"]), CompressionMode.Decompress))!;
        int size = json["added_tokens"]!.AsArray().Max(t => (int)t!["id"]!) + 1 + 5; // five rows that no token uses
        ModelConfig config = HuggingFaceConfig.Read(Path.Combine(Repository.Shared("goldens/models/qwen2"), "config.json")) with { VocabSize = size, BosTokenId = null };
        GgufMetadataBuilder keys = [];
        List<string> notes = [];
        using ModelFolder opened = ModelFolder.Open(folder.Path);
        GgufVocabularyBuilder.Add(keys, ModelFiles.Find(folder.Path), opened, config, notes);
        Assert.Empty(notes);
        Assert.Equal(pre, Get<string>("tokenizer.ggml.pre"));
        string[] tokens = Get<string[]>("tokenizer.ggml.tokens"), merges = Get<string[]>("tokenizer.ggml.merges");
        int[] types = Get<int[]>("tokenizer.ggml.token_type");
        Assert.Equal(size, tokens.Length);
        foreach ((string token, JsonNode? id) in json["model"]!["vocab"]!.AsObject().Take(5000)) Assert.Equal(token, tokens[(int)id!]);
        foreach (JsonNode? token in json["added_tokens"]!.AsArray())
        {
            Assert.Equal((string)token!["content"]!, tokens[(int)token["id"]!]);
            if ((bool)token["special"]!) Assert.Equal(3, types[(int)token["id"]!]);
        }
        Assert.Equal(plain, types.Count(t => t == 1) + json["added_tokens"]!.AsArray().Count(t => (int)t!["id"]! < plain));
        Assert.Equal(5, types[^5..].Count(t => t == 5));
        JsonArray theirs = json["model"]!["merges"]!.AsArray();
        Assert.Equal(theirs.Count, merges.Length);
        for (int i = 0; i < merges.Length; i += 997) Assert.Equal(theirs[i] is JsonArray pair ? $"{pair[0]} {pair[1]}" : (string)theirs[i]!, merges[i]);
        Assert.Equal(bos is not null, keys.TryGet("tokenizer.ggml.bos_token_id", out uint found));
        if (bos is not null) Assert.Equal((uint)bos, found);
        Assert.Equal((uint)eos, Get<uint>("tokenizer.ggml.eos_token_id"));
        if (bos is not null) Assert.Equal(addBos, Get<bool>("tokenizer.ggml.add_bos_token"));
        Assert.Equal(opened.ChatTemplateSource, Get<string>("tokenizer.chat_template"));

        Tokenizer back = Tokenizer.FromVocabulary(new GgufVocabulary { Model = "gpt2", Pre = pre, Tokens = tokens, TokenTypes = types, Merges = merges, AddBosToken = false });
        foreach (string text in (string[])["Hello world, it's 12345 o'clock!", "  Zwei\tBöden\r\n\n\tfür   dich  ", "深度求索 と ひらがな 1234 한국어", "x=y**2; // <b>&amp;</b>", "Ω≈ç√∫˜µ≤ 𝐀𝐁 👩‍👩‍👧 e\u00e9"])
            Assert.Equal(opened.Tokenizer!.Encode(text, addSpecialTokens: false), back.Encode(text, addSpecialTokens: false));

        T Get<T>(string key) => keys.TryGet(key, out T? value) ? value : throw new KeyNotFoundException(key);
    }

    [Theory]
    [InlineData("llama_yarn", "rope_scaling", """{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":16,"beta_fast":16}""", "betas")]
    [InlineData("qwen2", "rope_scaling", """{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}""", "llama3")]
    [InlineData("deepseek_v3", "rope_scaling", """{"type":"yarn","factor":40,"original_max_position_embeddings":16,"mscale":1.0,"mscale_all_dim":0.5}""", "mscale")]
    [InlineData("deepseek_v3", "rope_scaling", """{"type":"linear","factor":4}""", "mscale")]
    [InlineData("qwen3_moe", "norm_topk_prob", "false", "norm_topk_prob")]
    public void What_GGUF_cannot_say_is_refused(string model, string key, string value, string named)
    {
        using TemporaryFolder folder = new();
        SmallTokenizer.AddModel(folder, model);
        JsonObject config = JsonNode.Parse(File.ReadAllText(folder["config.json"]))!.AsObject();
        config[key] = JsonNode.Parse(value);
        File.Delete(folder["config.json"]);
        File.WriteAllText(folder["config.json"], config.ToJsonString());
        CheckpointException e = Assert.Throws<CheckpointException>(() => ModelConverter.Run(folder.Path, folder["out.gguf"], FileType.Find("F32")!));
        Assert.Contains("GGUF cannot express", e.Message);
        Assert.Contains(named, e.Message);
        Assert.False(File.Exists(folder["out.gguf"]));
    }

    [Theory]
    [InlineData("""[]""")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":320},"merges":[]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":"b"},"merges":[]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":["a"]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"\ud800":1},"merges":[]}}""")]
    [InlineData("""{"added_tokens":[{"id":1}],"model":{"type":"BPE","vocab":{},"merges":[]}}""")]
    [InlineData("""{"added_tokens":[7],"model":{"type":"BPE","vocab":{},"merges":[]}}""")]
    [InlineData("""{"model":""")]
    public void Broken_tokenizers_are_one_line(string tokenizer)
    {
        using TemporaryFolder folder = new();
        SmallTokenizer.AddModel(folder, "qwen2");
        File.WriteAllText(folder["tokenizer.json"], tokenizer);
        CheckpointException e = Assert.Throws<CheckpointException>(() => ModelConverter.Run(folder.Path, folder["out.gguf"], FileType.Find("F32")!));
        Assert.Contains("tokenizer.json", e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_model_without_tokenizer_and_an_unknown_pre_tokenizer_are_told()
    {
        using TemporaryFolder folder = new();
        Assert.Contains(ModelConverter.Run(Repository.Shared("goldens/models/qwen2"), folder["ids.gguf"], FileType.Find("F32")!).Notes, n => n.Contains("token ids only"));
        SmallTokenizer.AddModel(folder, "qwen2");
        File.WriteAllText(folder["tokenizer.json"], File.ReadAllText(folder["tokenizer.json"]).Replace("\"use_regex\":true", "\"use_regex\":false"));
        Assert.Contains(ModelConverter.Run(folder.Path, folder["out.gguf"], FileType.Find("F32")!).Notes, n => n.Contains("pre-tokenizer"));
    }

    private static GgufCheckpoint Convert(string model, out ModelConverter.Result result)
    {
        using TemporaryFolder folder = new();
        SmallTokenizer.AddModel(folder, model);
        result = ModelConverter.Run(folder.Path, folder["out.gguf"], FileType.Find("F32")!);
        return GgufCheckpoint.Open(folder["out.gguf"]); // the mapping outlives the file's name
    }
}
