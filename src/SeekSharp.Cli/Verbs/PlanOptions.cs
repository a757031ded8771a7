using System.CommandLine;
using SeekSharp.Planner;

namespace SeekSharp.Cli.Verbs;

/// <summary>The options that the verbs of <c>plan</c> share.</summary>
internal sealed class PlanOptions
{
    private readonly Option<string> _model = new("--model") { Description = "A built-in model's name, a config.json, a model folder or a .gguf file", HelpName = "MODEL", Required = true };
    private readonly Option<string?> _gpu = new("--gpu") { Description = "h100, h800, h200, a100, mi300x, ascend-910b, a name from --hardware, or this (measured)", HelpName = "NAME" };
    private readonly Option<string?> _hardware = new("--hardware") { Description = "A JSON file with more accelerators", HelpName = "FILE" };
    private readonly Option<string?> _price = new("--price") { Description = "Dollars for a GPU and hour (default: the hardware file's assumption)", HelpName = "DOLLARS" };
    private readonly Option<bool> _explain = new("--explain") { Description = "Show the formula and the inputs of every result" };
    private readonly Option<string?> _html = new("--html") { Description = "Write one self-contained page with charts", HelpName = "FILE" };
    private readonly Option<bool> _json = JsonOutput.Create();

    public void AddTo(Command command, bool model = true)
    {
        if (model) command.Options.Add(_model);
        foreach (Option option in (Option[])[_gpu, _hardware, _price, _explain, _html, _json]) command.Options.Add(option);
    }

    public string Model(ParseResult parsed) => parsed.GetRequiredValue(_model);

    public string? Gpu(ParseResult parsed) => parsed.GetValue(_gpu);

    public HardwareLibrary Hardware(ParseResult parsed) => new(parsed.GetValue(_hardware));

    public double? Price(ParseResult parsed) => parsed.GetValue(_price) is { } text ? Quantity.Number(text, "--price", 0, 10_000) : null;

    public string? Html(ParseResult parsed) => parsed.GetValue(_html);

    public bool Explain(ParseResult parsed) => parsed.GetValue(_explain);

    public bool Json(ParseResult parsed) => parsed.GetValue(_json);

    /// <summary>Shows the results as asked for.</summary>
    public void Show(ParseResult parsed, string title, Ledger ledger, System.Text.Json.Nodes.JsonObject? more = null)
    {
        if (Json(parsed)) JsonOutput.Write(PlanReport.Json(title, ledger, more));
        else PlanReport.Print(title, ledger, Explain(parsed));
    }
}
