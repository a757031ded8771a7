using System.CommandLine;
using SeekSharp.Checkpoints;
using SeekSharp.Cli.Pull;
using SeekSharp.Cli.Terminal;
using SeekSharp.Models;
using SeekSharp.Tokenization;

namespace SeekSharp.Cli;

/// <summary>The argument MODEL, and the one function that finds what it names.</summary>
internal static class ModelArgument
{
    public static Argument<string> Create() => new("MODEL")
    {
        Description = "A model folder, a .gguf file, or the name of a pulled model (org/repo[:QUANT][@revision])",
        HelpName = "MODEL",
    };

    /// <summary>Opens what MODEL names: an existing file or folder wins over a pulled model's name.</summary>
    public static ModelFolder Open(string model) => ModelFolder.Open(Resolve(model));

    /// <summary>The tokenizer of an opened model.</summary>
    public static Tokenizer Tokenizer(ModelFolder folder) =>
        folder.Tokenizer ?? throw new CliException($"{folder.Path}: there is no tokenizer (expected tokenizer.json, or a GGUF file with its vocabulary)");

    /// <summary>Loads an opened model's weights, with a line of progress.</summary>
    public static LanguageModel Load(ModelFolder folder, ModelOptions options)
    {
        using var progress = new ProgressLine("loading");
        return LanguageModel.Load(folder, options, progress);
    }

    /// <summary>The path that MODEL names: an existing file or folder, else a pulled model's, which is pulled now if need be.</summary>
    public static string Resolve(string model) => PulledModels.Resolve(model);
}
