using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace SeekSharp.Cli.Verbs;

/// <summary><c>seeksharp info</c>: what this machine is, and what it can do.</summary>
internal static class InfoVerb
{
    internal static Command Create()
    {
        Option<bool> json = JsonOutput.Create();
        var command = new Command("info", "Show this machine: processor, kernel tier, measured bandwidth and peaks") { json };
        command.SetAction(parsed => Run(parsed.GetValue(json)));
        return command;
    }

    private static int Run(bool json)
    {
        var info = new JsonObject
        {
            ["version"] = typeof(InfoVerb).Assembly.GetName().Version?.ToString(3),
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["os"] = RuntimeInformation.OSDescription,
            ["cores"] = Environment.ProcessorCount,
            ["memory_bytes"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        };
        if (json)
            JsonOutput.Write(info);
        else
            foreach ((string name, JsonNode? value) in info) Console.Out.WriteLine($"{name,-14} {value}");
        return 0;
    }
}
