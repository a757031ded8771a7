using System.Text.Json;
using SeekSharp.Checkpoints;
using SeekSharp.Tokenization;

namespace SeekSharp.Tests.Fuzz;

/// <summary>All golden files, each as a recipe for a target, so that every thread makes its own.</summary>
internal static class FuzzCorpus
{
    // Small ones run fastest; large ones still get their turn.
    private static double ByCost(long bytes) => Math.Clamp(200_000.0 / Math.Max(1, bytes), 0.05, 2);

    public sealed record Recipe(string Name, double Weight, Func<FuzzTarget> Make);

    public static List<Recipe> All()
    {
        var all = new List<Recipe>();
        Models(all);
        Gguf(all);
        TensorFiles(all);
        Tokenizers(all);
        Templates(all);
        Router(all);
        return all;
    }

    private static void Models(List<Recipe> all)
    {
        foreach (string root in (string[])["goldens/models", "goldens/training/models"])
            foreach (string folder in Directory.GetDirectories(Repository.Shared(root)).Order(StringComparer.Ordinal))
            {
                string config = Path.Combine(folder, "config.json"), name = $"{root}/{Path.GetFileName(folder)}";
                string index = Path.Combine(folder, "model.safetensors.index.json"), weights = Path.Combine(folder, "model.safetensors");
                bool sharded = File.Exists(index);
                string[] files = sharded ? Directory.GetFiles(folder, "model-*.safetensors") : [weights];
                foreach (string file in files.Order(StringComparer.Ordinal))
                {
                    // Of a shard alone no model can be made.
                    Add(all, $"{name}/{Path.GetFileName(file)}", 5 * ByCost(new FileInfo(file).Length), typeof(CheckpointException), !sharded,
                        c => new SafetensorsTarget(file, sharded ? null : config) { Name = c.Name, Weight = c.Weight, IsCheckpoint = c.IsCheckpoint, Boundary = c.Boundary });
                }
                Add(all, $"{name}/config.json", 2, typeof(CheckpointException), true,
                    c => new ConfigTarget(config, sharded ? index : weights) { Name = c.Name, Weight = c.Weight, IsCheckpoint = c.IsCheckpoint, Boundary = c.Boundary });
                if (sharded) Add(all, $"{name}/model.safetensors.index.json", 1.5, typeof(CheckpointException), true,
                    c => new IndexTarget(folder) { Name = c.Name, Weight = c.Weight, IsCheckpoint = c.IsCheckpoint, Boundary = c.Boundary });
            }
    }

    private static void Gguf(List<Recipe> all)
    {
        string folder = Repository.Shared("goldens/gguf");
        foreach (string file in Directory.GetFiles(folder, "*.gguf").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (name.EndsWith("-00002-of-00002.gguf", StringComparison.Ordinal) || name == "metadata_nested.gguf") continue;
            string[] parts = GgufCheckpoint.Shards(file);
            bool model = !name.StartsWith("metadata", StringComparison.Ordinal);
            Add(all, $"goldens/gguf/{name}", 5 * ByCost(new FileInfo(file).Length), typeof(CheckpointException), model,
                c => new GgufTarget(parts) { Name = c.Name, Weight = c.Weight, IsCheckpoint = c.IsCheckpoint, Boundary = c.Boundary });
        }
    }

    private static void TensorFiles(List<Recipe> all)
    {
        string root = Repository.Shared("goldens");
        IEnumerable<string> files = Directory.GetFiles(root, "*.safetensors", SearchOption.AllDirectories)
            .Where(f => !Path.GetFileName(f).StartsWith("model", StringComparison.Ordinal)).Append(Repository.Shared("data/codebooks.safetensors"));
        foreach (string file in files.Order(StringComparer.Ordinal))
            Add(all, Path.GetRelativePath(Repository.SharedFolder, file), 0.4, typeof(CheckpointException), false,
                c => new SafetensorsTarget(file, null) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
    }

    private static void Tokenizers(List<Recipe> all)
    {
        string root = Repository.Shared("goldens/tokenizers");
        foreach (string file in Directory.GetFiles(root, "*.json", SearchOption.AllDirectories).Concat(Directory.GetFiles(root, "tokenizer.json.gz", SearchOption.AllDirectories)).Order(StringComparer.Ordinal))
        {
            string name = Path.GetRelativePath(Repository.SharedFolder, file);
            if (Path.GetFileName(file) == "index.json") continue;
            if (Path.GetFileName(file) == "tokenizer_config.json")
                Add(all, name, 0.5, typeof(CheckpointException), false,
                    c => new SmallConfigTarget(File.ReadAllBytes(file), generation: false) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
            else
                Add(all, name, file.EndsWith(".gz", StringComparison.Ordinal) ? 0.05 : new FileInfo(file).Length > 50_000 ? 0.1 : 0.5, typeof(TokenizerException), false,
                    c => new TokenizerTarget(file) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
        }
        // No golden folder has a generation_config.json; this is the form that R1's distilled models have.
        byte[] generation = """{"_from_model_config": true, "bos_token_id": 151646, "eos_token_id": [151643, 151645], "do_sample": true, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05}"""u8.ToArray();
        Add(all, "generation_config.json", 1, typeof(CheckpointException), false, c => new SmallConfigTarget(generation, generation: true) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
    }

    private static void Templates(List<Recipe> all)
    {
        string root = Repository.Shared("goldens/templates");
        JsonElement[] variables = Conversations(Path.Combine(root, "conversations.json"));
        foreach (string file in Directory.GetFiles(root, "*.jinja").Order(StringComparer.Ordinal))
        {
            string source = File.ReadAllText(file);
            Add(all, Path.GetRelativePath(Repository.SharedFolder, file), 1, typeof(TemplateException), false,
                c => new TemplateTarget(source, variables) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
        }
        foreach (string line in File.ReadLines(Path.Combine(root, "jinja_cases.jsonl")))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            if (!json.RootElement.TryGetProperty("template", out JsonElement template)) continue;
            string source = template.GetString()!;
            JsonElement context = json.RootElement.TryGetProperty("context", out JsonElement given) ? given.Clone() : variables[0];
            Add(all, $"jinja_cases.jsonl {json.RootElement.GetProperty("name").GetString()}", 0.05, typeof(TemplateException), false,
                c => new TemplateTarget(source, [context]) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
        }
    }

    private static JsonElement[] Conversations(string path)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(path));
        return [.. json.RootElement.EnumerateArray().Select(c =>
        {
            using var stream = new MemoryStream();
            using (var w = new Utf8JsonWriter(stream))
            {
                w.WriteStartObject();
                foreach (JsonProperty p in c.EnumerateObject())
                    if (p.Name is "messages" or "tools") p.WriteTo(w);
                w.WriteBoolean("add_generation_prompt", true);
                w.WriteString("bos_token", "<s>");
                w.WriteString("eos_token", "</s>");
                w.WriteEndObject();
            }
            using JsonDocument made = JsonDocument.Parse(stream.ToArray());
            return made.RootElement.Clone();
        })];
    }

    private static void Router(List<Recipe> all)
    {
        foreach (string line in File.ReadLines(Repository.Shared("goldens/router/cases.jsonl")))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            string text = json.RootElement.GetProperty("text").GetString()!;
            // The router has no exception of its own: any at all fails.
            Add(all, $"router/cases.jsonl {json.RootElement.GetProperty("id").GetString()}", 0.05, typeof(NoException), false,
                c => new RouterTarget(text) { Name = c.Name, Weight = c.Weight, Boundary = c.Boundary });
        }
    }

    private sealed class NoException : Exception;

    private sealed record Common(string Name, double Weight, Type Boundary, bool IsCheckpoint);

    private static void Add(List<Recipe> all, string name, double weight, Type boundary, bool checkpoint, Func<Common, FuzzTarget> make)
    {
        var common = new Common(name, weight, boundary, checkpoint);
        all.Add(new Recipe(name, weight, () => make(common)));
    }
}
