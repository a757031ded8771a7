using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using SeekSharp.Planner;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp plan serve --gpu this</c>: what this machine's processor does with a model, and with <c>--check</c> how far that is from <c>seeksharp bench</c>.</summary>
internal static class PlanCpu
{
    // As bench has them.
    private const int Prompt = 512, Written = 64;

    /// <summary>Dollars for a core and hour, where no price is given: about what clouds ask for one of a virtual machine.</summary>
    private const double CoreHour = 0.04;

    public static int Run(PlanOptions shared, ParseResult parsed, PlannedModel model, PriceList prices, bool check, double kvBits)
    {
        string name = shared.Model(parsed);
        if (check && !File.Exists(name) && !Directory.Exists(name)) throw CliException.Usage($"--check runs the model: {name} is a config without weights");
        CpuMachine machine = CpuProbe.Measure(CpuProbe.FormatOf(name), model.Shape);
        var plan = new CpuPlan(model, machine, Prompt, Written, 0, kvBits, shared.Price(parsed) ?? CoreHour * machine.Threads, prices);
        var more = new JsonObject
        {
            ["machine"] = new JsonObject
            {
                ["name"] = machine.Name,
                ["threads"] = machine.Threads,
                ["read"] = machine.Read,
                ["many_rows"] = machine.ManyRows,
                ["few_rows"] = machine.FewRows,
                ["attention"] = machine.Attention,
                ["region"] = machine.Region,
            },
        };
        if (check) more["bench"] = Check(plan, name);
        shared.Show(parsed, $"{model.Title} on {machine.Name}: a prompt of {Prompt}, an answer of {Written} tokens", plan.Ledger, more);
        return 0;
    }

    private static JsonObject Check(CpuPlan plan, string model)
    {
        JsonObject found = Bench(model);
        foreach ((string key, string what) in ((string, string)[])[("prefill_tps", "reading"), ("decode_tps", "writing")])
        {
            double measured = found[key]!.GetValue<double>(), off = plan.Ledger[key].Value / measured - 1;
            plan.Ledger.Add(key + "_measured", $"{what}, measured", measured, "1/s", $"{measured:0.0} tokens/s; the plan is {(off >= 0 ? "+" : "")}{off * 100:0}% off", "seeksharp bench");
        }
        return found;
    }

    // A process of its own: what the probe left in caches and pools does not help.
    private static JsonObject Bench(string model)
    {
        string self = Environment.ProcessPath ?? throw new CliException("--check: this program's path is not known");
        var start = new ProcessStartInfo(self) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(self) == "dotnet") start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "seeksharp.dll"));
        foreach (string argument in (string[])["bench", model, "--json"]) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start) ?? throw new CliException("--check: bench did not start");
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new CliException("--check: " + error.GetAwaiter().GetResult().Trim());
        return JsonNode.Parse(output) as JsonObject ?? throw new CliException("--check: bench gave no figures");
    }
}
