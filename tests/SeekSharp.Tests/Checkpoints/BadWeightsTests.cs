using System.Text;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using Xunit;

namespace SeekSharp.Tests.Checkpoints;

/// <summary>Files that are whole but do not hold the model that their config promises.</summary>
public sealed class BadWeightsTests
{
    [Fact]
    public void Missing_tensor() => Assert.Contains("tensor model.layers.2.mlp.up_proj.weight is missing, expected [128, 64]",
        Refused("qwen2", h => Rename(h, "model.layers.2.mlp.up_proj.weight", "other")), StringComparison.Ordinal);

    [Fact]
    public void Missing_bias() => Assert.Contains("tensor model.layers.0.self_attn.k_proj.bias is missing, expected [32]",
        Refused("qwen2", h => Rename(h, "model.layers.0.self_attn.k_proj.bias", "other")), StringComparison.Ordinal);

    [Fact]
    public void Wrong_shape() => Assert.Contains("tensor model.layers.1.self_attn.o_proj.weight: expected [64, 64], found [32, 128]",
        Refused("qwen2", h => h["model.layers.1.self_attn.o_proj.weight"]!["shape"] = new JsonArray(32, 128)), StringComparison.Ordinal);

    [Fact]
    public void Integers_for_weights() => Assert.Contains("tensor model.layers.1.self_attn.o_proj.weight: expected weights (F32, F16, BF16, 8-bit floats or GGML blocks), found I32",
        Refused("qwen2", h => h["model.layers.1.self_attn.o_proj.weight"]!["dtype"] = "I32"), StringComparison.Ordinal);

    [Fact]
    public void Integers_for_a_norm() => Assert.Contains("tensor model.norm.weight: expected floats, found I32", Refused("qwen2", h => h["model.norm.weight"]!["dtype"] = "I32"), StringComparison.Ordinal);

    [Fact]
    public void Scales_of_another_shape() => Assert.Contains("tensor model.layers.0.mlp.gate_proj.weight_scale_inv: expected [3, 2], found [2, 3]",
        Refused("deepseek_v3_fp8", h => h["model.layers.0.mlp.gate_proj.weight_scale_inv"]!["shape"] = new JsonArray(2, 3)), StringComparison.Ordinal);

    [Fact]
    public void Missing_scales() => Assert.Contains("tensor model.layers.0.mlp.gate_proj.weight_scale_inv is missing, expected [3, 2]",
        Refused("deepseek_v3_fp8", h => Rename(h, "model.layers.0.mlp.gate_proj.weight_scale_inv", "other")), StringComparison.Ordinal);

    [Fact]
    public void A_config_of_another_size_names_the_first_tensor_that_does_not_fit()
    {
        string message = Refused("qwen2", _ => { }, c => c["vocab_size"] = 16_000_000);
        Assert.Contains("tensor model.embed_tokens.weight: expected [16000000, 64], found [320, 64]", message, StringComparison.Ordinal);
        Assert.Contains("tensor model.layers.4.input_layernorm.weight is missing", Refused("qwen2", _ => { }, c => c["num_hidden_layers"] = 4096), StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_gguf_tensor_and_wrong_shape()
    {
        using var temporary = new TemporaryFolder();
        byte[] file = File.ReadAllBytes(Repository.Shared("goldens/gguf/llama.gguf"));
        int at = file.AsSpan().IndexOf("blk.1.ffn_up.weight"u8);
        file[at] = (byte)'x';
        File.WriteAllBytes(temporary["x.gguf"], file);
        using (ModelFolder folder = ModelFolder.Open(temporary["x.gguf"]))
            Assert.Contains("tensor blk.1.ffn_up.weight is missing, expected [80, 48]", Assert.Throws<CheckpointException>(folder.LoadWeights).Message, StringComparison.Ordinal);
        file[at] = (byte)'b';
        int dimensions = at + "blk.1.ffn_up.weight".Length + 4;
        BitConverter.TryWriteBytes(file.AsSpan(dimensions), 40L);
        BitConverter.TryWriteBytes(file.AsSpan(dimensions + 8), 96L);
        File.WriteAllBytes(temporary["y.gguf"], file);
        using (ModelFolder folder = ModelFolder.Open(temporary["y.gguf"]))
            Assert.Contains("tensor blk.1.ffn_up.weight: expected [80, 48], found [96, 40]", Assert.Throws<CheckpointException>(folder.LoadWeights).Message, StringComparison.Ordinal);
    }

    private static void Rename(JsonObject header, string from, string to)
    {
        JsonNode tensor = header[from]!;
        header.Remove(from);
        header[to] = tensor;
    }

    private static string Refused(string golden, Action<JsonObject> editHeader, Action<JsonObject>? editConfig = null)
    {
        using var temporary = new TemporaryFolder();
        string source = Repository.Shared($"goldens/models/{golden}");
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        editConfig?.Invoke(config);
        File.WriteAllText(temporary["config.json"], config.ToJsonString());

        byte[] file = File.ReadAllBytes(Path.Combine(source, "model.safetensors"));
        int length = (int)BitConverter.ToInt64(file);
        JsonObject header = JsonNode.Parse(file.AsSpan(8, length))!.AsObject();
        editHeader(header);
        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        File.WriteAllBytes(temporary["model.safetensors"], [.. BitConverter.GetBytes((long)json.Length), .. json, .. file.AsSpan(8 + length)]);
        using ModelFolder folder = ModelFolder.Open(temporary.Path);
        string message = Assert.Throws<CheckpointException>(folder.LoadWeights).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
