using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>The pages that <c>--html</c> writes.</summary>
internal static class PlanPages
{
    private const double Step = 1.0 / 24;

    public static string Training(string title, TrainingPlan plan)
    {
        Ledger l = plan.Ledger;
        return new HtmlPage(plan.Inputs.Model.Title + ": what training costs")
            .Lead(title)
            .Tiles([("cost", l["cost"].Text), ("GPU hours", l["gpu_hours"].Text), ("days", l["days"].Text), ("MFU", l["mfu"].Text), ("FLOPs a token", l["flops_per_token"].Text), ("energy", l["energy_kwh"].Text)])
            .Section("Cost against tokens", "What each schedule would cost for the same model, GPUs and price; the mark is this plan.", CostAgainstTokens(plan))
            .Section("The pipeline's schedule", $"{plan.Steps[0].Schedule} on {plan.Steps[0].Pipeline.Ranks} ranks with the first micro-batches of a step, simulated with this plan's chunk times. Point at a box to see its time.", Timeline(plan.Steps[0]))
            .Section("Memory of the fullest GPU", "What stays on it while a step runs, for each phase.", Memory(plan.Steps.Select(s => ($"{s.Context:#,##0} tokens", s, plan.Inputs.Gpu))))
            .Results("Results", l)
            .ToString();
    }

    public static string Serving(string title, ServingPlan plan)
    {
        Ledger l = plan.Ledger;
        return new HtmlPage(plan.Inputs.Model.Title + ": what serving costs")
            .Lead(title)
            .Tiles([("nodes, mean", l["nodes"].Text), ("cost a day", l["cost"].Text), ("revenue a day", l["revenue"].Text), ("margin", l["margin"].Text), ("a million read", l["cost_per_million_input"].Text), ("a million written", l["cost_per_million_output"].Text)])
            .Section("Nodes over the day", "Nodes that read prompts and nodes that write, for each hour of the load's curve, in whole units.", Hours(plan))
            .Section("Buying against the API", "Money spent after so many days: the fleet bought for its busiest hour and its electricity, the same fleet rented, or the API's prices for the same tokens.", BreakEven(plan))
            .Section("Memory of a writing GPU", "Weights, and the cache of all sequences that it writes at once.", ServingMemory([plan]))
            .Results("Results", l)
            .ToString();
    }

    public static string Compare(ModelComparison comparison)
    {
        var page = new HtmlPage("Models compared").Lead(comparison.Title);
        page.Table("Side by side", ModelComparison.Head, comparison.Rows.Select(r => r.Cells));
        ModelComparison.Row[] trained = [.. comparison.Rows.Where(r => r.Training is not null)], served = [.. comparison.Rows.Where(r => r.Serving is not null)];
        if (trained.Length > 0)
        {
            double most = comparison.Tokens * 1.5;
            page.Section("Cost against tokens", "Training each model on the same GPUs at the same price.", SvgChart.Lines("tokens", "cost",
                [.. trained.Select((r, n) => new ChartLine(r.Model.Title, n % 8, Points(most, t => t / r.Training!.Inputs.Phases[0].Tokens * r.Training.Ledger["cost"].Value)))], Quantity.Short, v => "$" + Quantity.Short(v), (comparison.Tokens, Quantity.Short(comparison.Tokens))));
            TrainingPlan first = (trained.FirstOrDefault(r => r.Training!.Steps[0].Layout.Pipeline > 1) ?? trained[0]).Training!;
            page.Section($"The pipeline's schedule: {first.Inputs.Model.Title}", $"{first.Steps[0].Schedule} with the first micro-batches of a step, simulated.", Timeline(first.Steps[0]));
            page.Section("Memory of the fullest training GPU", "What stays on it while a step runs.", Memory(trained.Select(r => (r.Model.Title, r.Training!.Steps[0], r.Training.Inputs.Gpu))));
        }
        if (served.Length > 0)
        {
            page.Section("Buying against the API", $"Money spent after so many days of {comparison.Load}: fleets bought for their busiest hour, with electricity, beside the API's prices for the same tokens.", BreakEven(served));
            page.Section("Memory of a writing GPU", "Weights, and the cache of all sequences that it writes at once.", ServingMemory([.. served.Select(r => r.Serving!)]));
        }
        foreach (ModelComparison.Row row in trained) page.Results(row.Model.Title, row.Training!.Ledger);
        return page.ToString();
    }

    private static string CostAgainstTokens(TrainingPlan plan)
    {
        TrainingInputs i = plan.Inputs;
        double tokens = i.Phases[0].Tokens;
        StepEstimate own = plan.Steps[0];
        var lines = new List<ChartLine>();
        foreach ((string schedule, int color) in ((string, int)[])[("dualpipe", 0), ("zb1p", 2), ("1f1b", 1)])
        {
            StepEstimate step;
            try
            {
                step = schedule == own.Schedule ? own : StepEstimate.Of(i.Model.Shape, i.Gpu, own.Layout with { Chunks = schedule == "1f1b" ? own.Layout.Chunks : 1 }, schedule, own.Precision, own.Batch, own.Context, i.Imbalance);
            }
            catch (PlannerException)
            {
                continue; // this schedule cannot run so
            }
            double perToken = i.Gpus / step.TokensPerSecond / 3600 / i.Uptime * plan.Price;
            lines.Add(new ChartLine(schedule, color, Points(tokens * 1.5, t => t * perToken)));
        }
        return SvgChart.Lines("tokens", "cost", lines, Quantity.Short, v => "$" + Quantity.Short(v), (tokens, $"{Quantity.Short(tokens)}: {Quantity.Money(plan.Hours(0) * plan.Price)}"));
    }

    private static (double X, double Y)[] Points(double most, Func<double, double> y) => [.. Enumerable.Range(0, 25).Select(n => (n * Step * most, y(n * Step * most)))];

    // Few micro-batches, so that chunks can be told apart.
    private static string Timeline(StepEstimate s)
    {
        int batches = Math.Min(s.MicroBatches, s.Schedule == "dualpipe" ? 2 * s.Layout.Pipeline + 4 : s.Layout.Chunks > 1 ? s.Layout.Pipeline : s.Layout.Pipeline + 6);
        return "<div class=\"scroll\">" + TimelineChart.Draw(PipelineSchedule.Create(s.Schedule, s.Layout.Pipeline, batches, s.Layout.Chunks).Run(s.Times), s.Layout.Pipeline) + "</div>";
    }

    private static string Memory(IEnumerable<(string Name, StepEstimate Step, Gpu Gpu)> steps) => StackChart.Draw(
        [.. steps.Select(s => (s.Name, (IReadOnlyList<(string, double)>)[("weights", s.Step.Memory.Weights), ("gradients", s.Step.Memory.Gradients), ("optimizer", s.Step.Memory.Optimizer), ("activations", s.Step.Memory.Activations), ("buffers", s.Step.Memory.Buffers)], s.Gpu.Memory))], Quantity.Bytes);

    private static string ServingMemory(IReadOnlyList<ServingPlan> plans) => StackChart.Draw(
        [.. plans.Select(p => (p.Inputs.Model.Title, (IReadOnlyList<(string, double)>)[("weights", p.Ledger["memory_weights"].Value), ("cache", p.Ledger["memory_cache"].Value)], p.Inputs.Gpu.Memory))], Quantity.Bytes);

    private static string Hours(ServingPlan p)
    {
        double node = p.Inputs.Gpu.PerNode;
        return SvgChart.Lines("hour of the day", "nodes",
            [
                new ChartLine("all", 0, [.. p.PrefillGpus.Select((g, h) => ((double)h, (g + p.DecodeGpus[h]) / node))]),
                new ChartLine("writing", 2, [.. p.DecodeGpus.Select((g, h) => ((double)h, g / node))]),
                new ChartLine("reading", 1, [.. p.PrefillGpus.Select((g, h) => ((double)h, g / node))]),
            ], x => x.ToString("0", CultureInfo.InvariantCulture), Quantity.Plain);
    }

    private static string BreakEven(ServingPlan p)
    {
        double capital = p.Ledger["capital"].Value, power = ServingFigures.RunningCost(p), api = p.Ledger["revenue"].Value, even = api > power ? capital / (api - power) : double.PositiveInfinity;
        double days = double.IsFinite(even) ? Math.Clamp(even * 2, 30, 3650) : 730;
        return SvgChart.Lines("days", "spent",
            [
                new ChartLine("API", 1, Points(days, d => d * api)),
                new ChartLine("bought", 0, Points(days, d => capital + d * power)),
                new ChartLine("rented", 2, Points(days, d => d * p.Cost)),
            ], Quantity.Plain, v => "$" + Quantity.Short(v), double.IsFinite(even) ? (even, $"even after {Quantity.Plain(even)} days") : null);
    }

    private static string BreakEven(ModelComparison.Row[] served)
    {
        const double Days = 730;
        var lines = new List<ChartLine> { new($"API ({served[0].Serving!.Inputs.Prices.Name})", 1, Points(Days, d => d * served[0].Serving!.Ledger["revenue"].Value)) };
        foreach ((ModelComparison.Row row, int n) in served.Select((r, n) => (r, n)))
            lines.Add(new ChartLine(row.Model.Title, n == 0 ? 0 : (n + 1) % 8, Points(Days, d => row.Serving!.Ledger["capital"].Value + d * ServingFigures.RunningCost(row.Serving))));
        return SvgChart.Lines("days", "spent", lines, Quantity.Plain, v => "$" + Quantity.Short(v));
    }
}
