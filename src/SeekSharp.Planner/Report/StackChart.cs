using System.Text;

namespace SeekSharp.Planner;

/// <summary>Horizontal bars made of parts, with a line for the limit: memory of a GPU.</summary>
internal static class StackChart
{
    private const double Width = 1120, Left = 150, Right = 90, Row = 46;

    public static string Draw(IReadOnlyList<(string Name, IReadOnlyList<(string Part, double Value)> Parts, double Limit)> bars, Func<double, string> text)
    {
        double most = bars.Max(b => Math.Max(b.Limit, b.Parts.Sum(p => p.Value))), scale = (Width - Left - Right) / most, height = bars.Count * Row + 40;
        var svg = new StringBuilder(Svg.Open(Width, height, "Memory"));
        string[] parts = [.. bars.SelectMany(b => b.Parts.Select(p => p.Part)).Distinct()];
        for (int row = 0; row < bars.Count; row++)
        {
            (string name, IReadOnlyList<(string Part, double Value)> own, double limit) = bars[row];
            double x = Left, y = row * Row + 6;
            svg.Append(Svg.Text(Left - 10, y + 20, name, "end", "strong"));
            foreach ((string part, double value) in own)
            {
                double width = value * scale;
                svg.Append(Svg.Box(x, y, width - 1, 30, $"s{Array.IndexOf(parts, part)}", $"{part}: {text(value)}"));
                if (width > 64) svg.Append(Svg.Text(x + width / 2, y + 20, text(value), "middle", "on"));
                x += width;
            }
            svg.Append(Svg.Text(Math.Max(x, Left + limit * scale) + 8, y + 20, text(own.Sum(p => p.Value)), "start", "strong"));
            if (limit > 0) svg.Append(Svg.Line(Left + limit * scale, y - 4, Left + limit * scale, y + 34, "mark"));
        }
        double bottom = bars.Count * Row + 26, at = Left;
        for (int p = 0; p < parts.Length; p++)
        {
            svg.Append(Svg.Box(at, bottom - 10, 12, 12, $"s{p}")).Append(Svg.Text(at + 18, bottom, parts[p], "start"));
            at += 42 + parts[p].Length * 7;
        }
        svg.Append(Svg.Line(at + 6, bottom - 11, at + 6, bottom + 3, "mark")).Append(Svg.Text(at + 14, bottom, "what the GPU has", "start"));
        return svg.Append("</svg>").ToString();
    }
}
