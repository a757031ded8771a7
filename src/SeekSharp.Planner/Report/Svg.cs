using System.Globalization;
using System.Net;

namespace SeekSharp.Planner;

/// <summary>Elements of SVG as text.</summary>
internal static class Svg
{
    public static string Open(double width, double height, string label) =>
        $"<svg viewBox=\"0 0 {N(width)} {N(height)}\" role=\"img\" aria-label=\"{Escape(label)}\" xmlns=\"http://www.w3.org/2000/svg\">";

    public static string Line(double x1, double y1, double x2, double y2, string kind) => $"<line x1=\"{N(x1)}\" y1=\"{N(y1)}\" x2=\"{N(x2)}\" y2=\"{N(y2)}\" class=\"{kind}\"/>";

    public static string Text(double x, double y, string text, string anchor, string kind = "") => $"<text x=\"{N(x)}\" y=\"{N(y)}\" text-anchor=\"{anchor}\" class=\"{kind}\">{Escape(text)}</text>";

    /// <summary>A box; what <paramref name="tip"/> says shows on pointing at it.</summary>
    public static string Box(double x, double y, double width, double height, string kind, string? tip = null) =>
        $"<rect x=\"{N(x)}\" y=\"{N(y)}\" width=\"{N(Math.Max(0, width))}\" height=\"{N(height)}\" class=\"{kind}\"{(tip is null ? "/>" : $"><title>{Escape(tip)}</title></rect>")}";

    public static string N(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    public static string Escape(string text) => WebUtility.HtmlEncode(text);
}
