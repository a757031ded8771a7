using System.Text.Json;

namespace SeekSharp.Checkpoints;

/// <summary>One pulled file, or one that is being pulled.</summary>
/// <param name="Path">Its path in the repository and below the model's folder.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="Sha256">Its SHA-256 where the hub has one.</param>
/// <param name="Commit">The commit that it is from, where the hub says.</param>
/// <param name="IsDone">Whether it was moved to its place.</param>
internal sealed record PulledFile(string Path, long Size, string? Sha256, string? Commit, bool IsDone);

/// <summary>
/// What was pulled into a model's folder, in <c>.seeksharp/model.json</c>. A file is complete when it was moved to its place, last of all, and is there still.
/// </summary>
internal sealed class ModelManifest(string folder)
{
    private const int MaxBytes = 32 << 20;

    /// <summary>Where it is stored.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, SafePath.OwnFolder, "model.json");

    /// <summary>The repository, <c>org/repo</c>.</summary>
    public string Repository { get; set; } = "";

    /// <summary>The revision that was asked for.</summary>
    public string Revision { get; set; } = "main";

    /// <summary>The files by their paths.</summary>
    public SortedDictionary<string, PulledFile> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>The files that are there as a whole.</summary>
    public IEnumerable<PulledFile> Complete => Files.Values.Where(IsComplete);

    /// <summary>Whether a file is there as a whole.</summary>
    public bool IsComplete(PulledFile file) => file.IsDone && new FileInfo(Path.Combine(folder, file.Path)) is { Exists: true } info && info.Length == file.Size;

    /// <summary>Reads the manifest of a folder; null where there is none that can be read.</summary>
    public static ModelManifest? Read(string folder)
    {
        try
        {
            string path = PathIn(folder);
            if (new FileInfo(path) is not { Exists: true, Length: <= MaxBytes }) return null;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement;
            var manifest = new ModelManifest(folder)
            {
                Repository = root.GetProperty("repository").GetString() ?? "",
                Revision = root.GetProperty("revision").GetString() ?? "main",
            };
            foreach (JsonElement entry in root.GetProperty("files").EnumerateArray())
            {
                var file = new PulledFile(entry.GetProperty("path").GetString() ?? "", entry.GetProperty("size").GetInt64(), Text(entry, "sha256"), Text(entry, "commit"), entry.GetProperty("done").GetBoolean());
                if (SafePath.IsSafe(file.Path)) manifest.Files[file.Path] = file;
            }
            return manifest;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Writes it, so that a reader sees the old one or the new one.</summary>
    public void Write()
    {
        string path = PathIn(folder);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, json =>
        {
            json.WriteString("repository", Repository);
            json.WriteString("revision", Revision);
            json.WriteStartArray("files");
            foreach (PulledFile file in Files.Values)
            {
                json.WriteStartObject();
                json.WriteString("path", file.Path);
                json.WriteNumber("size", file.Size);
                if (file.Sha256 is not null) json.WriteString("sha256", file.Sha256);
                if (file.Commit is not null) json.WriteString("commit", file.Commit);
                json.WriteBoolean("done", file.IsDone);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
    }

    private static string? Text(JsonElement entry, string key) =>
        entry.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>Small JSON files that are replaced as a whole.</summary>
internal static class AtomicFile
{
    public static void Write(string path, Action<Utf8JsonWriter> fill)
    {
        string temporary = path + ".new";
        using (FileStream stream = File.Create(temporary))
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            fill(json);
            json.WriteEndObject();
        }
        File.Move(temporary, path, overwrite: true);
    }
}
