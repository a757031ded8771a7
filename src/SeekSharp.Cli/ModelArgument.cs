using System.CommandLine;
using SeekSharp.Cli.Pull;

namespace SeekSharp.Cli;

/// <summary>The argument MODEL, and the one function that finds what it names.</summary>
internal static class ModelArgument
{
    public static Argument<string> Create() => new("MODEL")
    {
        Description = "A model folder, a .gguf file, or the name of a pulled model (org/repo[:QUANT][@revision])",
        HelpName = "MODEL",
    };

    /// <summary>The path that MODEL names: an existing file or folder, else a pulled model's, which is pulled now if need be.</summary>
    public static string Resolve(string model) => PulledModels.Resolve(model);
}
