namespace SeekSharp.Planner;

/// <summary>"Did you mean": the names nearest to one that does not exist.</summary>
internal static class NearestNames
{
    /// <summary>Up to three names by edit distance (an insertion, a deletion, a substitution or a swap of neighbours costs 1); a name that begins with what was typed, or holds it, comes first.</summary>
    public static IReadOnlyList<string> To(string typed, IEnumerable<string> names)
    {
        string wanted = Plain(typed);
        return [.. names.Select(n => (Name: n, Distance: Score(wanted, Plain(n)))).OrderBy(n => n.Distance).ThenBy(n => n.Name, StringComparer.Ordinal).Take(3).Select(n => n.Name)];
    }

    private static double Score(string typed, string name) =>
        name.Contains(typed, StringComparison.Ordinal) ? (name.Length - typed.Length) * 0.1 : Distance(typed, name);

    private static string Plain(string name) => new([.. name.ToLowerInvariant().Where(char.IsLetterOrDigit).Take(64)]);

    /// <summary>Damerau's distance, without moving one letter twice.</summary>
    internal static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
            for (int j = 1; j <= b.Length; j++)
            {
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        return d[a.Length, b.Length];
    }
}
