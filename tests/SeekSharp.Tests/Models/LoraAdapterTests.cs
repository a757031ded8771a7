using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Models;
using Xunit;

namespace SeekSharp.Tests.Models;

/// <summary>Adapters as PEFT saves them, beside tiny models: what comes out is what the model with merged weights computes, and nobody in the batch notices.</summary>
public sealed class LoraAdapterTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 40).Select(i => i * 37 % 320)];

    /// <summary>A random adapter for every matrix of the model whose name matches; and, where asked, a copy of the model with the adapter merged into its weights.</summary>
    private sealed class Adapter : IDisposable
    {
        public TemporaryFolder Folder { get; } = new();
        public TemporaryFolder? Merged { get; }

        public Adapter(string model, int seed, string[] modules, int rank = 3, bool rankStabilized = false, bool merge = false, string infix = "")
        {
            var random = new Random(seed);
            var file = new GoldenFile(Path.Combine(Golden.File(model), "model.safetensors"));
            float scale = rankStabilized ? 6 / MathF.Sqrt(rank) : 6f / rank;
            List<(string, long[], float[])> adapter = [], merged = [];
            foreach (string name in file.Names)
            {
                int[] shape = file.Shape(name);
                float[] w = file.Floats(name);
                if (modules.Any(m => name.Contains($".{m}.weight")) && shape.Length == 2 && !name.Contains(".experts."))
                {
                    float[] a = [.. Enumerable.Range(0, rank * shape[1]).Select(_ => (random.NextSingle() - 0.5f) / 4)];
                    float[] b = [.. Enumerable.Range(0, shape[0] * rank).Select(_ => (random.NextSingle() - 0.5f) / 4)];
                    string module = "base_model.model." + name[..^".weight".Length];
                    adapter.Add(($"{module}.lora_A{infix}.weight", [rank, shape[1]], a));
                    adapter.Add(($"{module}.lora_B{infix}.weight", [shape[0], rank], b));
                    for (int o = 0; o < shape[0]; o++)
                        for (int i = 0; i < shape[1]; i++)
                            w[o * shape[1] + i] += scale * (float)Enumerable.Range(0, rank).Sum(r => (double)b[o * rank + r] * a[r * shape[1] + i]);
                }
                merged.Add((name, [.. shape.Select(d => (long)d)], w));
            }
            SafetensorsWriter.Save(Folder["adapter_model.safetensors"], adapter);
            WriteConfig(new JsonObject { ["r"] = rank, ["use_rslora"] = rankStabilized });
            if (!merge) return;
            Merged = new TemporaryFolder();
            SafetensorsWriter.Save(Merged["model.safetensors"], merged);
            File.Copy(Path.Combine(Golden.File(model), "config.json"), Merged["config.json"]);
        }

        public void WriteConfig(JsonObject changes)
        {
            var config = new JsonObject { ["peft_type"] = "LORA", ["r"] = 3, ["lora_alpha"] = 6, ["bias"] = "none", ["modules_to_save"] = null, ["alpha_pattern"] = new JsonObject(), ["base_model_name_or_path"] = "x" };
            foreach ((string key, JsonNode? value) in changes) config[key] = value?.DeepClone();
            File.WriteAllText(Folder["adapter_config.json"], config.ToJsonString());
        }

        public void Dispose()
        {
            Folder.Dispose();
            Merged?.Dispose();
        }
    }

    private static readonly string[] GroupedQuery = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    private static readonly string[] Latent = ["q_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "o_proj", "gate_proj", "up_proj", "down_proj"];

    private static float[] Logits(LanguageModel model, LoraAdapter? adapter)
    {
        using BlockPool pool = model.CreatePool(4);
        using KvCache cache = model.CreateCache(pool, adapter);
        var logits = new float[Ids.Length * model.VocabularySize];
        model.ForwardAll(cache, Ids, logits);
        return logits;
    }

    private static float[] MergedLogits(Adapter adapter)
    {
        using ModelFolder folder = ModelFolder.Open(adapter.Merged!.Path);
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        return Golden.Logits(model, Ids);
    }

    [Theory]
    [InlineData("llama3", false)]
    [InlineData("qwen2", true)]
    [InlineData("deepseek_v2_lite", false)]
    [InlineData("deepseek_v3", true)]
    public void Logits_are_those_of_merged_weights(string name, bool rankStabilized)
    {
        using var adapter = new Adapter(name, 1, name.StartsWith("deepseek", StringComparison.Ordinal) ? Latent : GroupedQuery, rankStabilized: rankStabilized, merge: true, infix: rankStabilized ? ".default" : "");
        float[] expected = MergedLogits(adapter);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        float[] found = Logits(model, model.LoadAdapter(adapter.Folder.Path)), without = Golden.Logits(model, Ids);
        Golden.AssertClose(expected, found, name);
        Assert.True(Golden.Distance(without, found) > 0.05, "the adapter changes little");
    }

    [Fact]
    public void A_GGUF_of_the_model_takes_the_same_adapter()
    {
        using var adapter = new Adapter("llama3", 2, GroupedQuery, merge: true);
        using var converted = new TemporaryFolder();
        ModelConverter.Run(Golden.File("llama3"), converted["model.gguf"], FileType.Find("F32")!);
        using ModelFolder folder = ModelFolder.Open(converted["model.gguf"]);
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        Golden.AssertClose(MergedLogits(adapter), Logits(model, model.LoadAdapter(adapter.Folder.Path)), "GGUF");
    }

    [Theory]
    [InlineData("llama3", 3)]
    [InlineData("deepseek_v3", 512)]
    public void Company_changes_no_bit(string name, int chunk)
    {
        string[] modules = name == "llama3" ? GroupedQuery : Latent;
        using var one = new Adapter(name, 3, modules);
        using var other = new Adapter(name, 4, modules[..2], rank: 5);
        using ModelFolder folder = ModelFolder.Open(Golden.File(name));
        using LanguageModel model = LanguageModel.Load(folder, new ModelOptions { Threads = 2, ChunkSize = chunk });
        LoraAdapter first = model.LoadAdapter(one.Folder.Path), second = model.LoadAdapter(other.Folder.Path);
        Assert.NotEqual(first.Identity, second.Identity);
        Assert.Equal(first.Identity, model.LoadAdapter(one.Folder.Path).Identity);
        LoraAdapter?[] adapters = [first, null, second, first];
        using BlockPool pool = model.CreatePool(16);
        KvCache[] caches = [.. adapters.Select(a => model.CreateCache(pool, a))];
        var logits = new float[caches.Length * Ids.Length * model.VocabularySize];
        model.Forward([.. caches.Select(c => new BatchPart(c, Ids.Length, Ids.Length))], [.. caches.SelectMany(_ => Ids)], logits);
        for (int i = 0; i < caches.Length; i++)
            Golden.AssertSameBits(Logits(model, adapters[i]), logits[(i * logits.Length / 4)..((i + 1) * logits.Length / 4)], $"sequence {i}");
        Golden.AssertSameBits(Golden.Logits(model, Ids), logits[(logits.Length / 4)..(logits.Length / 2)], "without an adapter");
        foreach (KvCache cache in caches) cache.Dispose();
    }

    [Fact]
    public void Another_models_adapter_is_refused_by_the_tensors_name()
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File("llama3"));
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        using (var latent = new Adapter("deepseek_v3", 5, ["q_a_proj"])) Refused(latent, "self_attn.q_a_proj.lora_A.weight changes nothing that this model has");
        using (var shapes = new Adapter("qwen3_moe", 6, ["o_proj"])) Refused(shapes, "o_proj.lora_A.weight: expected [3, 64], found [3, 96]");
        using (var deeper = new Adapter("llama3", 7, ["q_proj"]))
        {
            Save(deeper, ("base_model.model.model.layers.4.self_attn.q_proj.lora_A.weight", [3, 64]), ("base_model.model.model.layers.4.self_attn.q_proj.lora_B.weight", [64, 3]));
            Refused(deeper, "layers.4.self_attn.q_proj.lora_A.weight changes nothing");
            const string Q = "base_model.model.model.layers.0.self_attn.q_proj.";
            Save(deeper, (Q + "lora_A.weight", [3, 64]));
            Refused(deeper, "layers.0.self_attn.q_proj.lora_B.weight is missing");
            Save(deeper, (Q + "lora_A.weight", [3, 64]), (Q + "lora_B.weight", [64, 4]));
            Refused(deeper, "lora_B.weight: expected [64, 3], found [64, 4]");
            Save(deeper, (Q + "lora_A.weight", [3, 64]), (Q + "lora_B.weight", [64, 3]), (Q + "lora_A.x.weight", [3, 64]), (Q + "lora_B.x.weight", [64, 3]));
            Refused(deeper, "change the same matrix");
            Save(deeper, (Q + "lora_A.weight", [3, 64]), (Q + "lora_B.weight", [64, 3]), (Q + "lora_magnitude_vector", [64]));
            Refused(deeper, "lora_magnitude_vector changes nothing");
            Save(deeper, (Q + "lora_A.weight", [64]), (Q + "lora_B.weight", [64, 3]));
            Refused(deeper, "lora_A.weight: expected [1, 64], found [64]");
            Save(deeper);
            Refused(deeper, "holds no LoRA matrices");
        }

        static void Save(Adapter adapter, params (string Name, long[] Shape)[] tensors) =>
            SafetensorsWriter.Save(adapter.Folder["adapter_model.safetensors"], [.. tensors.Select(t => (t.Name, t.Shape, new float[t.Shape.Aggregate(1L, (x, y) => x * y)]))]);

        void Refused(Adapter adapter, string message)
        {
            string found = Assert.Throws<CheckpointException>(() => model.LoadAdapter(adapter.Folder.Path)).Message;
            Assert.Contains(message, found);
            Assert.StartsWith(adapter.Folder["adapter_model.safetensors"], found);
        }
    }

    [Fact]
    public void What_is_not_supported_is_refused_by_its_key()
    {
        using ModelFolder folder = ModelFolder.Open(Golden.File("llama3"));
        using LanguageModel model = LanguageModel.Load(folder, Golden.Exact);
        using var adapter = new Adapter("llama3", 8, ["q_proj"]);
        foreach ((string key, JsonNode value) in new (string, JsonNode)[]
        {
            ("peft_type", "IA3"), ("use_dora", true), ("fan_in_fan_out", true), ("bias", "all"), ("modules_to_save", new JsonArray("lm_head")),
            ("alpha_pattern", new JsonObject { ["q_proj"] = 3 }), ("r", 0), ("lora_alpha", "x"),
        })
        {
            adapter.WriteConfig(new JsonObject { [key] = value });
            Assert.Contains(key, Assert.Throws<CheckpointException>(() => model.LoadAdapter(adapter.Folder.Path)).Message);
        }
        adapter.WriteConfig([]);
        Assert.NotNull(model.LoadAdapter(adapter.Folder.Path));
        File.WriteAllText(adapter.Folder["adapter_config.json"], "[]");
        Assert.Throws<CheckpointException>(() => model.LoadAdapter(adapter.Folder.Path));
        File.Delete(adapter.Folder["adapter_model.safetensors"]);
        adapter.WriteConfig([]);
        Assert.Throws<CheckpointException>(() => model.LoadAdapter(adapter.Folder.Path));
        Assert.Throws<CheckpointException>(() => model.LoadAdapter(adapter.Folder["nothing"]));
    }
}
