using System.Text;

namespace SeekSharp.Cli.Terminal;

/// <summary>The lines that were typed before, the oldest first, kept in a file of one line each (line breaks as \n, backslashes as \\).</summary>
internal sealed class LineHistory
{
    private const int Most = 1000;
    private const long MostBytes = 4 << 20;
    private readonly string? _file;
    private readonly List<string> _lines = [];

    /// <param name="file">Where to keep them; null to forget. A file that cannot be read or written costs only the memory of it.</param>
    public LineHistory(string? file)
    {
        _file = file;
        try
        {
            if (file is null || !File.Exists(file) || new FileInfo(file).Length > MostBytes) return;
            foreach (string line in File.ReadAllLines(file).TakeLast(Most)) _lines.Add(Unescape(line));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    public int Count => _lines.Count;

    public string this[int index] => _lines[index];

    public void Add(string line)
    {
        if (line.Length == 0 || (_lines.Count > 0 && _lines[^1] == line)) return;
        _lines.Add(line);
        if (_lines.Count > Most) _lines.RemoveAt(0);
        if (_file is null) return;
        try
        {
            if (Path.GetDirectoryName(_file) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
            if (File.Exists(_file) && new FileInfo(_file).Length > MostBytes / 2) File.WriteAllLines(_file, _lines.Select(Escape));
            else File.AppendAllText(_file, Escape(line) + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    private static string Escape(string line) => line.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Unescape(string line)
    {
        var text = new StringBuilder(line.Length);
        for (int i = 0; i < line.Length; i++)
        {
            if (line[i] == '\\' && i + 1 < line.Length) text.Append(line[++i] == 'n' ? '\n' : line[i]);
            else text.Append(line[i]);
        }
        return text.ToString();
    }
}
