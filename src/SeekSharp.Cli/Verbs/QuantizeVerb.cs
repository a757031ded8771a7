using System.CommandLine;
using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp quantize</c>: a model to a GGUF file of fewer bits.</summary>
internal static class QuantizeVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var output = new Argument<string>("OUT") { Description = "The GGUF file to write" };
        var type = new Argument<string>("TYPE") { Description = $"One of {FileType.Names}" };
        var pure = new Option<bool>("--pure") { Description = "Give every matrix the same type, the output matrix too" };
        Option<int> threads = WriteModel.ThreadsOption();
        Option<bool> json = JsonOutput.Create();
        var command = new Command("quantize", "Write a model with fewer bits a weight, as a GGUF file") { model, output, type, pure, threads, json };
        command.SetAction((parsed, cancellation) =>
        {
            string name = parsed.GetRequiredValue(type), target = parsed.GetRequiredValue(output);
            if (FileType.Find(name) is null && FileType.Find(target) is not null) (name, target) = (target, name); // either order
            FileType file = FileType.Find(name) ?? throw CliException.Usage($"quantize: there is no type '{name}' ({FileType.Names})");
            if (parsed.GetValue(pure)) file = file with { Pure = true, Mix = false };
            return Task.FromResult(WriteModel.Run(ModelArgument.Resolve(parsed.GetRequiredValue(model)), target, file, parsed.GetValue(threads), parsed.GetValue(json), cancellation));
        });
        return command;
    }
}
