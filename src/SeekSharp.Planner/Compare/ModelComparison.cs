using System.Globalization;

namespace SeekSharp.Planner;

/// <summary>Several models on the same GPUs, with the same tokens and the same load.</summary>
internal sealed class ModelComparison
{
    /// <summary>A model with its plans; a plan that cannot be made is null, and <paramref name="Reason"/> says why.</summary>
    internal sealed record Row(PlannedModel Model, TrainingPlan? Training, ServingPlan? Serving, string? Reason, IReadOnlyList<string> Cells);

    public static readonly IReadOnlyList<string> Head = ["model", "parameters", "active", "FLOPs a token", "KV a token", "layout", "MFU", "GPU hours", "training", "a million read", "a million written"];

    private ModelComparison(string title, double tokens, string load, IReadOnlyList<Row> rows) => (Title, Tokens, Load, Rows) = (title, tokens, load, rows);

    public string Title { get; }
    public double Tokens { get; }
    public string Load { get; }
    public IReadOnlyList<Row> Rows { get; }

    /// <param name="models">At least one.</param>
    /// <param name="gpu">For all.</param>
    /// <param name="gpus">For training each.</param>
    /// <param name="tokens">To train each with.</param>
    /// <param name="context">Sequence length for all.</param>
    /// <param name="load">To serve each with.</param>
    /// <param name="prices">API that buying is compared with.</param>
    /// <param name="price">Dollars a GPU and hour.</param>
    public static ModelComparison Of(IReadOnlyList<PlannedModel> models, Gpu gpu, int gpus, double tokens, int context, string load, PriceList prices, double? price)
    {
        ServingLoad day = ServingLoad.Parse(load);
        var rows = new List<Row>();
        foreach (PlannedModel model in models)
        {
            var reasons = new List<string>();
            TrainingPlan? training = Try(() => TrainingPlan.Of(new TrainingInputs { Model = model, Gpu = gpu, Gpus = gpus, Phases = [new TrainingPhase(tokens, context)], Price = price }), reasons);
            ServingPlan? serving = Try(() => ServingPlan.Of(new ServingInputs { Model = model, Gpu = gpu, Load = day, Prices = prices, Price = price }), reasons);
            ModelShape m = model.Shape;
            rows.Add(new Row(model, training, serving, reasons.Count > 0 ? string.Join("; ", reasons) : null,
            [
                model.Title, Quantity.Short(m.Parameters), Quantity.Short(m.ActiveParameters), Quantity.Short(FlopCount.Training(m, context)), $"{KvCacheSize.BytesPerToken(m):#,##0} B",
                training is null ? "-" : $"{training.Steps[0].Layout}, {training.Steps[0].Schedule}", Text(training?.Ledger, "mfu"), Text(training?.Ledger, "gpu_hours"), Text(training?.Ledger, "cost"),
                Text(serving?.Ledger, "cost_per_million_input"), Text(serving?.Ledger, "cost_per_million_output"),
            ]));
        }
        string title = $"{Quantity.Short(tokens)} tokens in sequences of {context:#,##0} on {gpus.ToString("#,##0", CultureInfo.InvariantCulture)} × {gpu.Title}; served: {load} a day";
        return new ModelComparison(title, tokens, load, rows);
    }

    private static string Text(Ledger? ledger, string key) => ledger is null ? "-" : ledger[key].Text;

    private static T? Try<T>(Func<T> make, List<string> reasons) where T : class
    {
        try
        {
            return make();
        }
        catch (PlannerException e)
        {
            reasons.Add(e.Message);
            return null;
        }
    }
}
