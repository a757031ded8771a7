using System.CommandLine;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Pull;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp pull</c>: brings a model from the hub.</summary>
internal static class PullVerb
{
    internal static Command Create()
    {
        var model = new Argument<string>("NAME") { Description = "The model on the hub: org/repo[:QUANT][@revision], e.g. unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M" };
        var include = new Option<string[]>("--include") { Description = "Pull the files that match (* is any text); may be given again", HelpName = "GLOB" };
        Option<bool> json = JsonOutput.Create();
        var command = new Command("pull", "Bring a model from the Hugging Face hub (HF_ENDPOINT, HF_TOKEN) into SEEKSHARP_HOME (~/.seeksharp/models)") { model, include, json };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetRequiredValue(model), parsed.GetValue(include) ?? [], parsed.GetValue(json), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string text, string[] include, bool json, CancellationToken cancellation)
    {
        ModelName name = ModelName.TryParse(text, out ModelName parsed, out string problem) ? parsed : throw CliException.Usage($"{text}: {problem}");
        PullResult result = await PullView.PullAsync(name, include, cancellation).ConfigureAwait(false);
        if (!json)
        {
            Console.Out.WriteLine(result.Path);
            return 0;
        }
        var files = new JsonArray();
        foreach (PulledFile file in result.Files) files.Add(new JsonObject { ["path"] = file.Path, ["bytes"] = file.Size, ["sha256"] = file.Sha256 });
        JsonOutput.Write(new JsonObject
        {
            ["name"] = name.ToString(),
            ["path"] = result.Path,
            ["folder"] = result.Folder,
            ["revision"] = name.Revision ?? "main",
            ["commit"] = result.Commit,
            ["bytes"] = result.Files.Sum(f => f.Size),
            ["pulled_files"] = result.Brought,
            ["files"] = files,
        });
        return 0;
    }
}
