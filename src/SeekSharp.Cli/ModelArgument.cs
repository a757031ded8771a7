using System.CommandLine;

namespace SeekSharp.Cli;

/// <summary>The argument MODEL, and the one function that finds what it names.</summary>
internal static class ModelArgument
{
    public static Argument<string> Create() => new("MODEL")
    {
        Description = "A model folder, a .gguf file, or the name of a pulled model (org/repo[:QUANT][@revision])",
        HelpName = "MODEL",
    };

    /// <summary>The path that MODEL names: an existing file or folder wins over a pulled model's name.</summary>
    public static string Resolve(string model)
    {
        if (File.Exists(model) || Directory.Exists(model)) return model;
        throw new CliException($"{model}: no such file or folder");
    }
}
