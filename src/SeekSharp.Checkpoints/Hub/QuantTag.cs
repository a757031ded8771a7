using System.Text.RegularExpressions;

namespace SeekSharp.Checkpoints;

/// <summary>Which quantization a GGUF file is: its name says so, by a habit of those who make them.</summary>
internal static partial class QuantTag
{
    /// <summary>The tag in a file's path: the last one in its name, else the last in its folders; null if there is none.</summary>
    /// <param name="stem">The path without <c>.gguf</c> and without the number of a part.</param>
    public static string? Of(string stem)
    {
        string? tag = null;
        foreach (string name in stem.Split('/').Reverse())
        {
            foreach (Match match in Tag().Matches(name)) tag = match.Value;
            if (tag is not null) break;
        }
        return tag;
    }

    /// <summary>Whether the path holds the tag as a word of its own: <c>Q4_K</c> is not in <c>Q4_K_M</c>, and <c>Q4_XS</c> not in <c>IQ4_XS</c>.</summary>
    public static bool Holds(string stem, string tag)
    {
        for (int at = 0; (at = stem.IndexOf(tag, at, StringComparison.OrdinalIgnoreCase)) >= 0; at++)
            if (!IsWord(stem, at - 1) && !IsWord(stem, at + tag.Length)) return true;
        return false;
    }

    /// <summary>Splits the path of a GGUF file: <c>a/m-00002-of-00003.gguf</c> is part 2 of 3 of <c>a/m</c>; a whole file is part 1 of 1. False if it is no GGUF file.</summary>
    public static bool TrySplit(string path, out string stem, out int part, out int parts)
    {
        (stem, part, parts) = ("", 1, 1);
        if (!path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)) return false;
        stem = path[..^5];
        if (PartNumber().Match(stem) is { Success: true } match)
        {
            part = int.Parse(match.Groups[1].ValueSpan);
            parts = int.Parse(match.Groups[2].ValueSpan);
            stem = stem[..match.Index];
        }
        return true;
    }

    private static bool IsWord(string text, int at) => at >= 0 && at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '_');

    [GeneratedRegex("(?<![A-Za-z0-9_])(UD-)?((IQ|TQ|Q)[0-9](_[A-Za-z0-9]+)*|BF16|F16|FP16|F32|FP32|MXFP4(_MOE)?)(?![A-Za-z0-9_])", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Tag();

    [GeneratedRegex("-([0-9]{5})-of-([0-9]{5})$", RegexOptions.CultureInvariant)]
    private static partial Regex PartNumber();
}
