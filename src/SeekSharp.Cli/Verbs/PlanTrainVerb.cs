using System.CommandLine;
using System.Globalization;
using SeekSharp.Planner;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp plan train</c>: parameters, FLOPs, memory, traffic, the simulated pipeline, hours, money, energy.</summary>
internal static class PlanTrainVerb
{
    internal static Command Create()
    {
        var shared = new PlanOptions();
        var gpus = new Option<string?>("--gpus") { Description = "How many (default: the model's published run)", HelpName = "N" };
        var tokens = new Option<string>("--tokens") { Description = "Tokens with their unit; further phases with their length: 14.8T,63B@32K,63B@128K", HelpName = "TOKENS", Required = true };
        var parallel = new Option<string?>("--parallel") { Description = "pp16,ep64,zero1; also tp8, cp2, v2 (default: the published run's, else searched)", HelpName = "LAYOUT" };
        Option<string?> schedule = Range.OneOf(new Option<string?>("--schedule") { Description = "Pipeline schedule", HelpName = "dualpipe|1f1b|zb1p" }, "dualpipe", "1f1b", "zb1p");
        Option<string?> precision = Range.OneOf(new Option<string?>("--precision") { Description = "Of matrix products", HelpName = "fp8|bf16" }, "fp8", "bf16");
        var context = new Option<string?>("--context") { Description = "Sequence length (default: the published run's, else 4096)", HelpName = "TOKENS" };
        var batch = new Option<string?>("--batch") { Description = "Sequences of a step", HelpName = "N" };
        var imbalance = new Option<string?>("--imbalance") { Description = "Busiest expert rank over the mean (default: 1)", HelpName = "X" };
        var uptime = new Option<string?>("--uptime") { Description = "Share of the time that goes into steps (default: 100%)", HelpName = "SHARE" };
        var add = new Option<string[]>("--add") { Description = "GPU hours to add: 5K:post-training, or 512x200h:rl", HelpName = "HOURS[:NAME]", AllowMultipleArgumentsPerToken = false };
        var pue = new Option<string?>("--pue") { Description = "Building's power over its servers' (default: 1.2)", HelpName = "X" };
        var co2 = new Option<string?>("--co2") { Description = "Kilograms of CO2 a kWh (default: 0.45)", HelpName = "KG" };
        var command = new Command("train", "What a training run costs");
        shared.AddTo(command);
        foreach (Option o in (Option[])[gpus, tokens, parallel, schedule, precision, context, batch, imbalance, uptime, add, pue, co2]) command.Options.Add(o);
        command.SetAction(parsed =>
        {
            PlannedModel model = PlannedModel.Find(shared.Model(parsed));
            string name = shared.Gpu(parsed) ?? model.Recipe.Gpu ?? "h100";
            if (name == HardwareLibrary.ThisMachine) throw new CliException("plan train plans for accelerators; this machine can be planned with plan serve");
            int length = parsed.GetValue(context) is { } c ? TrainingInputs.ReadLength(c, "--context") : model.Recipe.Context ?? 4096;
            TrainingPlan plan = TrainingPlan.Of(new TrainingInputs
            {
                Model = model,
                Gpu = shared.Hardware(parsed).Find(name),
                Gpus = parsed.GetValue(gpus) is { } g ? (int)Quantity.Count(g, "--gpus", 1, 10_000_000, "2048") : model.Recipe.Gpus ?? throw CliException.Usage("--gpus is missing: how many GPUs"),
                Phases = TrainingInputs.ReadPhases(parsed.GetRequiredValue(tokens), length),
                Parallel = parsed.GetValue(parallel),
                Schedule = parsed.GetValue(schedule),
                Precision = TrainingInputs.ReadPrecision(parsed.GetValue(precision)),
                Batch = parsed.GetValue(batch) is { } b ? (int)Quantity.Count(b, "--batch", 1, 100_000_000, "15360") : null,
                Price = shared.Price(parsed),
                Imbalance = parsed.GetValue(imbalance) is { } x ? Quantity.Number(x, "--imbalance", 1, 100) : 1,
                Uptime = parsed.GetValue(uptime) is { } u ? Quantity.Part(u, "--uptime", whole: true) : 1,
                Pue = parsed.GetValue(pue) is { } p ? Quantity.Number(p, "--pue", 1, 5) : 1.2,
                Co2 = parsed.GetValue(co2) is { } k ? Quantity.Number(k, "--co2", 0, 5) : 0.45,
                Given = [.. (parsed.GetValue(add) ?? []).Select(TrainingInputs.ReadGiven)],
            });
            if (shared.Html(parsed) is { } file) PlanReport.Save(file, PlanPages.Training(Title(plan), plan));
            shared.Show(parsed, Title(plan), plan.Ledger);
            return 0;
        });
        return command;
    }

    internal static string Title(TrainingPlan plan)
    {
        StepEstimate s = plan.Steps[0];
        return $"{plan.Inputs.Model.Title} on {plan.Inputs.Gpus.ToString("#,##0", CultureInfo.InvariantCulture)} × {plan.Inputs.Gpu.Title}: {s.Layout}, {s.Schedule}, {s.Precision.ToString().ToLowerInvariant()}, {s.Batch:#,##0} × {s.Context:#,##0} tokens a step";
    }
}
