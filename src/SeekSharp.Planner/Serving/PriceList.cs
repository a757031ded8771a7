using System.Text.Json;
using SeekSharp.Checkpoints;

namespace SeekSharp.Planner;

/// <summary>What an API asks for a million tokens, in dollars.</summary>
internal sealed record PriceList(string Name, string Title, string Source, double Hit, double Miss, double Output)
{
    private const double Most = 10_000;

    /// <summary>A built-in list by name, a JSON file of the same form with one list, or HIT,MISS,OUT.</summary>
    /// <exception cref="PlannerException">Nothing of that.</exception>
    public static PriceList Find(string text)
    {
        string[] parts = text.Split(',');
        if (parts.Length == 3)
            return new PriceList("given", "given prices", "--prices", Quantity.Number(parts[0], "--prices", 0, Most), Quantity.Number(parts[1], "--prices", 0, Most), Quantity.Number(parts[2], "--prices", 0, Most));
        IReadOnlyList<PriceList> builtIn = BuiltIn;
        if (builtIn.FirstOrDefault(p => p.Name == text) is { } known) return known;
        if (!File.Exists(text)) throw new PlannerException($"--prices: there is no price list '{Quantity.Shown(text)}'; nearest: {string.Join(", ", NearestNames.To(text, builtIn.Select(p => p.Name)))} (or a file, or HIT,MISS,OUT in dollars a million tokens)");
        try
        {
            return Read(new ConfigObject(text, JsonFile.ReadObject(text, 1 << 20)));
        }
        catch (CheckpointException e)
        {
            throw new PlannerException(e.Message, e);
        }
    }

    /// <summary>The list that goes with a model: its own, else R1's, which most open models are compared with.</summary>
    public static PriceList For(PlannedModel model) => BuiltIn.FirstOrDefault(p => p.Name == model.Name) ?? BuiltIn[0];

    public static IReadOnlyList<PriceList> BuiltIn =>
        [.. JsonDocument.Parse(Resources.Text("prices.json")).RootElement.GetProperty("lists").EnumerateArray().Select(e => Read(new ConfigObject("prices.json", e)))];

    private static PriceList Read(ConfigObject c)
    {
        string name = c.Text("name") ?? "given", source = c.Text("source") ?? throw c.Missing("source");
        string title = c.Text("title") ?? name;
        return new PriceList(name, c.Text("date") is { } date ? $"{title}, {date}" : title, source, c.RequiredNumber("hit", 0, Most), c.RequiredNumber("miss", 0, Most), c.RequiredNumber("output", 0, Most));
    }

    /// <summary>Tokens times prices.</summary>
    public double Revenue(ServingLoad load) => (load.Input * load.Hit * Hit + load.Input * (1 - load.Hit) * Miss + load.Output * Output) / 1e6;
}
