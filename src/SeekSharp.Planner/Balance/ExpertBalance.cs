using System.Text.Json;
using SeekSharp.Checkpoints;

namespace SeekSharp.Planner;

/// <summary>How evenly the experts' loads fall on a unit's GPUs: the busiest over the mean, averaged over the layers.</summary>
/// <param name="InOrder">Experts placed one after the other, none copied.</param>
/// <param name="Placed">Experts copied and placed by <see cref="ExpertPlacement"/>.</param>
internal readonly record struct ExpertBalance(double InOrder, double Placed)
{
    private const long Largest = 64 << 20;

    /// <exception cref="PlannerException">The loads do not fit the model or the unit.</exception>
    public static ExpertBalance Of(IReadOnlyList<double[]>? loads, ServingUnit unit, Gpu gpu, ModelShape m)
    {
        if (loads is null || unit.Expert <= 1) return new(1, 1);
        int experts = m.Config.NRoutedExperts, nodes = Math.Max(1, unit.Expert / gpu.PerNode);
        if (unit.Expert % nodes != 0) nodes = 1;
        double inOrder = 0, placed = 0;
        foreach (double[] layer in loads)
        {
            if (layer.Length != experts) throw new PlannerException($"expert loads: expected {experts} numbers a layer for {m.Name}, found {layer.Length}");
            placed += ExpertPlacement.Of(layer, experts + unit.Redundant, m.Config.NGroup, nodes, unit.Expert).Imbalance(layer);
            // Without copies a unit that its experts do not divide among cannot be filled evenly: then the plain order is that of the same slots, the first ones twice.
            inOrder += (experts % unit.Expert == 0 ? ExpertPlacement.InOrder(experts, unit.Expert)
                : new ExpertPlacement([.. Enumerable.Range(0, experts + unit.Redundant).Select(s => s % experts)], (experts + unit.Redundant) / unit.Expert)).Imbalance(layer);
        }
        return new(inOrder / loads.Count, placed / loads.Count);
    }

    /// <summary>Reads a JSON object with a list <c>layers</c> of lists of numbers.</summary>
    /// <exception cref="PlannerException">It is something else.</exception>
    public static IReadOnlyList<double[]> Read(string path)
    {
        try
        {
            var layers = new List<double[]>();
            if (!JsonFile.ReadObject(path, Largest).TryGetProperty("layers", out JsonElement list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
                throw new PlannerException($"{path}: expected {{\"layers\": [[tokens of expert 0, …], …]}}");
            foreach (JsonElement layer in list.EnumerateArray())
                layers.Add(layer.ValueKind == JsonValueKind.Array && layer.EnumerateArray().All(e => e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out double d) && d >= 0 && d < 1e18)
                    ? [.. layer.EnumerateArray().Select(e => e.GetDouble())]
                    : throw new PlannerException($"{path}: layers: expected lists of numbers of at least 0"));
            return layers;
        }
        catch (CheckpointException e)
        {
            throw new PlannerException(e.Message, e);
        }
    }
}
