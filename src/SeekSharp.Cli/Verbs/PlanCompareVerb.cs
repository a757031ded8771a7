using System.CommandLine;
using System.Text.Json.Nodes;
using SeekSharp.Planner;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp plan compare</c>: models side by side, as a table or as one page with charts.</summary>
internal static class PlanCompareVerb
{
    internal static Command Create()
    {
        var shared = new PlanOptions();
        var models = new Argument<string[]>("MODEL") { Description = "Built-in names, config.json files, model folders, .gguf files", Arity = ArgumentArity.OneOrMore, HelpName = "MODEL" };
        var gpus = new Option<string>("--gpus") { Description = "GPUs to train on", DefaultValueFactory = _ => "2048", HelpName = "N" };
        var tokens = new Option<string>("--tokens") { Description = "Tokens to train with", DefaultValueFactory = _ => "14.8T", HelpName = "TOKENS" };
        var context = new Option<string>("--context") { Description = "Sequence length", DefaultValueFactory = _ => "4096", HelpName = "TOKENS" };
        var load = new Option<string>("--load") { Description = "A day's tokens to serve", DefaultValueFactory = _ => "100B-in,20B-out,50%-hit", HelpName = "LOAD" };
        var prices = new Option<string>("--prices") { Description = "The API to compare buying with: a price list's name, a file, or HIT,MISS,OUT", DefaultValueFactory = _ => "deepseek-r1", HelpName = "LIST" };
        var command = new Command("compare", "Models side by side") { models, gpus, tokens, context, load, prices };
        shared.AddTo(command, model: false);
        command.SetAction(parsed =>
        {
            string[] names = parsed.GetRequiredValue(models);
            if (names.Length > 16) throw CliException.Usage($"{names.Length} models are too many to compare (at most 16)");
            ModelComparison comparison = ModelComparison.Of([.. names.Select(PlannedModel.Find)], shared.Hardware(parsed).Find(shared.Gpu(parsed) ?? "h800"),
                (int)Quantity.Count(parsed.GetRequiredValue(gpus), "--gpus", 1, 10_000_000, "2048"), Quantity.Count(parsed.GetRequiredValue(tokens), "--tokens", 1e6, 1e17, "14.8T"),
                TrainingInputs.ReadLength(parsed.GetRequiredValue(context), "--context"), parsed.GetRequiredValue(load), PriceList.Find(parsed.GetRequiredValue(prices)), shared.Price(parsed));
            if (shared.Html(parsed) is { } file) PlanReport.Save(file, PlanPages.Compare(comparison));
            if (shared.Json(parsed)) JsonOutput.Write(Json(comparison));
            else Print(comparison, shared.Explain(parsed));
            return 0;
        });
        return command;
    }

    private static JsonObject Json(ModelComparison c) => new()
    {
        ["title"] = c.Title,
        ["models"] = new JsonArray([.. c.Rows.Select(r => new JsonObject
        {
            ["model"] = r.Model.Name,
            ["training"] = r.Training is null ? null : PlanReport.Json(PlanTrainVerb.Title(r.Training), r.Training.Ledger),
            ["serving"] = r.Serving is null ? null : PlanReport.Json(PlanServeVerb.Title(r.Serving), r.Serving.Ledger),
            ["reason"] = r.Reason,
        })]),
    };

    private static void Print(ModelComparison c, bool explain)
    {
        Console.Out.WriteLine(c.Title);
        IReadOnlyList<string>[] rows = [ModelComparison.Head, .. c.Rows.Select(r => r.Cells)];
        int[] widths = [.. Enumerable.Range(0, ModelComparison.Head.Count).Select(n => rows.Max(r => r[n].Length))];
        foreach (IReadOnlyList<string> row in rows) Console.Out.WriteLine(string.Join("  ", row.Select((cell, n) => n is 0 or 5 ? cell.PadRight(widths[n]) : cell.PadLeft(widths[n]))).TrimEnd());
        foreach (ModelComparison.Row row in c.Rows)
        {
            foreach (string warning in (row.Training?.Ledger.Warnings ?? []).Concat(row.Serving?.Ledger.Warnings ?? [])) Console.Out.WriteLine($"warning: {row.Model.Title}: {warning}");
            if (row.Reason is { } reason) Console.Out.WriteLine($"not planned: {row.Model.Title}: {reason}");
        }
        if (!explain) return;
        foreach (ModelComparison.Row row in c.Rows)
        {
            if (row.Training is { } training) PlanReport.Print(PlanTrainVerb.Title(training), training.Ledger, true);
            if (row.Serving is { } serving) PlanReport.Print(PlanServeVerb.Title(serving), serving.Ledger, true);
        }
    }
}
