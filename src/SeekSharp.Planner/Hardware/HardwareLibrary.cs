using System.Text.Json;
using SeekSharp.Checkpoints;

namespace SeekSharp.Planner;

/// <summary>The accelerators that plans know by name: those that come along (<c>hardware.json</c>) and those of a user's file of the same form.</summary>
internal sealed class HardwareLibrary
{
    /// <summary>The name that stands for the machine at hand, as measured.</summary>
    public const string ThisMachine = "this";

    private const long Largest = 1 << 20;
    private readonly List<(Gpu Gpu, string[] Aliases)> _gpus = [];

    /// <param name="file">A further JSON file, or null.</param>
    /// <exception cref="PlannerException">It is broken or holds absurd values.</exception>
    public HardwareLibrary(string? file = null)
    {
        Read("hardware.json", JsonDocument.Parse(Resources.Text("hardware.json")).RootElement);
        if (file is null) return;
        try
        {
            Read(file, JsonFile.ReadObject(file, Largest));
        }
        catch (CheckpointException e)
        {
            throw new PlannerException(e.Message, e);
        }
    }

    public IReadOnlyList<Gpu> All => [.. _gpus.Select(g => g.Gpu)];

    /// <exception cref="PlannerException">There is none; the message has the nearest names.</exception>
    public Gpu Find(string name)
    {
        foreach ((Gpu gpu, string[] aliases) in _gpus.AsEnumerable().Reverse()) // a user's file wins
            if (Same(gpu.Name, name) || aliases.Any(a => Same(a, name))) return gpu;
        string[] known = [.. _gpus.Select(g => g.Gpu.Name).Append(ThisMachine).Distinct()];
        throw new PlannerException($"there is no GPU '{Quantity.Shown(name)}'; nearest: {string.Join(", ", NearestNames.To(name, known))} (all: {string.Join(", ", known)}; --hardware FILE adds more)");
    }

    private static bool Same(string a, string b) => string.Equals(a.Replace("-", ""), b.Replace("-", ""), StringComparison.OrdinalIgnoreCase);

    private void Read(string place, JsonElement json)
    {
        if (new ConfigObject(place, json).Get("gpus") is not { ValueKind: JsonValueKind.Array } list) throw new PlannerException($"{place}: expected an object with a list 'gpus'");
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object) throw new PlannerException($"{place}: gpus: expected objects");
            try
            {
                _gpus.Add(One(new ConfigObject(place, item)));
            }
            catch (CheckpointException e)
            {
                throw new PlannerException(e.Message, e);
            }
        }
    }

    private static (Gpu, string[]) One(ConfigObject c)
    {
        string name = c.Text("name") ?? throw c.Missing("name");
        c = new ConfigObject($"{c.Place}: {Checkpoint.Show(name)}", c.Json);
        ConfigObject peak = c.Child("peak") ?? throw c.Missing("peak"), sustained = c.Child("sustained") ?? throw c.Missing("sustained");
        double bf16 = peak.RequiredNumber("bf16", 0.1, 1e6), fp8 = peak.Number("fp8", 0.1, 1e6) ?? 0;
        double sustainedBf16 = sustained.RequiredNumber("bf16", 0.01, bf16), sustainedFp8 = fp8 > 0 ? sustained.RequiredNumber("fp8", 0.01, fp8) : 0;
        string[] aliases = c.Get("aliases") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray().Where(a => a.ValueKind == JsonValueKind.String).Select(a => a.GetString()!)] : [];
        return (new Gpu
        {
            Name = name,
            Title = c.Text("title") ?? name,
            Source = c.Text("source") ?? throw c.Missing("source"),
            PeakBf16 = bf16 * 1e12,
            PeakFp8 = fp8 * 1e12,
            SustainedBf16 = sustainedBf16 * 1e12,
            SustainedFp8 = sustainedFp8 * 1e12,
            SustainedFp8Gradient = (fp8 > 0 ? sustained.Number("fp8_gradient", 0.01, fp8) ?? sustainedFp8 : 0) * 1e12,
            Units = c.RequiredWhole("units", 1, 100_000),
            Clock = c.RequiredNumber("clock_ghz", 0.1, 20) * 1e9,
            ExpPerClock = c.RequiredNumber("exp_per_clock", 0.1, 4096),
            Vector = c.RequiredNumber("vector_tflops", 0.1, 1e5) * 1e12,
            Memory = c.RequiredNumber("memory_gb", 1, 1e5) * 1e9,
            Bandwidth = c.RequiredNumber("bandwidth_gbs", 1, 1e6) * 1e9,
            PerNode = c.RequiredWhole("gpus_per_node", 1, 1024),
            ScaleUp = c.RequiredNumber("scale_up_gbs", 0.1, 1e5) * c.RequiredNumber("scale_up_share", 0.01, 1) * 1e9,
            ScaleOut = c.RequiredNumber("scale_out_gbs", 0.1, 1e5) * c.RequiredNumber("scale_out_share", 0.01, 1) * 1e9,
            Watts = c.RequiredNumber("watts", 1, 1e5),
            RentHour = c.RequiredNumber("rent_hour", 0, 1e4),
            Purchase = c.RequiredNumber("purchase", 0, 1e8),
        }, aliases);
    }
}
