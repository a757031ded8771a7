namespace SeekSharp.Checkpoints;

/// <summary>Patterns for files as the hub's own tool has them: <c>*</c> is any text (slashes too), <c>?</c> any character; <c>folder/</c> is all in it.</summary>
internal static class Glob
{
    public static bool Matches(string pattern, string path)
    {
        if (pattern.EndsWith('/')) pattern += "*";
        int p = 0, t = 0, star = -1, resume = 0;
        while (t < path.Length)
        {
            if (p < pattern.Length && pattern[p] == '*') (star, resume) = (p++, t);
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == path[t])) (p, t) = (p + 1, t + 1);
            else if (star >= 0) (p, t) = (star + 1, ++resume); // let the last star take one more
            else return false;
        }
        return pattern.AsSpan(p).TrimStart('*').IsEmpty;
    }
}
