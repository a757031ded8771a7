using System.Text.Json.Nodes;
using SeekSharp.Planner;

namespace SeekSharp.Cli.Verbs;

/// <summary>A plan's results for people and for programs.</summary>
internal static class PlanReport
{
    /// <summary>A line for each result; with <paramref name="explain"/> its formula and inputs below it. Warnings and assumptions follow.</summary>
    public static void Print(string title, Ledger ledger, bool explain)
    {
        TextWriter output = Console.Out;
        output.WriteLine(title);
        int width = ledger.Figures.Count == 0 ? 0 : ledger.Figures.Max(f => f.Name.Length);
        foreach (Figure f in ledger.Figures)
        {
            output.WriteLine($"{f.Name.PadRight(width)}  {f.Text}");
            if (!explain) continue;
            output.WriteLine($"{"",4}= {f.Formula}");
            foreach ((string name, string value) in f.Inputs) output.WriteLine($"{"",8}{name}: {value}");
        }
        foreach (string warning in ledger.Warnings) output.WriteLine("warning: " + warning);
        foreach (string assumption in ledger.Assumptions) output.WriteLine("assumed: " + assumption);
    }

    /// <summary>Writes a page.</summary>
    public static void Save(string file, string page)
    {
        try
        {
            File.WriteAllText(file, page);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CliException($"{file}: cannot be written ({CommandLine.OneLine(e.Message)})");
        }
        Console.Error.WriteLine($"wrote {file}");
    }

    /// <summary><c>title</c>, <c>results</c> by key with value, unit, formula and inputs, <c>warnings</c>, <c>assumptions</c>.</summary>
    public static JsonObject Json(string title, Ledger ledger, JsonObject? more = null)
    {
        var results = new JsonObject();
        foreach (Figure f in ledger.Figures)
        {
            string key = f.Key;
            for (int n = 2; results.ContainsKey(key); n++) key = $"{f.Key}_{n}";
            results[key] = new JsonObject
            {
                ["name"] = f.Name.Trim(),
                ["value"] = f.Value,
                ["unit"] = f.Unit,
                ["formula"] = f.Formula,
                ["inputs"] = new JsonObject([.. f.Inputs.Select(i => KeyValuePair.Create(i.Name, (JsonNode?)i.Value))]),
            };
        }
        var document = new JsonObject { ["title"] = title, ["results"] = results };
        foreach ((string key, JsonNode? value) in more ?? []) document[key] = value?.DeepClone();
        document["warnings"] = new JsonArray([.. ledger.Warnings.Select(w => (JsonNode)w)]);
        document["assumptions"] = new JsonArray([.. ledger.Assumptions.Select(a => (JsonNode)a)]);
        return document;
    }
}
