using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using SeekSharp.Checkpoints;
using SeekSharp.Kernels;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp inspect</c>: what a model's files hold, without loading them.</summary>
internal static class InspectVerb
{
    private static readonly JsonSerializerOptions Keys = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var tensors = new Option<bool>("--tensors") { Description = "List every tensor" };
        Option<bool> json = JsonOutput.Create();
        var command = new Command("inspect", "Show a model's config, tensors, parameters, and the bytes that a token touches") { model, tensors, json };
        command.SetAction(parsed =>
        {
            using ModelFolder folder = ModelArgument.Open(parsed.GetRequiredValue(model));
            JsonObject report = Report(folder);
            if (parsed.GetValue(json)) JsonOutput.Write(report);
            else Print(report, parsed.GetValue(tensors));
            return 0;
        });
        return command;
    }

    private static JsonObject Report(ModelFolder folder)
    {
        var report = new JsonObject { ["path"] = folder.Path, ["kind"] = folder.IsGguf ? "gguf" : folder.Checkpoint is not null ? "safetensors" : folder.Config is not null ? "config only" : "tokenizer only" };
        if (folder.Config is { } config)
        {
            if (folder.Checkpoint is { } checkpoint)
            {
                report["file_bytes"] = checkpoint.FileBytes;
                // Scales of FP8 blocks are no parameters of the model.
                report["parameters"] = checkpoint.Tensors.Values.Where(t => !t.Name.EndsWith("_scale_inv", StringComparison.Ordinal)).Sum(t => t.Count);
            }
            try
            {
                if (folder.Checkpoint is not null)
                {
                    ModelSize size = ModelSize.Of(folder.LoadWeights(), config);
                    report["active_parameters"] = size.ActiveParameters;
                    report["bytes_per_token"] = size.BytesPerToken;
                }
            }
            catch (CheckpointException e)
            {
                report["cannot_run"] = e.Message;
            }
            if (!report.ContainsKey("cannot_run"))
                report["kv_bytes_per_token"] = new JsonObject
                {
                    ["f32"] = KvBytes(config, KvFormat.F32),
                    ["bf16"] = KvBytes(config, KvFormat.BF16),
                    ["q8_0"] = KvBytes(config, KvFormat.Q8_0),
                };
            report["config"] = JsonSerializer.SerializeToNode(config, Keys);
        }
        report["generation"] = JsonSerializer.SerializeToNode(folder.Generation, Keys);
        report["chat_template"] = folder.ChatTemplateSource is not null;
        report["tokenizer_vocabulary"] = folder.Tokenizer?.VocabularySize;
        if (folder.Checkpoint is { } files)
            report["tensors"] = new JsonArray([.. files.Tensors.Values.Select(t => new JsonObject
            {
                ["name"] = t.Name, ["format"] = t.Format.ToString(), ["shape"] = new JsonArray([.. t.Shape.Select(d => (JsonNode)d)]), ["bytes"] = t.ByteLength,
            })]);
        return report;
    }

    private static long KvBytes(ModelConfig config, KvFormat format) => KvLayout.Of(config, format, config.NumHiddenLayers).BlockBytes / KvCache.BlockTokens;

    private static void Print(JsonObject report, bool everyTensor)
    {
        TextWriter output = Console.Out;
        Row("path", (string?)report["path"]);
        Row("kind", (string?)report["kind"]);
        if (report["file_bytes"] is { } bytes) Row("files", Amounts.Bytes((long)bytes));
        if (report["parameters"] is { } parameters) Row("parameters", $"{Amounts.Count((long)parameters)}{(report["active_parameters"] is { } active ? $", active for a token {Amounts.Count((long)active)}" : "")}");
        if (report["bytes_per_token"] is { } touched) Row("a token touches", Amounts.Bytes((long)touched));
        if (report["kv_bytes_per_token"] is JsonObject kv) Row("KV a token", string.Join(", ", kv.Select(k => $"{k.Key} {Amounts.Bytes((long)k.Value!)}")));
        if (report["cannot_run"] is { } reason) Row("cannot run", (string?)reason);
        Row("chat template", (bool)report["chat_template"]! ? "yes" : "no");
        if (report["tokenizer_vocabulary"] is { } vocabulary) Row("tokenizer", $"{vocabulary} ids");
        if (report["generation"] is JsonObject generation) Row("generation", string.Join(", ", generation.Select(g => $"{g.Key} {g.Value?.ToJsonString()}")));
        if (report["config"] is JsonObject config)
        {
            output.WriteLine("config");
            foreach ((string key, JsonNode? value) in config) output.WriteLine($"  {key,-34} {value?.ToJsonString()}");
        }
        if (report["tensors"] is not JsonArray tensors) return;
        output.WriteLine($"tensors          {tensors.Count}");
        if (everyTensor)
        {
            foreach (JsonNode? t in tensors) output.WriteLine($"  {(string?)t!["format"],-8} {"[" + string.Join(", ", (JsonArray)t["shape"]!) + "]",-24} {t["name"]}");
            return;
        }
        foreach (var group in tensors.GroupBy(t => (string?)t!["format"]).OrderByDescending(g => g.Sum(t => (long)t!["bytes"]!)))
            output.WriteLine($"  {group.Key,-8} {group.Count(),6}   {Amounts.Bytes(group.Sum(t => (long)t!["bytes"]!))}");

        void Row(string name, string? value) => output.WriteLine($"{name,-16} {value}");
    }
}
