using System.Globalization;
using System.Text;

namespace SeekSharp.Planner;

/// <summary>A line of a chart.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Color">Index of a colour of the page's palette.</param>
/// <param name="Points">x and y.</param>
internal sealed record ChartLine(string Name, int Color, IReadOnlyList<(double X, double Y)> Points);

/// <summary>
/// Line charts as SVG: axes that begin and end at round numbers, few grid lines, names at the lines' ends. Colours are the page's variables, so that light and dark need no
/// second drawing.
/// </summary>
internal static class SvgChart
{
    private const double Width = 1120, Height = 400, Left = 76, Right = 170, Top = 34, Bottom = 48;

    public static string Lines(string xTitle, string yTitle, IReadOnlyList<ChartLine> lines, Func<double, string> xText, Func<double, string> yText, (double X, string Text)? mark = null)
    {
        double xMax = lines.SelectMany(l => l.Points).Max(p => p.X), yMax = Math.Max(1e-12, lines.SelectMany(l => l.Points).Max(p => p.Y));
        double xMin = lines.SelectMany(l => l.Points).Min(p => p.X);
        double yStep = Step(yMax), yTop = Math.Ceiling(yMax / yStep - 1e-9) * yStep, xStep = Step(xMax - xMin);
        var svg = new StringBuilder();
        svg.Append(Svg.Open(Width, Height, $"{yTitle} against {xTitle}"));
        for (double y = 0; y <= yTop * 1.0001; y += yStep)
        {
            svg.Append(Svg.Line(Left, Y(y), Width - Right, Y(y), y == 0 ? "axis" : "grid"));
            svg.Append(Svg.Text(Left - 8, Y(y) + 4, yText(y), "end"));
        }
        for (double x = Math.Max(0, Math.Ceiling(xMin / xStep - 1e-9)) * xStep; x <= xMax * 1.0001; x += xStep) svg.Append(Svg.Text(X(x), Height - Bottom + 20, xText(x), "middle"));
        svg.Append(Svg.Text((Left + Width - Right) / 2, Height - 6, xTitle, "middle", "title")).Append(Svg.Text(Left - 8, 14, yTitle, "end", "title"));
        if (mark is { } m && m.X >= xMin && m.X <= xMax)
        {
            svg.Append(Svg.Line(X(m.X), Top, X(m.X), Height - Bottom, "mark"));
            svg.Append(Svg.Text(X(m.X) + 6, Top - 6, m.Text, "start", "strong"));
        }
        var ends = new List<double>();
        foreach (ChartLine line in lines.OrderByDescending(l => l.Points[^1].Y))
        {
            string path = string.Join(' ', line.Points.Select((p, i) => $"{(i == 0 ? "M" : "L")}{Svg.N(X(p.X))} {Svg.N(Y(p.Y))}"));
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"{path}\" class=\"line c{line.Color}\"/>");
            double at = Y(line.Points[^1].Y) + 4;
            if (ends.Count > 0 && at < ends[^1] + 15) at = ends[^1] + 15; // names do not overlap
            ends.Add(at);
            svg.Append(Svg.Text(X(line.Points[^1].X) + 8, at, line.Name, "start", $"name t{line.Color}"));
        }
        return svg.Append("</svg>").ToString();

        double X(double x) => Left + (xMax > xMin ? (x - xMin) / (xMax - xMin) : 0) * (Width - Left - Right);
        double Y(double y) => Height - Bottom - y / yTop * (Height - Top - Bottom);
    }

    /// <summary>1, 2 or 5 times a power of ten, so that four to eight steps reach the top.</summary>
    internal static double Step(double range)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(range)));
        foreach (double factor in (double[])[0.1, 0.2, 0.5, 1, 2])
            if (range / (power * factor) <= 7) return power * factor;
        return power * 2;
    }
}
