using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Pull;

/// <summary>What MODEL means when it is no path: a pulled model, or one to be pulled now.</summary>
internal static class PulledModels
{
    private static readonly string[] FileEndings = [".gguf", ".safetensors", ".json", ".gz", ".jinja", ".txt"];

    /// <summary>The path of an existing file or folder, of a pulled model, or of one that this call pulls.</summary>
    /// <exception cref="CliException">It is none of these.</exception>
    public static string Resolve(string model)
    {
        if (ModelHome.Resolve(model) is { } path) return path;
        bool looksLikePath = model.Length == 0 || model[0] is '.' or '/' or '~' || FileEndings.Any(e => model.EndsWith(e, StringComparison.OrdinalIgnoreCase));
        if (looksLikePath || !ModelName.TryParse(model, out ModelName name, out _))
            throw new CliException($"{model}: no such file or folder, and no model's name on the hub (org/repo[:QUANT][@revision])");
        // Ctrl+C ends the pull in good order: what is there stays for the next one.
        using Interrupts.Scope interrupt = Interrupts.Begin();
        try
        {
            return PullView.PullAsync(name, [], interrupt.Token).GetAwaiter().GetResult().Path;
        }
        catch (HubException e)
        {
            throw new CliException("not on this machine; " + e.Message);
        }
    }
}
