using System.CommandLine;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp detokenize</c>: ids to text.</summary>
internal static class DetokenizeVerb
{
    internal static Command Create()
    {
        Argument<string> model = ModelArgument.Create();
        var ids = new Argument<int[]>("ID") { Description = "Token ids", Arity = ArgumentArity.ZeroOrMore };
        var tokens = new Option<string?>("--tokens") { Description = "A JSON array of ids in FILE, in place of ID…", HelpName = "FILE" };
        var skip = new Option<bool>("--skip-special") { Description = "Leave special tokens out" };
        Option<bool> json = JsonOutput.Create();
        var command = new Command("detokenize", "Turn token ids into text") { model, ids, tokens, skip, json };
        command.SetAction(parsed =>
        {
            int[] given = parsed.GetValue(ids) ?? [];
            if (parsed.GetValue(tokens) is { } file) given = given.Length == 0 ? TokenFile.Read(file) : throw CliException.Usage("--tokens takes the place of ID…");
            else if (given.Length == 0) throw CliException.Usage("give at least one ID, or --tokens FILE");
            using ModelFolder folder = ModelArgument.Open(parsed.GetRequiredValue(model));
            string text = ModelArgument.Tokenizer(folder).Decode(given, parsed.GetValue(skip));
            if (parsed.GetValue(json)) JsonOutput.Write(new JsonObject { ["text"] = text });
            else Console.Out.WriteLine(text);
            return 0;
        });
        return command;
    }
}
