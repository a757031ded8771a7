using System.CommandLine;
using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp convert</c>: a Hugging Face folder to one GGUF file.</summary>
internal static class ConvertVerb
{
    internal static Command Create()
    {
        var folder = new Argument<string>("FOLDER") { Description = "A model folder as on the Hugging Face hub: config.json, .safetensors, tokenizer.json" };
        var output = new Argument<string?>("OUT")
        {
            Description = "The GGUF file to write (default: FOLDER's name and the type, in the current folder)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var type = new Option<string>("--outtype") { Description = "Numbers of the matrices; vectors stay 32-bit floats", HelpName = "f32|f16|bf16|q8_0", DefaultValueFactory = _ => "f16" };
        type.AcceptOnlyFromAmong("f32", "f16", "bf16", "q8_0");
        Option<int> threads = WriteModel.ThreadsOption();
        Option<bool> json = JsonOutput.Create();
        var command = new Command("convert", "Convert a Hugging Face folder to a GGUF file") { folder, output, type, threads, json };
        command.SetAction((parsed, cancellation) =>
        {
            string source = parsed.GetRequiredValue(folder);
            if (!Directory.Exists(source)) throw new CliException(File.Exists(source) ? $"{source}: convert takes a folder; for a GGUF file use quantize" : $"{source}: no such folder");
            FileType file = FileType.Find(parsed.GetValue(type)!)!;
            string target = parsed.GetValue(output) ?? $"{Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)))}-{file.Name}.gguf";
            return Task.FromResult(WriteModel.Run(source, target, file, parsed.GetValue(threads), parsed.GetValue(json), cancellation));
        });
        return command;
    }
}
