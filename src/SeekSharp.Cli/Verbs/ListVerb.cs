using System.CommandLine;
using System.Text.Json.Nodes;
using SeekSharp.Checkpoints;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp list</c>: the models that were pulled.</summary>
internal static class ListVerb
{
    internal static Command Create()
    {
        Option<bool> json = JsonOutput.Create();
        var command = new Command("list", "List the pulled models") { json };
        command.SetAction(parsed => Run(parsed.GetValue(json)));
        return command;
    }

    private static int Run(bool json)
    {
        List<PulledModel> models = ModelHome.List();
        if (json)
        {
            var list = new JsonArray();
            foreach (PulledModel model in models)
                list.Add(new JsonObject
                {
                    ["name"] = model.Name,
                    ["path"] = model.Path,
                    ["bytes"] = model.Bytes,
                    ["revision"] = model.Revision,
                    ["commit"] = model.Commit,
                    ["modified"] = model.Modified.ToString("yyyy-MM-ddTHH:mm:ssZ"),
                    ["complete"] = model.IsComplete,
                });
            JsonOutput.Write(new JsonObject { ["home"] = ModelHome.Root, ["models"] = list });
            return 0;
        }
        if (models.Count == 0)
        {
            Console.Error.WriteLine($"no models in {ModelHome.Root}; seeksharp pull brings one");
            return 0;
        }
        int width = Math.Max(4, models.Max(m => m.Name.Length));
        Console.Out.WriteLine($"{"NAME".PadRight(width)}  {"SIZE",8}  {"PULLED",-10}  REVISION");
        foreach (PulledModel model in models)
        {
            string revision = model.Revision is null ? "" : model.Commit is null ? model.Revision : $"{model.Revision} ({model.Commit[..Math.Min(7, model.Commit.Length)]})";
            Console.Out.WriteLine($"{model.Name.PadRight(width)}  {ByteCount.Text(model.Bytes),8}  {model.Modified:yyyy-MM-dd}  {revision}{(model.IsComplete ? "" : " incomplete: pull it again")}".TrimEnd());
        }
        return 0;
    }
}
