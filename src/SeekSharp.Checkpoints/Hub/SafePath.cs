using System.Text;

namespace SeekSharp.Checkpoints;

/// <summary>
/// What a name from the server must be like before it becomes a path: safe on every system, so that a folder of models can be carried from one to another.
/// </summary>
internal static class SafePath
{
    /// <summary>Our own files in a model's folder: the manifest, the lock, parts of files.</summary>
    public const string OwnFolder = ".seeksharp";

    private const int MaxDepth = 16, MaxLength = 1024, MaxNameBytes = 200;

    private static readonly HashSet<string> DeviceNames = new(
        ["CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$", .. Enumerable.Range(0, 10).SelectMany(i => (string[])[$"COM{i}", $"LPT{i}"])],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether it is a relative path with forward slashes that stays below its folder, and outside of ours.</summary>
    public static bool IsSafe(string path)
    {
        if (path.Length is 0 or > MaxLength) return false;
        string[] names = path.Split('/');
        return names.Length <= MaxDepth && names.All(IsSafeName) && !names[0].StartsWith(OwnFolder, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether it can be the name of one file or folder.</summary>
    public static bool IsSafeName(string name)
    {
        if (name.Length == 0 || name[^1] is '.' or ' ' || name[0] == ' ' || name.Length > MaxNameBytes || Encoding.UTF8.GetByteCount(name) > MaxNameBytes) return false;
        foreach (char c in name)
            if (char.IsControl(c) || c is '/' or '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|' || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or (>= '\u202a' and <= '\u202e')) return false;
        int dot = name.IndexOf('.');
        return !DeviceNames.Contains((dot < 0 ? name : name[..dot]).TrimEnd(' '));
    }

    /// <summary>The full path of a file below a folder.</summary>
    /// <exception cref="HubException">The path is not safe, or a link on the way to it could lead elsewhere.</exception>
    public static string Below(string folder, string path)
    {
        if (!IsSafe(path)) throw new HubException($"the hub names a file '{Printable(path)}', which is not allowed");
        string full = folder;
        foreach (string name in path.Split('/'))
        {
            full = Path.Combine(full, name);
            RefuseLink(full);
        }
        return full;
    }

    /// <exception cref="HubException">There is a link at this path.</exception>
    public static void RefuseLink(string path)
    {
        var file = new FileInfo(path);
        if (file.LinkTarget is not null || file.Exists && file.Attributes.HasFlag(FileAttributes.ReparsePoint)) throw new HubException($"{path}: is a link; files of a model are never written through one");
    }

    /// <summary>Text of a server for a message: short, and without signs that could move the cursor.</summary>
    public static string Printable(string text)
    {
        var shown = new StringBuilder();
        foreach (char c in text.Length > 120 ? text.AsSpan(0, 120) : text) shown.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c);
        return shown + (text.Length > 120 ? "…" : "");
    }
}
