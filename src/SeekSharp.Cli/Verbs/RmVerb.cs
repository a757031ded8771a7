using System.CommandLine;
using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp rm</c>: removes pulled models, and nothing else.</summary>
internal static class RmVerb
{
    internal static Command Create()
    {
        var models = new Argument<string[]>("NAME") { Description = "Pulled models as list shows them; without :QUANT the whole repository's folder", Arity = ArgumentArity.OneOrMore };
        var command = new Command("rm", "Remove pulled models from SEEKSHARP_HOME") { models };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(models)));
        return command;
    }

    private static int Run(string[] names)
    {
        List<ModelName> models = [.. names.Select(ModelName.Parse)]; // all of them before the first is gone
        foreach (ModelName model in models) Console.Out.WriteLine($"removed {model} ({ByteCount.Text(ModelHome.Remove(model))})");
        return 0;
    }
}
