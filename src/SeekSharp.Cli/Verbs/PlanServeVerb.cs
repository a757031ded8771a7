using System.CommandLine;
using SeekSharp.Planner;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp plan serve</c>: rates, nodes over a day, latency, cost and revenue of a fleet; with <c>--gpu this</c>, of this machine.</summary>
internal static class PlanServeVerb
{
    internal static Command Create()
    {
        var shared = new PlanOptions();
        var load = new Option<string?>("--load") { Description = "A day's tokens: 608B-in,168B-out,56.3%-hit,5000-context", HelpName = "LOAD" };
        var prefill = new Option<string?>("--prefill") { Description = "Unit that reads: ep32,r32 or tp8 (default: the published one, else the smallest that fits)", HelpName = "UNIT" };
        var decode = new Option<string?>("--decode") { Description = "Unit that writes: ep144,r32 or tp8", HelpName = "UNIT" };
        var prices = new Option<string?>("--prices") { Description = "A price list's name, a file, or HIT,MISS,OUT in dollars a million tokens", HelpName = "LIST" };
        var curve = new Option<string?>("--curve") { Description = "The load over the day: day, flat, or 24 numbers (default: day)", HelpName = "CURVE" };
        var speed = new Option<string?>("--speed") { Description = "Tokens a second that a reader gets at least (default: 20)", HelpName = "X" };
        var utilization = new Option<string?>("--utilization") { Description = "Share of its capacity that a fleet is loaded to (default: 70%)", HelpName = "SHARE" };
        var kvBits = new Option<string?>("--kv-bits") { Description = "Bits of a number in the cache (default: 16)", HelpName = "N" };
        var expertLoad = new Option<string?>("--expert-load") { Description = "JSON with the tokens of every expert; places and copies the busy ones", HelpName = "FILE" };
        var buy = new Option<string?>("--buy") { Description = "Dollars to buy a GPU with its share of a server", HelpName = "DOLLARS" };
        var check = new Option<bool>("--check") { Description = "With --gpu this: run bench as well and show how far the plan is off" };
        var command = new Command("serve", "What a serving fleet costs and earns");
        shared.AddTo(command);
        foreach (Option o in (Option[])[load, prefill, decode, prices, curve, speed, utilization, kvBits, expertLoad, buy, check]) command.Options.Add(o);
        command.SetAction(parsed =>
        {
            PlannedModel model = PlannedModel.Find(shared.Model(parsed));
            PriceList list = parsed.GetValue(prices) is { } p ? PriceList.Find(p) : PriceList.For(model);
            string gpu = shared.Gpu(parsed) ?? model.Recipe.Gpu ?? "h100";
            if (gpu == HardwareLibrary.ThisMachine) return PlanCpu.Run(shared, parsed, model, list, check: parsed.GetValue(check), parsed.GetValue(kvBits) is { } bits ? Quantity.Number(bits, "--kv-bits", 1, 32) : 16);
            if (parsed.GetValue(check)) throw CliException.Usage("--check goes with --gpu this");
            ServingPlan plan = ServingPlan.Of(new ServingInputs
            {
                Model = model,
                Gpu = shared.Hardware(parsed).Find(gpu),
                Load = ServingLoad.Parse(parsed.GetValue(load) ?? throw CliException.Usage("--load is missing: a day's tokens, as in 608B-in,168B-out,56.3%-hit")),
                Prices = list,
                Curve = parsed.GetValue(curve) is { } c ? LoadCurve.Parse(c) : LoadCurve.Day,
                Prefill = parsed.GetValue(prefill),
                Decode = parsed.GetValue(decode),
                Price = shared.Price(parsed),
                Speed = parsed.GetValue(speed) is { } v ? Quantity.Number(v, "--speed", 0.01, 10_000) : 20,
                Utilization = parsed.GetValue(utilization) is { } u ? Quantity.Part(u, "--utilization", whole: false) : 0.7,
                KvBits = parsed.GetValue(kvBits) is { } b ? Quantity.Number(b, "--kv-bits", 1, 32) : 16,
                ExpertLoads = parsed.GetValue(expertLoad) is { } file ? ExpertBalance.Read(file) : null,
                Purchase = parsed.GetValue(buy) is { } d ? Quantity.Number(d, "--buy", 0, 1e8) : null,
            });
            if (shared.Html(parsed) is { } page) PlanReport.Save(page, PlanPages.Serving(Title(plan), plan));
            shared.Show(parsed, Title(plan), plan.Ledger);
            return 0;
        });
        return command;
    }

    internal static string Title(ServingPlan plan) =>
        $"{plan.Inputs.Model.Title} on {plan.Inputs.Gpu.Title}: {Quantity.Short(plan.Inputs.Load.Input)} tokens read a day ({Quantity.Percent(plan.Inputs.Load.Hit)} from the cache), {Quantity.Short(plan.Inputs.Load.Output)} written";
}
