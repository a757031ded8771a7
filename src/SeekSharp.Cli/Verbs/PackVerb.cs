using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Terminal;
using SeekSharp.Models;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp pack</c>: the experts of a model that is larger than memory, each in one piece and ready for the kernels, in a file beside the model.</summary>
internal static class PackVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        Option<int> threads = WriteModel.ThreadsOption();
        Option<bool> json = JsonOutput.Create();
        var command = new Command("pack", "Write a model's experts beside it, ready to be read as they are needed (for models larger than memory)") { model, threads, json };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(parsed.GetRequiredValue(model), parsed.GetValue(threads), parsed.GetValue(json), cancellation)));
        return command;
    }

    private static int Run(string model, int threads, bool json, CancellationToken cancellation)
    {
        Stopwatch clock = Stopwatch.StartNew();
        using ModelFolder folder = ModelArgument.Open(model);
        PackedExpertsWriter.Result result;
        using (var progress = new ProgressLine("packing")) result = PackedExpertsWriter.Run(folder, threads, progress, cancellation);
        if (json)
            JsonOutput.Write(new JsonObject { ["path"] = result.Path, ["experts"] = result.Experts, ["bytes"] = result.Bytes, ["seconds"] = Math.Round(clock.Elapsed.TotalSeconds, 3) });
        else
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Path}: {result.Experts} experts, {Amounts.Bytes(result.Bytes)}, {clock.Elapsed.TotalSeconds:F1} s"));
        return 0;
    }
}
