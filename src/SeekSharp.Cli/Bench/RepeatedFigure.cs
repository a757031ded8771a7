using System.Text.Json.Nodes;

namespace SeekSharp.Cli.Bench;

/// <summary>A figure that is taken several times. Its median is what is told; a report has all its values under <c>runs</c>, in the order in which they were taken.</summary>
/// <param name="name">Its key in a report.</param>
/// <param name="digits">Behind the point, in a report.</param>
internal sealed class RepeatedFigure(string name, int digits)
{
    private readonly string _name = name;
    private readonly int _digits = digits;
    private readonly List<double> _values = [];

    public bool IsEmpty => _values.Count == 0;

    /// <summary>The value in the middle; the mean of the two there, where they are even in number.</summary>
    public double Median
    {
        get
        {
            double[] sorted = [.. _values.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    public void Add(double value) => _values.Add(value);

    /// <summary>Writes each one's median, null where it has no values, and then the values of all.</summary>
    public static void Write(JsonObject report, params ReadOnlySpan<RepeatedFigure> figures)
    {
        var runs = new JsonObject();
        foreach (RepeatedFigure figure in figures)
        {
            report[figure._name] = figure.IsEmpty ? null : Math.Round(figure.Median, figure._digits);
            if (!figure.IsEmpty) runs[figure._name] = new JsonArray([.. figure._values.Select(v => (JsonNode)Math.Round(v, figure._digits))]);
        }
        report["runs"] = runs;
    }
}
