using System.Text.Json;
using SeekSharp.Checkpoints;

namespace SeekSharp.Planner;

/// <summary>How a model's makers ran it: batch, length, parallelism. Inputs of a plan, never results; null where not published.</summary>
internal sealed record Recipe
{
    public int? Context { get; init; }
    /// <summary>Sequences of a step.</summary>
    public int? Batch { get; init; }
    public string? Parallel { get; init; }
    public string? Schedule { get; init; }
    public string? Precision { get; init; }
    public int? Gpus { get; init; }
    public string? Gpu { get; init; }
    /// <summary>Expert parallelism of the units that read prompts, and that write.</summary>
    public string? Prefill { get; init; }
    public string? Decode { get; init; }
}

/// <summary>A model to plan for: a built-in one by name, or any <c>config.json</c>, model folder or GGUF file.</summary>
/// <param name="Name">Short name.</param>
/// <param name="Title">Name for people.</param>
/// <param name="Source">Where its config comes from.</param>
/// <param name="Shape">Its matrices.</param>
/// <param name="Recipe">How it was run.</param>
/// <param name="WeightBits">Bits of a weight as published.</param>
internal sealed record PlannedModel(string Name, string Title, string Source, ModelShape Shape, Recipe Recipe, double WeightBits)
{
    private static readonly Lazy<IReadOnlyDictionary<string, string>> Index = new(() =>
    {
        var names = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (string resource in Resources.In("models"))
        {
            using JsonDocument document = JsonDocument.Parse(Resources.Text(resource));
            names[document.RootElement.GetProperty("name").GetString()!] = resource;
            foreach (JsonElement alias in document.RootElement.GetProperty("aliases").EnumerateArray()) names.TryAdd(alias.GetString()!, resource);
        }
        return names;
    });

    /// <summary>Names of the built-in models, without aliases.</summary>
    public static IReadOnlyList<string> BuiltIn => [.. Resources.In("models").Select(r => System.IO.Path.GetFileNameWithoutExtension(r))];

    /// <summary>Finds a model.</summary>
    /// <param name="name">A built-in name, or a path.</param>
    /// <exception cref="PlannerException">There is none; the message has the nearest names.</exception>
    /// <exception cref="CheckpointException">The file or folder is broken.</exception>
    public static PlannedModel Find(string name)
    {
        if (Index.Value.TryGetValue(name, out string? resource)) return Read(resource);
        if (File.Exists(name) || Directory.Exists(name)) return Open(name);
        throw new PlannerException($"there is no model '{Quantity.Shown(name)}'; nearest: {string.Join(", ", NearestNames.To(name, BuiltIn))} (or a config.json, a model folder, a .gguf file)");
    }

    private static PlannedModel Read(string resource)
    {
        using JsonDocument document = JsonDocument.Parse(Resources.Text(resource));
        JsonElement root = document.RootElement;
        string name = root.GetProperty("name").GetString()!;
        ModelConfig config = HuggingFaceConfig.Read(name, root.GetProperty("config"));
        Recipe recipe = new();
        if (root.TryGetProperty("recipe", out JsonElement r))
            recipe = new Recipe
            {
                Context = Whole(r, "context"),
                Batch = Whole(r, "batch"),
                Gpus = Whole(r, "gpus"),
                Parallel = Text(r, "parallel"),
                Schedule = Text(r, "schedule"),
                Precision = Text(r, "precision"),
                Gpu = Text(r, "gpu"),
                Prefill = Text(r, "prefill"),
                Decode = Text(r, "decode"),
            };
        return new PlannedModel(name, root.GetProperty("title").GetString()!, root.GetProperty("source").GetString()!, ModelShapes.Of(name, config), recipe, Text(root, "weights") == "fp8" ? 8 : 16);
    }

    private static PlannedModel Open(string path)
    {
        string name = System.IO.Path.GetFileNameWithoutExtension(System.IO.Path.TrimEndingDirectorySeparator(path));
        if (File.Exists(path) && path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            ModelConfig read = HuggingFaceConfig.Read(path);
            return new PlannedModel(name, path, path, ModelShapes.Of(path, read), new Recipe(), read.QuantizationMethod == "fp8" ? 8 : 16);
        }
        using ModelFolder folder = ModelFolder.Open(path);
        ModelConfig config = folder.Config ?? throw new PlannerException($"{path}: there is no config here (expected config.json or a GGUF file)");
        double bits = config.QuantizationMethod == "fp8" ? 8 : 16;
        if (folder.Checkpoint is { } checkpoint && checkpoint.Tensors.Count > 0)
            bits = 8.0 * checkpoint.Tensors.Values.Sum(t => t.ByteLength) / Math.Max(1, checkpoint.Tensors.Values.Sum(t => t.Count));
        return new PlannedModel(name, path, path, ModelShapes.Of(path, config), new Recipe(), bits);
    }

    private static int? Whole(JsonElement e, string key) => e.TryGetProperty(key, out JsonElement v) ? v.GetInt32() : null;

    private static string? Text(JsonElement e, string key) => e.TryGetProperty(key, out JsonElement v) ? v.GetString() : null;
}
